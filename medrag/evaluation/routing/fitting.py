"""Learn a router from labelled pictures, and calibrate it on those it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.classifying.asking import question_rows
from medrag.encoding.heads import CalibratedHead, LinearHead, Neighbours, fitted
from medrag.encoding.heads.logits import softmax
from medrag.encoding.rows import Rows
from medrag.evaluation.routing.folds import grouped_folds
from medrag.evaluation.routing.labelled import LabelledPicture
from medrag.protocols import Encoder, Progress
from medrag.records import ImageRef, Question

Floats = NDArray[np.float64]
STAGE = "encoding"
# A domain that a fold had no picture of; its softmax is 0 for all that is measured.
_NEVER = -1e3
# By how much a class may lie below the likeliest one: a domain that a fold lacks says nothing.
_WIDEST = 50.0
_BATCH = 32
# Vectors that a head keeps to be far from; more say little more, and the file grows with them.
_KEPT = 5000


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """How a router is fitted.

    Attributes:
        folds: of the cross-validation, at least 3, as thresholds are learnt on all but one.
        l2: penalty of the linear head.
        neighbour: which nearest one tells how far off a picture is.
        reject: share of pictures of known domains that may count as unlike all of them.
        error: share of wrong domains that may be among those that are called known.
        least: below which the likeliest domain is never known.
        margin: by which it must lead the next.

    Raises:
        ValueError: if a number is out of range.
    """

    folds: int = 5
    l2: float = 0.1
    neighbour: int = 3
    reject: float = 0.05
    error: float = 0.05
    least: float = 0.5
    margin: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 3:
            raise ValueError(f"folds must be at least 3, got {self.folds}")
        for name in ("reject", "error"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name):g}")


@dataclass(frozen=True, slots=True)
class Rules:
    """When a domain is known; see `CalibratedHead`, and `Neighbours` for `furthest`."""

    temperature: float
    least: float
    margin: float
    furthest: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What heads said of pictures that they were not fitted on.

    Attributes:
        names: of the domains.
        logits: (n, n_names).
        distances: (n,) to the pictures that the head was fitted on.
        folds: (n,).
        right: (n,) place of the right domain among the names; -1 where it is none of them.
    """

    names: tuple[str, ...]
    logits: Floats
    distances: Floats
    folds: NDArray[np.int64]
    right: NDArray[np.int64]


def encoded(
    encoder: Encoder, images: Sequence[ImageRef], *, progress: Progress | None = None
) -> Rows:
    """Encode pictures as questions show them: (n, d).

    Raises:
        InputFileError: naming the first that cannot be read.
    """
    if progress:
        progress.start(STAGE, len(images), "pictures")
    rows = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        rows.append(question_rows(encoder, [Question(images=(ref,)) for ref in batch], "image"))
        if progress:
            progress.advance(STAGE, len(batch))
    if progress:
        progress.finish(STAGE)
    return np.concatenate(rows)


def held_out(
    vectors: Rows, pictures: Sequence[LabelledPicture], encoder: str, options: RouterOptions
) -> HeldOut:
    """Fit a head without each fold in turn, and ask it about that fold."""
    labels = [each.domain for each in pictures]
    names = tuple(sorted(set(labels)))
    folds = grouped_folds(pictures, options.folds, seed=options.seed)
    logits = np.full((len(labels), len(names)), _NEVER)
    distances = np.zeros(len(labels))
    for fold in range(options.folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if not len(inside):
            continue
        head = _head(vectors[outside], [labels[at] for at in outside], encoder, options)
        columns = np.array([names.index(name) for name in head.names])
        logits[np.ix_(inside, columns)] = head.logits(vectors[inside])
        known = _neighbours(vectors[outside], options)
        distances[inside] = known.distances(vectors[inside])
    right = np.array([names.index(label) for label in labels], dtype=np.int64)
    return HeldOut(names, logits, distances, folds, right)


def fit_router(
    vectors: Rows, pictures: Sequence[LabelledPicture], encoder: str, options: RouterOptions
) -> CalibratedHead:
    """Fit a head on all pictures, its temperature and thresholds on those held out in turn.

    Raises:
        ValueError: if there are fewer than two domains.
    """
    rules = rules_of(held_out(vectors, pictures, encoder, options), options)
    known = _neighbours(vectors, options)
    return CalibratedHead(
        head=_head(vectors, [each.domain for each in pictures], encoder, options),
        temperature=rules.temperature,
        least=rules.least,
        margin=rules.margin,
        neighbours=Neighbours(vectors=known.vectors, k=known.k, furthest=rules.furthest),
    )


def rules_of(found: HeldOut, options: RouterOptions) -> Rules:
    """Choose the temperature and thresholds that suit what was held out."""
    temperature = temperature_of(found.logits, found.right)
    shares = softmax(found.logits / temperature)
    is_right = shares.argmax(axis=1) == found.right
    least = max(options.least, least_of(shares.max(axis=1), is_right, options.error))
    return Rules(temperature, least, options.margin, furthest_of(found.distances, options.reject))


def temperature_of(logits: Floats, right: NDArray[np.int64]) -> float:
    """Find what to divide logits by, so that the right classes are least surprising.

    Of n rows that are all right, the next may still be wrong: the right class counts as
    (n + 1) / (n + 2) and the others share the rest, so that no certainty is learnt from few.

    Args:
        logits: (n, n_classes), n at least 1; natural logarithms of probabilities will do.
        right: (n,) class of each row.

    Returns:
        In [0.01, 100].

    Source:
        Guo et al., "On calibration of modern neural networks", ICML 2017; the targets are those of
        Platt, Advances in Large Margin Classifiers, 1999.
    """
    n, n_classes = logits.shape
    other = 1 / (n + 2) / max(n_classes - 1, 1)
    targets = np.full(logits.shape, other)
    targets[np.arange(n), right] = 1 - other * (n_classes - 1)
    floored = np.maximum(logits, logits.max(axis=1, keepdims=True) - _WIDEST)

    def loss(log_temperature: float) -> float:
        scaled = floored / np.exp(log_temperature)
        top = scaled.max(axis=1, keepdims=True)
        logs = scaled - top - np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
        return float(-(targets * logs).sum(axis=1).mean())

    # The loss is convex in the inverse of the temperature, so it falls and then rises.
    low, high = np.log(0.01), np.log(100.0)
    for _ in range(100):
        third = (high - low) / 3
        if loss(low + third) <= loss(high - third):
            high -= third
        else:
            low += third
    return float(np.exp((low + high) / 2))


def least_of(confidence: Floats, right: NDArray[np.bool_], error: float) -> float:
    """Find the least confidence from which on at most a share `error` of all is wrong.

    Returns:
        0 if that holds for all; 1 if it holds for none.
    """
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    sorted_ = confidence[order]
    # Equal confidences are taken together: only the last of a run counts.
    last = np.append(sorted_[1:] < sorted_[:-1], True) if len(order) else np.zeros(0, dtype=bool)
    fine = np.flatnonzero(last & (wrong <= error))
    if not len(fine):
        return 1.0
    return 0.0 if fine[-1] == len(order) - 1 else float(sorted_[fine[-1]])


def furthest_of(distances: Floats, reject: float) -> float:
    """Find a distance that at most a share `reject` of further such pictures exceeds.

    That holds on average for pictures drawn like these. Where they are too few to say, it is 2,
    which no distance exceeds.

    Source:
        Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2005 (split conformal).
    """
    n = len(distances)
    rank = int(np.ceil((n + 1) * (1 - reject)))
    return 2.0 if rank > n else float(np.sort(distances)[rank - 1])


def _head(vectors: Rows, labels: Sequence[str], encoder: str, options: RouterOptions) -> LinearHead:
    return fitted(vectors, labels, encoder=encoder, l2=options.l2, balanced=True, standardise=False)


def _neighbours(vectors: Rows, options: RouterOptions) -> Neighbours:
    kept = vectors
    if len(vectors) > _KEPT:
        drawn = np.random.default_rng(options.seed).choice(len(vectors), _KEPT, replace=False)
        kept = vectors[np.sort(drawn)]
    return Neighbours(vectors=kept, k=options.neighbour)
