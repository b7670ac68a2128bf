"""One row of a benchmark as an item, by what its layout says of the columns."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from medrag.evaluation.benchmarks.answers import (
    filled,
    kind_of,
    negated,
    options_of,
    references_of,
)
from medrag.evaluation.benchmarks.card import BoxColumns, Card, Layout
from medrag.evaluation.benchmarks.columns import (
    BadRowError,
    Column,
    Row,
    is_null,
    json_value,
    said,
    shown,
    text_at,
    text_of,
    texts_at,
    value_of,
)
from medrag.evaluation.benchmarks.pictures import Pictures
from medrag.generation.extractive.polar import is_polar
from medrag.records import AnswerKind, Box, ImageRef, Item, Question, QuestionRegion, Turn

_ABOUT_PATIENT = ("domain", "subject", "study", "time")
_CLOSED = frozenset({"closed", "close", "closed-ended", "closed_ended", "true", "yes", "1"})
_OPEN = frozenset({"open", "open-ended", "open_ended", "false", "no", "0"})
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
# What marks the end of a question to which its options were added.
_CHOICES = re.compile(
    r"\s*\n?\s*(answer\s+choices|options|choices)\s*:\s*\(?A[\s).:].*\Z", re.I | re.S
)
# ISO 639-2 as some files have it.
_CODES = {"eng": "en", "ara": "ar", "zho": "zh", "chi": "zh", "hin": "hi"}
_OBJECT_MARK = re.compile(r"<\|(?:object_ref|box)_(?:start|end)\|>")
_IMAGE_MARK = re.compile(r"\s*(<image(?:_\d+)?>|<ImageHere>|<img>(?:.*?</img>)?)\s*", re.IGNORECASE)


def item_of(
    row: Row, *, card: Card, layout: Layout, split: str, pictures: Pictures | None, file: Path
) -> Item:
    """Build the item of a row of a file.

    Raises:
        BadRowError: if the row lacks a question or an answer, or holds one that makes no sense.
        MissingImageError, OutsideError, EvaluationError: as `Pictures.of`.
    """
    places = options_of(row, layout.options)
    options = filled(places)
    images = pictures.of(row, file.parent) if pictures else ()
    regions = tuple(each for spec in layout.boxes for each in _regions(row, spec, images))
    unanswerable = _unanswerable(row, layout)
    references = (
        () if layout.kind == "boxes" or unanswerable else references_of(row, layout, places)
    )
    if not (references or regions or unanswerable or layout.splits[split].unanswered):
        raise BadRowError(f"no answer stands in {_where(layout, 'answer')}")
    kind = kind_of(row, layout, references, options)
    question = _question(row, layout, tuple(options.values()), images)
    language = _language(text_at(row, layout.columns.get("language")) or card.language)
    fields = _fields(row, layout, images)
    if unanswerable:
        fields["unanswerable"] = True
        kind = "yes_no" if kind == "text" and is_polar(question, language) else kind
    if layout.answer_rule:
        fields["answer_text"] = references[0] if references else ""
        references = tuple(_RULES[layout.answer_rule](each) for each in references)
    closed, inferred = _closed(row, layout, kind)
    return Item(
        id=_id(row, layout),
        question=question,
        references=references,
        kind=kind,
        closed=closed,
        inferred=inferred,
        regions=regions,
        gold_passages=texts_at(row, layout.columns.get("gold")),
        cluster=_cluster(row, layout, images, pictures),
        language=language,
        split=split,
        fields=fields,
    )


def _unanswerable(row: Row, layout: Layout) -> bool:
    """Tell whether the row says that what is searched does not answer it."""
    return any(
        _truth(row, layout.columns[role]) is when
        for role, when in (("unanswerable", True), ("answerable", False))
        if role in layout.columns
    )


def _truth(row: Row, column: Column) -> bool | None:
    word = text_at(row, column).lower()
    if word and word not in _TRUE and word not in _FALSE:
        raise BadRowError(f"{shown(column)!r} says {word[:20]!r}, expected true or false")
    return word in _TRUE if word else None


def _where(layout: Layout, role: str) -> str:
    return repr(shown(layout.columns[role])) if role in layout.columns else "the row"


def _id(row: Row, layout: Layout) -> str:
    id_ = text_at(row, layout.columns.get("id")) or ""
    if "id" in layout.columns and not id_:
        raise BadRowError(f"no id stands in {_where(layout, 'id')}")
    return id_ or f"{row.get('@file', '')}:{row.get('@row', '')}"


def _question(
    row: Row, layout: Layout, options: tuple[str, ...], images: tuple[ImageRef, ...]
) -> Question:
    text = text_at(row, layout.columns["question"])
    for step in layout.clean:
        text = _STEPS[step](text)
    if not text and not images:
        raise BadRowError(f"no question stands in {_where(layout, 'question')}")
    question = Question(text=text, images=images, id=_id(row, layout), options=options)
    about: dict[str, Any] = {
        role: text_at(row, layout.columns[role]) or None
        for role in _ABOUT_PATIENT
        if role in layout.columns
    }
    if "history" in layout.columns:
        about["history"] = _history(row, layout)
    return replace(question, **about) if about else question


def _history(row: Row, layout: Layout) -> tuple[Turn, ...]:
    """Read earlier questions and answers: [[question, answer or answers], ...]."""
    column = layout.columns["history"]
    value = value_of(row, column)
    turns = value if isinstance(value, list) else []
    if value is not None and not isinstance(value, list):
        raise BadRowError(f"{shown(column)!r} holds no list of questions and answers")
    if not all(isinstance(turn, list) and len(turn) == 2 for turn in turns):
        raise BadRowError(f"{shown(column)!r} holds something else than pairs")
    return tuple(Turn(text_of(asked, "history"), _joined(said)) for asked, said in turns)


def _joined(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return ", ".join(text_of(each, "history") for each in values)


def _closed(row: Row, layout: Layout, kind: AnswerKind) -> tuple[bool, bool]:
    """Tell whether a row is closed, and whether that was inferred from its kind."""
    column = layout.columns.get("closed")
    if column is not None:
        word = text_at(row, column).lower()
        if word in _CLOSED or word in _OPEN:
            return word in _CLOSED, False
        raise BadRowError(f"{shown(column)!r} says {word!r}, expected closed or open")
    if kind in ("choice", "choices"):
        return True, False
    if layout.kind in ("open", "auto"):
        return kind == "yes_no", True
    return kind == "yes_no", False


def _cluster(
    row: Row, layout: Layout, images: tuple[ImageRef, ...], pictures: Pictures | None
) -> str | None:
    """Name what the row shares with others."""
    # A picture's name may hold the patient's number, which a run would not replace.
    for role in ("cluster", "subject", "study"):
        column = layout.columns.get(role)
        # A cell of pictures may hold bytes or several; the first picture's name stands for them.
        if pictures and column and isinstance(value_of(row, column), dict | list | tuple | bytes):
            continue
        if named := text_at(row, column):
            return named
    return pictures.name_of(images[0]) if pictures and images else None


def _language(code: str) -> str:
    return _CODES.get(code.lower(), code.lower())


def _fields(row: Row, layout: Layout, images: tuple[ImageRef, ...]) -> dict[str, Any]:
    fields = {name: _kept(row, column) for name, column in layout.keep.items()}
    fields = {name: value for name, value in fields.items() if value is not None}
    if layout.images and layout.images.roles and images:
        fields["image_roles"] = list(layout.images.roles[: len(images)])
    if layout.boxes:
        fields["box_scale"] = layout.boxes[0].scale
    return fields


def _kept(row: Row, column: Column) -> Any:
    try:
        return json_value(value_of(row, column))
    except RecursionError as error:
        raise BadRowError(f"{shown(column)!r} is nested too deeply") from error


def _regions(
    row: Row, spec: BoxColumns, images: tuple[ImageRef, ...]
) -> tuple[QuestionRegion, ...]:
    value = value_of(row, spec.column)
    if is_null(value):
        return ()
    image = spec.image if isinstance(spec.image, int) else _image_number(row, spec.image)
    if image >= max(len(images), 1):
        raise BadRowError(f"a box lies in picture {image + 1}, but there are {len(images)}")
    size = 2 if spec.points else 4
    places = _numbers(value, size, shown(spec.column))
    if spec.points:
        return tuple(QuestionRegion(image=image, point=(x, y)) for x, y in places)
    return tuple(QuestionRegion(image=image, box=_box(each, spec.form)) for each in places)


def _image_number(row: Row, column: Column) -> int:
    text = text_at(row, column)
    if not text.isdecimal() or len(text) > 3:
        raise BadRowError(f"{shown(column)!r} holds {text[:20]!r}, expected a picture's number")
    return int(text)


def _numbers(value: Any, size: int, name: str) -> list[tuple[float, ...]]:
    """Read groups of `size` numbers from a text, a list, an object, or a list of either."""
    if isinstance(value, str):
        found = re.findall(r"-?\d+(?:\.\d+)?", value)
        if not found or len(found) % size:
            raise BadRowError(f"{name!r} holds {value[:40]!r}, expected {size} numbers for a place")
        value = [found[n : n + size] for n in range(0, len(found), size)]
    if not isinstance(value, list | tuple | dict):
        raise BadRowError(f"{name!r} holds {said(value)}, expected places")
    many = isinstance(value, list | tuple) and all(
        isinstance(each, list | tuple | dict) for each in value
    )
    return [_group(each, size, name) for each in (value if many else [value])]


def _group(value: Any, size: int, name: str) -> tuple[float, ...]:
    values = list(value.values()) if isinstance(value, dict) else value
    try:
        group = tuple(float(each) for each in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRowError(f"{name!r} holds {said(value)}, expected {size} numbers") from error
    if len(group) != size:
        raise BadRowError(f"{name!r} holds {len(group)} numbers, expected {size}")
    return group


def _box(place: tuple[float, ...], form: str) -> Box:
    x0, y0, x1, y1 = place
    return (x0, y0, x0 + x1, y0 + y1) if form == "xywh" else (x0, y0, x1, y1)


def _without_choices(text: str) -> str:
    return _CHOICES.sub("", text).rstrip()


def _without_image_marks(text: str) -> str:
    return _IMAGE_MARK.sub("\n", text).strip()


def _without_object_marks(text: str) -> str:
    return _OBJECT_MARK.sub("", text)


_STEPS: Mapping[str, Callable[[str], str]] = {
    "choices": _without_choices,
    "image_marks": _without_image_marks,
    "object_marks": _without_object_marks,
}
_RULES: Mapping[str, Callable[[str], str]] = {"negation": negated}
