import pytest

from medrag.errors import RecipeError
from medrag.selection.chain import ChainSelector
from medrag.selection.floor import FloorSelector, NoContextBelowSelector
from medrag.selection.top_k import TopKSelector
from tests.selection.ranked import ASKED, names, ranked, selected


def test_a_floor_keeps_what_reaches_it_and_says_how_many_did() -> None:
    found = selected(FloorSelector(floor=0.5), ranked([0.9, 0.5, 0.4]))
    assert names(found.kept) == ["p0", "p1"]
    assert found.fired
    assert found.reason == "2 fused scores reach 0.5, 2 kept"


def test_k_min_is_kept_below_the_floor_and_k_max_above() -> None:
    ranking = ranked([0.9, 0.8, 0.4])
    assert len(selected(FloorSelector(floor=1.0, k_min=2), ranking).kept) == 2
    capped = selected(FloorSelector(floor=0.1, k_max=2), ranking)
    assert len(capped.kept) == 2
    assert not capped.fired


def test_a_floor_may_be_of_a_channel_s_score() -> None:
    ranking = ranked([0.9, 0.8, 0.7], parts={"text": [-0.3, None, 0.6]})
    assert names(selected(FloorSelector(floor=0.0, score="text"), ranking).kept) == ["p2"]


def test_no_context_is_kept_where_the_best_score_is_too_low() -> None:
    selector = NoContextBelowSelector(floor=0.5)
    low = selected(selector, ranked([0.4, 0.3]))
    assert low.kept == ()
    assert low.fired
    assert low.reason == "no context: the best fused score, 0.4, is below 0.5"
    assert len(selected(selector, ranked([0.5, 0.1])).kept) == 2


def test_nothing_found_is_no_context_and_no_cut() -> None:
    found = selected(NoContextBelowSelector(floor=0.5), [])
    assert (found.kept, found.fired) == ((), False)


def test_a_floor_of_a_score_that_no_hit_has_is_refused() -> None:
    for selector in (FloorSelector(floor=0, score="x"), NoContextBelowSelector(floor=0, score="x")):
        with pytest.raises(RecipeError, match="no hit has a score 'x'; there are fused"):
            selector.select(ASKED, ranked([1.0]))


@pytest.mark.parametrize("floor", [float("nan"), float("inf")])
def test_a_floor_must_be_a_number(floor: float) -> None:
    with pytest.raises(ValueError, match="floor must be a number"):
        FloorSelector(floor=floor)
    with pytest.raises(ValueError, match="floor must be a number"):
        NoContextBelowSelector(floor=floor)


def test_a_chain_selects_from_what_is_left_and_tells_every_reason() -> None:
    chain = ChainSelector(selectors=(TopKSelector(k=3), FloorSelector(floor=0.5)))
    found = selected(chain, ranked([0.9, 0.6, 0.4, 0.3]))
    assert names(found.kept) == ["p0", "p1"]
    assert names(found.dropped) == ["p2", "p3"]
    assert found.reason == "the first 3; 2 fused scores reach 0.5, 2 kept"
    assert found.fired


def test_a_chain_in_which_nothing_fired_did_not_fire() -> None:
    chain = ChainSelector(selectors=(TopKSelector(k=3), NoContextBelowSelector(floor=0.1)))
    assert not selected(chain, ranked([0.9, 0.6])).fired


def test_a_chain_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one selector"):
        ChainSelector(selectors=())
