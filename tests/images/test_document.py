"""Pages of PDF files as pixels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pymupdf
import pytest

from medrag.errors import InputFileError
from medrag.images import (
    kept_open,
    page_size,
    read_image,
)
from medrag.records import ImageRef


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    """A page of 200 x 100 points with a red square at (20, 30)-(60, 70), and the same turned."""
    with pymupdf.open() as document:
        for _ in range(2):
            page = document.new_page(width=200, height=100)
            page.draw_rect((20, 30, 60, 70), color=None, fill=(1, 0, 0))
        document[1].set_rotation(90)
        document.save(tmp_path / "a.pdf")
    return tmp_path / "a.pdf"


def test_a_page_is_rendered_at_the_asked_resolution(pdf: Path) -> None:
    pixels = read_image(ImageRef(str(pdf), page=1), dpi=144)
    assert pixels.shape == (200, 400, 3)
    assert pixels[100, 80].tolist() == [255, 0, 0]
    assert pixels[5, 5].tolist() == [255, 255, 255]


def test_a_box_on_a_page_is_in_points_of_the_page_as_displayed(pdf: Path) -> None:
    upright = read_image(ImageRef(str(pdf), page=1, box=(20, 30, 60, 70)), dpi=72)
    assert upright.shape == (40, 40, 3)
    assert (upright == [255, 0, 0]).all()
    # Turned clockwise, the page is 100 wide: x becomes 100 - y, and y becomes x.
    turned = read_image(ImageRef(str(pdf), page=2, box=(30, 20, 70, 60)), dpi=72)
    assert (turned == [255, 0, 0]).all()


def test_a_page_is_measured_as_it_is_displayed(tmp_path: Path) -> None:
    with pymupdf.open() as document:
        sheet = document.new_page(width=300, height=400)
        sheet.set_cropbox(pymupdf.Rect(10, 20, 110, 320))
        sheet.set_rotation(90)
        document.save(tmp_path / "turned.pdf")
    assert page_size(tmp_path / "turned.pdf", 1) == (300, 100)


def test_a_pdf_that_is_kept_open_gives_the_same_pages(pdf: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pdf"
    with pymupdf.open() as document:
        document.new_page(width=50, height=60)
        document.save(other)
    refs = [ImageRef(str(path), page=1) for path in (pdf, other, pdf)]
    apart = [read_image(ref) for ref in refs]
    with kept_open(), kept_open(), ThreadPoolExecutor(2) as pool:
        together = list(pool.map(read_image, refs * 3))
        with pytest.raises(InputFileError, match="page 9"):
            read_image(ImageRef(str(pdf), page=9))
        with pytest.raises(InputFileError, match="does not exist"):
            read_image(ImageRef(str(tmp_path / "none.pdf"), page=1))
        np.testing.assert_array_equal(read_image(refs[0]), apart[0])
    for one, expected in zip(together, apart * 3, strict=True):
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize(
    ("ref", "problem"),
    [
        (ImageRef(""), "no page"),
        (ImageRef("", page=3), "page 3: the PDF has 2 pages"),
        (ImageRef("", page=1, box=(300, 300, 400, 400)), "0 x 0 pixels"),
    ],
)
def test_a_place_that_a_pdf_has_not_is_refused(pdf: Path, ref: ImageRef, problem: str) -> None:
    with pytest.raises(InputFileError, match=problem):
        read_image(replace(ref, path=str(pdf)))


def test_an_absurd_resolution_is_refused(pdf: Path) -> None:
    with pytest.raises(InputFileError, match="more than the"):
        read_image(ImageRef(str(pdf), page=1), dpi=100_000)


def test_an_encrypted_pdf_is_refused(tmp_path: Path) -> None:
    with pymupdf.open() as document:
        document.new_page()
        document.save(
            tmp_path / "a.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="x", owner_pw="y"
        )
    with pytest.raises(InputFileError, match="encrypted"):
        read_image(ImageRef(str(tmp_path / "a.pdf"), page=1))
