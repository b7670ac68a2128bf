"""Records to JSON values and back: the shapes of passages.jsonl, answers.jsonl and `--json`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

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
from medrag.shapes import ShapeError, decoder, fields_decoder, shape_of, shown

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
    """Read a passage that `to_json` wrote; of an index, whose hashes vouch for its types.

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
    marks = tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in value.get("marks", ()))
    return ImageRef(**{**value, "box": _box(value.get("box")), "marks": marks})


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
        ShapeError: if it is not of that shape; names the place, what was expected and found.
        KeyError: if a passage is missing; of its id.
    """
    read = _answer_fields()(value)
    _check_numbers(read)
    own = {name: each for name, each in read.items() if name not in _BESIDE}
    kept = _hits("evidence", read["evidence"], passages)
    return Answer(
        **own,
        selection=Selection(kept, (), read["reason"], read["fired"]),
        citations=tuple(
            Citation(marker, hit.passage, hit.score)
            for marker, hit in _marked("citations", read["citations"], kept)
        ),
        excluded=_hits("excluded", read["excluded"], passages),
        near_duplicates=tuple(
            hit for _, hit in _marked("near_duplicates", read["near_duplicates"], kept)
        ),
    )


def record_from_json(kind: Callable[..., Record], value: Any) -> Record:
    """Read a record that `to_json` wrote; what is left out holds its default.

    Raises:
        ShapeError: if a value is not of the type of its field, a field is unknown, or one without
            a default is missing; names the place, what was expected and found.
    """
    read: Record = decoder(kind)(value)
    return read


def _hit_to_json(hit: Hit) -> Json:
    rest = {
        "query": hit.query, "parts": to_json(hit.parts), "summary": hit.summary,
        "history": hit.history,
    }  # fmt: skip
    own = {"passage": hit.passage.id, "score": hit.score, "rank": hit.rank}
    return {**own, **{name: value for name, value in rest.items() if value}}


def _hits(name: str, values: Any, passages: Mapping[str, Passage]) -> tuple[Hit, ...]:
    hits: list[Hit] = []
    try:
        for value in values:
            hits.append(_hit(value, passages))
    except ShapeError as error:
        raise error.inside(len(hits)).inside(name) from None
    return tuple(hits)


def _hit(value: Any, passages: Mapping[str, Passage]) -> Hit:
    read = _hit_fields()(value)
    parts, channel = {}, ""
    try:
        for channel, part in read.get("parts", _NO_PARTS).items():
            parts[channel] = _part(part)
    except ShapeError as error:
        raise error.inside(channel).inside("parts") from None
    passage = passages[read["passage"]]
    return Hit(
        passage, read["score"], read["rank"], read.get("query", ""), parts,
        read.get("summary", ""), read.get("history", False),
    )  # fmt: skip


def _part(value: Any) -> Part:
    # Parts are most of the numbers of a run: one as it was written is told at one look.
    if type(value) is dict and len(value) == 2:
        rank, score = value.get("rank"), value.get("score")
        if type(rank) is int and type(score) is float and 0 <= rank < _MANY:
            return Part(rank, score)
    return record_from_json(Part, value)


def _marked(name: str, markers: tuple[int, ...], kept: tuple[Hit, ...]) -> list[tuple[int, Hit]]:
    """Look up what markers mean."""
    for place, marker in enumerate(markers):
        if not 1 <= marker <= len(kept):
            raise ShapeError(
                f"expected a marker of the {len(kept)} passages in evidence, found {marker}",
                f"{name}[{place}]",
            )
    return [(marker, kept[marker - 1]) for marker in markers]


def _check_numbers(read: Json) -> None:
    """Refuse numbers that no answer has."""
    confidence = read.get("confidence")
    if confidence is not None and not 0 <= confidence <= 1:
        raise ShapeError(f"expected a number in [0, 1], found {shown(confidence)}", "confidence")
    for stage, seconds in read.get("timings", {}).items():
        if not isfinite(seconds):
            raise ShapeError(f"expected seconds, found {shown(seconds)}", f"timings.{stage}")


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


# What the JSON of an answer has in place of fields of the record, or beside them.
_BESIDE: Mapping[str, Any] = {
    "evidence": list,
    "excluded": list,
    "citations": tuple[int, ...],
    "near_duplicates": tuple[int, ...],
    "n_dropped": int,
    "reason": str,
    "fired": bool,
}
_HIT: Mapping[str, Any] = {
    "passage": str, "score": float, "rank": int, "query": str, "parts": Mapping[str, Any],
    "summary": str, "history": bool,
}  # fmt: skip
_NO_PARTS: Mapping[str, Any] = {}
_MANY = 2**62


@cache
def _answer_fields() -> Callable[[Any], Json]:
    """Give the function that checks the JSON of an answer, but for what its hits hold."""
    hints, required = shape_of(Answer)
    del hints["selection"]
    kinds: Mapping[str, Any] = {**hints, **_BESIDE}
    return fields_decoder(kinds, required | (_BESIDE.keys() - {"n_dropped"}))


@cache
def _hit_fields() -> Callable[[Any], Json]:
    return fields_decoder(_HIT, ("passage", "score", "rank"))
