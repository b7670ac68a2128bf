"""A retrieval benchmark in the BEIR layout: queries.jsonl and qrels/*.tsv.

Source:
    Thakur, Reimers, Rueckle, Srivastava & Gurevych, NeurIPS 2021 (BEIR). TREC's qrels of four
    columns (query, iteration, document, grade) are read as well.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medrag.errors import EvaluationError
from medrag.records import Question

Qrels = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class RetrievalTask:
    """Questions and the documents that answer them.

    `qrels`: question id to document name to grade; a grade above 0 is relevant. Every question
    has an entry.
    """

    questions: tuple[Question, ...]
    qrels: Qrels
    split: str


def load_beir(folder: Path, *, split: str | None = None) -> RetrievalTask:
    """Read the questions that a split judges, in the order of queries.jsonl.

    Args:
        split: a file of qrels/ without its ending; None for "test", or else the only one.

    Raises:
        EvaluationError: if a file is missing or broken, or a judged query has no text.
    """
    path = _qrels_path(folder, split)
    qrels = read_qrels(path)
    queries = read_queries(folder / "queries.jsonl")
    lost = sorted(set(qrels) - set(queries))
    if lost:
        raise EvaluationError(
            f"{path} judges {len(lost)} queries that {folder / 'queries.jsonl'} lacks, "
            f"such as {_some(lost)}; both must come from the same release"
        )
    questions = tuple(Question(text=text, id=id_) for id_, text in queries.items() if id_ in qrels)
    return RetrievalTask(questions, qrels, path.stem)


def read_queries(path: Path) -> dict[str, str]:
    """Read id and text of each query.

    Raises:
        EvaluationError: if the file is missing, or a line lacks `_id` or `text` or repeats an id.
    """
    queries: dict[str, str] = {}
    for place, line in _lines(path):
        try:
            values = json.loads(line)
            id_, text = str(values["_id"]), str(values["text"])
        except (ValueError, KeyError, TypeError) as error:
            raise EvaluationError(
                f'{path}, {place}: expected {{"_id": ..., "text": ...}}, found {line[:60]!r}'
            ) from error
        if id_ in queries:
            raise EvaluationError(f"{path}, {place}: the query id {id_!r} stands there twice")
        queries[id_] = text
    return queries


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements: query id to document id to grade. A line of headings may come first.

    Raises:
        EvaluationError: if the file is missing, holds none, or a line is not as it must be.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, (place, line) in enumerate(_lines(path)):
        cells = line.split("\t") if "\t" in line else line.split()
        if len(cells) == 4:
            del cells[1]
        grade = _grade(cells[2]) if len(cells) == 3 else None
        if grade is None:
            if number == 0 and len(cells) == 3:
                continue
            raise EvaluationError(
                f"{path}, {place}: expected query id, document id and a whole number, "
                f"found {line[:60]!r}"
            )
        query, document = cells[0].strip(), cells[1].strip()
        known = qrels.setdefault(query, {})
        if known.get(document, grade) != grade:
            raise EvaluationError(
                f"{path}, {place}: document {document!r} is judged {grade} for query {query!r}, "
                f"but {known[document]} above"
            )
        known[document] = grade
    if not qrels:
        raise EvaluationError(f"{path} holds no judgements")
    return qrels


def _qrels_path(folder: Path, split: str | None) -> Path:
    found = sorted((folder / "qrels").glob("*.tsv"))
    if not found:
        raise EvaluationError(
            f"{folder} is not in the BEIR layout: no qrels/*.tsv; "
            "expected corpus.jsonl, queries.jsonl and qrels/test.tsv"
        )
    by_name = {path.stem: path for path in found}
    if split is None:
        split = "test" if "test" in by_name or len(found) > 1 else found[0].stem
    if split not in by_name:
        raise EvaluationError(
            f"{folder / 'qrels'} has no split {split!r}; it has {', '.join(sorted(by_name))}"
        )
    return by_name[split]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Give (place, line) of each line that is not blank."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield f"line {number}", line.strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error


def _grade(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _some(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:3])
