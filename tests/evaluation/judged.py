"""Judged questions of the real data, with the groups that cross-validation must not part."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrag.evaluation.beir import Qrels, load_beir
from medrag.records import Question


@dataclass(frozen=True, slots=True)
class Judged:
    """Questions with the documents that answer them.

    Attributes:
        measure: that counts for the collection.
        groups: one per question; what shares a module, a chapter or a claim.
    """

    measure: str
    questions: tuple[Question, ...]
    qrels: Qrels
    groups: tuple[str, ...]


def multiple_choice(book: Path) -> Judged:
    """The book's 708 multiple-choice questions and the modules that hold their answers."""
    return _review(book, "multiple-choice")


def free_response(book: Path) -> Judged:
    """The book's 370 free-response questions and the modules that hold their answers."""
    return _review(book, "free-response")


def figures(book: Path) -> Judged:
    """The alt texts of 121 figures and the figures, whose text is title and caption."""
    rows = _figures(book)
    return Judged(
        "nDCG@10",
        tuple(Question(str(row["alt"]), id=str(row["image"])) for row in rows),
        {str(row["image"]): {str(row["figure"]): 1} for row in rows},
        tuple(str(row["chapter"]) for row in rows),
    )


def figure_corpus(book: Path, folder: Path) -> Path:
    """Write title and caption of those figures as a corpus in the BEIR layout."""
    corpus = folder / "corpus.jsonl"
    lines = [
        json.dumps({"_id": row["figure"], "title": row["title"], "text": row["caption"]})
        for row in _figures(book)
    ]
    corpus.write_text("\n".join(lines), encoding="utf-8")
    return corpus


def scifact(folder: Path, split: str) -> Judged:
    """The claims of a split of SciFact and the abstracts that they cite."""
    task = load_beir(folder, split=split)
    asked = tuple(each for each in task.questions if task.qrels.get(each.id))
    return Judged("nDCG@10", asked, task.qrels, tuple(each.id for each in asked))


def _review(book: Path, form: str) -> Judged:
    rows = [row for row in _lines(book / "review_questions.jsonl") if row["type"] == form]
    return Judged(
        "Hit@1",
        tuple(
            Question(
                str(row["question"]),
                id=str(row["id"]),
                options=tuple((row.get("options") or {}).values()),
            )
            for row in rows
        ),
        {str(row["id"]): {str(row["gold_module"]): 1} for row in rows},
        tuple(str(row["gold_module"]) for row in rows),
    )


def _figures(book: Path) -> list[Mapping[str, Any]]:
    return [row for row in _lines(book / "figures.jsonl") if row["alt"] and row["caption"]]


def _lines(file: Path) -> Sequence[Mapping[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
