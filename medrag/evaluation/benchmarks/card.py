"""What medrag knows of a benchmark: what it is, and how its files are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medrag.evaluation.benchmarks.columns import Column

PROTOCOLS = (
    "llava_med", "closed_only", "medevalkit_rule", "medevalkit_judge", "cares", "prefix",
    "nearest_option", "exact", "overlap", "places", "sure_vqa",
)  # fmt: skip
ACCESS = ("open", "sign-up", "credentialed", "gated", "unreleased")
FORMATS = ("json", "json_groups", "jsonl", "csv", "tsv", "parquet", "beir", "medquad_xml")
# "open" is yes_no for a reference of yes or no, else text; "auto" is choice with options, number
# for a numeric reference, else as "open".
KINDS = ("yes_no", "choice", "choices", "number", "boxes", "text", "report", "open", "auto")
ANSWERS = ("auto", "text", "letter", "index", "index_from_1")
# Programs that may fetch a benchmark.
FETCHERS = ("hf", "git")
ENCODINGS = ("path", "base64", "data")
# What a question's text may go through, and what may be made of an answer.
STEPS = ("choices", "image_marks", "object_marks")
RULES = ("", "negation")


@dataclass(frozen=True, slots=True)
class Split:
    """Which files hold a split, which of their rows belong to it, and how many there must be.

    Attributes:
        files: globs relative to the folder; case does not count.
        where: column to a pattern that its text must hold; all must.
        expect: number of items; None where it is not known.
        expect_each: a column, and the number of items for each of its values; only the values
            that are there are checked.
        unanswered: whether rows without an answer are kept, without references; without it such a
            row is a mistake, but for one that says that it is unanswerable.
    """

    files: tuple[str, ...]
    where: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    expect: int | None = None
    expect_each: tuple[str, Mapping[str, int]] | None = None
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """Where the options of a question stand.

    Attributes:
        columns: one column (a list, an object, or a text holding either), or one for each letter.
        values: the same options for every row, in place of columns.
        strip: whether a letter before the text ("A: ", "(B) ") is cut.
    """

    columns: tuple[Column, ...] = ()
    values: tuple[str, ...] = ()
    strip: bool = False


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """Where the pictures of a row stand.

    Attributes:
        columns: each holds a path, a list of paths, bytes, or what `encoded` says.
        folders: tried in order, relative to the benchmark's folder, then to that of the row's
            file and to those between them; none leaves the benchmark's folder.
        suffixes: tried behind a name that is no file without them.
        encoded: "path"; "base64"; "data" for either, as vision-language exports mix them.
        roles: what each picture is ("prior", "current"), told in the item's fields.
        required: whether a row without a picture is a mistake.
        axis: 0, 1 or 2, the axis along which a volume is cut, where one slice of it is meant.
        slice: the index along the axis.
    """

    columns: tuple[Column, ...]
    folders: tuple[str, ...] = (".",)
    suffixes: tuple[str, ...] = ("",)
    encoded: str = "path"
    roles: tuple[str, ...] = ()
    required: bool = True
    axis: Column | None = None
    slice: Column | None = None


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Boxes that answer a question.

    `form`: "xyxy" or "xywh"; `scale`: "pixels", "unit", "1000" or what the benchmark says, told in
    the item's fields; `image`: which picture of the question they lie in, from 0, or a column.
    With `points` the column holds points (x, y) instead.
    """

    column: Column
    form: str = "xyxy"
    scale: str = "pixels"
    image: int | Column = 0
    points: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """How one release of a benchmark is written.

    Attributes:
        header: names of the columns of a table that has none.
        explode: a column with a list, each element of which is a row of its own.
        adapter: a function of `medrag.evaluation.benchmarks.adapters` that changes rows.
        columns: the role of a column ("id", "question", "answer", "closed", "cluster", "subject",
            "study", "time", "language", "domain", "gold", "history", "unanswerable", "answerable")
            to where it stands.
        kind: one of KINDS, or a column and the kind for each of its values.
        answer_is: how the answer names an option: one of ANSWERS.
        answer_rule: one of RULES, which turns the answer into yes or no; "" for none.
        keep: name among the item's fields to column.
        clean: those of STEPS that the question's text goes through.
    """

    name: str
    format: str
    splits: Mapping[str, Split]
    columns: Mapping[str, Column]
    kind: str | tuple[Column, Mapping[str, str]] = "open"
    header: tuple[str, ...] = ()
    explode: str = ""
    adapter: str = ""
    answer_is: str = "auto"
    answer_rule: str = ""
    options: OptionColumns | None = None
    images: ImageColumns | None = None
    boxes: tuple[BoxColumns, ...] = ()
    keep: Mapping[str, Column] = field(default_factory=dict)
    clean: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """What a person should know of a benchmark before its numbers are believed.

    Attributes:
        access: one of ACCESS.
        images_per_question: "0", "1", "1-6".
        reported_by: published systems that report on it.
        protocols: scoring protocols of the literature; the first is the default.
        group_by: fields of the items that results are broken down by.
        notes: traps of files and scoring.
        facts: known counts, each with its mark of evidence ([V] read in the owner's files, [C]
            computed from them, [S] from second hand, [M] from memory).
        language: ISO 639-1 code where the rows do not say.
        fetch: commands of the owner's own download, where the licence lets anybody have the files;
            "{out}" stands for the folder.
        path: the file that the card was read from.
        layouts: tried in order.
    """

    name: str
    title: str
    about: str
    licence: str
    access: str
    home: str
    cite: str
    images_per_question: str
    protocols: tuple[str, ...]
    layouts: tuple[Layout, ...]
    path: Path
    reported_by: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    language: str = "en"
