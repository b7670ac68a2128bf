"""Settings that every generator with a model has, checked; they mean the same in each."""

from collections.abc import Sequence
from math import inf

from medrag.generation.regions import CONVENTIONS, Convention

# What several replies to one prompt are drawn at, where its own reply is the likeliest.
SAMPLED = 0.7


def check_drawing(temperature: float | None, sampled: float, top_p: float | None) -> None:
    """Refuse temperatures and shares that are none.

    Raises:
        ValueError: naming the setting.
    """
    if temperature is not None and not 0 <= temperature < inf:
        raise ValueError(f"temperature must be at least 0 (the likeliest), got {temperature}")
    if not 0 < sampled < inf:
        raise ValueError(f"sample_temperature must be above 0, got {sampled}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")


def check_convention(coordinates: Convention | None) -> None:
    """Refuse a name that is no `Convention`.

    Raises:
        ValueError: naming those that are.
    """
    if coordinates is not None and coordinates not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise ValueError(f"coordinates must be one of {known}, got {coordinates!r}")


def tag_pair(
    name: str, wanted: Sequence[str] | None, known: tuple[str, str] | None
) -> tuple[str, str] | None:
    """Give a pair of tags: what was asked for, or else what is known; empty means none.

    Raises:
        ValueError: if what was asked for is no pair.
    """
    if wanted is None:
        return known
    if isinstance(wanted, str) or len(wanted) not in (0, 2):
        raise ValueError(f"{name} must be an opening and a closing tag, got {wanted!r}")
    return (wanted[0], wanted[1]) if wanted else None
