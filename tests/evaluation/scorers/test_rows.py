"""Faithful and corrected part on a file of forty-two rows exactly where the defects say they must.

Each row of rows.jsonl says under "differs" which measure of which protocol differs, and by which
documented defect; every other measure must agree.
"""

import json
from functools import cache
from math import isclose, isnan
from pathlib import Path
from typing import Any, get_args

import pytest

from medrag.evaluation.scorers import PROTOCOLS, Case, Mode, ScoringProtocol, scoring_protocol
from medrag.evaluation.scorers.protocol import STATE_MEASURES
from tests.evaluation.scorers.made import SaysAlways, from_row

# Answers of a made-up training split; the first is what an empty answer is taken for.
CANDIDATES = ("pneumonia", "left", "left lower lobe", "liver", "chest x ray")
# What the released scorers print over all items, where it differs although no item does.
TOTALS = {
    ("llava_med", "printed_closed_accuracy"): "wrong answers dropped",
    ("llava_med", "n_open"): "counts exchanged",
    ("llava_med", "n_closed"): "counts exchanged",
    ("medevalkit_judge", "printed_accuracy_slake"): "SLAKE counted twice",
    ("medevalkit_judge", "printed_closed_accuracy_slake"): "SLAKE counted twice",
    ("medevalkit_judge", "printed_accuracy_pathvqa"): "PathVQA zeroed",
    ("medevalkit_judge", "printed_closed_accuracy_pathvqa"): "PathVQA zeroed",
    # Wrong in both modes, but as a yes in one of them and as neither in the other.
    ("cares", "false_positives"): "yes by default",
    ("cares", "precision"): "yes by default",
    ("cares", "f1"): "yes by default",
}


@cache
def rows() -> list[dict[str, Any]]:
    lines = Path(__file__).with_name("rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def protocol(name: str, mode: Mode, row: dict[str, Any]) -> ScoringProtocol:
    judge = SaysAlways(row.get("verdict", "<judge>1</judge>"))
    return scoring_protocol(name, mode, judge=judge, candidates=CANDIDATES)


@cache
def both(name: str) -> list[tuple[Case, dict[str, float], dict[str, float]]]:
    """Score every row alone in both modes."""
    found = []
    for row in rows():
        case = from_row(row)
        faithful, corrected = (
            protocol(name, mode, row).score([case])[0] for mode in get_args(Mode)
        )
        found.append((case, faithful, corrected))
    return found


def same(a: float, b: float) -> bool:
    # A sum of two shares may differ in its last digit from the same one as a ratio.
    return (isnan(a) and isnan(b)) or isclose(a, b, rel_tol=1e-9)


def parted(faithful: dict[str, float], corrected: dict[str, float]) -> set[str]:
    return {name for name in faithful if not same(faithful[name], corrected[name])}


def test_there_are_forty_two_rows_with_names_of_their_own() -> None:
    assert len({row["id"] for row in rows()}) == len(rows()) == 42


@pytest.mark.parametrize("name", PROTOCOLS)
def test_modes_part_on_the_rows_exactly_where_a_defect_is_declared(name: str) -> None:
    declared = {(row["id"], measure) for row in rows() for measure in row["differs"].get(name, {})}
    found = {
        (row["id"], measure)
        for row, (_, faithful, corrected) in zip(rows(), both(name), strict=True)
        for measure in parted(faithful, corrected)
    }
    assert found == declared


@pytest.mark.parametrize("name", PROTOCOLS)
def test_both_modes_give_the_same_measures_besides_states(name: str) -> None:
    for _, faithful, corrected in both(name):
        assert set(faithful) == set(corrected) - set(STATE_MEASURES)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_documented_defect_shows_and_no_other_is_declared(name: str) -> None:
    documented = {each.split(":")[0] for each in protocol(name, "faithful", {}).defects}
    shown = {defect for row in rows() for defect in row["differs"].get(name, {}).values()}
    shown |= {defect for (protocol_name, _), defect in TOTALS.items() if protocol_name == name}
    assert shown == documented


def test_totals_part_exactly_where_a_defect_of_adding_up_is_declared() -> None:
    # Only of rows that agree: what differs now comes from adding up.
    found = set()
    for name in PROTOCOLS:
        agreeing = [each for each in both(name) if not parted(each[1], each[2])]
        faithful, corrected = (
            protocol(name, mode, {}).totals([(case, values[place]) for case, *values in agreeing])
            for place, mode in enumerate(get_args(Mode))
        )
        found |= {(name, total) for total in parted(faithful, corrected)}
    assert found == set(TOTALS)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_describes_itself(name: str) -> None:
    described = protocol(name, "corrected", {})
    assert described.name == name
    assert described.mode == "corrected"
    assert described.headline
    assert described.about
    assert described.source
    # These two imitate no released scorer, or one without defects.
    assert bool(described.defects) is (name not in ("prefix", "places"))
