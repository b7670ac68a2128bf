"""Domains by the words of a question, without any weights."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from medrag.encoding.classifying.deciding import Thresholds, check_thresholds, decided
from medrag.encoding.classifying.descriptions import read_descriptions
from medrag.encoding.heads.logits import softmax
from medrag.errors import RecipeError
from medrag.language import stems, words
from medrag.records import Question, Routing


class WordsClassifier:
    """Tell the domain of a question by terms that belong to one: "smear", "costophrenic".

    Terms are compared as runs of stems; one with a capital letter as it is written, so that "PET"
    is no pet. Each term counts once. A domain has the share that a softmax of the weighted counts
    gives it; a question without a single term belongs to none.

    Args:
        words: YAML file of terms of one's own; that of medrag if left out.
        domains: those of the file to tell apart; all if left out.
        weight: of a term: the log-odds that it moves. One term alone has at 2.5 a share of 0.71
            among six domains.
        least: below which the likeliest domain is not known.
        margin: by which it must lead the next.

    Raises:
        RecipeError: if the file cannot be read, or a domain has no words.
        ValueError: if a number is out of range.
    """

    def __init__(
        self,
        *,
        words: Path | None = None,
        domains: tuple[str, ...] | None = None,
        weight: float = 2.5,
        least: float = 0.5,
        margin: float = 0.1,
    ) -> None:
        check_thresholds(least=least, margin=margin)
        if not 0 < weight < np.inf:
            raise ValueError(f"weight must be above 0 and finite, got {weight}")
        self.words = read_descriptions(words, domains).words
        for name, terms in self.words.items():
            if not terms:
                raise RecipeError(f"the domain {name!r} has no words; list some")
        self.weight = weight
        self.thresholds = Thresholds(least, margin)

    def classify(self, questions: Sequence[Question]) -> list[Routing]:
        """Route questions by their texts and options."""
        return [self._routed("\n".join((each.text, *each.options))) for each in questions]

    def _routed(self, text: str) -> Routing:
        written, stemmed = words(text), stems(text)
        found = {
            name: [
                term
                for term, run in terms
                if _holds(written if term != term.lower() else stemmed, run)
            ]
            for name, terms in self._runs.items()
        }
        if not any(found.values()):
            return Routing(reason="no word tells it")
        counts = np.array([[len(terms) for terms in found.values()]], dtype=np.float64)
        routing = decided(list(found), softmax(self.weight * counts)[0], self.thresholds)
        said = ", ".join(repr(term) for name in routing.domains for term in found[name])
        reason = f"words {said}: {routing.reason}"
        return Routing(routing.domains, routing.known, routing.probabilities, reason)

    @cached_property
    def _runs(self) -> dict[str, list[tuple[str, list[str]]]]:
        """Give the terms of each domain, each with the run of words or stems that it is."""
        return {
            name: [(term, words(term) if term != term.lower() else stems(term)) for term in terms]
            for name, terms in self.words.items()
        }


def _holds(text: Sequence[str], run: Sequence[str]) -> bool:
    n = len(run)
    return bool(n) and any(list(text[at : at + n]) == list(run) for at in range(len(text) - n + 1))
