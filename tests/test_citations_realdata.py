"""Two hundred questions to a real book: every citation leads to the words that it stands for."""

import json
import random
from pathlib import Path

import pytest

from medrag.config import build_index, load_pipeline
from medrag.config.index import Index
from medrag.records import Answer, Citation, Question
from tests.ingestion.provenance import provenance

pytestmark = pytest.mark.realdata

BOOK = "textbook/anatomy_physiology"
FORMS = ("What is {0}?", "What does {0} do?", "Where is {0} found?", "Which figure shows {0}?")


@pytest.fixture(scope="module")
def book(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return build_index(
        tmp_path_factory.mktemp("book") / "index",
        sources=[data / BOOK / "ap_imaging_tissues_skin.pdf"],
    )


@pytest.fixture(scope="module")
def answers(data: Path, book: Index) -> list[Answer]:
    return load_pipeline("sample", index=book).answer_all(questions(data / BOOK))


def questions(folder: Path) -> list[Question]:
    """Ask for terms of the book's glossary, of the chapters that the PDF holds first."""
    lines = (folder / "glossary.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    here = [entry["term"] for entry in entries if entry["chapter"] in (4, 5)]
    draw = random.Random(7)
    return [Question(text=draw.choice(FORMS).format(draw.choice(here))) for _ in range(200)]


def cited(answers: list[Answer]) -> list[Citation]:
    return [citation for answer in answers for citation in answer.citations]


def test_every_marker_resolves_and_most_questions_are_answered(answers: list[Answer]) -> None:
    assert [answer.error for answer in answers] == [None] * 200
    assert sum(bool(answer.citations) for answer in answers) >= 150
    for answer in answers:
        known = {citation.marker for citation in answer.citations}
        assert all(marker in known for claim in answer.claims for marker in claim.markers)


def test_every_cited_passage_is_in_the_index(answers: list[Answer], book: Index) -> None:
    passages = book.store.passages
    assert all(passages.by_id(c.passage.id) == c.passage for c in cited(answers))


def test_the_page_read_again_says_what_every_citation_says(
    answers: list[Answer], book: Index
) -> None:
    passages = {c.passage.id: c.passage for c in cited(answers)}
    assert len(passages) >= 60
    for passage in passages.values():
        assert all(region.page and region.box for region in passage.source.regions)
        found = provenance(passage, book.roots[passage.source.corpus])
        assert found.inside >= 0.98, passage
        assert found.own >= 0.90, passage
