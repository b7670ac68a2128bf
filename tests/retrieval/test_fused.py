from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.generation.extractive.evidence import closeness
from medrag.protocols import Retriever
from medrag.records import Filter, Hit, Part, Question, Retrieved, Usage
from medrag.retrieval.budgets import chosen
from medrag.retrieval.fused import FusedRetriever
from tests.retrieval.shelf import Listed, Shelf, Telling, ids, passage

SHELF = Shelf(*(passage(str(n), domain="odd" if n % 2 else "even") for n in range(10)))
PICTURED = ("a.png",)


class Rows(Listed):
    """A retriever that gives its rows to every question, with scores that fall by one."""

    def __init__(self, *rows: int, shelf: Shelf = SHELF, part: str = "lexical") -> None:
        super().__init__(shelf, part=part)
        self.rows = rows

    def _hits(self, question: Question, k: int, wanted: Filter) -> list[Hit]:
        listed = Question(" ".join(map(str, self.rows)))
        return super()._hits(listed, k, wanted)


def fused(
    retrievers: Mapping[str, Retriever], k: int = 10, *, text: str = "", **options: Any
) -> list[Hit]:
    retriever = FusedRetriever(retrievers=retrievers, **options)
    return retriever.retrieve([Question(text)], k, [Filter()])[0]


def test_reciprocal_ranks_of_a_passage_add_up() -> None:
    hits = fused({"text": Rows(1, 2), "image": Rows(2, 3)})
    # 2: 1/62 + 1/61; 1: 1/61; 3: 1/62
    assert ids(hits) == ["2", "1", "3"]
    assert [hit.score for hit in hits] == pytest.approx([1 / 61 + 1 / 62, 1 / 61, 1 / 62])
    assert [hit.rank for hit in hits] == [1, 2, 3]


def test_the_damping_of_medrag_is_a_setting() -> None:
    hits = fused({"bm25": Rows(1), "medcpt": Rows(1)}, rrf_k=100)
    assert hits[0].score == pytest.approx(2 / 101)


def test_each_retriever_is_asked_as_deep_as_medrag_asks() -> None:
    one = Rows(1)
    fused({"one": one}, k=32)
    fused({"one": one}, k=60)
    assert one.asked == [100, 120]


def test_scores_are_scaled_in_each_ranking_before_they_are_added() -> None:
    # Scores 1, 1/2, 1/3: 2 has 0.1 + 0.9 * (1/2 - 1/3) / (2/3) = 0.325 in the first ranking.
    hits = fused({"text": Rows(1, 2, 3), "image": Rows(2)}, fusion="weighted_sum")
    assert ids(hits) == ["2", "1", "3"]
    assert [hit.score for hit in hits] == pytest.approx([(0.325 + 1) / 2, 0.5, 0.05])


def test_weights_move_the_sum() -> None:
    options: dict[str, Any] = {"fusion": "weighted_sum", "weights": {"text": 3}}
    hits = fused({"text": Rows(1), "image": Rows(2)}, **options)
    assert [(hit.passage.id, hit.score) for hit in hits] == [("1", 0.75), ("2", 0.25)]


def test_deviations_from_the_mean_are_shifted_so_that_what_is_lacking_adds_nothing() -> None:
    # Scores 1 and 1/2: one deviation above and below the mean, plus 2; a single one is the mean.
    hits = fused({"text": Rows(1, 2), "image": Rows(3)}, fusion="z_sum")
    assert [(hit.passage.id, hit.score) for hit in hits] == [
        ("1", pytest.approx(1.5)),
        ("3", pytest.approx(1.0)),
        ("2", pytest.approx(0.5)),
    ]


def test_interleaving_takes_turns() -> None:
    hits = fused({"text": Rows(1, 2, 3), "image": Rows(4, 1, 5)}, fusion="interleave")
    assert ids(hits) == ["1", "4", "2", "3", "5"]
    assert [hit.score for hit in hits] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]


def test_equal_scores_stand_in_the_order_of_the_retrievers() -> None:
    assert ids(fused({"b": Rows(5), "a": Rows(4)})) == ["5", "4"]


def test_a_retriever_that_cannot_use_the_question_has_no_say() -> None:
    text = Listed(SHELF)
    image = Listed(SHELF, needs_image=True)
    alone = fused({"text": text}, text="3 1", fusion="weighted_sum")
    both = fused({"text": text, "image": image}, text="3 1", fusion="weighted_sum")
    assert [(hit.passage.id, hit.score) for hit in both] == [
        (hit.passage.id, hit.score) for hit in alone
    ]
    assert both[0].score == 1
    retriever = FusedRetriever(retrievers={"image": image})
    [(nothing), something] = retriever.retrieve(
        [Question("3"), Question("3", images=PICTURED)], 5, [Filter(), Filter()]
    )
    assert (nothing, ids(something)) == ([], ["3"])


def test_a_retriever_of_weight_zero_is_shown_but_does_not_rank() -> None:
    hits = fused({"text": Rows(1, 2), "image": Rows(2, 3)}, weights={"image": 0})
    assert ids(hits) == ["1", "2"]
    assert hits[1].parts["image"] == Part(1, 1.0)
    assert fused({"text": Rows(), "image": Rows(3)}, weights={"image": 0}) == []


def test_passages_of_several_indexes_are_the_same_by_their_ids() -> None:
    other = Shelf(passage("7"), passage("elsewhere"))
    hits = fused({"here": Rows(7, 1), "there": Rows(1, 0, shelf=other)})
    # "7": 1/61 + 1/62; "elsewhere": 1/61; "1": 1/62
    assert ids(hits) == ["7", "elsewhere", "1"]


def test_parts_tell_the_retriever_and_what_it_told_itself() -> None:
    hits = fused({"text": Rows(1, 2), "image": Rows(2, part="image"), "more": Rows(2)})
    by_id = {hit.passage.id: hit for hit in hits}
    assert by_id["1"].parts == {"lexical": Part(1, 9.0), "text": Part(1, 1.0)}
    # The best first; a part whose name is that of a retriever, or taken, is told apart.
    assert list(by_id["2"].parts.items()) == [
        ("image/image", Part(1, 9.0)),
        ("lexical", Part(1, 9.0)),
        ("text/lexical", Part(2, 8.0)),
        ("image", Part(1, 1.0)),
        ("more", Part(1, 1.0)),
        ("text", Part(2, 0.5)),
    ]


def test_readers_of_cases_meet_the_similarity_of_pictures_before_any_fused_score() -> None:
    [_, hit] = fused({"text": Rows(0, 1), "image": Rows(0, 1, part="image")}, k=2)
    # 8, cut to 1, with the channel; 1/2 with the retriever.
    assert (closeness(hit), hit.parts["image"].score) == (1.0, 0.5)


def test_traces_and_costs_of_the_retrievers_are_passed_on() -> None:
    retriever = FusedRetriever(retrievers={"a": Telling(SHELF), "b": Listed(SHELF)})
    [found] = retriever.retrieve_traced([Question("1 2")], 1, [Filter()])
    assert found.trace == (
        {"step": "asked", "retriever": "a"},
        {"step": "fused", "fusion": "rrf", "found": {"a": 2, "b": 2}, "kept": {"a": 1, "b": 1}},
    )
    assert found.usage == Usage(3, 4, 0.5)
    assert not retriever.repeatable
    assert FusedRetriever(retrievers={"b": Listed(SHELF)}).repeatable


def test_the_way_down_to_a_nested_step_is_told() -> None:
    inner = FusedRetriever(retrievers={"a": Telling(SHELF)})
    outer = FusedRetriever(retrievers={"x": inner, "y": Telling(SHELF)})
    [found] = outer.retrieve_traced([Question("1")], 1, [Filter()])
    assert [step.get("retriever") for step in found.trace] == ["x/a", "x", "y", None]
    assert found.usage == Usage(6, 8, 1.0)


def test_the_summary_and_the_history_of_a_hit_are_kept() -> None:
    class Summing(Rows):
        def retrieve_traced(self, *asked: Any) -> list[Retrieved]:
            return [
                Retrieved(tuple(replace(hit, summary="short", history=True) for hit in hits))
                for hits in self.retrieve(*asked)
            ]

    hits = fused({"plain": Rows(1), "summing": Summing(2, 1)})
    by_id = {hit.passage.id: hit for hit in hits}
    assert (by_id["1"].summary, by_id["1"].history) == ("short", True)


def test_a_budget_is_the_most_that_a_retriever_brings() -> None:
    retrievers = {"text": Rows(0, 1, 2, 3), "image": Rows(4, 5, 6)}
    hits = fused(retrievers, budgets={"text": 2, "image": 1})
    assert ids(hits) == ["0", "4", "1"]
    assert ids(fused(retrievers, budgets={"text": 0})) == ["4", "5", "6"]


def test_a_passage_that_two_found_is_paid_by_one_that_has_room() -> None:
    retrievers = {"text": Rows(0, 1), "image": Rows(2, 1)}
    # 1 is in both: 1/62 + 1/62 > 1/61. Text pays for it, so that 0 has nobody left.
    assert ids(fused(retrievers, budgets={"text": 1, "image": 1})) == ["1", "2"]


def test_a_guaranteed_budget_brings_in_what_the_scores_would_leave_out() -> None:
    retrievers = {"text": Rows(0, 1, 2, 3), "more": Rows(0, 1, 2, 3), "image": Rows(7, 8, 9)}
    assert ids(fused(retrievers, k=3)) == ["0", "1", "2"]
    budgets = {"image": 2}
    hits = fused(retrievers, k=3, budgets=budgets, budget_rule="guaranteed")
    assert ids(hits) == ["0", "7", "8"]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    # Where k is too small for all that is guaranteed, sources take turns.
    both = {"text": 2, "image": 2}
    assert ids(fused(retrievers, k=2, budgets=both, budget_rule="guaranteed")) == ["0", "7"]


SOURCES = st.lists(st.sets(st.sampled_from("abc"), min_size=1), max_size=12)


@given(SOURCES, st.dictionaries(st.sampled_from("abc"), st.integers(0, 4)), st.integers(1, 8))
def test_no_source_brings_more_than_its_budget(
    found: list[set[str]], budgets: dict[str, int], k: int
) -> None:
    ranks = [dict.fromkeys(sorted(names), place + 1) for place, names in enumerate(found)]
    kept = chosen(ranks, budgets, "at_most", k)
    assert kept == sorted(set(kept))
    assert len(kept) <= k
    # Those that only budgeted sources found are no more than the budgets together.
    bounded = [place for place in kept if set(ranks[place]) <= set(budgets)]
    assert len(bounded) <= sum(budgets.values())
    for name, budget in budgets.items():
        assert sum(set(ranks[place]) == {name} for place in kept) <= budget


@given(SOURCES, st.dictionaries(st.sampled_from("abc"), st.integers(0, 4)), st.integers(1, 8))
def test_what_is_guaranteed_stands_among_the_k(
    found: list[set[str]], budgets: dict[str, int], k: int
) -> None:
    ranks = [dict.fromkeys(sorted(names), place + 1) for place, names in enumerate(found)]
    kept = chosen(ranks, budgets, "guaranteed", k)
    assert kept == sorted(set(kept))
    assert len(kept) == min(k, len(found))
    for name, budget in budgets.items():
        has = [place for place, names in enumerate(found) if name in names]
        if sum(budgets.values()) <= k:
            assert set(has[:budget]) <= set(kept)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retrievers": {}}, "at least one retriever"),
        ({"weights": {"b": 1}}, r"weights name \['b'\], but the retrievers are \['a'\]"),
        ({"budgets": {"b": 1}}, r"budgets name \['b'\]"),
        ({"budgets": {"a": -1}}, "budgets must be at least 0"),
        ({"weights": {"a": 0}}, "not all 0"),
        ({"weights": {"a": float("nan")}}, "at least 0 and finite"),
        ({"rrf_k": 0}, "rrf_k must be positive"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"fusion": "sum"}, "fusion must be one of"),
        ({"fusion": "interleave", "weights": {"a": 2}}, "no meaning for 'interleave'"),
        ({"budget_rule": "some"}, "budget_rule must be one of"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FusedRetriever(**{"retrievers": {"a": Rows(1)}, **options})


def test_a_wrong_k_or_number_of_filters_is_refused() -> None:
    retriever = FusedRetriever(retrievers={"a": Rows(1)})
    with pytest.raises(ValueError, match="k must be at least 1"):
        retriever.retrieve([Question("a")], 0, [Filter()])
    with pytest.raises(ValueError, match="1 questions need as many filters: 0"):
        retriever.retrieve([Question("a")], 1, [])


@given(
    st.lists(st.permutations(range(6)).map(lambda rows: rows[:4]), min_size=1, max_size=3),
    st.sampled_from(["rrf", "weighted_sum", "z_sum", "interleave"]),
    st.integers(1, 6),
)
def test_scores_never_rise_with_the_rank(
    rankings: Sequence[Sequence[int]], fusion: Any, k: int
) -> None:
    retrievers = {str(n): Rows(*rows) for n, rows in enumerate(rankings)}
    hits = fused(retrievers, k, fusion=fusion)
    scores = [round(hit.score, 12) for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(hits) <= k
    assert len(set(ids(hits))) == len(hits)
