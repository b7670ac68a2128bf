from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from medrag.records import Filter, Hit, Part, Question, Usage
from medrag.retrieval.rerank.ordering import ordered
from medrag.retrieval.rerank.retriever import RerankRetriever
from tests.retrieval.shelf import Listed, Shelf, Telling, ids, passage

SHELF = Shelf(
    passage("p0", kind="page", page=1, image="p0"),
    passage("p1", kind="page", page=2, image="p1"),
    passage("t0", "heart and lung", page=1),
    passage("t1", "lung alone", page=2),
    passage("f1", "Figure 1. the skin", kind="figure", page=2, image="f1"),
    passage("elsewhere", "heart", page=2, document="other.pdf"),
)


class ByLength:
    """A reranker that puts long texts first."""

    name = "by_length"

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        return [ordered(hits, [len(h.passage.text) for h in hits], self.name) for hits in rankings]


class FirstTwo(ByLength):
    """A reranker that leaves out all but the first two, and may not be asked twice."""

    repeatable = False

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        return [list(hits[:2]) for hits in rankings]


def made(**options: Any) -> RerankRetriever:
    given = {"library": SHELF, "retriever": Listed(SHELF), "rerankers": (ByLength(),)}
    return RerankRetriever(**{**given, **options})


def test_the_reranker_orders_and_its_name_stands_in_the_parts() -> None:
    [hits] = made().retrieve([Question("2 3 4")], 10, [Filter()])
    # 14, 10 and 18 letters
    assert ids(hits) == ["f1", "t0", "t1"]
    assert hits[0].parts == {"lexical": Part(3, 7.0), "by_length": Part(1, 18.0)}


def test_pages_are_reranked_by_the_words_on_them_and_come_back_as_they_are() -> None:
    [hits] = made().retrieve([Question("0 1")], 10, [Filter()])
    # "lung alone" and the caption, a line each: 29; "heart and lung": 14. Another book's second
    # page has no say.
    assert [(hit.passage, hit.score) for hit in hits] == [
        (SHELF.passages[1], 29.0),
        (SHELF.passages[0], 14.0),
    ]


def test_more_is_retrieved_than_is_wanted_and_k_is_kept() -> None:
    inner = Listed(SHELF)
    [hits] = made(retriever=inner, depth=3).retrieve([Question("3 2 4")], 1, [Filter()])
    assert ids(hits) == ["f1"]
    made(retriever=inner, depth=3).retrieve([Question("3")], 8, [Filter()])
    assert inner.asked == [3, 8]
    [hits] = made(keep=2).retrieve([Question("3 2 4")], 3, [Filter()])
    assert ids(hits) == ["f1", "t0"]


def test_rerankers_run_in_turn() -> None:
    [hits] = made(rerankers=(FirstTwo(), ByLength())).retrieve([Question("3 2 4")], 9, [Filter()])
    assert ids(hits) == ["t0", "t1"]
    [hits] = made(rerankers=(ByLength(), FirstTwo())).retrieve([Question("3 2 4")], 9, [Filter()])
    assert ids(hits) == ["f1", "t0"]
    assert [hit.rank for hit in hits] == [1, 2]


def test_the_score_of_the_first_stage_can_keep_a_share() -> None:
    # First stage 1, 1/2, 1/3 to 1, 0.325, 0.1; letters 10, 14, 18 to 0.1, 0.55, 1.
    [hits] = made(weight=0.25).retrieve([Question("3 2 4")], 9, [Filter()])
    assert [(hit.passage.id, hit.score) for hit in hits] == [
        ("t1", pytest.approx(0.75 + 0.025)),
        ("t0", pytest.approx(0.75 * 0.325 + 0.25 * 0.55)),
        ("f1", pytest.approx(0.75 * 0.1 + 0.25)),
    ]
    assert hits[0].parts["by_length"] == Part(3, 10.0)
    [hits] = made(weight=0.9, scaling="z").retrieve([Question("3 2 4")], 9, [Filter()])
    assert ids(hits) == ["f1", "t0", "t1"]


def test_equal_means_stand_as_in_the_first_stage() -> None:
    # 1 and 0.1, and 0.1 and 1
    [hits] = made(weight=0.5).retrieve([Question("3 4")], 9, [Filter()])
    assert ids(hits) == ["t1", "f1"]


def test_steps_costs_and_what_may_not_be_repeated_are_passed_on() -> None:
    retriever = made(retriever=Telling(SHELF))
    [found, nothing] = retriever.retrieve_traced([Question("3 2"), Question()], 1, [Filter()] * 2)
    assert found.trace == (
        {"step": "asked"},
        {
            "step": "reranked",
            "rerankers": ["ByLength"],
            "n": 2,
            "kept": 2,
            "best_before": "t1",
            "best_after": "t0",
        },
    )
    assert found.usage == Usage(3, 4, 0.5)
    assert nothing.hits == ()
    assert not retriever.repeatable
    assert made().repeatable
    assert not made(rerankers=(ByLength(), FirstTwo())).repeatable


def test_pages_of_another_index_are_left_as_they_are() -> None:
    other = Shelf(replace(passage("x", kind="page", page=9, image="x")), passage("y", "four"))
    [hits] = made(retriever=Listed(other)).retrieve([Question("0 1")], 2, [Filter()])
    assert ids(hits) == ["y", "x"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rerankers": ()}, "at least one"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"keep": 0}, "keep must be at least 1"),
        ({"weight": 0}, "weight must be above 0"),
        ({"weight": 1.1}, "weight must be above 0"),
        ({"scaling": "log"}, "scaling must be"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**options)


def test_a_wrong_k_or_number_of_filters_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1"):
        made().retrieve([Question("1")], 0, [Filter()])
    with pytest.raises(ValueError, match="as many filters"):
        made().retrieve([Question("1")], 1, [])
