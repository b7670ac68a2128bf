import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Hit, Part
from medrag.retrieval.rerank.ordering import ordered
from tests.retrieval.shelf import ids, passage


def hits(n: int) -> list[Hit]:
    return [Hit(passage(str(i)), -i, i + 1, parts={"image": Part(i + 1, 0.5)}) for i in range(n)]


def test_hits_stand_by_their_new_scores_and_equal_ones_as_before() -> None:
    found = ordered(hits(4), [1.0, 3.0, 1.0, 2.0], "new")
    assert ids(found) == ["1", "3", "0", "2"]
    assert [hit.rank for hit in found] == [1, 2, 3, 4]
    assert found[0].parts == {"image": Part(2, 0.5), "new": Part(1, 3.0)}


def test_what_has_no_score_comes_last_with_the_lowest_and_no_part() -> None:
    found = ordered(hits(3), [math.nan, 1.0, 2.0], "new")
    assert ids(found) == ["2", "1", "0"]
    assert (found[2].score, "new" in found[2].parts) == (1.0, False)


def test_no_score_at_all_changes_nothing() -> None:
    assert ordered(hits(2), [math.nan, math.nan], "new") == hits(2)
    assert ordered([], [], "new") == []


def test_the_last_bits_of_a_number_order_nothing() -> None:
    assert ids(ordered(hits(2), [0.1 + 0.2, 0.3 + 1e-12], "new")) == ["0", "1"]


def test_another_number_of_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="2 hits need as many scores"):
        ordered(hits(2), [1.0], "new")


@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=8))
def test_every_hit_stays_and_scores_never_rise(scores: list[float]) -> None:
    given_hits = hits(len(scores))
    found = ordered(given_hits, scores, "new")
    assert sorted(ids(found)) == sorted(ids(given_hits))
    assert [hit.rank for hit in found] == list(range(1, len(found) + 1))
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert given_hits == hits(len(scores))
