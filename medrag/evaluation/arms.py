"""Arms: the same items answered with other contexts or other pictures, to see what each gives.

| arm | retrieval sees | the reader sees |
|---|---|---|
| context | the question | what the pipeline selects |
| no_context | | no evidence |
| random_context | | as many passages drawn at random |
| oracle_context | | the passages that hold the answer; where the benchmark names none, what is found by asking with the right answer |
| blank_image | the real picture | the same evidence, and a grey picture |
| noise_image | the real picture | the same evidence, and a picture of noise, or one that is corrupted as is asked |
| noise_image_no_context | | no evidence, and that picture |
| text_only | the words | evidence for the words, and no picture |
| no_guard | the question, its own picture and patient not kept out | what is selected then |
"""  # noqa: E501 - a table

import hashlib
import json
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.errors import EvaluationError
from medrag.evaluation.retrieval import document_of
from medrag.evaluation.scores import CONTEXT
from medrag.images import identified, pixel_sha256, read_image
from medrag.images.given import png
from medrag.indexing.durable import write_atomically
from medrag.pipeline import Pipeline, Selected, guarded
from medrag.records import Filter, Hit, ImageRef, Item, Passage, Question, Selection
from medrag.retrieval.guarding import kept_in

ARMS = (
    CONTEXT, "no_context", "random_context", "oracle_context", "blank_image", "noise_image",
    "noise_image_no_context", "text_only", "no_guard",
)  # fmt: skip
_NOISED = ("noise_image", "noise_image_no_context")
_STAND_INS = frozenset({"blank_image", *_NOISED})
_PICTURED = _STAND_INS | {"text_only"}
# The passages of a document that retrieval does not find come behind those that it does.
_GOLD_DEPTH = 200
_GREY, _SPREAD = 128, 64


class Library(Protocol):
    """What arms need of an index."""

    def row_mask(self, wanted: Filter) -> NDArray[np.bool_]: ...
    def passages_at(self, rows: Sequence[int]) -> list[Passage]: ...
    def passages_where(self, wanted: Filter) -> Iterator[tuple[int, Passage]]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """An item with what the pipeline selected for its question, ready to be answered."""

    item: Item
    selected: Selected


@dataclass(frozen=True, slots=True)
class Corruption:
    """What the arms of noise show in place of a picture, if not noise alone.

    Attributes:
        settings: what it is, as JSON values; equal where it gives equal pictures.
        make: gets and gives a picture, uint8 RGB (h, w, 3).
    """

    settings: Mapping[str, Any] = field(hash=False)
    make: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


class Arms:
    """The arms of one run over one pipeline.

    Args:
        pipeline: answers the items; its index is needed for random and oracle context.
        items: of the benchmark, to look up the passages that hold their answers.
        names: of `ARMS`.
        seed: of what is drawn at random; each item's draw depends on it and the item's id alone.
        pictures: a folder for the pictures that stand in for real ones.
        corruption: makes those of the arms of noise; None for noise alone, see `StandIns.noise`.

    Raises:
        ValueError: if a name is no arm.
        EvaluationError: if an arm makes no sense for the items or the pipeline; says why.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        items: Sequence[Item],
        names: Sequence[str],
        seed: int,
        pictures: Path,
        corruption: Corruption | None = None,
    ) -> None:
        check_arms(names, pipeline, items)
        self.pipeline = pipeline
        self.names = tuple(name for name in ARMS if name in names)
        self.seed = seed
        self._items = items
        self.corruption = corruption
        self._stand_ins = StandIns(folder=pictures, seed=seed, corruption=corruption)
        needs_library = {"random_context", "oracle_context"} & set(names)
        self._library: Library | None = pipeline.index.store if needs_library else None
        self._gold: Mapping[str, Sequence[Passage]] = {}
        if self._library is not None and "oracle_context" in names:
            wanted = {name for item in items for name in item.gold_passages}
            self._gold = gold_passages(self._library, wanted)
        self._made: Mapping[str, Callable[[Sequence[Asked]], list[Selected]]] = {
            CONTEXT: lambda asked: [each.selected for each in asked],
            "no_context": self._without_context,
            "random_context": self._with_random_context,
            "oracle_context": self._with_gold,
            "blank_image": lambda asked: self._with_pictures(asked, self._stand_ins.blank),
            "noise_image": lambda asked: self._with_pictures(asked, self._stand_ins.noise),
            "noise_image_no_context": self._noised_without_context,
            "text_only": self._without_pictures,
            "no_guard": self._without_guard,
        }

    def selected(self, name: str, asked: Sequence[Asked]) -> list[Selected]:
        """Give what the reader reads in an arm, one for each item, in order."""
        return self._made[name](asked)

    @property
    def notes(self) -> dict[str, str]:
        """What a reader of the numbers must know of an arm."""
        notes = {}
        if self.corruption is not None:
            told = f"the pictures are corrupted: {json.dumps(dict(self.corruption.settings))}"
            notes = {name: told for name in _NOISED if name in self.names}
        return {**notes, **self._oracle_note()}

    def _oracle_note(self) -> dict[str, str]:
        if "oracle_context" not in self.names:
            return {}
        n = sum(not self._gold_of(item) for item in self._items)
        if not n:
            return {}
        told = f"{n} of {len(self._items)} items name no passage that the index has; for these the "
        return {"oracle_context": f"{told}evidence was found by asking with the right answer"}

    def _without_context(self, asked: Sequence[Asked]) -> list[Selected]:
        bare = Selection((), reason="no context, by the arm")
        return [_without_retrieval(each, bare) for each in asked]

    def _with_random_context(self, asked: Sequence[Asked]) -> list[Selected]:
        library = _needed(self._library)
        return [self._random(each, library) for each in asked]

    def _random(self, asked: Asked, library: Library) -> Selected:
        """Draw as many passages as were kept, of those that the question may see."""
        kept = asked.selected.selection.kept
        rows = np.flatnonzero(library.row_mask(self._filter(asked.selected.question)))
        draw = random.Random(f"{self.seed} {asked.item.id}")
        chosen = draw.sample(range(len(rows)), min(len(kept), len(rows)))
        passages = library.passages_at([int(rows[place]) for place in chosen])
        hits = [Hit(passage, 0.0, rank) for rank, passage in enumerate(passages, start=1)]
        selection = Selection(tuple(hits), reason="drawn at random, by the arm")
        return _without_retrieval(asked, selection)

    def _with_gold(self, asked: Sequence[Asked]) -> list[Selected]:
        """Read the passages that hold the answer, or those found by asking with it."""
        with_gold = [bool(self._gold_of(each.item)) for each in asked]
        questions = [
            each.selected.question if gold else _with_answer(each)
            for each, gold in zip(asked, with_gold, strict=True)
        ]
        filters = [self._filter(each.selected.question) for each in asked]
        depth = max(_GOLD_DEPTH, self.pipeline.k)
        rankings = self.pipeline.retriever.retrieve(questions, depth, filters)
        found = []
        for each, gold, found_ones in zip(asked, with_gold, rankings, strict=True):
            ranking = self._guarded(each, found_ones)
            hits = ranking[: self.pipeline.k]
            if gold:
                hits = self._gold_first(each, ranking)
            selection = self.pipeline.selector.select(each.selected.question, hits)
            found.append(_without_retrieval(each, selection))
        return found

    def _gold_of(self, item: Item) -> list[Passage]:
        return [passage for name in item.gold_passages for passage in self._gold.get(name, ())]

    def _gold_first(self, asked: Asked, ranking: Sequence[Hit]) -> list[Hit]:
        """Put gold in the order in which it was found, then the rest; guarded like all else."""
        gold = {passage.id: passage for passage in self._gold_of(asked.item)}
        hits = [hit for hit in ranking if hit.passage.id in gold]
        seen = {hit.passage.id for hit in hits}
        hits += [Hit(passage, 0.0, 0) for name, passage in gold.items() if name not in seen]
        hits = self._guarded(asked, hits)
        return [
            replace(hit, rank=rank) for rank, hit in enumerate(hits[: self.pipeline.k], start=1)
        ]

    def _with_pictures(
        self, asked: Sequence[Asked], stand_in: Callable[[ImageRef], ImageRef]
    ) -> list[Selected]:
        found = []
        for each in asked:
            question = each.selected.question
            pictures = [image for image in question.images if isinstance(image, ImageRef)]
            shown = replace(question, images=tuple(stand_in(image) for image in pictures))
            found.append(replace(each.selected, question=shown))
        return found

    def _noised_without_context(self, asked: Sequence[Asked]) -> list[Selected]:
        bare = [
            replace(each, selected=selected)
            for each, selected in zip(asked, self._without_context(asked), strict=True)
        ]
        return self._with_pictures(bare, self._stand_ins.noise)

    def _without_pictures(self, asked: Sequence[Asked]) -> list[Selected]:
        questions = [each.selected.question for each in asked]
        blind = [replace(question, images=(), regions=()) for question in questions]
        # The guard is still about the picture that was taken away.
        return self.pipeline.select(blind, about=questions)

    def _without_guard(self, asked: Sequence[Asked]) -> list[Selected]:
        return self.pipeline.select([each.selected.question for each in asked], guard=False)

    def _guarded(self, asked: Asked, hits: Sequence[Hit]) -> list[Hit]:
        """Leave out what the question must not see, if the pipeline guards."""
        question = asked.selected.question
        if not self.pipeline.guard:
            return list(hits)
        return kept_in(question, hits, self._filter(question))

    def _filter(self, question: Question) -> Filter:
        allow = self.pipeline.allow
        return guarded(question, allow) if self.pipeline.guard else allow


class StandIns:
    """Pictures that show nothing, of the size of those they stand for; each size is made once.

    With a corruption each picture has a noisy one of its own.
    """

    def __init__(self, *, folder: Path, seed: int, corruption: Corruption | None = None) -> None:
        self.folder = folder
        self.seed = seed
        self.corruption = corruption
        self._corrupted: dict[ImageRef, ImageRef] = {}
        self._sizes: dict[ImageRef, tuple[int, int]] = {}
        self._made: dict[tuple[str, int, int], ImageRef] = {}

    def blank(self, image: ImageRef) -> ImageRef:
        """Give a picture of one grey."""
        return self._stand_in("blank", image)

    def noise(self, image: ImageRef) -> ImageRef:
        """Give the picture as the corruption leaves it.

        Without one it is Gaussian noise: mean 128, standard deviation 64, cut to 0 to 255.
        """
        if self.corruption is None:
            return self._stand_in("noise", image)
        if image not in self._corrupted:
            pixels = read_image(image)
            settings = json.dumps(dict(self.corruption.settings), sort_keys=True)
            named = hashlib.sha256(f"{settings} {pixel_sha256(pixels)}".encode()).hexdigest()[:32]
            corrupted = self.corruption.make(pixels)
            self._corrupted[image] = self._kept(f"noise-{named}.png", corrupted)
        return self._corrupted[image]

    def _stand_in(self, kind: str, image: ImageRef) -> ImageRef:
        if image not in self._sizes:
            height, width = read_image(image).shape[:2]
            self._sizes[image] = (height, width)
        key = (kind, *self._sizes[image])
        if key not in self._made:
            self._made[key] = self._written(*key)
        return self._made[key]

    def _written(self, kind: str, height: int, width: int) -> ImageRef:
        pixels = np.full((height, width, 3), _GREY, dtype=np.uint8)
        if kind == "noise":
            drawn = np.random.default_rng(self.seed).normal(_GREY, _SPREAD, pixels.shape)
            pixels = np.clip(drawn, 0, 255).astype(np.uint8)
        return self._kept(f"{kind}-{width}x{height}.png", pixels)

    def _kept(self, name: str, pixels: NDArray[np.uint8]) -> ImageRef:
        """Write a picture, unless it is there, and refer to it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        if not path.is_file():
            write_atomically(path, png(pixels))
        return identified(ImageRef(str(path.absolute())))


def check_arms(names: Collection[str], pipeline: Pipeline, items: Sequence[Item]) -> None:
    """Refuse arms that do not exist, or that would be another arm under a wrong name."""
    unknown = sorted(set(names) - set(ARMS))
    if unknown:
        raise ValueError(f"unknown arm {unknown[0]!r}; known are {', '.join(ARMS)}")
    pictured = sorted(_PICTURED & set(names))
    if pictured and not any(item.question.images for item in items):
        raise EvaluationError(
            f"the arm {pictured[0]!r} takes pictures away, but no question of the benchmark has one"
        )
    if "no_guard" in names and not pipeline.guard:
        raise EvaluationError("the arm 'no_guard' is the pipeline itself, whose guard is off")
    if {"random_context", "oracle_context"} & set(names) and pipeline.index is None:
        raise EvaluationError(
            "the arms random_context and oracle_context need the index: Pipeline(index=...)"
        )


def sensible_arms(pipeline: Pipeline, items: Sequence[Item]) -> tuple[str, ...]:
    """List all arms that make sense for a pipeline and a benchmark."""
    left_out: set[str] = set()
    if not any(item.question.images for item in items):
        left_out |= _PICTURED
    generator = getattr(pipeline.answerer, "generator", None)
    if not getattr(generator, "looks", True):
        # With the same evidence, a reader that never looks gives the same answer.
        left_out |= _STAND_INS
    if not pipeline.guard or not any(_guarded(item) for item in items):
        left_out.add("no_guard")
    if pipeline.index is None:
        left_out |= {"random_context", "oracle_context"}
    return tuple(name for name in ARMS if name not in left_out)


def gold_passages(library: Library, wanted: Collection[str]) -> dict[str, list[Passage]]:
    """Find passages by their id or by the name of their document, in one pass over the index."""
    found: dict[str, list[Passage]] = {}
    if not wanted:
        return found
    names = frozenset(wanted)
    for _, passage in library.passages_where(Filter()):
        for name in names & {passage.id, document_of(passage)}:
            found.setdefault(name, []).append(passage)
    return found


def _without_retrieval(asked: Asked, selection: Selection) -> Selected:
    """Give a question other evidence than was retrieved, and not the time that this took."""
    return Selected(asked.selected.question, selection)


def _guarded(item: Item) -> bool:
    question = item.question
    return bool(question.images or question.subject or question.study)


def _with_answer(asked: Asked) -> Question:
    question = asked.selected.question
    told = "\n".join((question.text, *asked.item.references))
    return replace(question, text=told, options=())


def _needed(library: Library | None) -> Library:
    if library is None:
        raise ValueError("the arm was not among the names given")
    return library
