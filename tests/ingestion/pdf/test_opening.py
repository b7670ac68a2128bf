"""PDFs that cannot be read whole are named, with the way out, and give nothing."""

import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pymupdf
import pytest

from medrag.errors import InputFileError
from medrag.ingestion.pdf.opening import page_count
from medrag.ingestion.textbook import TextbookIngestor
from medrag.records import Corpus, Passage, Skipped
from tests.ingestion.typesetting import Layout, prose, typeset

NO_PAGES = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj
trailer<</Root 1 0 R/Size 3>>
startxref
0
%%EOF
"""


def passages(path: Path) -> list[Passage | Skipped]:
    return list(TextbookIngestor(corpus=Corpus("c", path.parent)).passages(path))


def encrypted(path: Path) -> None:
    document = pymupdf.open()
    document.new_page()
    document.save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="u", owner_pw="o")


def truncated(path: Path) -> None:
    whole = book(path).read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def jpeg(path: Path) -> None:
    path.write_bytes(pymupdf.Pixmap(pymupdf.csRGB, (0, 0, 9, 9), 0).tobytes("jpeg"))


def book(path: Path) -> Path:
    return typeset(path, Layout(), [("One", [prose(0, 300)]), ("Two", [prose(300, 200)])])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (encrypted, "encrypted; save a copy without password"),
        (truncated, "cut short"),
        (jpeg, "no PDF"),
        (lambda path: path.write_bytes(b""), "empty \\(0 bytes\\)"),
        (lambda path: path.write_bytes(NO_PAGES), "without pages"),
        (lambda path: None, "cannot be read"),
    ],
    ids=["encrypted", "truncated", "jpeg", "zero_byte", "zero_page", "missing"],
)
def test_a_pdf_that_cannot_be_read_fails_with_its_name_and_the_way_out(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "book.pdf"
    make(path)

    with pytest.raises(InputFileError, match=said) as failure:
        passages(path)

    assert failure.value.path == path


def test_damaged_bytes_give_passages_or_an_input_error_and_no_message_of_mupdf(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = book(tmp_path / "whole.pdf").read_bytes()
    random_bytes = random.Random(4)
    outcomes = set()
    for number in range(60):
        damaged = bytearray(whole)
        for _ in range(random_bytes.choice([1, 5, 40, 400])):
            damaged[random_bytes.randrange(len(damaged))] = random_bytes.randrange(256)
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(damaged)
        try:
            outcomes.add(bool(passages(path)))
        except InputFileError as error:
            outcomes.add(str(path) in str(error))
    out, err = capfd.readouterr()
    assert outcomes == {True}
    assert out + err == ""


def test_a_pdf_with_a_wrong_table_of_objects_is_read_and_one_that_lost_a_page_is_not(
    tmp_path: Path,
) -> None:
    path = book(tmp_path / "b.pdf")
    whole = path.read_bytes()
    before = [p.text for p in passages(path) if isinstance(p, Passage)]
    path.write_bytes(re.sub(rb"startxref\s+\d+", b"startxref\n7", whole))

    assert [p.text for p in passages(path) if isinstance(p, Passage)] == before

    start = whole.index(b"stream\n", len(whole) // 3)
    path.write_bytes(whole[: start - 60] + whole[whole.index(b"endobj", start) :])
    with pytest.raises(InputFileError, match="damaged"):
        passages(path)


def test_pages_are_counted_without_being_read(tmp_path: Path) -> None:
    assert page_count(book(tmp_path / "b.pdf")) == 3


def test_pymupdf_is_imported_without_its_layout_model() -> None:
    code = (
        "import sys; from medrag.extras import require; pymupdf = require('pymupdf'); "
        "assert pymupdf._get_layout is None; "
        "assert not [m for m in sys.modules if m.startswith(('pymupdf.layout', 'pymupdf4llm'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
