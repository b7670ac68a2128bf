"""An encoder that encodes each passage once, whatever index it goes into."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np

from medrag.encoding.cached.database import Maker, Record, VectorCache
from medrag.encoding.pictures import asked_pictures
from medrag.protocols import Side
from medrag.records import Embeddings, ImageRef, Passage, Question, SparseEmbeddings

_Vectors = TypeVar("_Vectors", bound=Embeddings | SparseEmbeddings, covariant=True)
_Input = TypeVar("_Input", Passage, Question)


class _Encoder(Protocol[_Vectors]):
    @property
    def name(self) -> str: ...
    @property
    def normalised(self) -> bool: ...
    def encodes(self, passage: Passage) -> bool: ...
    def encode_passages(self, passages: Sequence[Passage]) -> _Vectors: ...
    def encode_questions(self, questions: Sequence[Question], side: Side) -> _Vectors: ...


class CachedEncoder(Generic[_Vectors]):
    """Another encoder, dense or sparse, with a memory on disk.

    What was encoded before is known by its content (texts, fields, pixels of pictures) and the
    encoder's name, and is read back; only the rest reaches the encoder, each different input once.
    The memory is shared by all indexes and processes that name the folder. It holds hashes and
    vectors, no texts.

    Args:
        encoder: that makes new vectors.
        folder: of the memory; made if it does not exist.
        size: bytes it may use; None for no limit.

    Raises:
        MedragError: (at first use) if the memory cannot be read.
    """

    def __init__(
        self, *, encoder: _Encoder[_Vectors], folder: str | Path, size: int | None = None
    ) -> None:
        self.encoder = encoder
        self.cache = VectorCache(folder=Path(folder).expanduser(), size=size)
        self._encoded = False

    @property
    def name(self) -> str:
        """The encoder's name."""
        return self.encoder.name

    @property
    def normalised(self) -> bool:
        """Whether rows have length 1."""
        return self.encoder.normalised

    @property
    def late_interaction(self) -> bool:
        """Whether every vector of a question meets its own best match."""
        return bool(getattr(self.encoder, "late_interaction", False))

    @property
    def numerics(self) -> str:
        """Of the encoder; as long as it had nothing to do, those of the vectors in memory."""
        kept = None if self._encoded else self.cache.maker(self.encoder.name)
        return kept.numerics if kept else str(getattr(self.encoder, "numerics", ""))

    def encodes(self, passage: Passage) -> bool:
        """Tell whether the encoder has anything to say about a passage."""
        return self.encoder.encodes(passage)

    def encode_passages(self, passages: Sequence[Passage]) -> _Vectors:
        """Encode passages, as the encoder does."""
        start = f"passage\n{self.encoder.name}\n"
        keys = [_key(start, _passage_content(passage)) for passage in passages]
        return self._remembered(passages, keys, self.encoder.encode_passages)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> _Vectors:
        """Encode questions, as the encoder does."""
        start = f"question {side}\n{self.encoder.name}\n"
        keys = [_key(start, _question_content(question, side)) for question in questions]
        return self._remembered(
            questions, keys, lambda asked: self.encoder.encode_questions(asked, side)
        )

    def clear(self) -> None:
        """Forget everything in the folder, of all encoders."""
        self.cache.clear()

    def _remembered(
        self,
        inputs: Sequence[_Input],
        keys: Sequence[bytes],
        encode: Callable[[Sequence[_Input]], _Vectors],
    ) -> _Vectors:
        known = self.cache.get(list(dict.fromkeys(keys)))
        missing = {key: place for place, key in enumerate(keys) if key not in known}
        maker = self.cache.maker(self.encoder.name)
        if missing or maker is None:
            fresh = encode([inputs[place] for place in missing.values()])
            records = dict(zip(missing, _split(fresh), strict=True))
            maker = self._made(fresh, maker)
            self.cache.put(records)
            known |= records
        # What a maker says to be sparse is what this encoder gives.
        return cast("_Vectors", _joined([known[key] for key in keys], maker))

    def _made(self, fresh: Embeddings | SparseEmbeddings, kept: Maker | None) -> Maker:
        sparse = isinstance(fresh, SparseEmbeddings)
        d = fresh.d if isinstance(fresh, SparseEmbeddings) else int(fresh.values.shape[1])
        self._encoded = True
        maker = Maker(d, sparse, str(getattr(self.encoder, "numerics", "")))
        if maker != kept:
            self.cache.keep_maker(self.encoder.name, maker)
        return maker


def _split(vectors: Embeddings | SparseEmbeddings) -> list[Record]:
    """Give a record for each input."""
    ends = np.cumsum(vectors.lengths)
    starts = ends - vectors.lengths
    if isinstance(vectors, SparseEmbeddings):
        terms, weights = vectors.terms.astype("<i4"), vectors.weights.astype("<f4")
        return [
            Record(int(b - a), terms[a:b].tobytes() + weights[a:b].tobytes())
            for a, b in zip(starts, ends, strict=True)
        ]
    values = vectors.values.astype("<f4", copy=False)
    return [Record(int(b - a), values[a:b].tobytes()) for a, b in zip(starts, ends, strict=True)]


def _joined(records: Sequence[Record], maker: Maker) -> Embeddings | SparseEmbeddings:
    """Put records together again."""
    lengths = np.array([record.n for record in records], dtype=np.int32)
    if not maker.sparse:
        content = b"".join(record.content for record in records)
        values = np.frombuffer(content, dtype="<f4").reshape(-1, maker.d)
        return Embeddings(values.astype(np.float32), lengths)
    terms = b"".join(record.content[: 4 * record.n] for record in records)
    weights = b"".join(record.content[4 * record.n :] for record in records)
    return SparseEmbeddings(
        np.frombuffer(terms, dtype="<i4").astype(np.int32),
        np.frombuffer(weights, dtype="<f4").astype(np.float32),
        lengths,
        maker.d,
    )


def _key(start: str, content: Any) -> bytes:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(f"{start}{text}".encode()).digest()


def _passage_content(passage: Passage) -> list[Any]:
    """Give all of a passage that an encoder may look at; where it stands does not matter."""
    pictures = [_picture(image) for image in passage.images]
    return [passage.kind, passage.text, dict(passage.fields), pictures]


def _question_content(question: Question, side: Side) -> list[Any]:
    if side == "text":
        return [question.text, question.options]
    return [[_picture(image) for image in asked_pictures(question)], repr(question.regions)]


def _picture(image: ImageRef) -> list[Any]:
    """Name what a picture shows: its pixels, or its place in a file of that content.

    Of a volume and of a clip an encoder may read more than the one slice that was hashed.
    """
    whole = image.axis is not None or image.frame is not None
    if image.sha256 is not None and not whole:
        return [image.sha256]
    place = [image.page, image.frame, image.axis, image.slice, image.box]
    return [_file_sha256(image.path), *place]


def _file_sha256(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        # The encoder says what is wrong with it, and nothing is kept under this key.
        return f"unreadable {path}"
