"""A channel of vectors: passages and questions meet in the space of one encoder."""

from collections.abc import Sequence
from pathlib import Path

from medrag.errors import IndexFormatError
from medrag.indexing.backends import VectorSearch
from medrag.indexing.storage import Store
from medrag.protocols import Encoder, Side
from medrag.records import Filter, Question, ScoredRow


class DenseChannel:
    """Encode questions, and search the vectors of a channel with them.

    `side` is the part of a question that is encoded: its text, or its images; a question without
    it gets an empty ranking. `vectors` searches: exactly, if None.

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
        vectors: VectorSearch | None = None,
    ) -> None:
        check_encoder(store.channel(name).encoder, encoder.name, name, store.folder)
        self.encoder = encoder
        self.side: Side = side
        self.vectors = vectors or searched_in_place(store, name)

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        usable = [i for i, question in enumerate(questions) if _has_side(question, self.side)]
        rankings: list[list[ScoredRow]] = [[] for _ in questions]
        if not usable:
            return rankings
        asked = self.encoder.encode_questions([questions[i] for i in usable], self.side)
        found = self.vectors.search(asked, k, [filters[i] for i in usable])
        for number, ranking in zip(usable, found, strict=True):
            rankings[number] = ranking
        return rankings


def searched_in_place(store: Store, name: str) -> VectorSearch:
    """Search the vectors of a channel exactly, where they lie."""
    if store.channel(name).late_interaction:
        from medrag.indexing.late_interaction import LateInteractionSearch

        return LateInteractionSearch(store=store, name=name)
    from medrag.indexing.exact import ExactSearch

    return ExactSearch(store=store, name=name)


def check_encoder(built: str | None, asked: str, channel: str, folder: Path) -> None:
    """Refuse an encoder whose vectors are not those of the channel; `built` is None if it has none.

    Raises:
        IndexFormatError: if the names differ.
    """
    if built not in (None, asked):
        raise IndexFormatError(
            f"channel {channel!r} of {folder} holds vectors of {built!r}, but the encoder is "
            f"{asked!r}; use the encoder of the index, or give that one a channel of another "
            "name, or build in another folder"
        )


def _has_side(question: Question, side: Side) -> bool:
    return bool(question.images) if side == "image" else bool(question.text.strip())
