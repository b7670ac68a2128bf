"""What scoring a run gives: estimates by arm, and what they rest on. Records only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

# The pipeline as it is, beside which all other arms are read; floors are arms of this beginning.
CONTEXT = "context"
FLOOR = "floor:"

# The stages that together are the time of an answer; "answer" holds those within it.
STAGES = ("prepare", "retrieve", "guard", "select", "answer")

# From this share on an answer counts as right where its measure is a share.
RIGHT = 0.5

State = Literal["answered", "abstained", "unparsed", "failed", "missing"]
STATES: tuple[State, ...] = ("answered", "abstained", "unparsed", "failed", "missing")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its interval.

    Attributes:
        value: nan if no item counts.
        low, high: 95% interval by bootstrap over clusters; nan where there is none.
        n: items that count.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """How one arm answered one item.

    Attributes:
        parsed: the answer as it was read, in a few characters.
        right: what the headline measure counts, in [0, 1]; nan where it does not count the item.
        values: by measure; those that do not apply are left out.
    """

    item: str
    arm: str
    state: State
    parsed: str
    right: float
    confidence: float | None = None
    values: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ArmScores:
    """How one arm, or one floor, did on all items.

    Attributes:
        measures: by name, the headline first.
        totals: what the released scorer of the protocol prints besides, without intervals.
        groups: column of the items to value to measure to estimate.
        seconds: mean seconds for one item by stage; see STAGES.
    """

    arm: str
    n_items: int
    states: Mapping[State, int]
    measures: Mapping[str, Estimate]
    totals: Mapping[str, float] = field(default_factory=dict, hash=False)
    groups: Mapping[str, Mapping[str, Mapping[str, Estimate]]] = field(
        default_factory=dict, hash=False
    )
    seconds: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Flow:
    """What an arm does to the items beside another arm: ids by what became of them."""

    before: str
    after: str
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    both_right: tuple[str, ...]
    both_wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """How well confidence tells right from wrong, for one arm.

    Attributes:
        coverage, risk: risk-coverage curve, most confident first; equally long.
        bins: (mean confidence, share right, items) of each bin that holds an item.
    """

    arm: str
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    bins: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What context and pictures do to the answers.

    Attributes:
        flows: of the arm with context beside each arm without, with wrong or with the right one.
        shares: by name ("over_reliance", "image_blind_accuracy", "copied_references", ...).
        counts: by name ("excluded: same image", "near duplicates", ...), over all items.
    """

    flows: tuple[Flow, ...] = ()
    shares: Mapping[str, Estimate] = field(default_factory=dict, hash=False)
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Scores:
    """One run, scored by one protocol in one mode.

    Attributes:
        headline: names of the measures that stand for the run, the first counting most.
        arms: the arms of the run, "context" first; floors are arms whose name begins "floor:".
        rows: of all items in order, and of each item by arm.
        problems: what a reader of the numbers must know, in sentences.
        memory: most bytes that were in use at the end of a stage, over the whole run: resident
            memory of the process, and on a GPU the peak since the stage before.
    """

    benchmark: str
    split: str
    protocol: str
    mode: Literal["faithful", "corrected"]
    headline: tuple[str, ...]
    n_items: int
    n_clusters: int
    arms: tuple[ArmScores, ...]
    curves: Curves | None = None
    diagnostics: Diagnostics = Diagnostics()
    rows: Sequence[ScoreRow] = ()
    problems: tuple[str, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict, hash=False)
