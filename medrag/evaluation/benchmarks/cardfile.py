"""A card's YAML file as a record; a key that is not known, or a wrong value, is named."""

import difflib
import re
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks.adapters import ADAPTERS
from medrag.evaluation.benchmarks.card import (
    ACCESS,
    ANSWERS,
    ENCODINGS,
    FETCHERS,
    FORMATS,
    KINDS,
    PROTOCOLS,
    RULES,
    STEPS,
    BoxColumns,
    Card,
    ImageColumns,
    Layout,
    OptionColumns,
    Split,
)
from medrag.evaluation.benchmarks.columns import Column
from medrag.evaluation.benchmarks.patterns import compiled

# Marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode, UAX 9).
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LIMIT = 256 * 1024
ROLES = (
    "id", "question", "answer", "closed", "cluster", "subject", "study", "time", "language",
    "domain", "gold", "history", "unanswerable", "answerable",
)  # fmt: skip
_MANY = ("reported_by", "protocols", "group_by", "notes", "facts", "fetch")
_LAYOUT_KEYS = (
    "name", "format", "splits", "kind", "header", "explode", "adapter", "answer_is", "answer_rule",
    "unanswered", "options", "images", "boxes", "keep", "clean", *ROLES,
)  # fmt: skip


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping, without aliases that could grow.

    Raises:
        EvaluationError: if the file cannot be read, is too large, or is no mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror or error})") from error
    if len(content) > _LIMIT:
        raise EvaluationError(f"{path} is larger than {_LIMIT // 1024} KiB, which no card needs")
    try:
        # A child of SafeLoader: it builds plain values only.
        values = yaml.load(content, Loader=_PlainLoader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = str(error).replace("\n", " ")
        raise EvaluationError(f"{path} is not YAML that can be read: {problem}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise EvaluationError(f"{path}: expected keys with values, found {values!r:.60}")
    return values


def card_of(values: Mapping[str, Any], *, name: str, file: Path) -> Card:
    """Build the card that a YAML mapping describes.

    Raises:
        EvaluationError: if a key is missing, unknown or holds what it must not; names it.
    """
    at = _At(str(file))
    own = [each.name for each in fields(Card) if each.name != "path"]
    at.known(values, own)
    given: dict[str, Any] = {"name": name, "path": file}
    for each in fields(Card):
        if each.name in values:
            given[each.name] = values[each.name]
        elif each.name not in given and each.default is MISSING:
            raise at.error(f"the key {each.name!r} is missing")
    for key in _MANY:
        given[key] = at.inside(key).texts(given.get(key, ()))
    given["fetch"] = tuple(at.inside("fetch").command(each) for each in given["fetch"])
    for key in set(given) - {*_MANY, "layouts", "path"}:
        given[key] = at.inside(key).text(given[key])
    at.inside("access").one_of(given["access"], ACCESS)
    for protocol in given["protocols"]:
        at.inside("protocols").one_of(protocol, PROTOCOLS)
    layouts = at.inside("layouts").sequence(given["layouts"])
    given["layouts"] = tuple(
        _layout(each, at.inside(f"layouts[{n}]")) for n, each in enumerate(layouts)
    )
    return Card(**given)


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases, which can grow, and without a key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias", event)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise _refused(f"the key {twice!r} twice", node)
        return super().construct_mapping(node, deep)


def _refused(what: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=f"found {what}", problem_mark=at.start_mark)


def _is_unsafe(character: str) -> bool:
    """Tell what a terminal obeys, or what turns the direction of the text around it."""
    return unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTIONS


class _At:
    """A place in a card file, for messages."""

    def __init__(self, place: str) -> None:
        self.place = place

    def inside(self, key: str) -> "_At":
        return _At(f"{self.place}: {key}")

    def error(self, problem: str) -> EvaluationError:
        return EvaluationError(f"{self.place}: {problem}")

    def known(self, values: object, keys: Sequence[str]) -> Mapping[str, Any]:
        mapping = self.mapping(values)
        for key in mapping:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(keys)}"
                raise self.error(f"unknown key {key!r}{hint}")
        return mapping

    def mapping(self, value: object) -> Mapping[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self.error(f"expected keys with values, found {value!r:.60}")
        for key in value:
            self.safe(key)
        return value

    def sequence(self, value: object) -> Sequence[Any]:
        if not isinstance(value, list) or not value:
            raise self.error(f"expected a list, found {value!r:.60}")
        return value

    def text(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.error(f"expected a text, found {value!r:.60}")
        text = " ".join(str(value).split())
        return self.safe(text)

    def safe(self, text: str) -> str:
        if unsafe := next((each for each in text if _is_unsafe(each)), None):
            raise self.error(f"holds the character U+{ord(unsafe):04X}, which no text may hold")
        return text

    def command(self, text: str) -> str:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise self.error(f"{text!r:.60} is no command ({error})") from error
        if not words:
            raise self.error("expected a command, found an empty text")
        self.one_of(words[0], FETCHERS)
        return text

    def folders(self, value: object) -> tuple[str, ...]:
        found = self.texts(value)
        for each in found:
            # Both kinds of stroke and a drive's letter, whatever the system is.
            place = PureWindowsPath(each)
            if place.anchor or ".." in place.parts:
                raise self.error(f"{each!r} leaves the benchmark's folder; name folders inside it")
        return found

    def texts(self, value: object) -> tuple[str, ...]:
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(self.text(each) for each in values)

    def one_of(self, value: object, allowed: Sequence[str]) -> str:
        if value not in allowed:
            raise self.error(f"{value!r} is none of {', '.join(allowed)}")
        return str(value)

    def count(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.error(f"expected a count, found {value!r:.60}")
        return value

    def truth(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.error(f"expected true or false, found {value!r:.60}")
        return value

    def pattern(self, value: object) -> re.Pattern[str]:
        try:
            return compiled(str(value))
        except ValueError as error:
            raise self.error(f"{str(value)!r:.60} {error}") from error


def _layout(value: object, at: _At) -> Layout:
    values = at.known(value, _LAYOUT_KEYS)
    for key in ("name", "format", "splits", "question"):
        if key not in values:
            raise at.error(f"the key {key!r} is missing")
    splits = at.inside("splits").mapping(values["splits"])
    clean = at.inside("clean").texts(values.get("clean", ()))
    for step in clean:
        at.inside("clean").one_of(step, STEPS)
    open_ended = at.inside("unanswered").truth(values.get("unanswered", False))
    return Layout(
        name=at.inside("name").text(values["name"]),
        format=at.inside("format").one_of(values["format"], FORMATS),
        splits={
            key: _split(each, open_ended, at.inside(f"splits.{key}"))
            for key, each in splits.items()
        },
        columns={key: _column(values[key], at.inside(key)) for key in ROLES if key in values},
        kind=_kind(values.get("kind", "open"), at.inside("kind")),
        header=at.inside("header").texts(values.get("header", ())),
        explode=at.inside("explode").text(values.get("explode", "")),
        adapter=at.inside("adapter").one_of(values.get("adapter", ""), ("", *ADAPTERS)),
        answer_is=at.inside("answer_is").one_of(values.get("answer_is", "auto"), ANSWERS),
        answer_rule=at.inside("answer_rule").one_of(values.get("answer_rule", ""), RULES),
        options=_options(values["options"], at.inside("options")) if "options" in values else None,
        images=_images(values["images"], at.inside("images")) if "images" in values else None,
        boxes=_boxes(values["boxes"], at.inside("boxes")) if "boxes" in values else (),
        keep={
            key: _column(each, at.inside(f"keep.{key}"))
            for key, each in at.inside("keep").mapping(values.get("keep", {})).items()
        },
        clean=clean,
    )


def _split(value: object, open_ended: bool, at: _At) -> Split:
    values = at.known(value, ("files", "where", "expect", "expect_each", "unanswered"))
    if "files" not in values:
        raise at.error("the key 'files' is missing")
    where = at.inside("where").mapping(values.get("where", {}))
    return Split(
        files=at.inside("files").texts(values["files"]),
        where={key: at.inside("where").pattern(text) for key, text in where.items()},
        expect=at.inside("expect").count(values["expect"]) if "expect" in values else None,
        expect_each=_expect_each(values.get("expect_each"), at.inside("expect_each")),
        unanswered=at.inside("unanswered").truth(values.get("unanswered", open_ended)),
    )


def _expect_each(value: object, at: _At) -> tuple[str, Mapping[str, int]] | None:
    if value is None:
        return None
    columns = at.mapping(value)
    if len(columns) != 1:
        raise at.error("expected one column")
    [(column, counts)] = columns.items()
    inside = at.inside(column)
    if not isinstance(counts, dict):
        raise inside.error(f"expected a count for each value of the column, found {counts!r:.60}")
    return column, {inside.safe(str(name)): inside.count(n) for name, n in counts.items()}


def _column(value: object, at: _At) -> Column:
    if isinstance(value, dict):
        values = at.known(value, ("of", "match", "value"))
        text = at.text(values["value"]) if "value" in values else None
        of = _column(values["of"], at) if "of" in values else Column()
        match = at.inside("match").pattern(values["match"]) if "match" in values else None
        return Column(of.parts, match, text)
    parts = value if isinstance(value, list) else [value]
    return Column(
        tuple(tuple(name.strip() for name in at.text(part).split(" | ")) for part in parts)
    )


def _columns(value: object, at: _At) -> tuple[Column, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(_column(each, at) for each in values)


def _kind(value: object, at: _At) -> str | tuple[Column, Mapping[str, str]]:
    if not isinstance(value, dict):
        return at.one_of(value, KINDS)
    values = at.known(value, ("of", "match", "is"))
    kinds = at.inside("is").mapping(values.get("is"))
    column = {key: values[key] for key in ("of", "match") if key in values}
    return _column(column, at), {
        str(key).lower(): at.one_of(each, KINDS) for key, each in kinds.items()
    }


def _options(value: object, at: _At) -> OptionColumns:
    if not isinstance(value, dict):
        return OptionColumns(_columns(value, at))
    values = at.known(value, ("columns", "values", "strip"))
    return OptionColumns(
        columns=_columns(values["columns"], at) if "columns" in values else (),
        values=at.inside("values").texts(values.get("values", ())),
        strip=at.inside("strip").truth(values.get("strip", False)),
    )


def _images(value: object, at: _At) -> ImageColumns:
    keys = ("columns", "folders", "suffixes", "encoded", "roles", "required", "axis", "slice")
    values = at.known(value, keys) if isinstance(value, dict) else {"columns": value}
    return ImageColumns(
        columns=_columns(values.get("columns"), at.inside("columns")),
        folders=at.inside("folders").folders(values.get("folders", ".")),
        suffixes=at.inside("suffixes").texts(values.get("suffixes", "")),
        encoded=at.inside("encoded").one_of(values.get("encoded", "path"), ENCODINGS),
        roles=at.inside("roles").texts(values.get("roles", ())),
        required=at.inside("required").truth(values.get("required", True)),
        axis=_column(values["axis"], at.inside("axis")) if "axis" in values else None,
        slice=_column(values["slice"], at.inside("slice")) if "slice" in values else None,
    )


def _boxes(value: object, at: _At) -> tuple[BoxColumns, ...]:
    return tuple(_box(each, at) for each in (value if isinstance(value, list) else [value]))


def _box(value: object, at: _At) -> BoxColumns:
    values = at.known(value, ("column", "form", "scale", "image", "points"))
    image = values.get("image", 0)
    return BoxColumns(
        column=_column(values.get("column"), at.inside("column")),
        form=at.inside("form").one_of(values.get("form", "xyxy"), ("xyxy", "xywh")),
        scale=at.inside("scale").text(values.get("scale", "pixels")),
        image=image if isinstance(image, int) else _column(image, at.inside("image")),
        points=at.inside("points").truth(values.get("points", False)),
    )
