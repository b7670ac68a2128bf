"""Hits in the order of how clearly a reader answers from each alone."""

from collections.abc import Callable
from math import log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Generation, Hit, Part, Prompt, Question
from medrag.retrieval.asking import LikelihoodReranker
from medrag.retrieval.tracing import is_repeatable
from tests.contracts import check_reranker
from tests.retrieval.asking.scripted import Scripted
from tests.retrieval.shelf import Shelf, ids, passage

SHELF = Shelf(*(passage(name) for name in "abcd"))
QUESTION = Question("Is it?", options=("yes", "no"))


def hits(names: str = "abcd") -> list[Hit]:
    return [Hit(passage(name), 1 / n, n, "q") for n, name in enumerate(names, start=1)]


def reader(told: Callable[[str], Generation | Exception]) -> Scripted:
    return Scripted(lambda prompt: told(prompt.evidence[0].passage.id))


def reranked(told: Callable[[str], Generation | Exception], **settings: Any) -> list[Hit]:
    reranker = LikelihoodReranker(generator=reader(told), rows=SHELF, **settings)
    return reranker.rerank([QUESTION], [hits()])[0]


def by_options(**first: float) -> Callable[[str], Generation]:
    return lambda name: Generation("A", option_scores=(log(first[name]), log(1 - first[name])))


def test_the_hit_that_settles_the_options_stands_first() -> None:
    ranking = reranked(by_options(a=0.5, b=0.9, c=0.01, d=0.6))
    assert ids(ranking) == ["c", "b", "d", "a"]
    assert [hit.rank for hit in ranking] == [1, 2, 3, 4]
    # 1 + (0.9 log 0.9 + 0.1 log 0.1) / log 2 = 0.531004
    assert ranking[1].score == pytest.approx(0.531004, abs=1e-6)
    assert ranking[1].parts["likelihood"] == Part(2, ranking[1].score)
    assert ranking[3].score == pytest.approx(0, abs=1e-12)


def test_without_options_the_probability_of_the_answer_counts() -> None:
    chances = {"a": 0.25, "b": 1.0, "c": 0.5, "d": 0.125}
    ranking = reranked(lambda name: Generation("x", log_probabilities=(log(chances[name]),) * 3))
    assert ids(ranking) == ["b", "c", "a", "d"]
    assert [hit.score for hit in ranking] == pytest.approx([1.0, 0.5, 0.25, 0.125])


def test_the_two_scales_are_never_mixed_in_one_ranking() -> None:
    def told(name: str) -> Generation:
        scores = (0.0, -9.0) if name == "a" else ()
        return Generation("x", option_scores=scores, log_probabilities=(log(0.5),))

    assert {hit.score for hit in reranked(told)} == {0.5}
    assert ids(reranked(told, by="options")) == ["a", "b", "c", "d"]


def test_a_hit_that_the_reader_fails_on_stands_behind_the_others() -> None:
    def told(name: str) -> Generation | Exception:
        return RuntimeError("too long") if name == "a" else by_options(b=0.5, c=0.6, d=0.9)(name)

    ranking = reranked(told)
    assert ids(ranking) == ["d", "c", "b", "a"]
    assert (ranking[-1].score, ranking[-1].parts) == (0.0, {})


def test_a_reader_that_tells_nothing_changes_nothing() -> None:
    assert reranked(lambda name: Generation("yes")) == hits()


def test_no_more_hits_are_read_than_are_wanted() -> None:
    generator = reader(by_options(a=0.5, b=0.9, c=0.9, d=0.9))
    reranker = LikelihoodReranker(generator=generator, rows=SHELF, n_hits=2)
    assert ids(reranker.rerank([QUESTION], [hits()])[0]) == ["b", "a"]
    assert len(generator.seen) == 2


def test_the_hits_of_all_questions_are_read_in_one_batch_each_alone() -> None:
    generator = reader(by_options(a=0.5, b=0.9, c=0.9, d=0.9))
    reranker = LikelihoodReranker(generator=generator, rows=SHELF)
    found = reranker.rerank([QUESTION, Question("And?"), QUESTION], [hits("ab"), [], hits("cda")])
    assert [ids(each) for each in found] == [["b", "a"], [], ["c", "d", "a"]]
    assert generator.batches == [5]
    assert all(len(prompt.evidence) == 1 for prompt in generator.seen)


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=6))
def test_it_gives_the_same_hits_ordered_by_a_score_between_0_and_1(chances: list[float]) -> None:
    given_hits = [Hit(passage(str(n)), 1.0, n + 1) for n in range(len(chances))]

    def say(prompt: Prompt) -> Generation:
        chance = chances[int(prompt.evidence[0].passage.id)]
        return Generation("A", option_scores=(log(chance), log(1 - chance)))

    (ranking,) = LikelihoodReranker(generator=Scripted(say), rows=SHELF).rerank(
        [QUESTION], [given_hits]
    )
    scores = [hit.score for hit in ranking]
    assert sorted(ids(ranking)) == sorted(ids(given_hits))
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_what_cannot_be_built_or_asked_is_refused() -> None:
    generator = Scripted(lambda prompt: "x")
    with pytest.raises(ValueError, match="n_hits must be at least 1, got 0"):
        LikelihoodReranker(generator=generator, rows=SHELF, n_hits=0)
    with pytest.raises(ValueError, match="by must be one of auto, options, tokens"):
        LikelihoodReranker(generator=generator, rows=SHELF, by="luck")  # type: ignore[arg-type]
    reranker = LikelihoodReranker(generator=generator, rows=SHELF)
    with pytest.raises(ValueError, match="1 questions need as many rankings: 0"):
        reranker.rerank([QUESTION], [])


def test_it_tells_that_it_must_not_be_asked_twice() -> None:
    reranker: Any = LikelihoodReranker(generator=Scripted(lambda prompt: "x"), rows=SHELF)
    assert not is_repeatable(reranker)


def test_it_keeps_the_promises_of_a_reranker() -> None:
    reranker = LikelihoodReranker(
        generator=reader(by_options(a=0.5, b=0.9, c=0.1, d=0.2)), rows=SHELF
    )
    check_reranker(reranker, [QUESTION, QUESTION], [hits(), hits("c")])
