"""What a router says of labelled pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.heads import CalibratedHead
from medrag.encoding.heads.logits import softmax
from medrag.encoding.rows import Rows
from medrag.evaluation.routing.fitting import (
    HeldOut,
    RouterOptions,
    held_out,
    rules_of,
    temperature_of,
)
from medrag.evaluation.routing.folds import grouped_folds
from medrag.evaluation.routing.labelled import LabelledPicture
from medrag.protocols import DomainClassifier, Progress
from medrag.records import ImageRef, Question

Floats = NDArray[np.float64]
STAGE = "routing"
_BATCH = 32
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Judged:
    """What a router said of each picture; all as long as there are pictures.

    Attributes:
        names: domains that it told apart, in the order of `before` and `after`.
        before: probabilities before their temperature, (n, n_names); a row of nan where it gave
            none.
        after: likewise after it.
        known: whether the likeliest domain was called known.
        unlike: whether the picture was called unlike every domain.
    """

    names: tuple[str, ...]
    before: Floats
    after: Floats
    known: NDArray[np.bool_]
    unlike: NDArray[np.bool_]

    @property
    def likeliest(self) -> list[str | None]:
        """The likeliest domain of each picture; None where the router gave none."""
        if not self.names:
            return [None] * len(self.after)
        given = ~np.isnan(self.after).any(axis=1)
        best = np.where(given, np.nan_to_num(self.after).argmax(axis=1), -1)
        return [None if at < 0 else self.names[at] for at in best.tolist()]


def judge_held_out(
    vectors: Rows, pictures: Sequence[LabelledPicture], encoder: str, options: RouterOptions
) -> Judged:
    """Judge every picture by a head, a temperature and thresholds that have not seen its group."""
    found = held_out(vectors, pictures, encoder, options)
    after = np.zeros(found.logits.shape)
    known, unlike = (np.zeros(len(after), dtype=bool) for _ in range(2))
    for fold in np.unique(found.folds):
        inside, others = found.folds == fold, found.folds != fold
        rules = rules_of(_part(found, others), options)
        after[inside] = softmax(found.logits[inside] / rules.temperature)
        unlike[inside] = found.distances[inside] > rules.furthest
        known[inside] = _sure(after[inside], rules.least, rules.margin) & ~unlike[inside]
    return Judged(found.names, softmax(found.logits), after, known, unlike)


def judge_head(head: CalibratedHead, vectors: Rows) -> Judged:
    """Judge vectors of pictures by a head that is there."""
    after, unlike = head.probabilities(vectors), head.unlike(vectors)
    known = _sure(after, head.least, head.margin) & ~unlike
    return Judged(head.head.names, head.head.probabilities(vectors), after, known, unlike)


def judge_router(
    classifier: DomainClassifier,
    images: Sequence[ImageRef],
    *,
    pictures: Sequence[LabelledPicture] = (),
    options: RouterOptions = RouterOptions(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> Judged:
    """Judge pictures by a classifier of any kind, as it stands.

    Args:
        pictures: the same with their labels: `after` is then by the temperature that suits the
            others of its fold best. Without them it is `before`.

    Raises:
        InputFileError: naming the first picture that cannot be read.
    """
    if progress:
        progress.start(STAGE, len(images), "pictures")
    routings = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        routings += classifier.classify([Question(images=(ref,)) for ref in batch])
        if progress:
            progress.advance(STAGE, len(batch))
    if progress:
        progress.finish(STAGE)
    names = tuple(sorted({name for each in routings for name in each.probabilities}))
    before = np.array(
        [
            [each.probabilities.get(name, 0.0) for name in names]
            if each.probabilities
            else [np.nan] * len(names)
            for each in routings
        ],
        dtype=np.float64,
    ).reshape(len(routings), len(names))
    known = np.array([each.known for each in routings], dtype=bool)
    unlike = np.array([not each.domains for each in routings], dtype=bool)
    after = _tempered(names, before, pictures, options) if pictures else before
    return Judged(names, before, after, known, unlike)


def best_temperature(judged: Judged, pictures: Sequence[LabelledPicture]) -> float | None:
    """Find what the logits of a router should be divided by; None where it gives no probabilities.

    Args:
        pictures: with their labels, as many as were judged.
    """
    logits, right, counted = _logits(judged.names, judged.before, pictures)
    # Shares of 0 and 1 alone are no probabilities, but choices.
    graded = (judged.before > _SMALLEST) & (judged.before < 1 - _SMALLEST)
    if not (counted & graded.any(axis=1)).any():
        return None
    return temperature_of(logits[counted], right[counted])


def _logits(
    names: Sequence[str], before: Floats, pictures: Sequence[LabelledPicture]
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Give logits, the place of the right domain, and which pictures have both."""
    places = {name: at for at, name in enumerate(names)}
    right = np.array([places.get(each.domain, -1) for each in pictures], dtype=np.int64)
    counted: NDArray[np.bool_] = (right >= 0) & ~np.isnan(before).any(axis=1)
    return np.log(np.maximum(before, _SMALLEST)), right, counted


def _part(found: HeldOut, rows: NDArray[np.bool_]) -> HeldOut:
    return HeldOut(
        found.names, found.logits[rows], found.distances[rows], found.folds[rows], found.right[rows]
    )


def _sure(probabilities: Floats, least: float, margin: float) -> NDArray[np.bool_]:
    ordered = np.sort(probabilities, axis=1)
    first = ordered[:, -1]
    lead = first - ordered[:, -2] if probabilities.shape[1] > 1 else first
    return (first >= least) & (lead >= margin)


def _tempered(
    names: Sequence[str],
    before: Floats,
    pictures: Sequence[LabelledPicture],
    options: RouterOptions,
) -> Floats:
    """Divide logits by the temperature that suits the other folds best."""
    logits, right, counted = _logits(names, before, pictures)
    folds = grouped_folds(pictures, options.folds, seed=options.seed)
    after = before.copy()
    for fold in np.unique(folds):
        others = counted & (folds != fold)
        if others.any():
            temperature = temperature_of(logits[others], right[others])
            after[folds == fold] = softmax(logits[folds == fold] / temperature)
    return after
