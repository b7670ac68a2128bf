"""Places along an axis, as percent of its length: so a drawing fits any width of the screen."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from medrag.reporting.evaluation.numbers import in_percent

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LEAST_SPAN = 0.2
_FARTHEST = 1e12


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high` with its ticks, ascending, within."""

    low: float
    high: float
    ticks: tuple[float, ...]


def scale_of(
    values: Iterable[float], measure: str, *, zero: bool = False, n_ticks: int = 6
) -> Scale:
    """Choose an axis that holds all values that are finite.

    Args:
        zero: whether it must begin at 0, as bars need it; a share then ends at 1.
        n_ticks: about how many there are, 2 or more.
    """
    known = [min(max(v, -_FARTHEST), _FARTHEST) for v in values if math.isfinite(v)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    share = in_percent(measure) and low >= 0 and high <= 1
    if zero:
        low, high = min(low, 0.0), max(high, 1.0) if share else max(high, 0.0)
    elif share and high - low < _LEAST_SPAN:
        middle = min(max((low + high) / 2, _LEAST_SPAN / 2), 1 - _LEAST_SPAN / 2)
        low, high = middle - _LEAST_SPAN / 2, middle + _LEAST_SPAN / 2
    # An axis narrower than the precision of its ends would have no length.
    step = _step(max(high - low, 1e-6 * max(abs(low), abs(high)), 1e-9), n_ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return Scale(first * step, last * step, tuple(n * step for n in range(first, last + 1)))


def at(scale: Scale, value: float) -> str:
    """Give the place of a value; what lies outside sits on the edge."""
    share = (value - scale.low) / (scale.high - scale.low)
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def span(scale: Scale, low: float, high: float) -> str:
    """Give the length between two values."""
    ends = [min(max(each, scale.low), scale.high) for each in (low, high)]
    return f"{100 * max(ends[1] - ends[0], 0.0) / (scale.high - scale.low):.2f}%"


def _step(width: float, n_ticks: int) -> float:
    rough = width / (n_ticks - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((s * power for s in _STEPS if s * power >= rough * (1 - 1e-9)), 10 * power)
