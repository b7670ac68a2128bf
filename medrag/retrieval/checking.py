"""Refuse what no retriever can be made with, or asked."""

from collections.abc import Sequence

from medrag.records import Filter, Question


def check_asked(questions: Sequence[Question], k: int, filters: Sequence[Filter]) -> None:
    """Refuse what no retriever answers.

    Raises:
        ValueError: if k is below 1, or questions and filters differ in number.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if len(questions) != len(filters):
        raise ValueError(f"{len(questions)} questions need as many filters: {len(filters)}")


def check_positive(**numbers: int | None) -> None:
    """Refuse a number below 1, by its name; None says that there is none.

    Raises:
        ValueError: if one is.
    """
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
