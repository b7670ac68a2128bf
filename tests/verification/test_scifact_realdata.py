"""How the lexical verifier does on claims and evidence that others wrote; recorded, no floor."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.verification.scifact import decided, figure, macro_f1, scifact_verdicts, told

pytestmark = pytest.mark.realdata


def test_support_and_contradiction_on_scifact_are_recorded(
    data: Path, record_property: Callable[[str, object], None]
) -> None:
    verdicts = scifact_verdicts(data / "retrieval" / "scifact", "test")
    assert len(verdicts) == 338
    assert {each.label for each in verdicts} == {"SUPPORT", "CONTRADICT"}
    figures = {
        "macro-F1, neither is a miss": figure(verdicts),
        "macro-F1, what is not contradicted is supported": figure(decided(verdicts)),
    }
    print(told(figures))
    for name, found in figures.items():
        record_property(name, found.value)
        assert found.low <= found.value <= found.high
    # The interval is drawn from the same counts as the plain figure.
    pairs = [(each.label, each.said) for each in verdicts]
    plain = macro_f1(pairs, ("SUPPORT", "CONTRADICT"))
    assert figures["macro-F1, neither is a miss"].value == pytest.approx(plain)
