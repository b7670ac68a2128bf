"""Patterns of a card: what may take forever is refused before a text is matched."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import load_benchmark, read_card
from medrag.evaluation.benchmarks.patterns import compiled
from tests.evaluation.benchmarks.test_cards import OWN, own


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*b",
        "(.*)*",
        "(?:a?){30}a{30}",
        r"(\w+\s?)*$",
        "(a|ab)*c",
        "(?=(a+)+)b",
        "(?>a+)+",
        "(?:a++)+",
        r"(a+)\1",
        "a?" * 40 + "a" * 40,
        ".*.*.*.*x",
        "(a|ab)" * 30,
        "a" * 301,
        "a{99999999999}",
        "(" * 250,
        "(",
    ],
)
def test_a_pattern_that_may_take_very_long_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"take very long|longer than|no regular expression"):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"p(\d{8})", "p10/p10000001"),
        ("^(?!test)", "train"),
        ("([^/]+)/[^/]+$", "a/b.png"),
        (r"(?:\d{4}-){2}\d", "2020-2021-1"),
        ("(?i)(open|close|single|multi)", "Close"),
        ("(?:ab)+", "abab"),
        ("[ab]+", "ab"),
    ],
)
def test_a_plain_pattern_is_kept(pattern: str, text: str) -> None:
    assert compiled(pattern).search(text)


@given(text=st.text(alphabet="ab(|)*+?[]{1,9}\\^$.:=!<>", max_size=25))
def test_whatever_is_written_is_a_pattern_or_a_value_error(text: str) -> None:
    try:
        pattern = compiled(text)
    except ValueError:
        return
    found = pattern.search("ab" * 12)
    assert (found is None) == (re.search(text, "ab" * 12) is None)


@pytest.mark.parametrize("key", ["where: {asked: '(a+)+$'}, ", ""])
def test_a_card_with_such_a_pattern_is_refused_with_its_key(key: str, tmp_path: Path) -> None:
    if key:
        text, place = OWN.replace("test: {", "test: {" + key), "splits.test: where"
    else:
        text, place = OWN.replace("id: number", "id: {of: number, match: '(a+)+$'}"), "id: match"
    with pytest.raises(EvaluationError, match=rf"{place}: '\(a\+\)\+\$' repeats what holds"):
        read_card(own(tmp_path, text))


@pytest.mark.parametrize("key", ["test: {where: {asked: why}, ", "test: {"])
def test_a_text_that_is_too_long_for_a_pattern_is_told(key: str, tmp_path: Path) -> None:
    text = OWN.replace("test: {", key).replace("ward*.csv", "w.jsonl").replace("csv", "jsonl")
    if "where" not in key:
        text += "    keep: {first: {of: asked, match: '^why'}}\n"
    row = {"number": 1, "asked": "why " * 300, "right": "x"}
    (tmp_path / "w.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"line 1: 'asked' holds 1,199 characters"):
        load_benchmark(own(tmp_path, text), tmp_path)
