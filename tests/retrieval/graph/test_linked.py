import pytest

from medrag.records import Filter, Question
from medrag.retrieval.graph.linked import LinkedRetriever
from tests.retrieval.graph.made import Given, Scored, Shelf, by_name, fact, made

GRAPH = Shelf(
    made(0, "term", "asthma: narrow airways.", name="asthma"),
    made(1, "term", "wheezing: a sound.", name="wheezing"),
    made(2, "term", "eczema: a rash.", name="eczema"),
    fact(3, "asthma", "has_symptom", "wheezing"),
)
NOTES = [
    made(10, "report", "Wheezing at night. No eczema."),
    made(11, "report", "Wheezing on exertion."),
]
BOOKS = [made(20, "text", "On wheezing."), made(21, "text", "On asthma.")]


def layers(**options: int) -> tuple[LinkedRetriever, Given]:
    books = Given((BOOKS[0], 0.9), (BOOKS[1], 0.8))
    retriever = LinkedRetriever(
        rows=GRAPH,
        documents=Given((NOTES[0], 9.0), (NOTES[1], 8.0)),
        graph=Scored(GRAPH, by_name),
        books=books,
        **options,
    )
    return retriever, books


ASKED = Question("Why does she cough?")


def test_the_layers_take_turns_documents_first() -> None:
    (hits,) = layers()[0].retrieve([ASKED], 10, [Filter()])
    kinds = ["documents", "graph", "books", "documents", "graph", "books"]
    assert [next(n for n in ("documents", "graph", "books") if n in h.parts) for h in hits] == kinds
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5, 6]
    assert [hit.score for hit in hits] == pytest.approx([1 / n for n in range(1, 7)])


def test_terms_that_documents_name_are_linked_and_those_that_they_deny_are_not() -> None:
    (hits,) = layers()[0].retrieve([ASKED], 10, [Filter()])
    linked = {hit.passage.id for hit in hits if "graph" in hit.parts}
    assert linked == {"p1", "p3"}


def test_what_lies_at_a_place_is_linked_if_the_question_names_it() -> None:
    shelf = Shelf(fact(0, "lung cancer", "located_in", "lung"))
    notes = Given((made(10, "report", "The lung is clear."), 1.0))
    retriever = LinkedRetriever(
        rows=shelf, documents=notes, graph=Scored(shelf, by_name), books=Given()
    )
    asking = [Question("Why?"), Question("What is found in the lung?")]
    found = retriever.retrieve(asking, 10, [Filter()] * 2)
    assert [[hit.passage.id for hit in hits] for hits in found] == [["p10"], ["p10", "p0"]]


def test_books_are_asked_with_the_terms_linked() -> None:
    retriever, books = layers()
    (found,) = retriever.retrieve_traced([ASKED], 10, [Filter()])
    assert books.asked[0].text == "Why does she cough? wheezing"
    assert found.trace[-1] == {
        "step": "linked", "terms": ["wheezing"], "documents": 2, "graph": 2, "books": 2,
    }  # fmt: skip


def test_terms_of_the_question_are_linked_too_but_not_asked_twice() -> None:
    retriever, books = layers()
    (found,) = retriever.retrieve_traced([Question("Is it asthma?")], 10, [Filter()])
    assert found.trace[-1]["terms"][0] == "asthma"
    assert books.asked[0].text == "Is it asthma? wheezing"


def test_each_layer_has_its_budget() -> None:
    retriever, _ = layers(n_documents=1, n_graph=1, n_books=1)
    (hits,) = retriever.retrieve([ASKED], 10, [Filter()])
    assert [hit.passage.id for hit in hits] == ["p10", "p1", "p20"]


def test_a_passage_that_two_layers_find_stands_once() -> None:
    same = Given((NOTES[0], 1.0))
    retriever = LinkedRetriever(
        rows=GRAPH, documents=same, graph=Scored(GRAPH, by_name), books=same
    )
    (hits,) = retriever.retrieve([ASKED], 10, [Filter()])
    assert [hit.passage.id for hit in hits] == ["p10", "p1", "p3"]
    assert {"documents", "books"} <= hits[0].parts.keys()


def test_a_filter_of_kinds_holds_for_every_layer() -> None:
    (hits,) = layers()[0].retrieve([ASKED], 10, [Filter(kinds=frozenset({"text"}))])
    assert {hit.passage.kind for hit in hits} == {"text"}
