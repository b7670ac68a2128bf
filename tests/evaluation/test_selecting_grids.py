from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.selecting.grids import parse_rule, setting_name, spread


def test_a_line_names_kind_rule_and_values() -> None:
    found = parse_rule("gap:adjacent_log_gap:gamma=0.1,0.2:k_max=5:score=text")
    assert found == {
        "kind": "gap",
        "rule": "adjacent_log_gap",
        "gamma": [0.1, 0.2],
        "k_max": 5,
        "score": "text",
    }


def test_a_grid_has_a_setting_for_each_choice_of_values() -> None:
    found = spread({"kind": "gap", "gamma": [0.1, 0.2], "k_min": [1, 2], "score": "text"})
    assert list(found) == [
        "gap:gamma=0.1:k_min=1:score=text",
        "gap:gamma=0.1:k_min=2:score=text",
        "gap:gamma=0.2:k_min=1:score=text",
        "gap:gamma=0.2:k_min=2:score=text",
    ]
    assert found["gap:gamma=0.2:k_min=1:score=text"]["gamma"] == 0.2


def test_nested_selectors_are_one_setting_and_may_be_named() -> None:
    grid = {"kind": "chain", "selectors": [{"kind": "top_k", "k": 2}]}
    assert list(spread(grid)) == ['chain:selectors=[{"k":2,"kind":"top_k"}]']
    assert spread({**grid, "name": "two"}) == {"two": grid}


KEYS = st.text("abcdef_", min_size=1, max_size=5)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(st.integers(), NUMBERS, st.booleans(), st.none())


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_the_name_of_a_setting_is_the_line_that_makes_it(values: dict[str, Any]) -> None:
    spec = {"kind": "gap", "rule": "top1_ratio", **values}
    assert spread(parse_rule(setting_name(spec))) == {setting_name(spec): spec}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot read ''"),
        ("gamma=0.1", "names no kind of selector"),
        ("gap:ratio:more", "cannot read 'more'"),
        ("gap:gamma=1:ratio", "cannot read 'ratio'"),
        ("gap:gamma=1:gamma=2", "'gamma' stands twice"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_rule(text)


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ({"kind": "gap", "gamma": []}, "'gamma' has no value to try"),
        ({"kind": "gap", "gamma": [1, 1]}, "two settings of a grid are the same"),
        ({str(n): [1, 2] for n in range(60)}, "make 1152921504606846976 settings; try 1000"),
        ({"kind": "gap", "gamma": [1, 2], "name": "x"}, "2 settings cannot all be called 'x'"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(grid: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        spread(grid)
