"""A channel of vectors: passages and questions meet in the space of one encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medrag.errors import IndexFormatError
from medrag.indexing.exact import Backend, Packed, search_exact
from medrag.indexing.storage import Store
from medrag.protocols import Encoder, Side
from medrag.records import Filter, Question, ScoredRow


class DenseChannel:
    """Search the vectors of a channel exactly.

    `side` is the part of a question that is encoded: its text, or its images; a question without
    it gets an empty ranking. A passage, and a question, of several vectors counts with the best
    pair of them.

    Raises:
        KeyError: if the store has no channel of that name.
        IndexFormatError: if another encoder made its vectors.
    """

    def __init__(
        self,
        *,
        store: Store,
        name: str,
        encoder: Encoder,
        side: Side,
        backend: Backend = "numpy",
        device: str = "cpu",
    ) -> None:
        check_encoder(store.channel(name).encoder, encoder.name, name, store.folder)
        self.store = store
        self.name = name
        self.encoder = encoder
        self.side: Side = side
        self.backend: Backend = backend
        self.device = device

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        usable = [i for i, question in enumerate(questions) if _has_side(question, self.side)]
        rankings: list[list[ScoredRow]] = [[] for _ in questions]
        if not usable:
            return rankings
        asked = self.encoder.encode_questions([questions[i] for i in usable], self.side)
        masks = {f: self.store.row_mask(f) for f in {filters[i] for i in usable}}
        owners = np.repeat(np.arange(len(usable)), asked.lengths)
        found = search_exact(
            self._blocks(),
            asked.values,
            k,
            [masks[filters[usable[owner]]] for owner in owners],
            backend=self.backend,
            device=self.device,
        )
        for place, number in enumerate(usable):
            mine = [found[j] for j in np.flatnonzero(owners == place)]
            rankings[number] = _best_of(mine, k)
        return rankings

    def _blocks(self) -> list[Packed]:
        return list(self.store.vectors(self.name))


def check_encoder(built: str | None, asked: str, channel: str, folder: Path) -> None:
    """Refuse an encoder whose vectors are not those of the channel.

    Raises:
        IndexFormatError: if the names differ.
    """
    if built != asked:
        raise IndexFormatError(
            f"channel {channel!r} of {folder} holds vectors of {built!r}, but the encoder is "
            f"{asked!r}; use the encoder of the index, or build the channel anew: "
            f"medrag index build {folder.name}"
        )


def _has_side(question: Question, side: Side) -> bool:
    return bool(question.images) if side == "image" else bool(question.text.strip())


def _best_of(rankings: Sequence[Sequence[ScoredRow]], k: int) -> list[ScoredRow]:
    """Join the rankings of a question's vectors: each row with its best score."""
    best: dict[int, float] = {}
    for hit in (hit for ranking in rankings for hit in ranking):
        best[hit.row] = max(hit.score, best.get(hit.row, hit.score))
    ordered = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return [ScoredRow(row, score) for row, score in ordered[:k]]
