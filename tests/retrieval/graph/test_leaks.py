"""Passages of the question's own patient, study and picture never come back."""

from collections.abc import Iterator

import pytest

from medrag.protocols import Retriever
from medrag.records import Filter, Hit, Passage, Question
from medrag.retrieval.graph import (
    AttributesRetriever,
    CaseFactsRetriever,
    ImageFactsRetriever,
    LinkedRetriever,
)
from tests.retrieval.graph.made import PICTURE, Given, Scored, Shelf, by_name, fact, made

GUARD = Filter(
    not_images=frozenset({"f" * 64}),
    not_studies=frozenset({"own study"}),
    not_subjects=frozenset({"own patient"}),
)
OWN: dict[str, dict[str, str]] = {
    "subject": {"subject": "own patient", "study": "earlier study"},
    "study": {"study": "own study"},
    "image": {"sha256": "f" * 64, "study": "unnamed study"},
}
ASKED = Question("Is there a pleural effusion?", images=(PICTURE,))
TERM = made(5000, "term", "pleural effusion.", name="pleural effusion", definition="fluid, white")
OTHER_REPORT = made(5001, "report", "There is a pleural effusion.", study="other", subject="o")
OTHER_FACT = fact(5002, "pleural effusion", "located_at", "base", "other", subject="o")


def planted(of: str) -> list[Passage]:
    """Plant 100 facts, reports and terms of the question's own, each said by nobody else."""
    found = []
    for i in range(100):
        own = OWN[of]
        found += [
            fact(i, "pleural effusion", "located_at", f"place {i}", **own),
            made(1000 + i, "report", f"There is a pleural effusion at place {i}.", **own),
            made(2000 + i, "term", f"pleural effusion {i}.", name="pleural effusion",
                 definition=f"round, place {i}", **own),
        ]  # fmt: skip
    return found


def retrievers(shelf: Shelf, *, leaky: bool) -> Iterator[tuple[str, Retriever]]:
    """Give each retriever over parts that keep to the filter, or over parts that do not."""
    near = Scored(shelf, lambda _, passage: 1.0, leaky=leaky)
    graph = Scored(shelf, by_name, leaky=leaky)
    reports = [each for each in shelf.passages if each.kind == "report"]
    given = Given(*((each, 1.0) for each in reports), leaky=leaky)
    every = Given(*((each, 1.0) for each in shelf.passages), leaky=leaky)
    yield "image_facts", ImageFactsRetriever(rows=shelf, channel=near, keep=500, candidates=500)
    yield "case_facts", CaseFactsRetriever(rows=shelf, cases=given, n_cases=500)
    yield (
        "case_facts, linked",
        CaseFactsRetriever(
            rows=shelf, cases=given, graph=graph, describe=given, n_cases=500, descriptions=500
        ),
    )
    yield "linked", LinkedRetriever(
        rows=shelf, documents=given, graph=graph, books=given,
        n_documents=500, n_graph=500, n_books=500,
    )  # fmt: skip
    yield "attributes", AttributesRetriever(
        rows=shelf, graph=graph, texts=every,
        n_texts=500, per_finding=500,
    )  # fmt: skip


def own(hits: list[Hit]) -> list[str]:
    return [
        hit.passage.id
        for hit in hits
        if hit.passage.source.subject == "own patient"
        or hit.passage.source.study == "own study"
        or any(image.sha256 == "f" * 64 for image in hit.passage.images)
    ]


@pytest.mark.parametrize("leaky", [False, True], ids=["sound parts", "leaky parts"])
@pytest.mark.parametrize("of", sorted(OWN))
def test_no_retriever_returns_what_is_the_questions_own(of: str, leaky: bool) -> None:
    shelf = Shelf(*planted(of), TERM, OTHER_REPORT, OTHER_FACT)
    for name, retriever in retrievers(shelf, leaky=leaky):
        (hits,) = retriever.retrieve([ASKED], 1000, [GUARD])
        assert hits, name
        assert own(hits) == [], name


@pytest.mark.parametrize("of", sorted(OWN))
def test_without_the_guard_they_would_come_back(of: str) -> None:
    shelf = Shelf(*planted(of), TERM, OTHER_REPORT, OTHER_FACT)
    for name, retriever in retrievers(shelf, leaky=False):
        (hits,) = retriever.retrieve([ASKED], 1000, [Filter()])
        assert own(hits), name


def test_what_only_the_own_patient_has_does_not_vote() -> None:
    shelf = Shelf(*planted("subject"), OTHER_REPORT, OTHER_FACT)
    retriever = CaseFactsRetriever(
        rows=shelf, cases=Given((OTHER_REPORT, 1.0)), graph=Scored(shelf, by_name)
    )
    (found,) = retriever.retrieve_traced([ASKED], 1000, [GUARD])
    assert [hit.passage.id for hit in found.hits] == [OTHER_FACT.id]
    assert found.hits[0].passage.fields["support"] == 1


def test_a_case_of_the_own_patient_has_no_vote_even_if_it_is_handed_in() -> None:
    own_report = made(6000, "report", "There is asthma.", subject="own patient")
    shelf = Shelf(made(6001, "term", "asthma.", name="asthma"), own_report)
    retriever = CaseFactsRetriever(
        rows=shelf, cases=Given((own_report, 1.0), leaky=True), graph=Scored(shelf, by_name)
    )
    assert retriever.retrieve([ASKED], 10, [GUARD]) == [[]]
