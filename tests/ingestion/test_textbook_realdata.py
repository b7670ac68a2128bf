"""The PDFs of the real data: a book with 47 figures, a two-column article, slides."""

import json
from collections import Counter
from pathlib import Path

import pymupdf
import pytest

from medrag.ingestion.pdf.geometry import area, common
from medrag.ingestion.textbook import TextbookIngestor
from medrag.records import Box, Corpus, Passage, Skipped

pytestmark = pytest.mark.realdata

BOOK = "textbook/anatomy_physiology/ap_imaging_tissues_skin.pdf"

NOWHERE = (0.0, 0.0, 0.0, 0.0)


def ingested(data: Path, name: str) -> list[Passage | Skipped]:
    return list(TextbookIngestor(corpus=Corpus("c", data)).passages(data / name))


def passages(found: list[Passage | Skipped], kind: str) -> list[Passage]:
    return [p for p in found if isinstance(p, Passage) and p.kind == kind]


def overlap(a: Box, b: Box) -> float:
    shared = area(common(a, b))
    return shared / (area(a) + area(b) - shared)


def test_the_book_has_all_pages_and_its_figures_where_they_stand(data: Path) -> None:
    found = ingested(data, BOOK)
    figures = {p.fields.get("number"): p for p in passages(found, "figure")}
    truth = [
        json.loads(line)
        for line in (data / BOOK).with_name("pdf_figures.jsonl").read_text().splitlines()
    ]
    right = 0
    with pymupdf.open(data / BOOK) as document:
        for expected in truth:
            figure = figures[expected["figure"]]
            box = figure.images[0].box or NOWHERE
            placed = document[expected["page"] - 1].get_image_info()
            right += (
                figure.images[0].page == expected["page"]
                and bool(figure.fields["caption"])
                and max(overlap(box, image["bbox"]) for image in placed) >= 0.8
            )

    assert len(passages(found, "page")) == 65
    # Figure 5.20 stands at the foot of page 60; its caption is on page 61, which the list names.
    assert right >= 46
    assert all(area(p.images[0].box or NOWHERE) < 0.9 * 612 * 792 for p in figures.values())
    assert sum(bool(p.fields["mentions"]) for p in figures.values() if "number" in p.fields) >= 40


def test_nothing_of_the_book_is_left_out_but_feet_and_page_numbers(data: Path) -> None:
    skipped = [s for s in ingested(data, BOOK) if isinstance(s, Skipped)]

    assert Counter(s.reason for s in skipped) == {"boilerplate": 2}


def test_the_article_is_read_column_by_column_without_its_references(data: Path) -> None:
    found = ingested(data, "documents/llms_in_medicine_review.pdf")
    texts = passages(found, "text")
    titles = list(dict.fromkeys(p.fields["title"].split(" > ")[-1] for p in texts))

    assert len(passages(found, "page")) == 24
    assert [p.fields["number"] for p in passages(found, "table")] == ["1", "2", "3"]
    assert [p.fields["number"] for p in passages(found, "figure")] == ["1"]
    numbered = [t.split()[0] for t in titles if t[0].isdigit()]
    assert numbered == sorted(numbered)
    assert numbered[:3] == ["1", "2", "3"]
    assert max(p.source.regions[-1].page or 0 for p in texts) < 16
    (references,) = (s for s in found if isinstance(s, Skipped) and s.reason == "references")
    assert len(references.source.regions) == 10


def test_the_slides_give_their_pictures_and_tables_and_no_logo(data: Path) -> None:
    found = ingested(data, "documents/vila_m3_monai_day_2024_slides.pdf")
    figures = passages(found, "figure")

    assert len(passages(found, "page")) == 27
    # 27 of the 53 images are the logo that stands on every slide.
    assert 15 <= len(figures) <= 30
    assert all((p.images[0].box or NOWHERE)[2] > 60 for p in figures)
    assert len(passages(found, "table")) >= 8
