"""Records to JSON values and back: the shapes of passages.jsonl, answers.jsonl and `--json`."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from medrag.records import (
    Answer,
    Box,
    Citation,
    Hit,
    ImageRef,
    Part,
    Passage,
    Region,
    Selection,
    Skipped,
    Source,
)

Json = dict[str, Any]
Record = TypeVar("Record")

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


def answer_to_json(answer: Answer) -> Json:
    """Turn an answer into JSON values, its passages named by their ids; see `cited_passages`.

    "evidence" holds the kept hits, marker [n] meaning the n-th; "citations" and "near_duplicates"
    are markers. Of the hits that the selection dropped only "n_dropped" is kept.
    """
    kept = answer.selection.kept
    place = {hit.passage.id: marker for marker, hit in enumerate(kept, start=1)}
    bare = replace(answer, selection=Selection(()), citations=(), near_duplicates=(), excluded=())
    return {
        **to_json(bare),
        "evidence": [_hit_to_json(hit) for hit in kept],
        "excluded": [_hit_to_json(hit) for hit in answer.excluded],
        "citations": [citation.marker for citation in answer.citations],
        "near_duplicates": [place[hit.passage.id] for hit in answer.near_duplicates],
        "n_dropped": len(answer.selection.dropped),
        "reason": answer.selection.reason,
        "fired": answer.selection.fired,
    }


def cited_passages(answer: Answer) -> Iterator[Passage]:
    """Give the passages that the JSON of an answer names by their ids."""
    for hit in (*answer.selection.kept, *answer.excluded):
        yield hit.passage


def answer_from_json(value: Mapping[str, Any], passages: Mapping[str, Passage]) -> Answer:
    """Read an answer that `answer_to_json` wrote; `selection.dropped` is empty.

    Args:
        passages: by id, those of `cited_passages`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, IndexError: if it is not of that shape, or
            a passage is missing.
    """
    own = {name: value[name] for name in _ANSWER_FIELDS if name in value}
    answer = record_from_json(Answer, own)
    kept = tuple(_hit_from_json(hit, passages) for hit in value["evidence"])
    return replace(
        answer,
        selection=Selection(kept, (), value["reason"], value["fired"]),
        citations=tuple(
            Citation(marker, kept[marker - 1].passage, kept[marker - 1].score)
            for marker in value["citations"]
        ),
        excluded=tuple(_hit_from_json(hit, passages) for hit in value["excluded"]),
        near_duplicates=tuple(kept[marker - 1] for marker in value["near_duplicates"]),
    )


def _hit_to_json(hit: Hit) -> Json:
    rest = {"query": hit.query, "parts": to_json(hit.parts)}
    own = {"passage": hit.passage.id, "score": hit.score, "rank": hit.rank}
    return {**own, **{name: value for name, value in rest.items() if value}}


def _hit_from_json(value: Mapping[str, Any], passages: Mapping[str, Passage]) -> Hit:
    parts = {name: Part(**part) for name, part in value.get("parts", {}).items()}
    return Hit(
        passages[value["passage"]], value["score"], value["rank"], value.get("query", ""), parts
    )


def record_from_json(kind: Callable[..., Record], value: Mapping[str, Any]) -> Record:
    """Read a record that `to_json` wrote; what is left out holds its default.

    Raises:
        TypeError: if a field is unknown or one without a default is missing.
    """
    read: Record = _decoder(kind)(value)
    return read


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


# Of an answer, what stands in its JSON as in the record.
_ANSWER_FIELDS = frozenset(each.name for each in fields(Answer)) - {
    "selection",
    "citations",
    "excluded",
    "near_duplicates",
}


def _decoder(kind: Any) -> Callable[[Any], Any]:
    """Give the function that turns JSON values into a type of the records."""
    return _made_decoder(kind)


@cache
def _made_decoder(kind: Hashable) -> Callable[[Any], Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Passage:
        return passage_from_json
    if is_dataclass(kind):
        return _record_decoder(kind)
    if origin in (Union, UnionType):
        # Of several, only a record needs work, and JSON shows which it is: it is a mapping.
        parts = [_decoder(each) for each in arguments if is_dataclass(each)]
        others = [each for each in arguments if each is not NoneType and not is_dataclass(each)]
        plain = _decoder(others[0]) if len(others) == 1 else _as_it_is
        return _either(parts[0] if parts else plain, plain)
    if origin is tuple:
        inner = _decoder(arguments[0])
        return (
            (lambda value: tuple(value))
            if inner is _as_it_is
            else (lambda value: tuple(inner(each) for each in value))
        )
    of_records = bool(arguments) and is_dataclass(arguments[-1])
    if isinstance(origin, type) and issubclass(origin, Mapping) and of_records:
        inner = _decoder(arguments[-1])
        return lambda value: {key: inner(each) for key, each in value.items()}
    return _as_it_is


def _either(record: Callable[[Any], Any], plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decoded(value: Any) -> Any:
        if isinstance(value, dict):
            return record(value)
        return None if value is None else plain(value)

    return decoded


def _record_decoder(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    decoders = {each.name: _decoder(hints[each.name]) for each in fields(kind)}
    busy = {name: decode for name, decode in decoders.items() if decode is not _as_it_is}

    def decoded(value: Mapping[str, Any]) -> Any:
        read = dict(value)
        for name, decode in busy.items():
            if name in read:
                read[name] = decode(read[name])
        return kind(**read)

    return decoded


def _as_it_is(value: Any) -> Any:
    return value
