"""Three layers: a user's documents, the graph of terms that they name, and books on these."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from medrag.protocols import Channel, Library, Retriever
from medrag.records import Filter, Hit, Part, Question, Retrieved
from medrag.records.usage import together
from medrag.retrieval.asking.joining import ranked_in_order
from medrag.retrieval.channels import query_text
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.graph.linking import Linked, Text, lies_there, linked
from medrag.retrieval.guarding import allowed
from medrag.retrieval.tracing import asked, is_repeatable

_TEXT = 4000  # characters of a document that are linked


class LinkedRetriever:
    """Hits of documents, the terms and facts that these and the question name, and book passages.

    The layers take turns in one ranking, documents first, each with a budget of its own, so that a
    selection of any size reads of all three. A hit's score is 1 / its rank, and `Hit.parts` tells
    its layer ("documents", "graph", "books") with rank and score in it.

    U-retrieval without a model: the paper describes each stored graph by a summary of tags and lets
    a model rate every summary against the question's, one call each, which costs as many calls as
    there are documents and reads none of them. Going down, the ranking of an index does the same in
    one search, over all of a text and not over its tags; the terms that a hit names are its tags.
    Coming up, the question is asked of the books again with those terms. The answer is refined by
    whoever answers.

    Args:
        rows: the passages of the index that the graph is of.
        documents: finds documents for the question as it is.
        graph: links texts to terms and facts. A text that denies a term does not link it.
        books: is asked with the question's words and the names of the terms linked.
        n_documents, n_graph, n_books: the budgets.
        n_terms: names of terms that the books are asked with.

    Raises:
        ValueError: if a number is below 1.

    Source:
        MedGraphRAG, arXiv 2408.04187.
    """

    def __init__(
        self,
        *,
        rows: Library,
        documents: Retriever,
        graph: Channel,
        books: Retriever,
        n_documents: int = 5,
        n_graph: int = 5,
        n_books: int = 5,
        n_terms: int = 6,
    ) -> None:
        check_positive(n_documents=n_documents, n_graph=n_graph, n_books=n_books, n_terms=n_terms)
        self.rows = rows
        self.documents = documents
        self.graph = graph
        self.books = books
        self.n_documents = n_documents
        self.n_graph = n_graph
        self.n_books = n_books
        self.n_terms = n_terms
        self.repeatable = is_repeatable(documents, books)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages of the three layers in turn, at most k.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """As `retrieve`; the trace tells the terms that were linked, and each layer's share."""
        check_asked(questions, k, filters)
        documents = [
            replace(each, hits=allowed(each.hits[: self.n_documents], wanted))
            for each, wanted in zip(
                asked(self.documents, questions, self.n_documents, filters), filters, strict=True
            )
        ]
        links = self._links(questions, documents, filters)
        terms = [_terms(each, self.n_terms) for each in links]
        further = [_with_terms(q, names) for q, names in zip(questions, terms, strict=True)]
        books = asked(self.books, further, self.n_books, filters)
        found = []
        for at, (question, wanted) in enumerate(zip(questions, filters, strict=True)):
            layers = {
                "documents": documents[at].hits,
                "graph": _graph_hits(question, links[at], self.n_graph),
                "books": allowed(books[at].hits[: self.n_books], wanted),
            }
            trace: Mapping[str, Any] = {
                "step": "linked", "terms": terms[at],
                **{name: len(hits) for name, hits in layers.items()},
            }  # fmt: skip
            found.append(
                Retrieved(
                    ranked_in_order(_in_turn(layers), k),
                    (*documents[at].trace, *books[at].trace, trace),
                    together((documents[at].usage, books[at].usage)),
                )
            )
        return found

    def _links(
        self,
        questions: Sequence[Question],
        documents: Sequence[Retrieved],
        filters: Sequence[Filter],
    ) -> list[list[Linked]]:
        """Link the question and each of its documents; what several name weighs the more."""
        texts: list[Text] = []
        # Whose text it is, what it weighs, and whether it asks: then what lies at a place counts.
        weights: list[tuple[int, float, bool]] = []
        for at, question in enumerate(questions):
            texts.append(Text(query_text(question), filters[at]))
            weights.append((at, 1.0, True))
            for hit in documents[at].hits:
                words, language = hit.passage.text[:_TEXT], hit.passage.source.language
                texts.append(Text(words, filters[at], language))
                weights.append((at, 1.0 / (1 + hit.rank), False))
        gathered: list[dict[str, Linked]] = [{} for _ in questions]
        found = linked(self.graph, self.rows, texts)
        for (at, weight, asks), links in zip(weights, found, strict=True):
            for link in links:
                if not link.affirmed or (lies_there(link) and not asks):
                    continue
                known = gathered[at].get(link.passage.id, link._replace(score=0.0))
                score = known.score + weight * link.score
                gathered[at][link.passage.id] = known._replace(score=score)
        return [sorted(each.values(), key=lambda one: -one.score) for each in gathered]


def _terms(links: Sequence[Linked], n: int) -> list[str]:
    return list(dict.fromkeys(link.concept for link in links))[:n]


def _with_terms(question: Question, names: Sequence[str]) -> Question:
    """Ask with the terms as well, but for those that the question names itself."""
    folded = question.text.casefold()
    words = [name for name in names if name not in folded]
    return replace(question, text=" ".join(filter(None, [question.text, *words])))


def _graph_hits(question: Question, links: Sequence[Linked], n: int) -> list[Hit]:
    return [
        Hit(link.passage, link.score, rank, link.sentence or question.text)
        for rank, link in enumerate(links[:n], start=1)
    ]


def _in_turn(layers: Mapping[str, Sequence[Hit]]) -> list[Hit]:
    """Let the layers take turns; a passage that two layers found stands where it came first."""
    taken: dict[str, Hit] = {}
    for place in range(max(map(len, layers.values()), default=0)):
        for name, hits in layers.items():
            for hit in hits[place : place + 1]:
                known = taken.get(hit.passage.id, hit)
                parts = {**hit.parts, **known.parts, name: Part(place + 1, hit.score)}
                taken[hit.passage.id] = replace(known, parts=parts)
    return list(taken.values())
