"""Names of concepts in a question."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph.names import LONGEST_NAME, Word, question_keys

# Concepts of one name, beyond which it is not guessed which is meant.
_AMBIGUOUS = 8
_SYNONYM = 0.95
# Names that are also words of asking count less.
_CUE_WORD = 0.3
_CUE_WORDS = frozenset({
    "symptom", "sign", "disease", "disorder", "syndrome", "condition", "location", "site",
    "kind", "type", "form", "finding", "cause", "treatment", "name", "synonym", "definition",
    "patient", "diagnose", "anatomy", "organ", "body", "part",
})  # fmt: skip


class Mention(NamedTuple):
    """Concepts, how surely each is meant, and the numbers of the words that name them."""

    nodes: NDArray[np.int32]
    weights: NDArray[np.float32]
    words: range


def find_mentions(
    words: Sequence[Word], names: Mapping[str, Any], *, lowered: bool
) -> list[Mention]:
    """Find names in a question, the longest first, none within another.

    Args:
        names: the arrays of a compiled graph.
        lowered: the question has no capitals at all.
    """
    runs = [
        (start, stop)
        for start in range(len(words))
        for stop in range(start + 1, min(start + LONGEST_NAME, len(words)) + 1)
    ]
    if not runs:
        return []
    keys = [question_keys(words[start:stop], lowered=lowered) for start, stop in runs]
    table = np.array(keys, dtype=np.uint64)
    left, right = (np.searchsorted(names["name_keys"], table, side=s) for s in ("left", "right"))
    found = np.flatnonzero((right > left).any(axis=1))
    mentions: list[Mention] = []
    taken: set[int] = set()
    for i in sorted(found.tolist(), key=lambda i: (runs[i][0] - runs[i][1], runs[i][0])):
        here = range(*runs[i])
        if taken.isdisjoint(here):
            spans = zip(left[i], right[i], strict=True)
            entries = np.concatenate([np.arange(*span) for span in spans])
            mention = _mention(entries, words, here, names)
            if mention is not None:
                mentions.append(mention)
                taken.update(here)
    return mentions


def _mention(
    entries: NDArray[np.int64], words: Sequence[Word], here: range, names: Mapping[str, Any]
) -> Mention | None:
    nodes, first = np.unique(names["name_nodes"][entries], return_index=True)
    if len(nodes) > _AMBIGUOUS:
        return None
    synonym = names["name_synonym"][entries][first]
    if not synonym.all():
        # What is called so outdoes what may be called so.
        nodes, synonym = nodes[~synonym], synonym[~synonym]
    weights = np.where(synonym, _SYNONYM, 1.0) / np.sqrt(len(nodes))
    if all(words[number].compared in _CUE_WORDS for number in here):
        weights = weights * _CUE_WORD
    return Mention(nodes, weights.astype(np.float32), here)
