"""Find candidates through FAISS, and score them from the vectors in the segments."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from medrag.errors import IndexFormatError
from medrag.indexing.backends import backend_options, check_questions
from medrag.indexing.commands import repair
from medrag.indexing.faiss.allowed import Allowed
from medrag.indexing.faiss.candidates import Candidates
from medrag.indexing.faiss.file import FaissFile, check_digest, library, opened, read_faiss_file
from medrag.indexing.faiss.training import by_segment, make
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.ranking import best_of
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows
from medrag.indexing.scanning.plain import PlainScan
from medrag.indexing.storage import Block, Store
from medrag.records import Embeddings, Filter, ScoredRow

FACTORY = "Flat"
# Candidates for each wanted passage, where the index keeps floats, and where it keeps codes.
_OF_FLOATS, _OF_CODES = 2, 10
# A few more, so that small k and passages of several vectors need no second round.
_MORE = 8
# Each further round asks for so many times as much.
_GROWTH = 4
# Filters that are remembered, with what they leave.
_FILTERS = 8


class FaissSearch:
    """Find candidates in a FAISS index, and score them again from the vectors themselves.

    What `Flat` finds, and an inverted file of floats with every list probed, is what exact search
    finds. A filter is part of FAISS's own search where the type of index takes one (Flat, scalar
    quantiser, RaBitQ, IVF of any kind, HNSW, also behind PCA or OPQ); else (PQ or FastScan
    without IVF, refined indexes, GPUs) more candidates are taken and those of other passages
    dropped. Whoever finds fewer than k allowed passages searches further, and in the end all of
    them. Passages that came after the index was made are scored one by one.

    Args:
        factory: as in `faiss.index_factory`; with fewer vectors than it takes to train it, fewer
            lists are made.
        nprobe: lists that are searched of an inverted file; a sixteenth of them, and at least 8,
            if None.
        ef: candidates that a graph keeps while it is walked; 64 if None.
        device: "cuda" copies the index to all GPUs, a part to each. k and nprobe are at most 2,048
            there; more candidates than that are looked for on the CPU.
        rescore: candidates for each wanted passage; 2 of an index of floats, 10 of codes, if None.

    Raises:
        KeyError: if the store has no channel of that name.
        IndexFormatError: if the index is missing, damaged, or holds other vectors.
        MedragError: if there is no GPU to copy it to.

    Source:
        Douze et al., "The Faiss library", 2024.
    """

    def __init__(
        self,
        *,
        store: Store,
        name: str,
        factory: str = FACTORY,
        nprobe: int | Literal["all"] | None = None,
        ef: int | None = None,
        device: Literal["cpu", "cuda"] | None = None,
        rescore: int | None = None,
    ) -> None:
        check_effort(nprobe=nprobe, ef=ef, rescore=rescore)
        self.store = store
        self.name = name
        del factory  # for `derive`, which reads it from the recipe
        folder = store.derived(name)
        self._file = read_faiss_file(folder, name)
        blocks = by_segment(store, name)
        _check_fit(self._file, blocks, store, name)
        held = dict(self._file.segments)
        self._library = Library(list(blocks.values()))
        self._newer = Library([block for each, block in blocks.items() if each not in held])
        rows = np.concatenate([np.empty(0, np.int64), *(b.rows for b in blocks.values())])
        places = _places_of(self._file, blocks)
        # To look at every row for a filter can take as long as the search.
        self._allowed = lru_cache(_FILTERS)(
            lambda wanted: Allowed(store.row_mask(wanted), rows, places)
        )
        self._candidates: Candidates | None = None
        if self._file.n:
            index = opened(folder, name, self._file)
            self._candidates = Candidates(library(), index, nprobe=nprobe, ef=ef, device=device)
        floats = self._candidates is not None and self._candidates.keeps_floats
        self.rescore = rescore or (_OF_FLOATS if floats else _OF_CODES)

    def search(
        self, questions: Embeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        check_questions(questions, k, self.store.channel(self.name).d, self.name)
        asked = np.split(questions.values, np.cumsum(questions.lengths)[:-1]) if filters else []
        rankings: list[list[ScoredRow]] = [[] for _ in filters]
        for wanted in dict.fromkeys(filters):
            numbers = [number for number, each in enumerate(filters) if each == wanted]
            found = self._ranked([asked[number] for number in numbers], k, self._allowed(wanted))
            for number, ranking in zip(numbers, found, strict=True):
                rankings[number] = ranking
        return rankings

    def _ranked(self, asked: Sequence[Floats], k: int, allowed: Allowed) -> list[list[ScoredRow]]:
        """Rank for each question, (t, d)."""
        if allowed.few is not None:
            return [_rescored(self._library, allowed.few, question, k) for question in asked]
        if self._candidates is None:
            return _read_whole(self._library, asked, k, allowed.mask)
        found = self._rounds(self._candidates, asked, k, allowed)
        if not self._newer.n:
            return found
        newer = _read_whole(self._newer, asked, k, allowed.mask)
        return [best_of(both, k) for both in zip(found, newer, strict=True)]

    def _rounds(
        self, candidates: Candidates, asked: Sequence[Floats], k: int, allowed: Allowed
    ) -> list[list[ScoredRow]]:
        """Ask FAISS for more candidates until every question has enough; else read everything."""
        longest = self._file.longest if candidates.keeps_floats else None
        rankings: list[list[ScoredRow]] = [[] for _ in asked]
        waiting, n, effort = list(range(len(asked))), k * self.rescore + _MORE, allowed.effort
        while waiting and min(k, self._file.n) <= candidates.limit:
            questions = [asked[number] for number in waiting]
            hits = candidates.search(np.concatenate(questions), n, allowed.bits, effort)
            asking, waiting = zip(waiting, hits.parts(questions), strict=True), []
            for number, each in asking:
                places, enough = allowed.places(each, asked[number], k, longest)
                if enough:
                    rankings[number] = _rescored(self._library, places, asked[number], k)
                else:
                    waiting.append(number)
            if candidates.exhausted(n, effort):
                break
            n, effort = n * _GROWTH, effort * _GROWTH
        left = [asked[number] for number in waiting]
        read = _read_whole(self._library, left, k, allowed.mask)
        for number, ranking in zip(waiting, read, strict=True):
            rankings[number] = ranking
        return rankings


def check_effort(
    *, nprobe: int | Literal["all"] | None, ef: int | None, rescore: int | None
) -> None:
    """Refuse to search nothing.

    Raises:
        ValueError: if a number is below 1.
    """
    for option, value in (("nprobe", nprobe), ("ef", ef), ("rescore", rescore)):
        if isinstance(value, int) and value < 1:
            raise ValueError(f"{option} must be at least 1, got {value}")


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    """Make the FAISS index of each channel; see `medrag.indexing.faiss.training.make`."""
    for name, entry in channels.items():
        factory = str(backend_options(entry).get("factory", FACTORY))
        make(store=store, channel=name, factory=factory, folder=folder, previous=previous)
    return True


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    """Say what is wrong with the FAISS indexes; reads their files whole."""
    for name in channels:
        try:
            file = read_faiss_file(folder, name)
            check_digest(folder, name, file)
            blocks = by_segment(store, name)
            _check_fit(file, blocks, store, name)
        except IndexFormatError as error:
            return str(error)
        lacking = sorted(set(blocks) - set(dict(file.segments)))
        if lacking:
            return f"the FAISS index lacks {', '.join(lacking)}; the same build again adds them"
    return None


def _check_fit(file: FaissFile, blocks: Mapping[str, Block], store: Store, name: str) -> None:
    """Refuse an index of other vectors than those of the segments."""
    d = store.channel(name).d
    wrong = [each for each, n in file.segments if each in blocks and len(blocks[each].values) != n]
    if not wrong and (file.n == 0 or d is None or file.d == d):
        return
    found = f"other counts for {', '.join(wrong)}" if wrong else f"vectors of {file.d} numbers"
    raise IndexFormatError(
        f"the FAISS index of channel {name!r} of {store.folder} has {found}, and the segments "
        f"have not; make it anew: {repair(store.folder)}"
    )


def _places_of(file: FaissFile, blocks: Mapping[str, Block]) -> Rows:
    """Give the place in the library of the passage of each vector; -1 if its segment is gone."""
    first, places = 0, {}
    for name, block in blocks.items():
        places[name] = np.repeat(first + np.arange(len(block.rows)), block.lengths)
        first += len(block.rows)
    parts = [places.get(name, np.full(n, -1)) for name, n in file.segments]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _rescored(vectors: Library, places: Rows, question: Floats, k: int) -> list[ScoredRow]:
    """Rank passages by their best pair with the vectors of a question, (t, d)."""
    return best_of([vectors.ranked(places, each, k) for each in question], k)


def _read_whole(
    vectors: Library, asked: Sequence[Floats], k: int, mask: Mask
) -> list[list[ScoredRow]]:
    """Rank the allowed passages for each question, (t, d), by reading all of them.

    Raises:
        IndexFormatError: if a vector is not finite.
    """
    if not vectors.n or not asked or not mask.any():
        return [[] for _ in asked]
    found = iter(PlainScan(vectors).candidates(np.concatenate(asked), k, mask))
    near = [np.unique(np.concatenate([next(found) for _ in question])) for question in asked]
    return [
        _rescored(vectors, places, question, k)
        for places, question in zip(near, asked, strict=True)
    ]
