"""Numbers as they are shown: percent where a measure is a share, an interval in brackets."""

import math
import re

from medrag.evaluation.scores import Estimate

MISSING = "–"
# Measures whose values are no shares, or so small that percent would hide them.
_ERRORS = "ece|mce|brier|aurc|nll|mae|rmse|error|distance|radcliq"
_PLAIN = re.compile(
    rf"(^|_)({_ERRORS}|length|count|mean|contradictions)($|_|\d|@)|^n_", re.IGNORECASE
)
_LOWER = re.compile(rf"(^|_)({_ERRORS}|risk|gap)($|_|\d|@)", re.IGNORECASE)
_PREFIXES = ("B", "kB", "MB", "GB", "TB", "PB")


def in_percent(measure: str) -> bool:
    """Tell whether values of a measure are shown times 100."""
    return _PLAIN.search(measure) is None


def lower_is_better(measure: str) -> bool:
    """Tell whether a measure counts what went wrong."""
    return _LOWER.search(measure) is not None


def number(value: float, measure: str) -> str:
    """Give a value of a measure: "54.2" for a share of 0.542, "0.083" for a plain number."""
    if not math.isfinite(value):
        return MISSING
    shown = f"{100 * value:.1f}" if in_percent(measure) else _plain(value)
    # What rounds to zero has no sign.
    return shown.lstrip("-") if not float(shown) else shown.replace("-", "−")


def _plain(value: float) -> str:
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.2f}"


def interval(estimate: Estimate, measure: str) -> str:
    """Give the interval of an estimate as "[48.1, 60.3]"; empty where there is none."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ""
    return f"[{number(estimate.low, measure)}, {number(estimate.high, measure)}]"


def with_interval(estimate: Estimate, measure: str) -> str:
    """Give an estimate as "54.2 [48.1, 60.3]", and what could not be computed as a dash."""
    return f"{number(estimate.value, measure)} {interval(estimate, measure)}".strip()


def points(estimate: Estimate, *, signed: bool = False) -> str:
    """Give a difference of shares as "6.1 points [2.0, 10.3]"."""
    sign = "+" if signed and estimate.value > 0 else ""
    unit = "point" if number(estimate.value, "") == "1.0" else "points"
    return f"{sign}{number(estimate.value, '')} {unit} {interval(estimate, '')}".strip()


def counted(n: int, noun: str, plural: str = "") -> str:
    """Give a number with its noun: "1 item", "1,204 items"."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def seconds(value: float) -> str:
    """Give a time with three figures, in the unit that suits it."""
    if not math.isfinite(value):
        return MISSING
    if value < 1e-3:
        return f"{1e6 * value:.3g} µs"
    if value < 1:
        return f"{1e3 * value:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"


def size(n_bytes: float) -> str:
    """Give a size in memory with three figures, in powers of 1000."""
    if not math.isfinite(n_bytes) or n_bytes < 0:
        return MISSING
    power = 0
    while n_bytes >= 999.5 and power < len(_PREFIXES) - 1:
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{n_bytes:.3g} {_PREFIXES[power]}"
