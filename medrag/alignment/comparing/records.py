"""What a comparison of trained models gives: records only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import Estimate

# The two variants that others are held against: the model before training, and the control.
BASE, SFT = "base", "sft"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train a model, with a run for each seed of the training."""

    name: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """What is known of how the model of a run was trained; None where it is not known."""

    run: Path
    seed: int | None = None
    n_steps: int | None = None
    n_pairs: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of two variants, or of two arms of one, on the same items; b minus a.

    Attributes:
        a, b: the measure of each, on average over its seeds.
        value: b minus a with its interval over items and seeds; `n`: items that count in either.
        relative: `value` as a share of a; nan where a is 0.
        p: two-sided; nan where the difference is.
        adjusted_p: after Holm's correction over all that is held against the same variant; nan
            where nothing was corrected.
    """

    a: float
    b: float
    value: Estimate
    relative: Estimate
    p: float
    adjusted_p: float = float("nan")


@dataclass(frozen=True, slots=True)
class Beside:
    """One variant held against another.

    Attributes:
        a, b: names; a is what b is held against.
        differences: by measure.
        n_fixed: items with context that a has wrong and b right, on average over pairs of seeds.
        n_broken: the reverse.
        fixed, broken: ids of those where this holds of most seeds of both.
        detectable: the smallest difference in accuracy with context that would be found in 8 of 10
            cases at level 0.05; nan where it cannot be told, as where no item changed.
    """

    a: str
    b: str
    differences: Mapping[str, Difference] = field(hash=False)
    n_fixed: float
    n_broken: float
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    detectable: float


@dataclass(frozen=True, slots=True)
class VariantScores:
    """How one variant did.

    Attributes:
        measures: by name, see `medrag.alignment.comparing.measuring`.
        from_context: accuracy with context minus accuracy without, in this variant; None where
            one of the two arms is not there.
        groups: column of the items to value to arm to accuracy.
        gains: column of the items to value to accuracy with context minus that without.
        trainings: one for each run.
    """

    name: str
    n_seeds: int
    measures: Mapping[str, Estimate] = field(hash=False)
    from_context: Difference | None
    groups: Mapping[str, Mapping[str, Mapping[str, Estimate]]] = field(hash=False)
    gains: Mapping[str, Mapping[str, Difference]] = field(hash=False)
    trainings: tuple[Training, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A measure that is better, or worse, than that of the SFT control, and shown to be so.

    Attributes:
        caveats: what a reader must know beside it, in sentences.
    """

    variant: str
    measure: str
    difference: Difference
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlignmentComparison:
    """Variants of one model on the same items.

    Attributes:
        n_items: items that every run answered in every arm; all else is of these.
        comparisons: each variant beside base, beside SFT, and beside a control of its own.
        claims: gains over the SFT control; empty without one.
        losses: what is worse than the SFT control.
        claims_note: why there are claims, or none.
        notes: what the reader must know first, as given.
        problems: what a reader of the numbers must know, in sentences.
    """

    benchmark: str
    split: str
    protocol: str
    mode: str
    n_items: int
    n_clusters: int
    variants: tuple[VariantScores, ...]
    comparisons: tuple[Beside, ...]
    claims: tuple[Claim, ...]
    losses: tuple[Claim, ...]
    claims_note: str
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
