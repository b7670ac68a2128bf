import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Filter, Hit, Question
from medrag.retrieval.matching import MatchingReranker
from tests.contracts import check_reranker
from tests.retrieval.shelf import Listed, Shelf, ids, passage

SHELF = Shelf(
    passage("together", "The mitral valve closes. The heart rests."),
    passage("apart", "The valve of the heart. Other sentences are mitral."),
    passage("half", "The mitral wall."),
    passage("none", "Skin and bone.", fields={"title": "Valve"}),
    passage("d1", "kidney", fields={"doc_id": "d"}),
    passage("d2", "kidney", fields={"doc_id": "d"}),
    passage("e1", "kidney", fields={"doc_id": "e"}),
)
ONLY = {"words": 0.0, "pairs": 0.0, "sentence": 0.0, "document": 0.0}


def hits_of(*rows: int) -> list[Hit]:
    [hits] = Listed(SHELF).retrieve([Question(" ".join(map(str, rows)))], 9, [Filter()])
    return hits


def reranked(question: str, *rows: int, **weights: float) -> list[Hit]:
    reranker = MatchingReranker(library=SHELF, **{**ONLY, **weights})  # type: ignore[arg-type]
    return reranker.rerank([Question(question)], [hits_of(*rows)])[0]


def test_a_passage_that_has_more_of_the_question_rises() -> None:
    assert ids(reranked("mitral valve", 2, 0, words=2)) == ["together", "half"]
    assert ids(reranked("mitral valve", 2, 0)) == ["half", "together"]


def test_the_amounts_are_those_by_hand() -> None:
    reranker = MatchingReranker(library=SHELF)
    amounts = reranker.amounts(Question("mitral valve"), hits_of(1, 3))
    # Three of seven passages have each of the words (a title counts), so that both are as rare.
    rarity = math.log1p((7 - 3 + 0.5) / 3.5)
    first = [hit.score / hits_of(1, 3)[0].score for hit in hits_of(1, 3)]
    # "apart" has both words, never as neighbours, one in each sentence; "none" has one in its
    # title. Neither has another passage of its document: the lowest score of the ranking.
    expected = [[first[0], 1, 0, 0.5, first[1]], [first[1], 0.5, 0, 0, first[1]]]
    np.testing.assert_allclose(amounts, expected, rtol=1e-12)
    [[_, _, pairs, sentence, _]] = reranker.amounts(Question("mitral valve"), hits_of(0))
    assert (pairs, sentence) == (pytest.approx(rarity), 1)


def test_words_that_stand_together_count_more() -> None:
    assert ids(reranked("mitral valve", 1, 0, pairs=1)) == ["together", "apart"]
    assert ids(reranked("valve mitral", 1, 0, pairs=1)) == ["apart", "together"]


def test_words_of_one_sentence_count_more() -> None:
    assert ids(reranked("mitral valve", 1, 0, sentence=2)) == ["together", "apart"]


def test_a_hit_of_a_document_with_another_good_hit_rises() -> None:
    scores = [1.0, 0.9, 0.85, 0.1]
    pairs = zip(hits_of(6, 4, 5, 3), scores, strict=True)
    hits = [replace(hit, score=score) for hit, score in pairs]
    reranker = MatchingReranker(library=SHELF, **{**ONLY, "document": 0.5})  # type: ignore[arg-type]
    # e1: 1 + 0.1 / 2, the lowest; d1: 0.9 + 0.85 / 2; d2: 0.85 + 0.9 / 2
    [found] = reranker.rerank([Question("kidney")], [hits])
    assert [(hit.passage.id, hit.score) for hit in found[:3]] == [
        ("d1", 1.325), ("d2", 1.3), ("e1", 1.05)
    ]  # fmt: skip


def test_hits_beyond_the_depth_stay_behind() -> None:
    hits = hits_of(3, 2, 0)
    reranker = MatchingReranker(library=SHELF, words=9, depth=2)
    assert ids(reranker.rerank([Question("mitral valve heart")], [hits])[0])[-1] == "together"


@pytest.mark.parametrize("question", [Question(" "), Question("mitral valve", images=("a.png",))])
def test_a_question_without_words_or_with_a_picture_changes_nothing(question: Question) -> None:
    hits = hits_of(2, 0)
    assert MatchingReranker(library=SHELF).rerank([question], [hits]) == [hits]


def test_a_question_of_stop_words_alone_keeps_the_order() -> None:
    assert ids(reranked("which of the", 2, 0, words=1, pairs=1, sentence=1)) == ["half", "together"]


def test_options_are_words_of_the_question() -> None:
    reranker = MatchingReranker(library=SHELF, words=9)
    question = Question("Which one closes?", options=("mitral valve", "skin"))
    assert ids(reranker.rerank([question], [hits_of(2, 0)])[0])[0] == "together"


@given(st.permutations(range(7)), st.sampled_from(["mitral valve", "kidney", "heart of bone", ""]))
def test_it_keeps_what_rerankers_promise(rows: list[int], text: str) -> None:
    check_reranker(MatchingReranker(library=SHELF), [Question(text)], [hits_of(*rows)])


@given(st.lists(st.floats(-5, 5), min_size=7, max_size=7))
def test_scores_of_any_sign_give_shares_of_at_most_one(scores: list[float]) -> None:
    ranked = sorted(scores, reverse=True)
    hits = [replace(hit, score=s) for hit, s in zip(hits_of(*range(7)), ranked, strict=True)]
    first = MatchingReranker(library=SHELF).amounts(Question("kidney"), hits)[:, 0]
    assert ((first >= 0) & (first <= 1)).all()
    assert (np.diff(first) <= 1e-12).all()


def test_the_share_of_a_document_is_at_most_one() -> None:
    # Above it, the worse of two hits of a document would stand above the better one.
    with pytest.raises(ValueError, match=r"document must be at most 1, got 1\.5"):
        MatchingReranker(library=SHELF, document=1.5)


@pytest.mark.parametrize("wrong", [{"words": -1}, {"pairs": float("nan")}, {"depth": 0}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least"):
        MatchingReranker(library=SHELF, **wrong)  # type: ignore[arg-type]
