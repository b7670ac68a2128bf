import pytest

from medrag.records import Hit, Passage, Question, Source
from medrag.selection.top_k import TopKSelector

RANKING = [
    Hit(Passage(str(rank), "text", "words", Source("c", "d", "0")), 1 / rank, rank)
    for rank in range(1, 5)
]


def test_the_first_k_hits_are_kept_and_the_others_are_shown_as_dropped() -> None:
    selection = TopKSelector(k=3).select(Question("what?"), RANKING)
    assert [hit.rank for hit in selection.kept] == [1, 2, 3]
    assert [hit.rank for hit in selection.dropped] == [4]
    assert selection.fired
    assert selection.reason == "the first 3"


@pytest.mark.parametrize("k", [4, 9])
def test_a_ranking_that_is_short_enough_is_kept_whole(k: int) -> None:
    selection = TopKSelector(k=k).select(Question("what?"), RANKING)
    assert selection.kept == tuple(RANKING)
    assert not selection.fired


def test_an_empty_ranking_gives_an_empty_selection() -> None:
    assert TopKSelector().select(Question("what?"), []).kept == ()


def test_a_k_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        TopKSelector(k=0)
