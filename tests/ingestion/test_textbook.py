"""What a textbook PDF becomes: text, pages, figures and tables, and what is left out."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray

from medrag.ingestion.reasons import REASONS
from medrag.ingestion.textbook import TextbookIngestor
from medrag.records import Corpus, Passage, Skipped
from tests.ingestion.typesetting import Layout, Typesetter, prose, typeset

NOWHERE = (0.0, 0.0, 0.0, 0.0)
NO_HEADS = Layout(heads=False)
BODY = "The skin is the largest organ of the body and protects it from water loss and from germs. "


def read(path: Path, **options: Any) -> tuple[list[Passage], list[Skipped]]:
    found = list(TextbookIngestor(corpus=Corpus("c", path.parent), **options).passages(path))
    return (
        [p for p in found if isinstance(p, Passage)],
        [s for s in found if isinstance(s, Skipped)],
    )


def of_kind(passages: list[Passage], kind: str) -> list[Passage]:
    return [p for p in passages if p.kind == kind]


def picture(width: int = 120, height: int = 90, shade: int = 0) -> bytes:
    """A PNG with something in it."""
    pixels = np.indices((height, width)).sum(0).astype(np.uint8)[..., None].repeat(3, 2) + shade
    data = np.ascontiguousarray(pixels.astype(np.uint8)).tobytes()
    return bytes(pymupdf.Pixmap(pymupdf.csRGB, width, height, data, False).tobytes("png"))


def lines_at(page: Any, x: float, y: float, texts: list[str], size: float = 10) -> None:
    for i, text in enumerate(texts):
        page.insert_text((x, y + i * size * 1.25), text, fontsize=size)


def body_page(document: Any, *, y: float = 400) -> Any:
    page = document.new_page(width=420, height=595)
    lines_at(
        page, 50, y, ["The skin covers the body and protects it from harm and from germs."] * 6
    )
    return page


def saved(document: Any, path: Path, **options: Any) -> Path:
    document.save(path, **options)
    document.close()
    return path


def test_text_passages_carry_the_headings_above_them_as_title(tmp_path: Path) -> None:
    setter = Typesetter(NO_HEADS)
    setter.heading("1 Skin")
    setter.paragraph(BODY * 3)
    setter.y += 12
    setter._line("Layers", size=12, font="hebo", room=40)
    setter.paragraph("The epidermis has no vessels. " * 3)

    texts = of_kind(read(setter.save(tmp_path / "b.pdf"))[0], "text")

    assert [p.fields["title"] for p in texts] == ["1 Skin", "1 Skin > Layers"]
    assert texts[0].text == (BODY * 3).strip()


def test_a_heading_with_nothing_under_it_is_kept_as_text(tmp_path: Path) -> None:
    path = typeset(tmp_path / "b.pdf", NO_HEADS, [("Lonely", []), ("Next", [BODY * 2])])

    assert [p.text for p in of_kind(read(path)[0], "text")] == ["Lonely", (BODY * 2).strip()]


def test_every_page_is_a_passage_without_text_whose_picture_is_the_page(tmp_path: Path) -> None:
    path = typeset(tmp_path / "b.pdf", Layout(), [("One", [prose(0, 900)])])

    pages = of_kind(read(path)[0], "page")

    assert [p.images[0].page for p in pages] == list(range(1, len(pages) + 1))
    assert len(pages) > 1
    assert all(p.text == "" and p.images[0].path == "b.pdf" for p in pages)


def test_a_word_keeps_a_hyphen_of_its_own_at_a_line_end(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=420, height=595)
    lines = [
        "The forty-six chromosomes of well-",
        "known cells split, forty and six in",
        "all, as the well known books say of mem-",
        "branes and of kinds of tissue.",
    ]
    lines_at(page, 50, 100, lines)

    (text,) = of_kind(read(saved(document, tmp_path / "b.pdf"))[0], "text")

    assert "well-known cells" in text.text
    assert "membranes and" in text.text


def test_ligatures_are_read_as_letters_and_powers_keep_their_mark(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=420, height=595)
    writer = pymupdf.TextWriter(page.rect)
    font = pymupdf.Font("cjk")
    writer.append((50, 100), "The ﬁrst inﬂammation has 10⁹ cells and ½ litre.", font=font)
    writer.write_text(page)

    (text,) = of_kind(read(saved(document, tmp_path / "b.pdf"))[0], "text")

    assert text.text == "The first inflammation has 10⁹ cells and ½ litre."


def test_running_heads_and_page_numbers_are_named_and_not_in_the_text(tmp_path: Path) -> None:
    path = typeset(tmp_path / "b.pdf", Layout(), [("One", [prose(0, 900)])])

    passages, skipped = read(path)

    assert "running head" not in " ".join(p.text for p in passages)
    assert Counter(s.reason for s in skipped) == {"boilerplate": 2}
    assert all(s.reason in REASONS and not s.failed for s in skipped)


def test_a_captioned_picture_is_a_figure_with_number_caption_and_mentions(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = body_page(document)
    page.insert_image(pymupdf.Rect(100, 60, 300, 210), stream=picture())
    lines_at(page, 100, 226, ["Figure 2.1: The layers of the skin."], size=8)
    lines_at(page, 50, 500, ["As Figure 2.1a shows, the dermis is thick. It bends."])
    body_page(document, y=100)

    passages, _ = read(saved(document, tmp_path / "b.pdf"))

    (figure,) = of_kind(passages, "figure")
    assert figure.text == "Figure 2.1: The layers of the skin."
    assert (figure.fields["number"], figure.fields["caption"]) == ("2.1", "The layers of the skin.")
    assert figure.fields["mentions"] == ["As Figure 2.1a shows, the dermis is thick."]
    assert figure.images[0].page == 1
    np.testing.assert_allclose(figure.images[0].box or (), (100, 60, 300, 210), atol=1)
    assert "layers of the skin" not in " ".join(p.text for p in of_kind(passages, "text"))


def test_pictures_under_one_caption_are_joined_and_two_captions_keep_two(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=420, height=595)
    page.insert_image(pymupdf.Rect(50, 60, 200, 160), stream=picture(150, 100, 1))
    page.insert_image(pymupdf.Rect(212, 60, 362, 160), stream=picture(150, 100, 2))
    lines_at(page, 50, 172, ["Figure 1. Two halves of one figure, left and right."], size=8)
    page.insert_image(pymupdf.Rect(50, 220, 200, 320), stream=picture(150, 100, 3))
    lines_at(page, 50, 332, ["Figure 2. Another one."], size=8)
    lines_at(page, 50, 400, [BODY[:70]] * 5)

    first, second = of_kind(read(saved(document, tmp_path / "b.pdf"))[0], "figure")

    np.testing.assert_allclose(first.images[0].box or (), (50, 60, 362, 160), atol=1)
    np.testing.assert_allclose(second.images[0].box or (), (50, 220, 200, 320), atol=1)


def test_a_caption_at_the_top_of_the_next_page_belongs_to_the_figure_above(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = body_page(document, y=80)
    page.insert_image(pymupdf.Rect(100, 300, 300, 540), stream=picture())
    page = body_page(document)
    lines_at(page, 50, 60, ["Figure 7. A caption that had no room below its figure."], size=8)

    (figure,) = of_kind(read(saved(document, tmp_path / "b.pdf"))[0], "figure")

    assert figure.fields["number"] == "7"
    assert [region.page for region in figure.source.regions] == [1, 2]


def test_a_drawing_with_a_caption_is_a_figure_and_its_labels_are_no_text(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = body_page(document)
    for i in range(8):
        page.draw_circle((120 + 20 * i, 140), 9, color=(0, 0, 1))
        page.draw_line((120 + 20 * i, 149), (130 + 20 * i, 200))
    lines_at(page, 130, 127, ["nucleus"], size=7)
    lines_at(page, 100, 226, ["Figure 3. A row of cells."], size=8)

    passages, _ = read(saved(document, tmp_path / "b.pdf"))

    (figure,) = of_kind(passages, "figure")
    assert figure.fields["labels"] == ["nucleus"]
    assert "nucleus" not in " ".join(p.text for p in of_kind(passages, "text"))
    x0, y0, x1, y1 = figure.images[0].box or NOWHERE
    assert x0 == pytest.approx(111, abs=2)
    assert x1 == pytest.approx(270, abs=2)
    assert y0 < 131
    assert y1 == pytest.approx(200, abs=2)


def test_grounds_rules_frames_and_logos_are_no_figures(tmp_path: Path) -> None:
    document = pymupdf.open()
    for _ in range(4):
        page = document.new_page(width=420, height=595)
        page.insert_image(page.rect, stream=picture(210, 297))
        page.insert_image(pymupdf.Rect(360, 20, 410, 70), stream=picture(50, 50, shade=9))
        page.draw_line((50, 80), (370, 80))
        page.draw_rect((40, 90, 380, 200), fill=(0.9, 0.9, 1))
        lines_at(page, 50, 110, [BODY[:70]] * 6)

    passages, _ = read(saved(document, tmp_path / "b.pdf"))

    assert of_kind(passages, "figure") == []
    assert of_kind(passages, "table") == []
    assert "largest organ" in of_kind(passages, "text")[0].text


def test_a_sentence_that_begins_with_a_figure_is_no_caption(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=420, height=595)
    page.insert_image(pymupdf.Rect(100, 60, 300, 210), stream=picture())
    lines_at(page, 50, 226, ["Figure 4 shows the hair in the skin and", BODY[:60], BODY[:60]])

    passages, _ = read(saved(document, tmp_path / "b.pdf"))

    assert "number" not in of_kind(passages, "figure")[0].fields
    assert of_kind(passages, "text")[0].text.startswith("Figure 4 shows the hair")


@pytest.mark.parametrize("grid", [True, False])
def test_a_ruled_table_is_a_passage_with_its_rows(tmp_path: Path, *, grid: bool) -> None:
    document = pymupdf.open()
    page = body_page(document)
    lines_at(page, 60, 90, ["Table 2. Layers and their cells."], size=8)
    cells = [["Layer", "Cells"], ["Epidermis", "Keratinocytes"], ["Dermis", "Fibroblasts"]]
    for row, texts in enumerate(cells):
        for column, text in enumerate(texts):
            page.insert_text((64 + 150 * column, 115 + 20 * row), text, fontsize=9)
    heights = range(101, 162, 20) if grid else (101, 121, 161)
    for y in heights:
        page.draw_line((60, y), (360, y))
    for x in (60, 210, 360) if grid else ():
        page.draw_line((x, 101), (x, 161))

    passages, _ = read(saved(document, tmp_path / "b.pdf"))

    (table,) = of_kind(passages, "table")
    assert table.fields["rows"] == cells
    assert (table.fields["number"], table.fields["caption"]) == ("2", "Layers and their cells.")
    assert table.text.splitlines()[-1] == "Dermis\tFibroblasts"
    np.testing.assert_allclose(table.source.regions[0].box or (), (60, 101, 360, 161), atol=2)
    assert "Keratinocytes" not in " ".join(p.text for p in of_kind(passages, "text"))


def book_with_matter(path: Path) -> Path:
    """Imprint, contents, preface, two chapters, references, index."""
    document = pymupdf.open()
    page = document.new_page(width=420, height=595)
    imprint = [
        "Copyright 2024 by the authors. All rights reserved.",
        "ISBN 0-000-00000-0",
        "Published by nobody. Printed in nowhere.",
        "First edition.",
    ]
    lines_at(page, 50, 80, imprint)
    page = document.new_page(width=420, height=595)
    page.insert_text((50, 80), "Contents", fontsize=15, fontname="hebo")
    lines_at(page, 50, 110, [f"Chapter {i} on skin {'. ' * 20} {i * 7}" for i in range(1, 9)])
    for heading in ("Preface", "1 Skin", "2 Hair", "3 Nails", "4 Glands", "5 Touch", "6 Repair",
                    "7 Ageing", "8 Sun", "References"):  # fmt: skip
        page = document.new_page(width=420, height=595)
        page.insert_text((50, 80), heading, fontsize=15, fontname="hebo")
        lines_at(
            page, 50, 110, [f"Here {heading.split()[-1].lower()} is told at length in a line."] * 8
        )
    page = document.new_page(width=420, height=595)
    page.insert_text((50, 80), "Index", fontsize=15, fontname="hebo")
    lines_at(page, 50, 110, [f"keratin and others, {i}, {i + 2}-{i + 4}" for i in range(30)])
    return saved(document, path)


def test_parts_that_answer_no_question_are_left_out_with_a_reason(tmp_path: Path) -> None:
    passages, skipped = read(book_with_matter(tmp_path / "b.pdf"))

    text = " ".join(p.text for p in of_kind(passages, "text"))
    assert Counter(s.reason for s in skipped) == {
        "front_matter": 2, "contents": 1, "references": 1, "index": 1,
    }  # fmt: skip
    assert [n for n in ("skin", "hair", "sun") if f"Here {n} is told" in text] == [
        "skin",
        "hair",
        "sun",
    ]
    assert not [n for n in ("ISBN", "Chapter 3", "keratin", "Here references") if n in text]
    assert len(of_kind(passages, "page")) == 13


def test_keep_all_keeps_front_matter_contents_references_and_index(tmp_path: Path) -> None:
    passages, skipped = read(book_with_matter(tmp_path / "b.pdf"), keep_all=True)

    text = " ".join(p.text for p in passages)
    assert skipped == []
    assert all(n in text for n in ("ISBN", "Chapter 3", "keratin", "Here references"))


def scanned(path: Path) -> Path:
    document = pymupdf.open()
    body_page(document)
    page = document.new_page(width=420, height=595)
    page.insert_image(pymupdf.Rect(10, 10, 410, 585), stream=picture(210, 297))
    document.new_page(width=420, height=595)
    return saved(document, path)


def test_a_page_without_text_layer_is_named_and_kept_as_a_picture(tmp_path: Path) -> None:
    passages, skipped = read(scanned(tmp_path / "b.pdf"), ocr=False)

    found = {(s.reason, s.source.regions[0].page, s.failed) for s in skipped}
    assert found == {("no_text_layer", 2, False), ("empty", 3, False)}
    assert "medrag[ocr]" in skipped[0].detail
    assert len(of_kind(passages, "page")) == 3
    assert {p.source.regions[0].page for p in of_kind(passages, "text")} == {1}


def test_ocr_lines_become_text_with_their_boxes(tmp_path: Path) -> None:
    def engine(pixels: NDArray[np.uint8]) -> tuple[list[Any], float]:
        # Half way down the page and across half of it; the second line is not believed.
        h, w, _ = pixels.shape
        box = [(0, h / 2), (w / 2, h / 2), (w / 2, h / 2 + 30), (0, h / 2 + 30)]
        return [[box, "Melanocytes make melanin.", 0.98], [box, "%&!", 0.1]], 0.0

    passages, skipped = read(scanned(tmp_path / "b.pdf"), ocr=engine)

    (text,) = of_kind(passages, "text")
    first, second = text.source.regions
    assert text.text.endswith("\n\nMelanocytes make melanin.")
    assert (first.page, second.page) == (1, 2)
    # 30 pixels at 200 dpi are 10.8 points.
    np.testing.assert_allclose(second.box or (), (0, 297.5, 210, 308.3), atol=0.5)
    assert "OCR read 1 lines" in next(s.detail for s in skipped if s.reason == "no_text_layer")


def test_one_slide_is_one_section_under_its_title(tmp_path: Path) -> None:
    document = pymupdf.open()
    for title in ("Burns", "Grafts", "Scars"):
        page = document.new_page(width=640, height=360)
        page.insert_text((40, 50), title, fontsize=28)
        lines_at(page, 40, 120, ["Large words that are no headings", "on a slide"], size=18)
        lines_at(page, 40, 250, ["A source."], size=9)

    texts = of_kind(read(saved(document, tmp_path / "b.pdf"))[0], "text")

    assert [p.fields["title"] for p in texts] == ["Burns", "Grafts", "Scars"]
    assert all("Large words that are no headings on a slide" in p.text for p in texts)


def test_the_same_file_gives_the_same_passages(tmp_path: Path) -> None:
    path = book_with_matter(tmp_path / "b.pdf")

    assert [p.id for p in read(path)[0]] == [p.id for p in read(path)[0]]
    assert len({p.id for p in read(path)[0]}) == len(read(path)[0])


def test_an_overlap_must_be_smaller_than_a_passage(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="overlap"):
        TextbookIngestor(corpus=Corpus("c", tmp_path), tokens=32, overlap=32)
