"""Exact top-k search by inner product: a quick scan for candidates, and their exact scores."""

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np

from medrag.indexing.backends import check_questions
from medrag.indexing.machine import Device
from medrag.indexing.scanning.choosing import Scan, Scanner, check_choice, scanner
from medrag.indexing.scanning.kept import kept_copies
from medrag.indexing.scanning.library import Floats, Library, Mask
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow

# Masks of the filters that were used last.
_MASKS_BYTES = 8 << 20


class ExactSearch:
    """Search the vectors of a channel exactly.

    A passage, and a question, of several vectors counts with the best pair of them. The vectors
    stay on the disk, mapped; a smaller copy is scanned, made at the first search or by the build.

    Args:
        scan: what is scanned. "float32" are the vectors themselves; a copy as "bfloat16",
            "float16" or "int8" takes a half or a quarter of the memory and of the time, and gives
            the same results, since whatever its rounding could hide is scored exactly. "bits"
            takes a 32nd and is approximate: of its best guesses, `oversample` times k are scored
            exactly. "auto": what is quickest here; small channels as they are.
        device: "cpu", "cuda" (all GPUs that this process sees), "cuda:1", or several by commas,
            each with a share of the rows. None: a GPU if there is one with room, and it is worth
            it.
        oversample: for "bits".

    Raises:
        ValueError: if an option is none of these.
    """

    def __init__(
        self,
        *,
        store: Store,
        name: str,
        scan: Scan = "auto",
        device: Device = None,
        oversample: int = 16,
    ) -> None:
        check_choice(scan, device, oversample)
        self.store = store
        self.name = name
        self.scan: Scan = scan
        self.device: Device = device
        self.oversample = oversample
        self._masks: dict[Filter, Mask] = {}

    def search(
        self, questions: Embeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank rows for each question; see `medrag.indexing.backends.VectorSearch`.

        Raises:
            IndexFormatError: if a vector of the channel is not finite.
        """
        check_questions(questions, k, self.store.channel(self.name).d, self.name)
        ends = np.cumsum(questions.lengths)
        rankings: list[list[ScoredRow]] = [[] for _ in filters]
        groups: dict[Filter, list[int]] = {}
        for number, wanted in enumerate(filters):
            groups.setdefault(wanted, []).append(number)
        for wanted, numbers in groups.items():
            owned = [np.arange(ends[i] - questions.lengths[i], ends[i]) for i in numbers]
            asked = questions.values[np.concatenate(owned)]
            found = iter(self._found(asked, k, self._mask(wanted)))
            for number, mine in zip(numbers, owned, strict=True):
                rankings[number] = best_of([next(found) for _ in mine], k)
        return rankings

    @cached_property
    def library(self) -> Library:
        return Library(self.store.vectors(self.name))

    @cached_property
    def scanner(self) -> Scanner:
        """What scans; made at the first search."""
        kept = partial(kept_copies, self.store, self.name, self.library)
        return scanner(self.library, self.scan, self.device, kept, self.oversample)

    def _mask(self, wanted: Filter) -> Mask:
        """Give the rows that a filter allows; to make that can take as long as the search."""
        found = self._masks.pop(wanted, None)
        mask = self.store.row_mask(wanted) if found is None else found
        self._masks[wanted] = mask
        while len(self._masks) * len(mask) > _MASKS_BYTES and len(self._masks) > 1:
            self._masks.pop(next(iter(self._masks)), None)
        return mask

    def _found(self, questions: Floats, k: int, mask: Mask) -> list[list[ScoredRow]]:
        if not self.library.n or not mask.any():
            return [[] for _ in questions]
        found = self.scanner.candidates(questions, k, mask)
        return [
            self.library.ranked(places, question, k)
            for places, question in zip(found, questions, strict=True)
        ]


def best_of(rankings: Sequence[list[ScoredRow]], k: int) -> list[ScoredRow]:
    """Join the rankings of a question's vectors: each row with its best score."""
    if len(rankings) == 1:
        return rankings[0]
    best: dict[int, float] = {}
    for hit in (hit for ranking in rankings for hit in ranking):
        best[hit.row] = max(hit.score, best.get(hit.row, hit.score))
    ordered = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return [ScoredRow(row, score) for row, score in ordered[:k]]
