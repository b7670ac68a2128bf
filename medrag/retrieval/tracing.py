"""Ask a retriever that stands within another, and keep what it tells of its way."""

from collections.abc import Sequence
from dataclasses import replace

from medrag.protocols import Retriever, TracedRetriever
from medrag.records import Filter, Question, Retrieved


def asked(
    retriever: Retriever, questions: Sequence[Question], k: int, filters: Sequence[Filter]
) -> list[Retrieved]:
    """Retrieve, with trace and usage where the retriever tells them."""
    if isinstance(retriever, TracedRetriever):
        return retriever.retrieve_traced(questions, k, filters)
    return [Retrieved(tuple(hits)) for hits in retriever.retrieve(questions, k, filters)]


def asked_at(
    places: Sequence[int],
    retriever: Retriever,
    questions: Sequence[Question],
    k: int,
    filters: Sequence[Filter],
) -> dict[int, Retrieved]:
    """Retrieve for the questions at some places alone; give what was found by place."""
    found = asked(retriever, [questions[at] for at in places], k, [filters[at] for at in places])
    return dict(zip(places, found, strict=True))


def named(question: Question, name: str) -> Question:
    """Ask for one name, in words alone, on behalf of a question."""
    return replace(question, text=name, images=(), options=(), regions=())


def is_repeatable(*components: object) -> bool:
    """Tell whether all components may be asked again; see `Retriever`. None always may."""
    return all(getattr(each, "repeatable", True) for each in components)
