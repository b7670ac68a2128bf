"""Where the vectors of channels are searched, and what that keeps beside the segments.

The vectors themselves always lie in the segments. A backend searches them there (`exact`,
`late_interaction`), or in something that it derives from them (`faiss`, `qdrant`), under the same
promises. One folder below `derived/` holds what a backend keeps for all its channels of an index.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from medrag.indexing.manifest import ChannelEntry, Manifest
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow

EXACT = "exact"
LATE_INTERACTION = "late_interaction"
# What channels of terms are searched in without a backend.
OWN: Mapping[str, str] = {"lexical": "postings", "sparse": "inverted lists"}


class Deriving(NamedTuple):
    """A backend that keeps something below derived/.

    Attributes:
        module: makes it.
        searched_with: options that say how to search, and leave what is kept as it is.
        known: what the manifest says of its files: their "sums"; their "sizes", where it keeps sums
            itself, so that they are not read twice; "nothing", where its library changes them later
            on, and looks after them itself.
    """

    module: str
    searched_with: frozenset[str]
    known: Literal["sums", "sizes", "nothing"]


DERIVING: Mapping[str, Deriving] = {
    "exact": Deriving("medrag.indexing.scanning.kept", frozenset({"oversample"}), "sums"),
    "late_interaction": Deriving("medrag.indexing.maxsim.kept", frozenset({"candidates"}), "sizes"),
    "faiss": Deriving(
        "medrag.indexing.faiss", frozenset({"nprobe", "ef", "device", "rescore"}), "sizes"
    ),
    "qdrant": Deriving(
        "medrag.indexing.qdrant",
        frozenset({"ef", "exact", "oversampling", "read_consistency", "timeout", "parallel"}),
        "nothing",
    ),
}


class VectorSearch(Protocol):
    """Search the vectors of one channel.

    A passage scores with the best pair of its vectors and those of the question; in a channel of
    late interaction with the sum, over the vectors of the question, of each one's best match.
    Rankings are those that `medrag.protocols.Channel` promises.
    """

    def search(
        self, questions: Embeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank rows for each question.

        Raises:
            ValueError: if k is not positive, or questions are not finite or of another dimension.
        """
        ...


class Backend(Protocol):
    """What the module of a backend offers, beside its class."""

    def derive(
        self,
        *,
        store: Store,
        channels: Mapping[str, ChannelEntry],
        folder: Path,
        previous: Path | None,
    ) -> bool:
        """Make what is kept for the channels, in an empty new folder.

        Args:
            channels: of this backend, by name, with their options in `backend_options(entry)`.
            previous: what an earlier call made for the same options; not to be changed, but files
                of it may be linked or copied, since most of it is often still right.

        Returns:
            Whether anything needs to be kept; False leaves no folder.
        """
        ...

    def problem(
        self, *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path
    ) -> str | None:
        """Say what is wrong with what was derived; None if it fits the segments."""
        ...


def backend_module(kind: str) -> Backend:
    module: Any = import_module(DERIVING[kind].module)
    found: Backend = module
    return found


def backend_of(entry: ChannelEntry) -> str | None:
    """Name the backend of a channel; None if the channel is searched in a way of its own.

    Without a store, sparse and lexical channels are: in inverted lists, and by Tantivy.
    """
    kind = entry.store.get("kind", EXACT)
    if entry.kind != "dense":
        return "qdrant" if kind == "qdrant" else None
    return LATE_INTERACTION if kind == EXACT and entry.late_interaction else str(kind)


def searched_by(entry: ChannelEntry) -> str:
    """Say what searches a channel, for a person: "faiss (factory IVF256,Flat)", "its postings"."""
    kind = backend_of(entry) or f"its {OWN.get(entry.kind, entry.kind)}"
    said = [f"{key} {value}" for key, value in backend_options(entry).items() if key != "url"]
    return f"{kind} ({', '.join(said)})" if said else kind


def backend_options(entry: ChannelEntry) -> dict[str, Any]:
    """Give the options of a channel's backend, as the recipe says them."""
    return {key: value for key, value in entry.store.items() if key != "kind"}


def grouped(manifest: Manifest) -> dict[str, dict[str, ChannelEntry]]:
    """Put the channels of each backend together."""
    groups: dict[str, dict[str, ChannelEntry]] = {}
    for name, entry in manifest.channels.items():
        kind = backend_of(entry)
        # Without an encoder's name nothing has been encoded yet.
        ready = entry.encoder is not None or not entry.has_vectors
        if kind is not None and kind in DERIVING and ready:
            groups.setdefault(kind, {})[name] = entry
    return groups


def options_stamp(channels: Mapping[str, ChannelEntry]) -> str:
    """Tell apart what was derived with other options, or for other channels."""
    said = {
        name: [_kept_options(entry), entry.encoder, entry.late_interaction]
        for name, entry in channels.items()
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def check_questions(questions: Embeddings, k: int, d: int | None, name: str) -> None:
    """Refuse what no backend can search with.

    Args:
        d: dimension of the channel; None where it holds nothing.

    Raises:
        ValueError: if k is not positive, or questions are not finite or of another dimension.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if questions.values.ndim != 2 or questions.lengths.sum() != len(questions.values):
        raise ValueError(
            f"questions must be packed as (sum of lengths, d), got {questions.values.shape} for "
            f"lengths that sum to {questions.lengths.sum()}"
        )
    if d is not None and len(questions.values) and questions.values.shape[1] != d:
        raise ValueError(
            f"channel {name!r} holds vectors of {d} numbers, but the question's has "
            f"{questions.values.shape[1]}; it was encoded by another encoder"
        )
    if not np.isfinite(questions.values).all():
        raise ValueError("a question's vector is not finite; its encoder is broken")


def _kept_options(entry: ChannelEntry) -> dict[str, Any]:
    backend = DERIVING.get(backend_of(entry) or "")
    passing = backend.searched_with if backend else frozenset()
    return {key: value for key, value in backend_options(entry).items() if key not in passing}
