"""Passages that state the same as another's: further positives of its query."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.retriever.pair import RetrieverPair


def factual_positives(
    pairs: Sequence[RetrieverPair],
    *,
    label_similarity: float = 1.0,
    triple_f1: float = 0.4,
    top: int = 3,
) -> dict[int, frozenset[int]]:
    """Find for each pair the passages of other studies and subjects that state the same.

    Args:
        label_similarity: of labels at least: shared labels over all labels of the two.
        triple_f1: of triples at least.
        top: of those, the most alike by triples are kept; equal ones in the order of the pairs.

    Returns:
        Rows of `pairs`, by row; a pair whose labels are None, or that has no match, is left out.

    Raises:
        ValueError: if a threshold is out of range.

    Source:
        FactMM-RAG, NAACL 2025: CheXbert labels alike (1.0), F1 of RadGraph at least 0.4, top 3; no
        report of the same patient. Labels and triples come from any labeller.
    """
    if not 0 <= label_similarity <= 1 or not 0 <= triple_f1 <= 1 or top < 1:
        raise ValueError(
            "label_similarity and triple_f1 must lie in [0, 1] and top be at least 1, got "
            f"{label_similarity}, {triple_f1} and {top}"
        )
    rows = [row for row, pair in enumerate(pairs) if pair.labels is not None]
    found: dict[int, frozenset[int]] = {}
    equal: dict[frozenset[str] | None, list[int]] = {}
    for row in rows:
        equal.setdefault(pairs[row].labels, []).append(row)
    for row in rows:
        near_labels = equal[pairs[row].labels] if label_similarity == 1 else rows
        others = [other for other in near_labels if _apart(pairs[row], pairs[other])]
        alike = [
            (triples_f1(pairs[row].triples, pairs[other].triples), other)
            for other in others
            if labels_alike(pairs[row].labels, pairs[other].labels) >= label_similarity
        ]
        near = sorted((-f1, other) for f1, other in alike if f1 >= triple_f1)
        if near:
            found[row] = frozenset(other for _, other in near[:top])
    return found


def labels_alike(left: frozenset[str] | None, right: frozenset[str] | None) -> float:
    """Give the share of labels that two have in common; 1 where both have none, 0 for None."""
    if left is None or right is None:
        return 0.0
    return len(left & right) / len(left | right) if left | right else 1.0


def triples_f1(
    left: frozenset[tuple[str, str, str]], right: frozenset[tuple[str, str, str]]
) -> float:
    """Give F1 of two sets of triples, 2 |both| / (|left| + |right|); 0 where both are empty."""
    n = len(left) + len(right)
    return 2 * len(left & right) / n if n else 0.0


def drawn_positives(
    rows: NDArray[np.int64], facts: Mapping[int, frozenset[int]], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw for each row its own passage or one that states the same, each as likely."""
    drawn = [
        int(rng.choice([row, *sorted(facts[row])])) if row in facts else row
        for row in rows.tolist()
    ]
    return np.array(drawn, dtype=np.int64)


def _apart(left: RetrieverPair, right: RetrieverPair) -> bool:
    """Tell whether two pairs are of different passages, studies and subjects."""
    if left is right or left.passage == right.passage or left.query == right.query:
        return False
    same_study = left.study is not None and left.study == right.study
    same_subject = left.subject is not None and left.subject == right.subject
    return not (same_study or same_subject)
