"""The extractive answers to a textbook's own multiple-choice questions."""

import json
from pathlib import Path

import pytest

from medrag import Question, build_index
from medrag.answering import OnePassAnswerer
from medrag.config import Index
from medrag.generation.extractive import ExtractiveGenerator
from medrag.pipeline import Pipeline
from medrag.records import Answer
from medrag.retrieval.channels import ChannelsRetriever
from medrag.selection.top_k import TopKSelector

CARD = """
root: {root}
files:
  - glob: sections.jsonl
    kind: text
    columns:
      text: text
      title: [chapter_title, module_title, section_title]
      doc_id: module
      id: id
licence: CC BY 4.0
"""


def questions(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "review_questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["type"] == "multiple-choice"]


def answers(index: Index, rows: list[dict[str, object]]) -> list[Answer]:
    pipeline = Pipeline(
        retriever=ChannelsRetriever(rows=index.rows, channels=index.channels),
        selector=TopKSelector(k=10),
        answerer=OnePassAnswerer(generator=ExtractiveGenerator()),
    )
    asked = [
        Question(text=str(row["question"]), options=tuple(row["options"].values()))  # type: ignore[attr-defined]
        for row in rows
    ]
    return pipeline.answer_all(asked)


def right(found: list[Answer], rows: list[dict[str, object]]) -> float:
    hits = [a.text.startswith(f"{row['answer']}. ") for a, row in zip(found, rows, strict=True)]
    return sum(hits) / len(hits)


def index(tmp_path: Path, folder: Path, channels: dict[str, object]) -> Index:
    card = tmp_path / "sections.yaml"
    card.write_text(CARD.format(root=folder), encoding="utf-8")
    return build_index(tmp_path / "index", sources=[card], channels=channels)


@pytest.mark.realdata
@pytest.mark.slow
def test_words_alone_answer_the_book_s_own_questions(data: Path, tmp_path: Path) -> None:
    folder = data / "textbook" / "anatomy_physiology"
    rows = questions(folder)
    assert len(rows) == 708
    found = answers(index(tmp_path, folder, {"lexical": {"kind": "lexical"}}), rows)
    # Chance is 0.25; measured 0.56.
    assert right(found, rows) >= 0.50
    assert [answer.error for answer in found if answer.error] == []


@pytest.mark.realdata
@pytest.mark.slow
def test_words_and_meanings_together_answer_more(data: Path, sections: Index) -> None:
    rows = questions(data / "textbook" / "anatomy_physiology")
    # Measured 0.58.
    assert right(answers(sections, rows), rows) >= 0.53
