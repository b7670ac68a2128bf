"""Grids of settings: what to try of a selector, as a line of text or as a mapping."""

import json
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

# Settings of one grid; each is run on every item.
MOST = 1000

# A word of a line that has no key.
_FIRST = ("kind", "rule")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}


def parse_rule(text: str) -> dict[str, Any]:
    """Read "KIND[:RULE][:KEY=VALUE[,VALUE...]]..." as the mapping of a grid.

    Values are numbers, true, false, null, or texts. Several of a key make a list, for `spread`.

    Raises:
        ValueError: if a part cannot be read, or a key stands there twice.
    """
    grid: dict[str, Any] = {}
    free = list(_FIRST)
    for part in text.split(":"):
        key, equals, value = (each.strip() for each in part.partition("="))
        if not equals:
            if not free or not key or ("kind" in grid and len(grid) > 1):
                raise ValueError(
                    f"cannot read {part!r} of {text!r}; write KIND:RULE:KEY=VALUE,VALUE"
                )
            key, value = free.pop(0), key
        if key in grid:
            raise ValueError(f"{key!r} stands twice in {text!r}")
        values = [_value(each.strip()) for each in value.split(",")]
        grid[key] = values if len(values) > 1 else values[0]
    if "kind" not in grid:
        raise ValueError(f"{text!r} names no kind of selector; write KIND:RULE:KEY=VALUE,VALUE")
    return grid


def spread(grid: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """List the settings of a grid by name: one for each choice of a value of each list.

    A list of numbers or texts is one of values to try; other lists belong to the setting. A key
    "name" calls it, if there is one setting; else it is called like the line of `parse_rule`.

    Raises:
        ValueError: if a list of values is empty, there are more than `MOST` settings, or several
            have one name.
    """
    given = {key: value for key, value in grid.items() if key != "name"}
    tried = {key: value if _is_tried(value) else [value] for key, value in given.items()}
    if empty := [key for key, values in tried.items() if not values]:
        raise ValueError(f"{empty[0]!r} has no value to try")
    n = prod(map(len, tried.values()))
    if n > MOST:
        raise ValueError(f"its lists of values make {n} settings; try {MOST} at most")
    settings = [dict(zip(tried, values, strict=True)) for values in product(*tried.values())]
    if "name" in grid and len(settings) > 1:
        raise ValueError(f"{len(settings)} settings cannot all be called {grid['name']!r}")
    named = {str(grid.get("name") or setting_name(each)): each for each in settings}
    if len(named) < len(settings):
        raise ValueError("two settings of a grid are the same; name each value once")
    return named


def setting_name(spec: Mapping[str, Any]) -> str:
    """Call a setting like the line that `parse_rule` reads; of nested ones, by their JSON."""
    words = [str(spec[key]) for key in _FIRST if key in spec]
    for key, value in spec.items():
        if key not in _FIRST:
            words.append(f"{key}={_written(value)}")
    return ":".join(words)


def _is_tried(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(e, list | Mapping) for e in value)


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | Sequence):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return json.dumps(value)
