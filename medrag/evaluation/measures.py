"""Measures of a ranking, named apart from being computed: "nDCG@10" is a value of `Measure`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

_NAME = re.compile(r"([A-Za-z]+)(?:@([1-9][0-9]*))?")
_ALIASES = {
    "ndcg": "nDCG", "recall": "Recall", "r": "Recall", "precision": "P", "p": "P", "hit": "Hit",
    "success": "Hit", "mrr": "MRR", "rr": "MRR", "map": "MAP", "ap": "MAP",
}  # fmt: skip


class Measure(NamedTuple):
    """A measure and its depth; None where it looks at the whole ranking."""

    name: str
    k: int | None

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"


def parse_measure(text: str) -> Measure:
    """Read a name such as "nDCG@10", "Recall@100", "P@5", "Hit@1", "MRR@10" or "MAP".

    Case does not matter; R, Precision, Success, RR and AP are other names.

    Raises:
        ValueError: if it is no such name, or a measure other than MRR and MAP has no depth.
    """
    match = _NAME.fullmatch(text.strip())
    name = _ALIASES.get(match.group(1).lower()) if match else None
    if match is None or name is None:
        known = ", ".join(sorted(set(_ALIASES.values())))
        raise ValueError(f"unknown measure {text!r}; known are {known}, as in nDCG@10")
    if match.group(2) is None and name not in ("MRR", "MAP"):
        raise ValueError(f"measure {text!r} needs a depth, as in {name}@10")
    return Measure(name, int(match.group(2)) if match.group(2) else None)


def measured(measure: Measure, ranking: Sequence[str], judged: Mapping[str, int]) -> float:
    """Compute a measure of one ranking.

    Args:
        ranking: documents, best first, each once. Its order is taken as given: documents of equal
            score must stand in an order that does not depend on the judgements.
        judged: grades of documents; above 0 is relevant, and what is not judged is not.

    Returns:
        A value in [0, 1]; nan where no document is judged relevant.

    Raises:
        ValueError: if the ranking holds a document twice.
    """
    if len(set(ranking)) < len(ranking):
        raise ValueError("a ranking must hold each document once; pool its passages first")
    grades = [max(judged.get(document, 0), 0) for document in ranking]
    ideal = sorted((grade for grade in judged.values() if grade > 0), reverse=True)
    if not ideal:
        return float("nan")
    return _COMPUTED[measure.name](grades, ideal, measure.k)


def _ndcg(grades: Sequence[int], ideal: Sequence[int], k: int | None) -> float:
    """Gain is the grade itself, as trec_eval and BEIR have it (Jarvelin & Kekalainen 2002)."""
    return _dcg(grades[:k]) / _dcg(ideal[:k])


def _dcg(grades: Sequence[int]) -> float:
    return float(np.sum(np.array(grades) / np.log2(np.arange(2, len(grades) + 2))))


def _recall(grades: Sequence[int], ideal: Sequence[int], k: int | None) -> float:
    return _n_relevant(grades[:k]) / len(ideal)


def _precision(grades: Sequence[int], ideal: Sequence[int], k: int | None) -> float:  # noqa: ARG001
    return _n_relevant(grades[:k]) / (k or max(len(grades), 1))


def _hit(grades: Sequence[int], ideal: Sequence[int], k: int | None) -> float:  # noqa: ARG001
    return float(_n_relevant(grades[:k]) > 0)


def _reciprocal_rank(grades: Sequence[int], ideal: Sequence[int], k: int | None) -> float:  # noqa: ARG001
    return next((1.0 / rank for rank, grade in enumerate(grades[:k], start=1) if grade), 0.0)


def _average_precision(grades: Sequence[int], ideal: Sequence[int], k: int | None) -> float:
    """Divided by all relevant documents, also where k is smaller, as trec_eval's map_cut."""
    total, n_found = 0.0, 0
    for rank, grade in enumerate(grades[:k], start=1):
        if grade:
            n_found += 1
            total += n_found / rank
    return total / len(ideal)


def _n_relevant(grades: Sequence[int]) -> int:
    return sum(grade > 0 for grade in grades)


_COMPUTED: Mapping[str, Callable[[Sequence[int], Sequence[int], int | None], float]] = {
    "nDCG": _ndcg,
    "Recall": _recall,
    "P": _precision,
    "Hit": _hit,
    "MRR": _reciprocal_rank,
    "MAP": _average_precision,
}
