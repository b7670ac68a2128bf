"""The lexical verifier on claims that were written and labelled by hand.

Rules and words were chosen on the tuning files alone. Of the held-out half a failure tells ids and
kinds, never rows: who has read them cannot be tested by them any more.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from medrag.verification.lexical import grounds
from tests.verification.made import passage
from tests.verification.scifact import macro_f1

PAIRS = Path(__file__).with_name("pairs")
LABELS = ("supported", "unsupported", "contradicted")
# The least F1 of finding claims that do not hold, and the least macro-F1 over the three labels:
# what was reached, less a row or two, but the aim of 0.85 for the first on the held-out half. There
# the figures were 0.904 and 0.808: half of the errors take what is said in other words as unsaid.
FILES = [
    ("tuning", 0.97, 0.97, (34, 33, 33)),
    ("tuning_radiology", 0.92, 0.92, (40, 40, 40)),
    ("tuning_medicine", 0.9, 0.9, (40, 40, 40)),
    ("tuning_mixed", 0.9, 0.9, (192, 182, 285)),
    ("heldout", 0.85, 0.78, (34, 33, 33)),
]


@pytest.mark.parametrize(("name", "least_found", "least", "counts"), FILES)
def test_supports_agree_with_those_of_people(
    name: str, least_found: float, least: float, counts: tuple[int, ...]
) -> None:
    rows = [json.loads(line) for line in (PAIRS / f"{name}.jsonl").read_text("utf-8").splitlines()]
    said = [str(grounds(row["claim"], [passage(row["evidence"])]).support) for row in rows]
    pairs = [(row["label"], each) for row, each in zip(rows, said, strict=True)]
    wrong = [
        f"{row['id']} {row['kind']}"
        for row, each in zip(rows, said, strict=True)
        if row["label"] != each
    ]
    value, found = macro_f1(pairs, LABELS), found_f1(pairs)
    print(f"{name}: macro-F1 {value:.3f}, F1 of what does not hold {found:.3f}; {wrong}")
    assert Counter(row["label"] for row in rows) == dict(zip(LABELS, counts, strict=True))
    assert value >= least, f"macro-F1 {value:.3f}; wrong: {', '.join(wrong)}"
    assert found >= least_found, f"F1 {found:.3f}; wrong: {', '.join(wrong)}"


def found_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Give F1 of finding the claims that their evidence does not support, whichever way."""
    right = sum(label != "supported" != said for label, said in pairs)
    said = sum(each != "supported" for _, each in pairs)
    there = sum(label != "supported" for label, _ in pairs)
    return 2 * right / (said + there)
