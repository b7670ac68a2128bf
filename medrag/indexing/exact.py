"""Exact top-k search by inner product: a quick scan for candidates, and their exact scores."""

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np

from medrag.indexing.backends import check_questions
from medrag.indexing.machine import Device
from medrag.indexing.ranking import best_of
from medrag.indexing.scanning.choosing import Scan, Scanner, check_choice, scanner
from medrag.indexing.scanning.kept import kept_copies
from medrag.indexing.scanning.library import Floats, Library, Mask
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow


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
            found = iter(self._found(asked, k, self.store.row_mask(wanted)))
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

    def _found(self, questions: Floats, k: int, mask: Mask) -> list[list[ScoredRow]]:
        if not self.library.n or not mask.any():
            return [[] for _ in questions]
        found = self.scanner.candidates(questions, k, mask)
        return [
            self.library.ranked(places, question, k)
            for places, question in zip(found, questions, strict=True)
        ]
