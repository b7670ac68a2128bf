"""Patterns of a card, none of which can take forever on a text that a file holds.

A pattern is tried in every way that it leaves open: each repeat and each "|" multiplies them, and
a repeat inside a repeat makes them grow with the power of the text's length. A card may come from
anybody, so such patterns are refused, and a text is matched up to a length only.
"""

import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from math import prod
from typing import Any

from medrag.evaluation.benchmarks.columns import LONGEST_MATCHED

_LONGEST = 300
# Two repeats without an end, and an optional part.
_MOST_WAYS = 4 * LONGEST_MATCHED**2
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_REFERENCES = frozenset({"GROUPREF", "GROUPREF_EXISTS"})


def compiled(text: str) -> re.Pattern[str]:
    """Compile a regular expression whose time is bounded.

    Raises:
        ValueError: if it is none, or may take too long; says why.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            # What Python will read otherwise one day, such as "[[", is no pattern to rely on.
            warnings.simplefilter("error")
            # Python's own reading of a pattern; a second one would differ where it matters.
            tree = import_module("re._parser").parse(text)
            pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"is no regular expression ({error})") from error
    if _ways(tree, inside=False) > _MOST_WAYS:
        raise ValueError("holds too many repeats and alternatives, which may take very long")
    return pattern


def _ways(tree: Any, *, inside: bool) -> int:
    """Count, from above, in how many ways a pattern can be tried at one place.

    Raises:
        ValueError: if a repeat or an alternative stands inside a repeat, or a group is referred to.
    """
    ways = 1
    for operation, given in tree:
        name = str(operation)
        if name in _REFERENCES:
            raise ValueError("refers to a group, which may take very long")
        choices = _choices(name, given)
        if inside and choices > 1:
            raise ValueError(
                "repeats what holds a repeat or an alternative, such as (a+)+, which may take "
                "very long"
            )
        again = inside or (name in _REPEATS and given[1] > 1)
        parts = [_ways(part, inside=again) for part in _parts(given)]
        # Of alternatives one is tried after the other, of all else each with each.
        ways *= sum(parts) if name == "BRANCH" else choices * prod(parts)
    return min(ways, _MOST_WAYS + 1)


def _choices(name: str, given: Any) -> int:
    if name in _REPEATS:
        least, most = int(given[0]), min(int(given[1]), LONGEST_MATCHED)
        return max(most - least, 0) + 1
    return len(given[1]) if name == "BRANCH" else 1


def _parts(given: Any) -> Iterator[Any]:
    """Give the patterns inside what an operation is given."""
    if hasattr(given, "data"):
        yield given
    elif isinstance(given, list | tuple):
        for each in given:
            yield from _parts(each)
