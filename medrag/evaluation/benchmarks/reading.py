"""Rows of a benchmark's file, one at a time, whatever its format."""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medrag.errors import EvaluationError, InputFileError
from medrag.evaluation.beir import read_qrels, read_queries
from medrag.evaluation.benchmarks.adapters import ADAPTERS
from medrag.evaluation.benchmarks.card import Layout
from medrag.evaluation.benchmarks.columns import BadRowError, Column, said, value_of
from medrag.evaluation.benchmarks.jsonstream import elements
from medrag.extras import require
from medrag.ingestion.lines import BadLine, Record, records
from medrag.ingestion.xmltree import read_xml

# Pictures lie in the rows, so a batch is kept small.
_BATCH = 64


def rows(layout: Layout, path: Path) -> Iterator[Record | BadLine]:
    """Read the rows of a file in order.

    Besides the columns of the file a row has "@file" (the file's name without its ending),
    "@folder" (that of the folder it lies in), "@row" (its number in the file, from 1), and in a
    JSON object "@key" and "@group", the names that lead to it.

    Raises:
        EvaluationError: if the file cannot be read at all; a row that is broken is a `BadLine`.
    """
    try:
        read = _numbered(_READERS[layout.format](layout, path), layout.explode)
        adapt = ADAPTERS[layout.adapter] if layout.adapter else None
        for record in read if adapt is None else adapt(read, path):
            if isinstance(record, Record):
                record.values["@file"] = path.stem  # type: ignore[index]
                record.values["@folder"] = path.parent.name  # type: ignore[index]
            yield record
    except InputFileError as error:
        raise EvaluationError(str(error)) from error


def _numbered(read: Iterator[Record | BadLine], explode: str) -> Iterator[Record | BadLine]:
    """Number the rows, and open the column that holds rows of its own."""
    for number, record in enumerate(read, start=1):
        if isinstance(record, BadLine):
            yield record
            continue
        try:
            yield from _opened(Record(record.place, {**record.values, "@row": number}), explode)
        except BadRowError as error:
            yield BadLine(record.place, str(error))


def _opened(record: Record, column: str) -> Iterator[Record]:
    if not column:
        yield record
        return
    inner = value_of(record.values, Column(((column,),)))
    if not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
        raise BadRowError(f"{column!r} holds no list of objects")
    for number, each in enumerate(inner, start=1):
        values = {**record.values, **each, "@inner": number}
        yield Record(f"{record.place}, {column} {number}", values)


def _json(layout: Layout, path: Path) -> Iterator[Record | BadLine]:
    for (key,), value in elements(path):
        if layout.header and isinstance(value, list) and len(value) == len(layout.header):
            value = dict(zip(layout.header, value, strict=True))
        yield _record(value, {"@key": key}, key)


def _json_groups(_: Layout, path: Path) -> Iterator[Record | BadLine]:
    for (group, key), value in elements(path, depth=2):
        yield _record(value, {"@group": group, "@key": key}, f"{group} {key}")


def _record(value: Any, keys: Mapping[str, str], place: str) -> Record | BadLine:
    if not isinstance(value, dict):
        return BadLine(f"record {place}", f"holds {said(value)}, expected an object")
    return Record(f"record {place}", {**value, **keys})


def _lines(_: Layout, path: Path) -> Iterator[Record | BadLine]:
    yield from records(path)


def _table(layout: Layout, path: Path) -> Iterator[Record | BadLine]:
    if not layout.header:
        yield from records(path)
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _bare_table(csv.reader(file, strict=True), layout.header)
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror or error})") from error
    except csv.Error as error:
        raise EvaluationError(f"{path} cannot be read as a table: {error}") from error


def _bare_table(table: Any, header: tuple[str, ...]) -> Iterator[Record | BadLine]:
    """Read a table without a line of names. `table` is a reader of the csv module."""
    first = 1
    for row in table:
        place, first = f"line {first}", table.line_num + 1
        if not row:
            continue
        if len(row) != len(header):
            yield BadLine(place, f"has {len(row)} cells, expected {len(header)}")
        else:
            yield Record(place, dict(zip(header, row, strict=True)))


def _parquet(_: Layout, path: Path) -> Iterator[Record | BadLine]:
    parquet = require("pyarrow.parquet", extra="eval")
    arrow = require("pyarrow", extra="eval")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield Record(f"row {number}", row)
    except (arrow.ArrowException, OSError) as error:
        problem = str(error).partition("\n")[0]
        raise EvaluationError(f"{path} is no Parquet file that can be read: {problem}") from error


def _beir(_: Layout, path: Path) -> Iterator[Record | BadLine]:
    """Read the queries that a file of judgements names; `path` is qrels/SPLIT.tsv."""
    qrels = read_qrels(path)
    queries = read_queries(path.parent.parent / "queries.jsonl")
    lost = [id_ for id_ in qrels if id_ not in queries]
    if lost:
        raise EvaluationError(
            f"{path} judges {len(lost)} queries that queries.jsonl lacks, such as {lost[0]!r}"
        )
    for id_, text in queries.items():
        if id_ in qrels:
            gold = [document for document, grade in qrels[id_].items() if grade > 0]
            yield Record(f"query {id_}", {"_id": id_, "text": text, "gold": gold})


def _medquad_xml(_: Layout, path: Path) -> Iterator[Record | BadLine]:
    """Read one document of MedQuAD: a focus and its pairs of question and answer."""
    document = read_xml(path)
    focus = (document.findtext("Focus") or "").strip()
    for pair in document.iter("QAPair"):
        question = pair.find("Question")
        if question is None:
            yield BadLine("QAPair", "holds no Question")
            continue
        qid = question.get("qid", "")
        values = {
            "id": qid, "qtype": question.get("qtype", ""), "question": question.text,
            "answer": pair.findtext("Answer"), "focus": focus,
            "source": document.get("source", ""), "url": document.get("url", ""),
        }  # fmt: skip
        yield Record(f"question {qid}", values)


_READERS: Mapping[str, Callable[[Layout, Path], Iterator[Record | BadLine]]] = {
    "json": _json,
    "json_groups": _json_groups,
    "jsonl": _lines,
    "csv": _table,
    "tsv": _table,
    "parquet": _parquet,
    "beir": _beir,
    "medquad_xml": _medquad_xml,
}
