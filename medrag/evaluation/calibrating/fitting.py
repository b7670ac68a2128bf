"""From signals to a probability of being right: a logistic regression, and a rising curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.verification.calibrated import Weight, interpolated, logistic_probability

Floats = NDArray[np.float64]
Signals = Sequence[Mapping[str, float]]
# Of the squared weights, as in a prior of variance 1: signals count in standard deviations.
PENALTY = 1.0
_STEPS = 100
_CLOSE = 1e-10
# A spread below this is rounding.
_FLAT = 1e-9


class Line(NamedTuple):
    """The log-odds of being right: intercept + features @ weights."""

    intercept: float
    weights: Floats


@dataclass(frozen=True, slots=True)
class Fitted:
    """What `fit` finds; see `Calibration` for its parts."""

    intercept: float
    weights: tuple[Weight, ...]
    steps: tuple[tuple[float, float], ...] = ()


def fit(signals: Signals, right: ArrayLike, *, penalty: float = PENALTY) -> Fitted:
    """Fit the logistic regression of rightness on signals.

    A signal is centred and scaled by the answers that have it. Where some lack it, it counts there
    as its mean, and a column of its own tells that it is missing. A signal that never varies and
    never lacks is left out.

    Args:
        signals: of each answer, by name.
        right: (n,) in [0, 1]; shares are allowed.
    """
    shares = np.asarray(right, dtype=np.float64)
    names = sorted({name for each in signals for name in each})
    columns: list[Floats] = []
    made: list[tuple[str, float, float, bool]] = []
    for name in names:
        values = np.array([each.get(name, np.nan) for each in signals])
        lacking = np.isnan(values)
        mean, spread = float(values[~lacking].mean()), float(values[~lacking].std())
        if spread < _FLAT and not lacking.any():
            continue
        scale = spread if spread >= _FLAT else 1.0
        columns.append(np.where(lacking, 0.0, (values - mean) / scale))
        if lacking.any():
            columns.append(lacking.astype(np.float64))
        made.append((name, mean, scale, bool(lacking.any())))
    features = np.stack(columns, axis=1) if columns else np.zeros((len(shares), 0))
    line = logistic(features, shares, penalty=penalty)
    left = iter(line.weights.tolist())
    weights = tuple(
        Weight(name, mean, scale, next(left), next(left) if lacks else None)
        for name, mean, scale, lacks in made
    )
    return Fitted(line.intercept, weights)


def probabilities(fitted: Fitted, signals: Signals) -> Floats:
    """Give the probability of each answer, (n,); a signal that is missing unforeseen adds 0."""
    told = [logistic_probability(fitted.intercept, fitted.weights, each) for each in signals]
    if fitted.steps:
        told = [interpolated(fitted.steps, each) for each in told]
    return np.array(told, dtype=np.float64)


def logistic(features: Floats, right: Floats, *, penalty: float = PENALTY) -> Line:
    """Fit a logistic regression with an L2 penalty on the weights, not on the intercept.

    Minimises -sum(log-likelihood) + penalty / 2 * |weights|^2 by Newton steps, halved where they
    lead upwards. Where all answers are right, or all wrong, nothing can be told apart: weights are
    0 and the odds those of one more right and one more wrong answer.

    Args:
        features: (n, d).
        right: (n,) in [0, 1].

    Raises:
        ValueError: if there is no row, or the penalty is not positive.

    Source:
        Le Cessie & van Houwelingen, "Ridge estimators in logistic regression", 1992.
    """
    if not len(right) or penalty <= 0:
        raise ValueError(f"expected rows and a penalty above 0, got {len(right)}, {penalty}")
    n, d = features.shape
    total = float(right.sum())
    if total in (0.0, float(n)):
        return Line(float(np.log((total + 1) / (n - total + 1))), np.zeros(d))
    design = np.concatenate([np.ones((n, 1)), features], axis=1)
    ridge = np.full(d + 1, penalty)
    ridge[0] = 0.0
    line = np.zeros(d + 1)
    line[0] = np.log(total / (n - total))
    for _ in range(_STEPS):
        chances = _expit(design @ line)
        slope = design.T @ (chances - right) + ridge * line
        curve = (design.T * (chances * (1 - chances))) @ design + np.diag(ridge)
        step = np.linalg.lstsq(curve, slope, rcond=None)[0]
        line, moved = _descended(line, step, design, right, ridge)
        if moved < _CLOSE:
            break
    return Line(float(line[0]), line[1:])


def rising(values: ArrayLike, right: ArrayLike) -> tuple[tuple[float, float], ...]:
    """Fit a curve that never falls (isotonic regression), as points to read between.

    Neighbours that would fall are pooled into blocks. A block of n answers, all of them right, is
    not sure: its share stays 1 / (n + 2) below 1 (not below the block before), likewise above 0.

    Args:
        values: (n,) what the curve rises with; equal ones have one share.
        right: (n,) in [0, 1].

    Returns:
        (value, share) at both ends of each block, values ascending.

    Source:
        Ayer, Brunk, Ewing, Reid & Silverman, Ann. Math. Statist. 1955 (pool adjacent violators).
    """
    points, codes = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
    counts = np.bincount(codes)
    sums = np.bincount(codes, weights=np.asarray(right, dtype=np.float64))
    blocks: list[_Block] = []
    for point, n, total in zip(points.tolist(), counts.tolist(), sums.tolist(), strict=True):
        blocks.append(_Block(point, point, n, total))
        while len(blocks) > 1 and blocks[-2].share >= blocks[-1].share:
            last = blocks.pop()
            blocks[-1] = blocks[-1].joined(last)
    curve: list[tuple[float, float]] = []
    for block, share in zip(blocks, _unsure(blocks), strict=True):
        curve += [(end, share) for end in dict.fromkeys((block.low, block.high))]
    return tuple(curve)


class _Block(NamedTuple):
    low: float
    high: float
    n: int
    total: float

    @property
    def share(self) -> float:
        return self.total / self.n

    def joined(self, other: "_Block") -> "_Block":
        return _Block(self.low, other.high, self.n + other.n, self.total + other.total)


def _unsure(blocks: Sequence[_Block]) -> list[float]:
    """Give the shares of blocks, without certainty; only the last can be 1, the first 0."""
    shares = [block.share for block in blocks]
    if shares and shares[-1] == 1:
        shares[-1] = max(1 - 1 / (blocks[-1].n + 2), *shares[-2:-1], 0.0)
    if shares and shares[0] == 0:
        shares[0] = min(1 / (blocks[0].n + 2), *shares[1:2], 1.0)
    return shares


def _descended(
    line: Floats, step: Floats, design: Floats, right: Floats, ridge: Floats
) -> tuple[Floats, float]:
    """Take the longest of the step, half of it and so on that leads downwards."""
    before = _loss(line, design, right, ridge)
    for halving in range(40):
        tried = line - step * 0.5**halving
        if _loss(tried, design, right, ridge) <= before:
            return tried, float(np.abs(tried - line).max())
    return line, 0.0


def _loss(line: Floats, design: Floats, right: Floats, ridge: Floats) -> float:
    odds = design @ line
    fit = np.logaddexp(0, odds) - right * odds
    return float(fit.sum() + 0.5 * (ridge * line**2).sum())


def _expit(odds: Floats) -> Floats:
    tail = np.exp(-np.abs(odds))
    chances: Floats = np.where(odds >= 0, 1, tail) / (1 + tail)
    return chances
