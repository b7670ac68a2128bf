"""Exact top-k search by inner product: a quick scan for candidates, and their exact scores."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from medrag.indexing.backends import check_questions
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.scanning.choosing import Device, Scan, Scanner, check_choice, scanner
from medrag.indexing.scanning.kept import keep, kept_copies, problem_of
from medrag.indexing.scanning.library import Floats, Library, Mask, Packed
from medrag.indexing.scanning.plain import PlainScan
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
                rankings[number] = _best_of([next(found) for _ in mine], k)
        return rankings

    @cached_property
    def library(self) -> Library:
        return Library(self.store.vectors(self.name))

    @cached_property
    def scanner(self) -> Scanner:
        """What scans; made at the first search."""
        kept = kept_copies(self.store, self.name, self.library)
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
        return _ranked(self.library, self.scanner, questions, k, mask)


def search_exact(
    blocks: Sequence[Packed], questions: Floats, k: int, masks: Sequence[Mask]
) -> list[list[ScoredRow]]:
    """Find the k rows whose best vector has the highest inner product with each question.

    Args:
        blocks: packed vectors; a row stands in one block only. Read in pieces, so that a block may
            be a memory map larger than memory.
        questions: (m, d).
        masks: for each question the rows that it may see, (n_rows,); rows count through all blocks.

    Returns:
        For each question at most k rows, best first, equal scores by ascending row; scores are sums
        in double precision, rounded to single precision.

    Raises:
        ValueError: if k is not positive, shapes do not fit, or a question is not finite.
        IndexFormatError: if a vector of a block is not finite.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if questions.ndim != 2 or len(masks) != len(questions):
        raise ValueError(
            f"questions must be (m, d) with one mask each, got {questions.shape} and {len(masks)}"
        )
    if not np.isfinite(questions).all():
        raise ValueError("a question's vector is not finite; its encoder is broken")
    library = Library(blocks)
    found: list[list[ScoredRow]] = [[] for _ in masks]
    # Questions with the same mask, as one object, share a scan.
    for mask in {id(mask): mask for mask in masks}.values():
        numbers = [i for i, each in enumerate(masks) if each is mask]
        together = _ranked(library, PlainScan(library), questions[numbers], k, mask)
        for number, ranking in zip(numbers, together, strict=True):
            found[number] = ranking
    return found


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    """Keep the copies that searches scan, of every channel that is large enough for one."""
    made = [keep(store, name, entry, folder, previous) for name, entry in channels.items()]
    return any(made)


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    """Say which copy that should be kept is missing or does not fit; None if all do."""
    problems = (problem_of(store, name, entry, folder) for name, entry in channels.items())
    return next((each for each in problems if each is not None), None)


def _ranked(
    library: Library, scanner: Scanner, questions: Floats, k: int, mask: Mask
) -> list[list[ScoredRow]]:
    if not len(questions):
        return []
    found = scanner.candidates(questions, k, mask)
    return [
        library.ranked(places, question, k)
        for places, question in zip(found, questions, strict=True)
    ]


def _best_of(rankings: Sequence[list[ScoredRow]], k: int) -> list[ScoredRow]:
    """Join the rankings of a question's vectors: each row with its best score."""
    if len(rankings) == 1:
        return rankings[0]
    best: dict[int, float] = {}
    for hit in (hit for ranking in rankings for hit in ranking):
        best[hit.row] = max(hit.score, best.get(hit.row, hit.score))
    ordered = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return [ScoredRow(row, score) for row, score in ordered[:k]]
