"""Refuse what no retriever can be made with, or asked: a ValueError names it."""

from collections.abc import Collection, Mapping, Sequence
from math import inf

from medrag.records import Filter, Question


def check_asked(questions: Sequence[Question], k: int, filters: Sequence[Filter]) -> None:
    """Refuse a k below 1, and another number of filters than of questions."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if len(questions) != len(filters):
        raise ValueError(f"{len(questions)} questions need as many filters: {len(filters)}")


def check_positive(**numbers: int | None) -> None:
    """Refuse a number below 1, by its name; None says that there is none."""
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def check_factors(**numbers: float) -> None:
    """Refuse a number that is not above 0, or not finite, by its name."""
    for name, number in numbers.items():
        if not 0 < number < inf:
            raise ValueError(f"{name} must be positive and finite, got {number}")


def check_shares(**numbers: float) -> None:
    """Refuse a number outside [0, 1], by its name."""
    for name, number in numbers.items():
        if not 0 <= number <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {number}")


def check_choice(name: str, chosen: str, choices: Sequence[str]) -> None:
    """Refuse a word that is none of those to choose from."""
    if chosen not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {chosen!r}")


def check_names(what: str, named: Collection[str], known: Collection[str], kind: str) -> None:
    """Refuse names that are none of those known; `kind` says what these are, in the plural."""
    if unknown := sorted(set(named) - set(known)):
        raise ValueError(f"{what} name {unknown}, but the {kind} are {sorted(known)}")


def check_weights(weights: Mapping[str, float], known: Collection[str]) -> None:
    """Refuse negative or infinite weights, and 0 for all; one of those known has 1 if not named."""
    if any(not 0 <= weight < inf for weight in weights.values()) or (
        set(weights) == set(known) and not any(weights.values())
    ):
        raise ValueError(f"weights must be at least 0 and finite, not all 0, got {dict(weights)}")
