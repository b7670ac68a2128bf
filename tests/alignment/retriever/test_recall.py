"""Ranks and recall of held-out pairs."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.retriever.pair import RetrieverPair
from medrag.alignment.retriever.recall import chance, gain, ranks_of, recall, turned
from medrag.alignment.retriever.relations import Relations, relations
from medrag.alignment.retriever.stopping import Best, Found, found_of
from medrag.records import ImageRef


def known_of(*texts: str, subjects: dict[int, str] | None = None) -> Relations:
    return relations([
        RetrieverPair(str(n), ImageRef(str(n)), text, subject=(subjects or {}).get(n))
        for n, text in enumerate(texts)
    ])  # fmt: skip


def test_the_rank_counts_the_wrong_passages_before_the_first_right_one() -> None:
    scores = np.array([[3, 2, 1], [3, 2, 1], [3, 2, 1]], dtype=np.float32)
    assert ranks_of(scores, known_of("x", "y", "z")).tolist() == [1, 2, 3]


def test_equal_scores_earn_nothing() -> None:
    assert ranks_of(np.ones((4, 4), np.float32), known_of(*"wxyz")).tolist() == [4, 4, 4, 4]


def test_an_equal_passage_is_found_as_well_and_counts_once() -> None:
    scores = np.array([[1, 9, 5], [1, 9, 5], [1, 9, 5]], dtype=np.float32)
    # x stands twice; the first stands for both, behind y for the third alone.
    assert ranks_of(scores, known_of("x", "x", "y")).tolist() == [2, 2, 1]


def test_others_of_the_same_subject_are_not_ranked() -> None:
    scores = np.array([[1, 9, 5], [9, 1, 5], [1, 9, 5]], dtype=np.float32)
    known = known_of("x", "y", "z", subjects={0: "p", 1: "p"})
    assert ranks_of(scores, known).tolist() == [2, 2, 2]


def test_recall_is_of_both_directions() -> None:
    # All pictures find y; so the text y finds its picture only by its column.
    scores = np.array([[1, 9, 0], [2, 9, 0], [3, 9, 1]], dtype=np.float32)
    found = recall(scores, known_of("x", "y", "z"), k=1)
    assert found.forth.value == pytest.approx(1 / 3)
    # columns: x is won by picture 2, y is a tie of all, z by picture 2, its own
    assert found.back.value == pytest.approx(1 / 3)
    assert found.n_candidates == 3
    assert found.chance == pytest.approx(1 / 3)


@given(st.integers(1, 12), st.integers(1, 12))
def test_chance_is_that_of_a_blind_draw(n: int, k: int) -> None:
    assert chance(known_of(*map(str, range(n))), k) == pytest.approx(min(k, n) / n)


def test_chance_grows_with_right_passages() -> None:
    # One query has two right ones among 4 different: 1 - C(2, 2) / C(4, 2)
    known = relations([
        RetrieverPair(str(n), ImageRef(image), str(n)) for n, image in enumerate("aabc")
    ])  # fmt: skip
    two, one = 1 - comb(2, 2) / comb(4, 2), 2 / 4
    assert chance(known, 2) == pytest.approx((2 * two + 2 * one) / 4)


def test_turned_relations_are_those_of_the_passages() -> None:
    known = relations([RetrieverPair("a", "q", "p"), RetrieverPair("b", "r", "s")],
                      facts={0: frozenset({1})})  # fmt: skip
    back = turned(known)
    assert back.facts == {1: frozenset({0})}
    assert (turned(back).queries == known.queries).all()


def test_a_gain_is_paired_by_cluster() -> None:
    before, after = [False] * 10, [True] * 5 + [False] * 5
    found = gain(before, after, [str(n) for n in range(10)])
    assert found.difference == pytest.approx(0.5)
    assert 0 < found.interval.low < 0.5 < found.interval.high


def test_the_best_state_is_kept_and_equal_ones_do_not_replace_it() -> None:
    best = Best(Found(0.1, 0.1), "start")
    for epoch, (recalled, rank) in enumerate([(0.5, 0.3), (0.5, 0.4), (0.5, 0.4), (0.2, 0.9)], 1):
        best.see(Found(recalled, rank), lambda epoch=epoch: f"epoch {epoch}", epoch)  # type: ignore[misc]
    assert (best.kept, best.epoch) == ("epoch 2", 2)
    assert best.recalls == (0.1, 0.5, 0.5, 0.5, 0.2)


def test_without_a_measure_the_last_state_is_kept() -> None:
    best = Best(None, "start")
    best.see(None, lambda: "one", 1)
    best.see(None, lambda: "two", 2)
    assert (best.kept, best.epoch, best.recalls) == ("two", 2, ())


def test_the_stopping_measure_looks_no_deeper_than_a_fifth() -> None:
    # 10 passages: depth 2 even for k 10. The true one is always third.
    scores = np.zeros((10, 10), np.float32)
    for row in range(10):
        scores[row, row] = 1
        scores[row, (row + 1) % 10] = scores[row, (row + 2) % 10] = 2
    found = found_of(scores, known_of(*map(str, range(10))), 10)
    assert found.recall == 0
    assert found.reciprocal_rank == pytest.approx(1 / 3)
