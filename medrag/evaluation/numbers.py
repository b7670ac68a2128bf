"""Measures of numbers, and the units that clinicians write behind them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.evaluation.statistics import Statistic, mean_of

Floats = NDArray[np.float64]

# By kind of quantity, how much of the first unit one of each is. "cc" is a cubic centimetre.
_UNITS: Mapping[str, Mapping[str, float]] = {
    "length": {
        "mm": 1, "cm": 10, "m": 1000, "km": 1e6, "um": 0.001, "nm": 1e-6, "in": 25.4, "ft": 304.8,
    },
    "area": {"mm2": 1, "cm2": 100, "m2": 1e6},
    "volume": {"ml": 1, "cc": 1, "cm3": 1, "mm3": 0.001, "dl": 100, "l": 1000, "ul": 0.001},
    "mass": {
        "mg": 1, "g": 1000, "kg": 1e6, "ug": 0.001, "ng": 1e-6, "lb": 453592.37,
        "oz": 28349.523125,
    },
    "share": {"%": 1},
    "angle": {"deg": 1},
    "time": {"s": 1, "ms": 0.001, "min": 60, "h": 3600, "day": 86400, "week": 604800},
}  # fmt: skip
_NAMES = {
    "millimeter": "mm", "millimetre": "mm", "centimeter": "cm", "centimetre": "cm", "meter": "m",
    "metre": "m", "inch": "in", "inches": "in", "inche": "in", '"': "in", "micrometer": "um",
    "micrometre": "um", "micron": "um", "feet": "ft", "foot": "ft",
    "sqmm": "mm2", "sqcm": "cm2", "milliliter": "ml", "millilitre": "ml", "liter": "l",
    "litre": "l", "deciliter": "dl", "decilitre": "dl", "microliter": "ul", "microlitre": "ul",
    "ccm": "cc", "milligram": "mg", "gram": "g", "gm": "g", "kilogram": "kg", "kilo": "kg",
    "microgram": "ug", "mcg": "ug", "lbs": "lb", "pound": "lb", "ounce": "oz", "percent": "%",
    "percentage": "%", "pct": "%", "degree": "deg", "°": "deg", "second": "s", "sec": "s",
    "minute": "min", "hour": "h", "hr": "h", "millisecond": "ms", "msec": "ms",
    "kilometer": "km", "kilometre": "km", "nanometer": "nm", "nanometre": "nm", "nanogram": "ng",
    "毫米": "mm", "厘米": "cm", "米": "m", "毫升": "ml", "公斤": "kg", "克": "g", "天": "day",
    "周": "week", "مم": "mm", "سم": "cm",
}  # fmt: skip
_POWERS = str.maketrans({"²": "2", "³": "3", "^": None, " ": None, ".": None, "µ": "u", "μ": "u"})


def unit_of(text: str) -> str:
    """Read a unit as written ("Centimeters", "cm³", "mcg", "cc") and give its symbol.

    Raises:
        ValueError: if it is no unit that is known here.
    """
    bare = text.strip().lower().translate(_POWERS)
    for name in (bare, bare.removesuffix("s")):
        symbol = _NAMES.get(name, name)
        if any(symbol in units for units in _UNITS.values()):
            return symbol
    known = ", ".join(symbol for units in _UNITS.values() for symbol in units)
    raise ValueError(f"unknown unit {text!r}; known are {known}")


def converted(value: float, unit: str, to: str) -> float:
    """Convert a number from one unit to another of the same kind.

    A number without a unit (an empty one on either side) is taken as it stands.

    Raises:
        ValueError: if a unit is unknown, or the two are of different kinds.
    """
    if not unit.strip() or not to.strip():
        return value
    given, wanted = unit_of(unit), unit_of(to)
    kinds = [_kind(symbol) for symbol in (given, wanted)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"{unit!r} is a unit of {kinds[0]} and {to!r} one of {kinds[1]}; "
            "they do not convert into one another"
        )
    # One division, so that 2.5 cm are 25 mm and not 24.999999999999996.
    return value * _UNITS[kinds[0]][given] / _UNITS[kinds[1]][wanted]


def absolute_errors(predicted: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute |predicted - reference|: (n_items,), nan where either is nan.

    Raises:
        ValueError: if the two differ in length.
    """
    given, wanted = _checked(predicted, reference)
    return np.abs(given - wanted)


def relative_errors(predicted: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute |predicted - reference| / |reference|: (n_items,).

    nan where either is nan; where the reference is 0, 0 if the prediction is 0 too, and nan
    otherwise, for no share of nothing is an error's size.

    Raises:
        ValueError: if the two differ in length.
    """
    given, wanted = _checked(predicted, reference)
    errors = np.abs(given - wanted)
    zero = wanted == 0
    relative = errors / np.where(zero, 1, np.abs(wanted))
    return np.where(zero & (errors > 0), np.nan, relative)


def within_tolerance(
    predicted: ArrayLike,
    reference: ArrayLike,
    *,
    relative: float = 0.0,
    absolute: float = 0.0,
) -> Floats:
    """Tell which numbers are near enough: 1 or 0 for each item, nan without a reference.

    A number is near if its error is at most `absolute`, or at most `relative` times the size of
    the reference. Without a number (nan), it is not near.

    Raises:
        ValueError: if the two differ in length or a tolerance is negative.
    """
    if relative < 0 or absolute < 0:
        raise ValueError(f"tolerances must not be negative, got {relative} and {absolute}")
    given, wanted = _checked(predicted, reference)
    # The allowance of rounding: 1.1 is within 10% of 1.0, whatever 1.1 - 1.0 is to a computer.
    allowed = np.maximum(absolute, relative * np.abs(wanted)) + 1e-12 * np.abs(wanted)
    near = np.abs(np.nan_to_num(given, nan=np.inf) - wanted) <= allowed
    return np.where(np.isnan(wanted), np.nan, near)


def number_measures(
    predicted: ArrayLike,
    reference: ArrayLike,
    *,
    relative: float = 0.1,
    absolute: float = 0.0,
) -> dict[str, Statistic]:
    """Compute "mae" (counts and lengths), "mre" and "success" as means over items.

    The errors are over items with a number (nan in `predicted` where there was none), success is
    over all with a reference: an error of an answer that is not there has no size, but a missing
    answer is no success.

    Raises:
        ValueError: if the two differ in length or a tolerance is negative.
    """
    near = within_tolerance(predicted, reference, relative=relative, absolute=absolute)
    return {
        "mae": mean_of(absolute_errors(predicted, reference)),
        "mre": mean_of(relative_errors(predicted, reference)),
        "success": mean_of(near),
    }


def _kind(symbol: str) -> str:
    return next(kind for kind, units in _UNITS.items() if symbol in units)


def _checked(predicted: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    given = np.asarray(predicted, dtype=np.float64)
    wanted = np.asarray(reference, dtype=np.float64)
    if given.ndim != 1 or given.shape != wanted.shape:
        raise ValueError(f"expected two equally long rows, got {given.shape} and {wanted.shape}")
    return given, wanted
