"""Ask a retriever that stands within another, and keep what it tells of its way."""

from collections.abc import Sequence

from medrag.protocols import Retriever, TracedRetriever
from medrag.records import Filter, Question, Retrieved


def asked(
    retriever: Retriever, questions: Sequence[Question], k: int, filters: Sequence[Filter]
) -> list[Retrieved]:
    """Retrieve, with trace and usage where the retriever tells them."""
    if isinstance(retriever, TracedRetriever):
        return retriever.retrieve_traced(questions, k, filters)
    return [Retrieved(tuple(hits)) for hits in retriever.retrieve(questions, k, filters)]


def is_repeatable(*components: object) -> bool:
    """Tell whether all components may be asked again; see `Retriever`."""
    return all(getattr(each, "repeatable", True) for each in components)
