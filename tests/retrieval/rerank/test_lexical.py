import math

import pytest

from medrag.records import Filter, Hit, Question
from medrag.retrieval.rerank.lexical import LexicalReranker
from tests.retrieval.shelf import Listed, Shelf, ids, passage

SHELF = Shelf(
    passage("a", "heart heart lung"),
    passage("b", "lung lung skin bone"),
    passage("c", "heart skin"),
    passage("d", "bone", fields={"title": "Heart"}),
    passage("p", kind="page", page=3, image="p"),
    passage("q", kind="page", page=4, image="q"),
    passage("r", kind="page", page=5, image="r"),
    passage("on3", "the kidney filters", page=3),
    passage("on4", "the spleen", page=4),
)
WORDED = 6


def reranked(question: str, *rows: int, sample: int = 100) -> list[Hit]:
    [hits] = Listed(SHELF).retrieve([Question(" ".join(map(str, rows)))], 9, [Filter()])
    return LexicalReranker(library=SHELF, sample=sample).rerank([Question(question)], [hits])[0]


def test_scores_are_those_of_bm25_by_hand() -> None:
    hits = {hit.passage.id: hit.score for hit in reranked("heart", 0, 1, 2)}
    # "heart" stands in a, c and d (its title) of six with words; lengths 3, 4 and 2, mean 3.
    rarity = math.log(1 + (WORDED - 3 + 0.5) / (3 + 0.5))
    assert hits == {
        "a": pytest.approx(rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 3)), abs=1e-6),
        "c": pytest.approx(rarity * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3)), abs=1e-6),
        "b": 0.0,
    }


def test_words_of_the_title_and_other_forms_of_a_word_count() -> None:
    assert ids(reranked("hearts", 1, 3)) == ["d", "b"]


def test_a_page_stands_by_the_words_on_it() -> None:
    hits = reranked("what does the kidney do", 5, 4)
    assert ids(hits) == ["p", "q"]
    assert [hit.passage for hit in hits] == [SHELF.passages[4], SHELF.passages[5]]
    assert hits[0].parts["lexical_rerank"].rank == 1


def test_what_has_no_words_comes_last() -> None:
    hits = reranked("the kidney", 6, 5, 4)
    assert ids(hits) == ["p", "q", "r"]
    assert "lexical_rerank" not in hits[2].parts


def test_a_question_without_words_changes_nothing() -> None:
    [hits] = Listed(SHELF).retrieve([Question("1 0")], 9, [Filter()])
    pictured = Question(images=("a.png",))
    assert LexicalReranker(library=SHELF).rerank([pictured], [hits]) == [hits]


def test_options_are_words_of_the_question() -> None:
    [hits] = Listed(SHELF).retrieve([Question("1 0")], 9, [Filter()])
    question = Question("which?", options=("heart", "kidney"))
    assert ids(LexicalReranker(library=SHELF).rerank([question], [hits])[0]) == ["a", "b"]


def test_words_can_be_counted_in_a_sample_of_the_index() -> None:
    # Rows 0 and 8 of nine: "heart" in one of two passages with words.
    hits = {hit.passage.id: hit.score for hit in reranked("heart", 0, 1, 2, sample=2)}
    rarity = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = rarity * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3))
    assert hits["c"] == pytest.approx(expected, abs=1e-6)


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="sample must be at least 1, got 0"):
        LexicalReranker(library=SHELF, sample=0)
