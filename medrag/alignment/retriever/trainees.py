"""What can be tuned, behind one face: scored, trained, saved."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from medrag.alignment.retriever.clip import PicturedTexts, tower_vectors, train_towers
from medrag.alignment.retriever.heads import (
    PairVectors,
    Say,
    put,
    train_heads,
    untrained_heads,
)
from medrag.alignment.retriever.pair import RetrieverPair
from medrag.alignment.retriever.reader import ReaderSignal
from medrag.alignment.retriever.recall import Scores, cosines
from medrag.alignment.retriever.relations import Codes, Relations
from medrag.alignment.retriever.sentences import (
    AskedPassages,
    Kind,
    loaded,
    query_scores,
    train_sentences,
)
from medrag.alignment.retriever.settings import RetrieverModel, RetrieverSettings, Trains
from medrag.alignment.retriever.splitting import Split
from medrag.alignment.retriever.stopping import Trained
from medrag.alignment.retriever.towers import trained_towers
from medrag.alignment.retriever.validating import rows_of
from medrag.encoding.clip.source import clip_source
from medrag.encoding.projected import Towers, tower, write_projected
from medrag.encoding.weights import chosen_folder
from medrag.protocols import Encoder
from medrag.records import ImageRef, Question


class Trainee(Protocol):
    """Something that finds passages for queries, and can learn to."""

    def scores(self, rows: Codes) -> Scores:
        """Score the queries of rows against their passages, as it is now."""
        ...

    def train(self, parts: Split, rate: float, say: Say | None) -> Trained: ...
    def save(self, folder: Path) -> None: ...
    def encoder(self, folder: Path) -> Mapping[str, Any]:
        """Say how a recipe names what was saved."""
        ...


def trainee(
    pairs: Sequence[RetrieverPair],
    known: Relations,
    model: RetrieverModel,
    settings: RetrieverSettings,
    signal: ReaderSignal | None,
) -> Trainee:
    """Load what is to be tuned, and let it read the pairs.

    Raises:
        ValueError: naming a pair whose sides it cannot read.
        RecipeError: if a model cannot be loaded.
    """
    if signal is not None and len(signal.targets) != len(pairs):
        raise ValueError(f"{len(pairs)} pairs need a signal of as many: {len(signal.targets)}")
    if model.train == "head":
        return _Head(pairs, known, model, settings, signal)
    if signal is not None:
        raise ValueError("a reader's signal is for train: head")
    if model.train == "clip":
        return _Clip(pairs, known, model, settings)
    return _Sentences(pairs, known, model, settings)


def pair_vectors(
    pairs: Sequence[RetrieverPair], known: Relations, image: Encoder, text: Encoder
) -> PairVectors:
    """Encode pictures and texts of oriented pairs, as questions are, one vector for each.

    Raises:
        InputFileError: naming the first picture that cannot be read.
    """
    images, texts = pictures_and_texts(pairs)
    shown = image.encode_questions([Question(images=(each,)) for each in images], "image")
    told = text.encode_questions([Question(each) for each in texts], "text")
    return PairVectors(shown.values, told.values, known)


def oriented(pairs: Sequence[RetrieverPair], train: Trains) -> list[RetrieverPair]:
    """Turn pairs so that what asks stands first: the picture for heads and clip, else the text.

    Raises:
        ValueError: naming a pair whose sides are not those that are trained.
    """
    by_picture = train in ("head", "clip")
    turned = []
    for pair in pairs:
        is_picture = [not isinstance(side, str) for side in (pair.query, pair.passage)]
        if is_picture == [not by_picture, by_picture]:
            pair = replace(pair, query=pair.passage, passage=pair.query)
            is_picture.reverse()
        if is_picture[0] != by_picture or (is_picture[1] and train != "page"):
            wanted = {"text": "two texts", "page": "a text and a page or a text"}
            raise ValueError(
                f"pair {pair.id!r} cannot train {train}: expected "
                f"{wanted.get(train, 'a picture and a text')}"
            )
        turned.append(pair)
    if train == "page" and len({type(pair.passage) for pair in turned}) > 1:
        raise ValueError("passages of a model of pages must be all pictures or all texts")
    return turned


def pictures_and_texts(
    pairs: Sequence[RetrieverPair],
) -> tuple[tuple[ImageRef, ...], tuple[str, ...]]:
    """Give the pictures that ask and the texts; see `oriented`."""
    images = tuple(pair.query for pair in pairs if isinstance(pair.query, ImageRef))
    texts = tuple(pair.passage for pair in pairs if isinstance(pair.passage, str))
    return images, texts


class _Head:
    """A head over frozen encoders."""

    def __init__(
        self,
        pairs: Sequence[RetrieverPair],
        known: Relations,
        model: RetrieverModel,
        settings: RetrieverSettings,
        signal: ReaderSignal | None,
    ) -> None:
        image = tower(model.image, device=model.device, dtype=model.dtype)
        text = tower(model.text, device=model.device, dtype=model.dtype)
        self._towers = Towers(model.image, model.text, image.name, text.name)
        self._vectors = pair_vectors(pairs, known, image, text)
        self._settings = settings
        self._signal = signal
        widths = self._vectors.images.shape[1], self._vectors.texts.shape[1]
        self._heads = untrained_heads(*widths, settings)

    def scores(self, rows: Codes) -> Scores:
        some = rows_of(self._vectors, rows)
        return cosines(*put(self._heads, some.images, some.texts))

    def train(self, parts: Split, rate: float, say: Say | None) -> Trained:
        stopping = rows_of(self._vectors, parts.stopping) if len(parts.stopping) else None
        trained = train_heads(
            rows_of(self._vectors, parts.training),
            stopping,
            settings=self._settings,
            rate=rate,
            signal=_signal_of(self._signal, parts.training),
            say=say,
        )
        self._heads = trained.heads
        return Trained(trained.losses, trained.recalls, trained.best_epoch)

    def save(self, folder: Path) -> None:
        write_projected(folder, self._heads, self._towers)

    def encoder(self, folder: Path) -> Mapping[str, Any]:
        return {"kind": "projected", "folder": str(folder)}


class _Clip:
    """Both towers of a CLIP model."""

    def __init__(
        self,
        pairs: Sequence[RetrieverPair],
        known: Relations,
        model: RetrieverModel,
        settings: RetrieverSettings,
    ) -> None:
        source = clip_source(
            str(model.model), checkpoint=None, architecture=None, text_tower=None, tokens=None,
            revision=model.revision, trusted=False,
        )  # fmt: skip
        self._towers = trained_towers(source, model.device)
        self._pairs = PicturedTexts(*pictures_and_texts(pairs), known)
        self._layers = model.layers
        self._settings = settings

    def scores(self, rows: Codes) -> Scores:
        found = tower_vectors(self._towers, self._pairs, rows, batch=self._settings.batch)
        return cosines(*found)

    def train(self, parts: Split, rate: float, say: Say | None) -> Trained:
        return train_towers(
            self._towers,
            self._pairs,
            training=parts.training,
            stopping=parts.stopping,
            settings=self._settings,
            rate=rate,
            layers=self._layers,
            say=say,
        )

    def save(self, folder: Path) -> None:
        self._towers.save(folder)

    def encoder(self, folder: Path) -> Mapping[str, Any]:
        return {"kind": "clip", "model": str(folder)}


class _Sentences:
    """A model of sentence-transformers, of one vector or many."""

    def __init__(
        self,
        pairs: Sequence[RetrieverPair],
        known: Relations,
        model: RetrieverModel,
        settings: RetrieverSettings,
    ) -> None:
        self._is_page = model.train == "page"
        self._kind: Kind = "MultiVectorEncoder" if self._is_page else "SentenceTransformer"
        folder = chosen_folder(
            str(model.model), model.revision, "page" if self._is_page else "sentence"
        )
        queries = tuple(pair.query for pair in pairs if isinstance(pair.query, str))
        self._pairs = AskedPassages(queries, tuple(pair.passage for pair in pairs), known)
        self._model = loaded(self._kind, folder, model.device)
        self._settings = settings

    def scores(self, rows: Codes) -> Scores:
        self._model.eval()
        queries = [self._pairs.queries[row] for row in rows.tolist()]
        return query_scores(self._model, queries, [self._pairs.passages[row] for row in rows])

    def train(self, parts: Split, rate: float, say: Say | None) -> Trained:
        return train_sentences(
            self._model,
            self._pairs,
            kind=self._kind,
            training=parts.training,
            stopping=parts.stopping,
            settings=self._settings,
            rate=rate,
            say=say,
        )

    def save(self, folder: Path) -> None:
        self._model.save_pretrained(str(folder), create_model_card=False)

    def encoder(self, folder: Path) -> Mapping[str, Any]:
        if not self._is_page:
            return {"kind": "sentence", "model": str(folder)}
        texts = all(isinstance(each, str) for each in self._pairs.passages)
        reads = {"reads": "texts"} if texts else {}
        return {"kind": "page", "model": str(folder), **reads}


def _signal_of(signal: ReaderSignal | None, rows: Codes) -> ReaderSignal | None:
    if signal is None:
        return None
    return ReaderSignal(signal.vectors, signal.shown[rows], np.asarray(signal.targets)[rows])
