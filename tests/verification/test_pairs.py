"""The lexical verifier on claims that were written and labelled by hand.

Rules and words were chosen on the tuning half alone. Of the held-out half a failure tells ids and
kinds, never rows: who has read them cannot be tested by them any more.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from medrag.verification.lexical import grounds
from tests.verification.made import passage
from tests.verification.scifact import macro_f1

PAIRS = Path(__file__).with_name("pairs")
LABELS = ("supported", "unsupported", "contradicted")


@pytest.mark.parametrize(("half", "least"), [("tuning", 0.95), ("heldout", 0.85)])
def test_supports_agree_with_those_of_people(half: str, least: float) -> None:
    rows = [json.loads(line) for line in (PAIRS / f"{half}.jsonl").read_text("utf-8").splitlines()]
    said = [str(grounds(row["claim"], [passage(row["evidence"])]).support) for row in rows]
    pairs = [(row["label"], each) for row, each in zip(rows, said, strict=True)]
    wrong = [
        f"{row['id']} {row['kind']}"
        for row, each in zip(rows, said, strict=True)
        if row["label"] != each
    ]
    value = macro_f1(pairs, LABELS)
    print(f"{half}: macro-F1 {value:.3f}, accuracy {1 - len(wrong) / len(rows):.2f}; {wrong}")
    assert Counter(row["label"] for row in rows) == {
        "supported": 34, "unsupported": 33, "contradicted": 33,
    }  # fmt: skip
    assert value >= least, f"macro-F1 {value:.3f}; wrong: {', '.join(wrong)}"
