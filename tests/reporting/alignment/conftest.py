"""A comparison of made-up runs, and the browser of the answer pages' tests."""

from pathlib import Path

import numpy as np
import pytest

from medrag.alignment.comparing import AlignmentComparison, compare_alignment, variants_of
from medrag.evaluation.scorers import scoring_protocol
from tests.alignment.comparing.made import ARMS, items_of, run_of
from tests.reporting.test_page_in_chromium import browser

__all__ = ["browser"]

NOTE = "Phantoms: no evidence about medicine."
# How often each variant is right in each of the arms.
SKILL = {
    "base": (0.5, 0.5, 0.5, 0.5),
    "sft": (0.5, 0.6, 0.65, 0.65),
    "dpo": (0.95, 0.6, 0.5, 0.5),
    "dpo-shuffled": (0.85, 0.6, 0.6, 0.6),
    "text-only": (0.6, 0.6, 0.7, 0.65),
}
N = 80


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> AlignmentComparison:
    return compared(tmp_path_factory.mktemp("runs"), tuple(SKILL))


def compared(folder: Path, names: tuple[str, ...]) -> AlignmentComparison:
    items = items_of(N, per_cluster=2)
    draw = np.random.default_rng(1)
    named = []
    for name in names:
        for seed in range(1 if name == "base" else 2):
            arms = {
                arm: "".join("+" if each < share else "-" for each in draw.random(N))
                for arm, share in zip(ARMS, SKILL[name], strict=True)
            }
            named.append((name, run_of(folder / f"{name}-{seed}", arms, items=items)))
    return compare_alignment(
        variants_of(named), scoring_protocol("exact"), group_by=("type",), notes=(NOTE,),
        n_resamples=500,
    )  # fmt: skip
