"""Which thresholds keep the share of wrong answers below a wanted risk, with what certainty.

Source:
    Angelopoulos, Bates, Candès, Jordan & Lei, "Learn then test: calibrating predictive algorithms
    to achieve risk control", 2021; Hoeffding-Bentkus: Bates, Angelopoulos, Lei, Malik & Jordan,
    "Distribution-free, risk-controlling prediction sets", J. ACM 2021.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, e, exp, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.verification.calibrated import Tried

Floats = NDArray[np.float64]
# Shares of the items that are answered; a finer grid costs nothing but gains little.
COVERAGES = tuple(round(0.05 * step, 2) for step in range(20, 0, -1))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold, or None where no one passed, and those that were tested, in order."""

    threshold: float | None
    tried: tuple[Tried, ...]


def exact_p(n: int, n_wrong: int, risk: float) -> float:
    """Compute P(Binomial(n, risk) <= n_wrong), the p-value of "the risk is above `risk`".

    1 for n = 0.

    Raises:
        ValueError: if a number is out of range.
    """
    _check(n, risk)
    if not 0 <= n_wrong <= n:
        raise ValueError(f"n_wrong must lie in [0, {n}], got {n_wrong}")
    return _at_most(n_wrong, n, risk) if n else 1.0


def hoeffding_p(n: int, mean: float, risk: float) -> float:
    """Compute exp(-n h1(min(mean, risk), risk)), for losses in [0, 1] of this mean.

    h1(a, b) = a log(a / b) + (1 - a) log((1 - a) / (1 - b)), with 0 log 0 = 0.

    Raises:
        ValueError: if a number is out of range.
    """
    _check(n, risk, mean)
    a = min(mean, risk)
    wrong = a * log(a / risk) if a > 0 else 0.0
    return exp(-n * (wrong + (1 - a) * log((1 - a) / (1 - risk))))


def bentkus_p(n: int, mean: float, risk: float) -> float:
    """Compute e P(Binomial(n, risk) <= ceil(n mean)), for losses in [0, 1] of this mean.

    May be above 1; 1 for n = 0.

    Raises:
        ValueError: if a number is out of range.
    """
    _check(n, risk, mean)
    # 500 * 0.152 is 76.00000000000001 to a computer, and 77 rounded up.
    return e * _at_most(ceil(n * mean - 1e-9), n, risk) if n else 1.0


def hoeffding_bentkus_p(n: int, mean: float, risk: float) -> float:
    """Compute the smaller of both bounds, at most 1.

    Raises:
        ValueError: if a number is out of range.
    """
    return min(1.0, hoeffding_p(n, mean, risk), bentkus_p(n, mean, risk))


def p_value(losses: ArrayLike, risk: float) -> float:
    """Compute the p-value of "the mean loss is above `risk`" from independent losses in [0, 1].

    Exact where every loss is 0 or 1, by Hoeffding-Bentkus else; 1 without losses.
    """
    given = np.asarray(losses, dtype=np.float64)
    if not len(given):
        return 1.0
    if np.isin(given, (0.0, 1.0)).all():
        return exact_p(len(given), int(given.sum()), risk)
    return hoeffding_bentkus_p(len(given), float(given.mean()), risk)


def least_n(risk: float, delta: float) -> int:
    """Count the answers that must be there, all of them right, for any test to pass."""
    _check(0, risk)
    return ceil(log(delta) / log(1 - risk) - 1e-9)


def thresholds(confidence: ArrayLike, coverages: Sequence[float] = COVERAGES) -> list[float]:
    """Find the thresholds that answer these shares of items, from the lowest on, each once.

    That of coverage 1 is 0, which holds nothing back, also not what is below all items seen.
    """
    falling = np.sort(np.asarray(confidence, dtype=np.float64))[::-1]
    found = {
        0.0 if share >= 1 else float(falling[max(1, ceil(share * len(falling) - 1e-9)) - 1])
        for share in coverages
        if len(falling)
    }
    return sorted(found)


def choose_threshold(
    fitted: tuple[Floats, Floats],
    tested: tuple[Floats, Floats],
    *,
    risk: float,
    delta: float,
) -> Chosen:
    """Find the threshold that answers most and keeps the risk among the answered.

    Thresholds and the first one to test come from `fitted` alone: that of the smallest p-value
    there, and of these the highest. On `tested` it and then lower ones, each answering more, are
    tested one after the other at level delta, until one fails (fixed-sequence testing). So with
    probability 1 - delta at least no threshold that passed has a risk above `risk`. Beginning
    there finds a threshold more often, and a lower one, than beginning at the highest, where few
    are answered, or than Bonferroni's correction.

    Args:
        fitted, tested: confidence and loss, (n,) each; of items that have no cluster in common
            with each other, neither between the two nor within `tested`.
        risk: the share of wrong answers, among those given, that is still right with the reader.
        delta: the probability with which that may fail.

    Returns:
        The lowest threshold that passed; None if none did.

    Raises:
        ValueError: if risk or delta does not lie between 0 and 1.

    Source:
        Learn then test (see the module), section on fixed sequences; a sequence learnt from
        another half: Laufer-Goldshtein, Fisch, Barzilay & Jaakkola, "Efficiently controlling
        multiple risks with Pareto testing", ICLR 2023.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta}")
    _check(0, risk)
    rising = thresholds(fitted[0])
    tried: list[Tried] = []
    for threshold in reversed(rising[: _first(rising, *fitted, risk) + 1]):
        tried.append(_tested(threshold, *tested, risk, delta))
        if not tried[-1].passed:
            break
    passed = [each.threshold for each in tried if each.passed]
    return Chosen(min(passed, default=None), tuple(tried))


def _first(rising: Sequence[float], confidence: Floats, losses: Floats, risk: float) -> int:
    """Give the place of the threshold of the smallest p-value, of equal ones the highest."""
    hoped = [p_value(losses[confidence >= each], risk) for each in rising]
    return max(range(len(rising)), key=lambda place: (-hoped[place], place), default=-1)


def _tested(
    threshold: float, confidence: Floats, losses: Floats, risk: float, delta: float
) -> Tried:
    answered = losses[confidence >= threshold]
    p = p_value(answered, risk)
    return Tried(
        threshold=threshold,
        coverage=len(answered) / len(losses) if len(losses) else 0.0,
        n=len(answered),
        risk=float(answered.mean()) if len(answered) else None,
        p=p,
        passed=p <= delta,
    )


def _at_most(k: int, n: int, p: float) -> float:
    """Compute P(Binomial(n, p) <= k) from the logarithms of its terms; p lies between 0 and 1."""
    steps = np.arange(1, k + 1)
    terms = np.cumsum(np.log(n - steps + 1) - np.log(steps) + log(p) - log(1 - p))
    logs = np.concatenate([[0.0], terms]) + n * log(1 - p)
    return min(1.0, float(np.exp(logs).sum()))


def _check(n: int, risk: float, mean: float = 0.0) -> None:
    if n < 0:
        raise ValueError(f"n must be at least 0, got {n}")
    if not 0 < risk < 1:
        raise ValueError(f"risk must lie between 0 and 1, got {risk}")
    if not 0 <= mean <= 1:
        raise ValueError(f"a mean loss must lie in [0, 1], got {mean}")
