"""What a reader of a comparison must know before its numbers."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.comparing.records import BASE, SFT, Training, Variant
from medrag.alignment.comparing.variants import training_of
from medrag.evaluation.scoring.columns import Columns

# With fewer seeds an interval says little of what another training would give.
_FEW_SEEDS = 3
_FEW_CLUSTERS = 30


def problems_of(
    variants: Sequence[Variant],
    columns: Mapping[str, Sequence[Mapping[str, Columns]]],
    counted: NDArray[np.bool_],
    n_clusters: int,
    wanted: Sequence[str],
) -> Iterator[str]:
    """Say what is missing, what failed, and what cannot be told from the runs.

    Args:
        columns: by variant, of each run by arm.
        counted: (n_items,) whether every run answered an item in every arm.
        n_clusters: of the items that count.
        wanted: arms that a comparison needs.
    """
    names = [each.name for each in variants]
    if SFT not in names:
        yield "there is no SFT control, so that no gain can be claimed"
    if BASE not in names:
        yield "there is no run of the model before training (base)"
    yield from _missing_arms(columns, wanted)
    if n := int(np.sum(~counted)):
        yield f"{n} of {len(counted)} items are left out: not every run answered them in every arm"
    if n_clusters < _FEW_CLUSTERS:
        yield f"only {n_clusters} clusters: intervals by bootstrap are too narrow to trust"
    yield from _failed(columns)
    yield from _few_seeds(variants)
    yield from _same_pipelines(variants)
    yield from _unequal_steps(variants)
    yield from _unequal_noise(variants)
    yield from dict.fromkeys(
        str(problem)
        for variant in variants
        for run in variant.runs
        for problem in run.manifest["problems"]
    )


def _missing_arms(
    columns: Mapping[str, Sequence[Mapping[str, Columns]]], wanted: Sequence[str]
) -> Iterator[str]:
    there = next(iter(columns.values()))[0]
    lacking = [arm for arm in wanted if arm not in there]
    if lacking:
        yield (
            f"not every run has the arm {', '.join(lacking)}, and what needs it is left out; "
            "answer it with: medrag eval run ... --arm " + " --arm ".join(lacking)
        )


def _failed(columns: Mapping[str, Sequence[Mapping[str, Columns]]]) -> Iterator[str]:
    for name, runs in columns.items():
        n = sum(arm.n_in("failed") for run in runs for arm in run.values())
        if n:
            yield f"{name}: {n} answers failed, and count as not right"


def _few_seeds(variants: Sequence[Variant]) -> Iterator[str]:
    trained = [each for each in variants if each.name != BASE]
    few = [each.name for each in trained if len(each.runs) < _FEW_SEEDS]
    if not few:
        return
    ones = [each.name for each in trained if len(each.runs) == 1]
    if len(ones) == len(trained):
        yield "one seed each: intervals say nothing of what training again would give"
    else:
        yield (
            f"fewer than {_FEW_SEEDS} seeds of {', '.join(few)}: intervals say little of what "
            "training again would give"
        )


def _same_pipelines(variants: Sequence[Variant]) -> Iterator[str]:
    """Point at runs of two variants that were answered by one recipe."""
    seen: dict[str, str] = {}
    for variant in variants:
        for run in variant.runs:
            pipeline = run.manifest.get("pipeline") or {}
            digest = str(pipeline.get("sha256", ""))
            other = seen.setdefault(digest, variant.name) if digest else variant.name
            if other != variant.name:
                yield (
                    f"{other} and {variant.name} were answered by the same recipe: unless its "
                    "weights changed in between, they are the same model"
                )
                return


def _unequal_steps(variants: Sequence[Variant]) -> Iterator[str]:
    """Compare at equal steps: a longer training is no better method."""
    told: dict[str, list[Training]] = {
        each.name: [training_of(run) for run in each.runs] for each in variants if each.name != BASE
    }
    steps = {
        name: sorted({each.n_steps for each in trainings if each.n_steps is not None})
        for name, trainings in told.items()
    }
    if len({tuple(each) for each in steps.values() if each}) > 1:
        listed = "; ".join(
            f"{name}: {', '.join(map(str, each))}" for name, each in steps.items() if each
        )
        yield f"the variants were not trained for equally many steps ({listed})"


def _unequal_noise(variants: Sequence[Variant]) -> Iterator[str]:
    noises = {
        json.dumps(run.manifest.get("corruption"), sort_keys=True, default=str)
        for variant in variants
        for run in variant.runs
    }
    if len(noises) > 1:
        yield (
            f"the pictures of noise are not of one noise ({'; '.join(sorted(noises))}): what is "
            "measured on them cannot be compared"
        )
