"""Text passages lie where their regions say, on layouts made at random and on real PDFs."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.ingestion.pdf.opening import page_count
from medrag.ingestion.textbook import TextbookIngestor
from medrag.records import Corpus, Passage
from tests.ingestion.provenance import provenance
from tests.ingestion.typesetting import RUNNING_HEAD, Layout, prose, typeset

REAL = (
    "textbook/anatomy_physiology/ap_imaging_tissues_skin.pdf",
    "documents/llms_in_medicine_review.pdf",
    "documents/vila_m3_monai_day_2024_slides.pdf",
)

layouts = st.builds(
    Layout,
    columns=st.sampled_from([1, 2]),
    rotation=st.sampled_from([0, 90, 180, 270]),
    crop=st.sampled_from([0.0, 12.5, 25.0]),
    heads=st.booleans(),
)
lengths = st.lists(st.lists(st.integers(12, 260), min_size=1, max_size=4), min_size=1, max_size=4)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(layout=layouts, lengths=lengths, tokens=st.sampled_from([64, 128, 256]))
def test_a_passage_is_what_stands_in_its_boxes_and_all_text_is_in_order(
    tmp_path: Path, layout: Layout, lengths: list[list[int]], tokens: int
) -> None:
    start, sections = 0, []
    for number, section in enumerate(lengths, 1):
        paragraphs = [prose(start + sum(section[:i]), n) for i, n in enumerate(section)]
        start += sum(section)
        sections.append((f"{number} Heading of part {number}", paragraphs))
    path = typeset(tmp_path / "book.pdf", layout, sections)

    texts = texts_of(path, tmp_path, tokens=tokens)

    for passage in texts:
        agreement = provenance(passage, tmp_path)
        assert agreement.inside >= 0.98, passage
        assert agreement.own >= 0.9, passage
    read = without_overlaps([p.text for p in texts])
    if page_count(path) < 3:
        # What stands on one or two pages only cannot be told from text.
        read = read.replace("".join(RUNNING_HEAD.split()), "")
    assert read == "".join(" ".join(p) for _, p in sections).replace(" ", "")


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_a_passage_of_a_real_pdf_is_what_stands_in_its_boxes(data: Path, name: str) -> None:
    texts = texts_of(data / name, data)

    assert len(texts) > 20
    for passage in texts:
        agreement = provenance(passage, data)
        assert agreement.inside >= 0.98, passage
        assert agreement.own >= 0.9, passage


def texts_of(path: Path, root: Path, *, tokens: int = 256) -> list[Passage]:
    ingestor = TextbookIngestor(corpus=Corpus("c", root), tokens=tokens, overlap=tokens // 8)
    found = ingestor.passages(path)
    return [p for p in found if isinstance(p, Passage) and p.kind == "text"]


def without_overlaps(texts: list[str]) -> str:
    """Join texts, ignoring white space and what a text repeats of the end of the one before."""
    whole = ""
    for text in ("".join(text.split()) for text in texts):
        repeated = next(n for n in range(len(text), -1, -1) if whole.endswith(text[:n]))
        whole += text[repeated:]
    return whole
