"""Several ways to tell a domain, one after the other."""

from collections.abc import Sequence
from dataclasses import replace

from medrag.protocols import DomainClassifier
from medrag.records import Question, Routing
from medrag.records.usage import together
from medrag.retrieval.domain.routed import Routed, routed
from medrag.retrieval.tracing import is_repeatable


class FirstKnownClassifier:
    """The first of several classifiers that knows a question's domain; later ones are not asked.

    Where none knows it, the first that names domains at all has its say; where none does, none is
    named.

    Args:
        classifiers: in the order in which they are believed, such as what is stated, what the
            picture shows, what the words say.

    Raises:
        ValueError: if there is none.
    """

    def __init__(self, *, classifiers: tuple[DomainClassifier, ...]) -> None:
        if not classifiers:
            raise ValueError("classifiers must be one or more, got none")
        self.classifiers = classifiers
        self.repeatable = is_repeatable(*classifiers)

    def classify(self, questions: Sequence[Question]) -> list[Routing]:
        """Route questions; see `classify_traced`."""
        return [each.routing for each in self.classify_traced(questions)]

    def classify_traced(self, questions: Sequence[Question]) -> list[Routed]:
        """Route questions, with the steps and usage of all that were asked.

        Raises:
            MedragError: as the classifiers do.
        """
        tried: list[list[Routed]] = [[] for _ in questions]
        left = list(range(len(questions)))
        for classifier in self.classifiers:
            for place, found in zip(
                left, routed(classifier, [questions[place] for place in left]), strict=True
            ):
                tried[place].append(found)
            left = [place for place in left if not tried[place][-1].routing.known]
            if not left:
                break
        return [_joined(each) for each in tried]


def _joined(tried: Sequence[Routed]) -> Routed:
    """Give the routing that counts, and why those before it did not."""
    routings = [each.routing for each in tried]
    chosen = routings[-1]
    if not chosen.known:
        chosen = next((each for each in routings if each.domains), chosen)
    reasons = filter(None, (each.reason for each in routings))
    return Routed(
        replace(chosen, reason="; ".join(reasons)),
        tuple(step for each in tried for step in each.trace),
        together(each.usage for each in tried),
    )
