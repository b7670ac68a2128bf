"""Records to JSON values and back: the shapes of passages.jsonl, answers.jsonl and `--json`."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medrag.records import Box, ImageRef, Passage, Region, Skipped, Source

Json = dict[str, Any]

# Most values by far; asked first, because a large index writes hundreds of millions of them.
_PLAIN = frozenset({str, int, float, bool, type(None)})


def to_json(record: Any) -> Any:
    """Turn a record into JSON values. Fields that hold their default are left out."""
    if type(record) in _PLAIN:
        return record
    if is_dataclass(record) and not isinstance(record, type):
        return _fields_to_json(record)
    if isinstance(record, Mapping):
        return {str(key): to_json(value) for key, value in record.items()}
    if isinstance(record, list | tuple):
        return [to_json(value) for value in record]
    if isinstance(record, frozenset | set):
        return sorted(to_json(value) for value in record)
    if isinstance(record, Path):
        return record.as_posix()
    return record


def passage_from_json(value: Mapping[str, Any]) -> Passage:
    """Read a passage that `to_json` wrote.

    Raises:
        KeyError: if id, kind or source is missing.
    """
    return Passage(
        id=value["id"],
        kind=value["kind"],
        text=value.get("text", ""),
        source=source_from_json(value["source"]),
        images=tuple(image_from_json(image) for image in value.get("images", ())),
        fields=value.get("fields", {}),
    )


def source_from_json(value: Mapping[str, Any]) -> Source:
    regions = tuple(Region(r.get("page"), _box(r.get("box"))) for r in value.get("regions", ()))
    return Source(**{**value, "regions": regions})


def image_from_json(value: Mapping[str, Any]) -> ImageRef:
    return ImageRef(**{**value, "box": _box(value.get("box"))})


def skipped_from_json(value: Mapping[str, Any]) -> Skipped:
    return Skipped(
        source=source_from_json(value["source"]),
        reason=value["reason"],
        detail=value["detail"],
        failed=value.get("failed", False),
        count=value.get("count", 1),
    )


def _fields_to_json(record: Any) -> Json:
    shape: Json = {}
    kind: Any = type(record)
    for name, default in _defaults(kind):
        value = getattr(record, name)
        if default is MISSING or value != default:
            shape[name] = to_json(value)
    return shape


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    pairs = []
    for each in fields(kind):
        factory = each.default_factory
        pairs.append((each.name, each.default if factory is MISSING else factory()))
    return tuple(pairs)


def _box(value: Any) -> Box | None:
    if value is None:
        return None
    x0, y0, x1, y1 = value
    return (x0, y0, x1, y1)
