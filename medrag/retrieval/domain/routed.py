"""Ask a classifier of domains, and keep what it tells of its way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from medrag.protocols import DomainClassifier
from medrag.records import Question, Routing, Usage


@dataclass(frozen=True, slots=True)
class Routed:
    """A routing, and how it came about.

    Attributes:
        trace: steps beside the routing itself, as JSON values with a key "step".
        usage: of the models that were asked; None where none was.
    """

    routing: Routing
    trace: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    usage: Usage | None = None


@runtime_checkable
class TracedClassifier(Protocol):
    """A classifier that tells how its routings came about."""

    def classify_traced(self, questions: Sequence[Question]) -> list[Routed]: ...


def routed(classifier: DomainClassifier, questions: Sequence[Question]) -> list[Routed]:
    """Classify, with trace and usage where the classifier tells them."""
    if isinstance(classifier, TracedClassifier):
        return classifier.classify_traced(questions)
    return [Routed(routing) for routing in classifier.classify(questions)]
