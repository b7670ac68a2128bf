"""The training item that is nearest to each test item in question and picture."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.descriptor import DescriptorEncoder
from medrag.errors import MedragError
from medrag.evaluation.floors.forms import form_of
from medrag.generation.asked import PICTURE_POWER, WORD_POWER, content_stems
from medrag.language.known import read_as
from medrag.pipeline import guarded, prepared
from medrag.records import Filter, ImageRef, Item, Question

# What a question without a common word counts for: then the nearest picture decides.
_NO_WORD = 0.01
_NOT_ALLOWED = -1.0

Picture = ImageRef | str | Path
# Pixel hashes of the pictures of one question, in order.
Shown = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nearest:
    """A training item, by its place, and its similarity in [0, 1]."""

    place: int
    similarity: float


@dataclass(frozen=True, slots=True)
class NearestCases:
    """The nearest case of each item, in order; None where no training item may be used.

    `n_unread`: different pictures, of items and training items, that cannot be read.
    """

    nearest: tuple[Nearest | None, ...]
    n_unread: int


def nearest_cases(items: Sequence[Item], training: Sequence[Item], *, guard: bool) -> NearestCases:
    """Find the training item of the same form that is nearest in words and picture.

    The similarity is the share of content words that the questions have in common, squared, times
    the cosine of the descriptors of their pictures to the power 16, as the reader of cases weighs
    them, so that the two differ by the vote alone. An item without a picture goes by words alone,
    and a picture that cannot be read counts as absent. Equal similarities: the training item that
    stands first.

    Args:
        items: to be answered.
        training: to be searched; those without a reference are left out.
        guard: never the same picture (by its pixels, or the same file if it cannot be read), study
            or subject.
    """
    read = _read(image for each in (*items, *training) for image in each.question.images)
    asked = [_asked(each.question, read) for each in (*items, *training)]
    texts = _Texts(training)
    pictures = _Pictures(asked, n_items=len(items))
    forms = _Forms(training)
    guards = _Guards(asked[len(items) :])
    found: list[Nearest | None] = [None] * len(items)
    # By picture, so that each is compared with all others once.
    for shown, places in _by_pictures(asked[: len(items)]).items():
        close = pictures.closeness(shown)
        for place in places:
            scores = texts.shares(items[place]) ** WORD_POWER * close
            scores[forms.others(items[place])] = _NOT_ALLOWED
            if guard:
                scores[guards.places(asked[place])] = _NOT_ALLOWED
            best = int(scores.argmax())
            if scores[best] != _NOT_ALLOWED:
                found[place] = Nearest(best, float(min(1.0, scores[best])))
    return NearestCases(tuple(found), sum(parts is None for parts in read.values()))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with the pictures that can be read, and the files of the others."""

    question: Question
    unread: tuple[str, ...]


class _Forms:
    """Which training items have another form, or no answer."""

    def __init__(self, training: Sequence[Item]) -> None:
        each = [form_of(item) if item.references else None for item in training]
        self.masks = {
            form: np.array([one != form for one in each], dtype=bool) for form in {*each} - {None}
        }
        self.all = np.ones(len(training), dtype=bool)

    def others(self, item: Item) -> NDArray[np.bool_]:
        """Tell of each training item whether it cannot answer an item, (n_training,)."""
        return self.masks.get(form_of(item), self.all)


class _Texts:
    """The different questions of training items by the stems that they hold."""

    def __init__(self, training: Sequence[Item]) -> None:
        numbers: dict[tuple[str, ...], int] = {}
        self.number = np.array(
            [numbers.setdefault(_stems(item), len(numbers)) for item in training], dtype=np.int64
        )
        self.lengths = np.array([len(stems) for stems in numbers], dtype=np.int64)
        holding: dict[str, list[int]] = defaultdict(list)
        for stems, number in numbers.items():
            for stem in stems:
                holding[stem].append(number)
        self.holding = {stem: np.array(each) for stem, each in holding.items()}

    def shares(self, item: Item) -> NDArray[np.float64]:
        """Give the share of stems that each training item has in common, (n_training,), above 0."""
        stems = _stems(item)
        common = np.zeros(len(self.lengths), dtype=np.int64)
        for stem in stems:
            if stem in self.holding:
                common[self.holding[stem]] += 1
        share = common / np.maximum(1, self.lengths + len(stems) - common)
        each: NDArray[np.float64] = np.maximum(share, _NO_WORD)[self.number]
        return each


class _Pictures:
    """Descriptors of the different pictures, and which of them each training item shows."""

    def __init__(self, asked: Sequence[_Asked], *, n_items: int) -> None:
        different = {_shown(each): each.question for each in asked if each.question.images}
        self.number = {shown: number for number, shown in enumerate(different)}
        encoded = DescriptorEncoder().encode_questions(list(different.values()), "image")
        self.vectors = encoded.values
        # -1, the last: of those without a picture.
        self.training = np.array(
            [self.number.get(_shown(each), -1) for each in asked[n_items:]], dtype=np.int64
        )

    def closeness(self, shown: Shown) -> NDArray[np.float64]:
        """Weigh each training item by how near its pictures are, (n_training,) in [0, 1].

        1 for all where nothing is shown; 0 for those without a picture where something is.
        """
        if not shown:
            return np.ones(len(self.training))
        cosines = self.vectors @ self.vectors[self.number[shown]]
        weights = np.clip(cosines, 0.0, 1.0).astype(np.float64) ** PICTURE_POWER
        each: NDArray[np.float64] = np.append(weights, 0.0)[self.training]
        return each


class _Guards:
    """Which training items share a picture, a study or a subject."""

    def __init__(self, training: Sequence[_Asked]) -> None:
        self.owners: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, each in enumerate(training):
            for owner in _owners(each):
                self.owners[owner].append(place)

    def places(self, asked: _Asked) -> list[int]:
        """List the training items that the guard keeps from a question."""
        return [place for owner in _owners(asked) for place in self.owners.get(owner, ())]


def _owners(asked: _Asked) -> list[tuple[str, str]]:
    wanted = guarded(asked.question, Filter())
    named = {
        "picture": wanted.not_images,
        "study": wanted.not_studies,
        "subject": wanted.not_subjects,
        "file": asked.unread,
    }
    return [(what, name) for what, names in named.items() for name in sorted(names)]


def _read(images: Iterable[Picture]) -> dict[Picture, tuple[ImageRef, ...] | None]:
    """Decode and name each picture once; None for one that cannot be read."""
    found: dict[Picture, tuple[ImageRef, ...] | None] = {}
    for image in images:
        if image not in found:
            found[image] = _parts(image)
    return found


def _parts(image: Picture) -> tuple[ImageRef, ...] | None:
    try:
        (ready,) = prepared([Question(images=(image,))])
    except MedragError:
        return None
    return tuple(part for part in ready.images if isinstance(part, ImageRef))


def _asked(question: Question, read: Mapping[Picture, tuple[ImageRef, ...] | None]) -> _Asked:
    """Put named pictures in the place of those given; subject and study stay as they are."""
    named = tuple(part for image in question.images for part in read[image] or ())
    unread = (image for image in question.images if read[image] is None)
    files = tuple(each.path if isinstance(each, ImageRef) else str(each) for each in unread)
    return _Asked(replace(question, images=named, regions=()), files)


def _by_pictures(asked: Sequence[_Asked]) -> dict[Shown, list[int]]:
    places: dict[Shown, list[int]] = defaultdict(list)
    for place, each in enumerate(asked):
        places[_shown(each)].append(place)
    return places


def _shown(asked: _Asked) -> Shown:
    return tuple(i.sha256 or i.path for i in asked.question.images if isinstance(i, ImageRef))


def _stems(item: Item) -> tuple[str, ...]:
    # A language without a stemmer is cut into words as English is.
    language = read_as(item.language)
    return content_stems(item.question.text, language)
