"""Passages that state the same, and passages that only seem right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.retriever.factual import (
    drawn_positives,
    factual_positives,
    labels_alike,
    triples_f1,
)
from medrag.alignment.retriever.negatives import hard_negatives, hardest
from medrag.alignment.retriever.pair import RetrieverPair, Triple
from medrag.alignment.retriever.relations import masks, relations
from medrag.encoding.rows import unit
from medrag.records import ImageRef

EFFUSION = Triple("effusion", "located at", "left")
OPACITY = Triple("opacity", "located at", "right")
DEVICE = Triple("tube", "located at", "trachea")


def report(
    name: str, labels: set[str] | None, triples: set[Triple], subject: str | None = None
) -> RetrieverPair:
    told = None if labels is None else frozenset(labels)
    return RetrieverPair(
        name, ImageRef(name), f"report {name}", subject, labels=told, triples=frozenset(triples)
    )


def test_f1_of_triples_counts_what_is_shared() -> None:
    # 1 shared of 2 and 1: 2 * 1 / 3
    both = frozenset({EFFUSION, OPACITY})
    assert triples_f1(both, frozenset({EFFUSION})) == pytest.approx(2 / 3)
    assert triples_f1(both, frozenset()) == 0
    assert triples_f1(frozenset(), frozenset()) == 0


def test_labels_are_alike_by_what_they_share() -> None:
    assert labels_alike(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)
    assert labels_alike(frozenset(), frozenset()) == 1
    assert labels_alike(None, frozenset()) == 0


def test_a_positive_needs_equal_labels_and_shared_triples() -> None:
    pairs = [
        report("a", {"effusion"}, {EFFUSION}),
        report("b", {"effusion"}, {EFFUSION, DEVICE}),  # F1 2/3
        report("c", {"effusion"}, {OPACITY}),  # F1 0
        report("d", {"effusion", "device"}, {EFFUSION}),  # other labels
        report("e", None, {EFFUSION}),  # labels not known
    ]
    assert factual_positives(pairs) == {0: frozenset({1}), 1: frozenset({0})}


def test_a_report_of_the_same_subject_is_no_positive() -> None:
    pairs = [report(name, {"effusion"}, {EFFUSION}, subject="p") for name in "ab"]
    assert factual_positives(pairs) == {}


def test_only_the_most_alike_are_kept() -> None:
    pairs = [
        report("a", {"x"}, {EFFUSION, OPACITY}),
        report("b", {"x"}, {EFFUSION, OPACITY, DEVICE}),  # F1 4/5
        report("c", {"x"}, {EFFUSION}),  # F1 2/3
        report("d", {"x"}, {EFFUSION, OPACITY}),  # F1 1
        report("e", {"x"}, {OPACITY}),  # F1 2/3
    ]
    assert factual_positives(pairs, top=2)[0] == {3, 1}
    assert factual_positives(pairs, top=3)[0] == {3, 1, 2}


def test_a_looser_threshold_of_labels_finds_more() -> None:
    pairs = [report("a", {"x", "y"}, {EFFUSION}), report("b", {"x"}, {EFFUSION})]
    assert factual_positives(pairs) == {}
    assert factual_positives(pairs, label_similarity=0.5)[0] == {1}


def test_thresholds_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="triple_f1"):
        factual_positives([], triple_f1=1.5)


def test_a_positive_is_drawn_from_a_row_and_its_like() -> None:
    rng, rows = np.random.default_rng(0), np.zeros(200, dtype=np.int64)
    drawn = drawn_positives(rows, {0: frozenset({4, 7})}, rng)
    assert set(drawn.tolist()) == {0, 4, 7}
    assert drawn_positives(np.array([3]), {0: frozenset({4})}, rng).tolist() == [3]


def test_the_hardest_wrong_passage_comes_first_and_right_ones_never() -> None:
    pairs = [
        RetrieverPair("a", ImageRef("1"), "x", subject="p"),
        RetrieverPair("b", ImageRef("2"), "y", subject="p"),  # the same subject as a
        RetrieverPair("c", ImageRef("3"), "x"),  # the same text as a
        RetrieverPair("d", ImageRef("4"), "z"),
        RetrieverPair("e", ImageRef("5"), "w"),
    ]
    queries = unit(np.array([[1, 0]] * 5, dtype=np.float32))
    passages = unit(np.array([[1, 0], [1, 0.1], [1, 0], [1, 3], [1, 2]], dtype=np.float32))
    found = hard_negatives(queries, passages, relations(pairs), n=3)
    assert found[0].tolist() == [4, 3, -1]
    # c may see b, who is another's; a and c say the same.
    assert found[2].tolist() == [1, 4, 3]
    assert hard_negatives(queries, passages, relations(pairs), n=1, skip=1)[0].tolist() == [3]


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 4))
def test_a_hard_negative_is_wrong_and_no_worse_than_what_was_passed_over(
    seed: int, rows: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    pairs = [
        RetrieverPair(
            str(row), ImageRef(str(rng.integers(5))), str(rng.integers(5)),
            subject=str(rng.integers(5)),
        )
        for row in range(rows)
    ]  # fmt: skip
    queries, passages = (unit(rng.normal(size=(rows, 3)).astype(np.float32)) for _ in range(2))
    known, places = relations(pairs), np.arange(rows, dtype=np.int64)
    found = hard_negatives(queries, passages, known, n=n)
    positives, ignored = masks(known, places, places)
    scores = queries @ passages.T
    for row in range(rows):
        chosen = [column for column in found[row].tolist() if column >= 0]
        right = positives[row] | ignored[row]
        assert not right[chosen].any()
        assert (np.diff(scores[row, chosen]) <= 0).all()
    assert (found == hardest(scores, known, n=n)).all()


def test_vectors_of_other_pairs_are_refused() -> None:
    known = relations([RetrieverPair("a", ImageRef("1"), "x")])
    with pytest.raises(ValueError, match="1 pairs need as many vectors"):
        hard_negatives(np.ones((2, 3), np.float32), np.ones((1, 3), np.float32), known, n=1)
