"""Where on a page the words of a question are found, and pages found by words."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray

from medrag.config import Index, build_index
from medrag.encoding.page import PageEncoder
from medrag.encoding.page.similarity import SimilarityMap, boxes
from medrag.images import read_image
from medrag.records import ImageRef, Question, Region
from tests.encoding.page.pages import FAMILIES, QUESTIONS, made, page


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [(96, 64), (64, 96), (30, 120)])
def test_every_patch_is_boxed_where_it_lies(
    encoders: dict[str, PageEncoder], name: str, size: tuple[int, int]
) -> None:
    # What changes most, when a part of an even picture is painted, is the vector of that part.
    encoder, (height, width) = encoders[name], size
    grid = encoder._grid(height, width)
    rows, columns = grid.places.shape
    even = np.full((height, width, 3), 200, dtype=np.uint8)
    middles, painted = [], []
    for row in range(rows):
        for column in range(columns):
            top, left = height / rows * (row + 0.25), width / columns * (column + 0.25)
            bottom, right = top + height / rows / 2, left + width / columns / 2
            pixels = even.copy()
            pixels[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = (9, 90, 30)
            painted.append(pixels)
            middles.append(((left + right) / 2, (top + bottom) / 2))
    before, *after = _patch_vectors(encoder, [even, *painted])
    for vectors, middle in zip(after, middles, strict=True):
        changed = 1 - (vectors * before).sum(axis=1)[grid.places]
        found = SimilarityMap(("x",), np.ones(1, dtype=bool), changed[None], (0, 0, width, height))
        [best] = boxes(found, share=1)
        box = best.box
        assert ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) == pytest.approx(middle)


def _patch_vectors(
    encoder: PageEncoder, pictures: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.float32]]:
    """Encode pictures of one size; the vectors of their patches in token order."""
    grid = encoder._grid(*pictures[0].shape[:2])
    prepared = [encoder._of_pixels(ImageRef("x"), pixels) for pixels in pictures]
    return [
        found.values[encoder._patches(found, grid.n_tokens)]
        for found in encoder._vectors(prepared, "document")
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_map_holds_the_cosines_of_words_and_patches(
    encoders: dict[str, PageEncoder], book: Path, name: str
) -> None:
    encoder = encoders[name]
    found = encoder.similarity_map(QUESTIONS[1], page(book, 3))
    words = encoder.encode_questions([QUESTIONS[1]], "text").values
    [patches] = _patch_vectors(encoder, [read_image(page(book, 3).images[0], dpi=144)])
    grid = encoder._grid(400, 1000)
    assert found.frame == (0, 0, 500, 200)
    assert found.values.shape == (len(words), *grid.places.shape)
    np.testing.assert_allclose(
        found.values, (words @ patches.T)[:, grid.places.ravel()].reshape(found.values.shape),
        atol=1e-5,
    )  # fmt: skip
    assert [token for token, asked in zip(found.tokens, found.asked, strict=True) if asked] == [
        "lung"
    ]


def test_a_map_of_a_pooled_index_has_every_patch(checkpoints: dict[str, Path], book: Path) -> None:
    pooled = made(checkpoints["colqwen2"], pool=4)
    full = made(checkpoints["colqwen2"])
    one, other = (each.similarity_map(QUESTIONS[0], page(book, 1)) for each in (pooled, full))
    np.testing.assert_array_equal(one.values, other.values)


def test_a_part_of_a_page_is_boxed_on_the_page(
    encoders: dict[str, PageEncoder], book: Path
) -> None:
    part = replace(page(book, 1).images[0], box=(100.0, 50.0, 250.0, 150.0))
    found = encoders["colpali"].similarity_map(QUESTIONS[0], replace(page(book, 1), images=(part,)))
    assert found.frame == (100, 50, 250, 150)


def test_a_map_needs_a_picture_that_is_there(encoders: dict[str, PageEncoder], book: Path) -> None:
    with pytest.raises(ValueError, match="has 1 pictures, and none at 1"):
        encoders["colpali"].similarity_map(QUESTIONS[0], page(book, 1), image=1)


@pytest.fixture(scope="module")
def library(
    data: Path, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Index:
    [book] = (data / "textbook" / "anatomy_physiology").glob("*.pdf")
    model = str(checkpoints["colqwen2"])
    encoder = {"kind": "page", "model": model, "device": "cpu", "dtype": "float32", "pool": 3}
    return build_index(
        tmp_path_factory.mktemp("library") / "index",
        sources=[book],
        channels={"page": {"encoder": encoder, "side": "text"}},
    )


@pytest.mark.realdata
@pytest.mark.slow
def test_pages_of_a_real_textbook_are_searched_by_words(
    library: Index, checkpoints: dict[str, Path]
) -> None:
    encoder = made(checkpoints["colqwen2"], pool=3)
    pages = [each for each in library.passages if each.kind == "page"]
    assert len(pages) == 65
    hits = library.search("what does the heart do?", k=65, channels=["page"])
    assert {hit.passage.id for hit in hits} == {each.id for each in pages}
    # MaxSim, the slow way, over pages that are encoded anew.
    asked = encoder.encode_questions(QUESTIONS[:1], "text").values
    found = encoder.encode_passages([library.resolve(each) for each in pages])
    parts = np.split(found.values, np.cumsum(found.lengths)[:-1])
    scores = {
        each.id: float((asked @ part.T).max(axis=1).sum())
        for each, part in zip(pages, parts, strict=True)
    }
    ranked = [scores[hit.passage.id] for hit in hits]
    assert ranked == sorted(ranked, reverse=True)
    for hit in hits:
        assert hit.parts["page"].score == pytest.approx(scores[hit.passage.id], abs=1e-3)


@pytest.mark.realdata
@pytest.mark.slow
def test_words_are_boxed_on_the_pages_of_a_real_textbook(
    library: Index, checkpoints: dict[str, Path]
) -> None:
    encoder = made(checkpoints["colqwen2"], pool=3)
    question = Question("what does the heart do?")
    for hit in library.search(question.text, k=3, channels=["page"]):
        found = encoder.similarity_map(question, library.resolve(hit.passage))
        with pymupdf.open(library.resolve(hit.passage).images[0].path) as document:
            rect = document[hit.passage.images[0].page - 1].rect
        assert found.frame == (0, 0, rect.width, rect.height)
        places = boxes(found)
        assert places
        for box, score in places:
            assert 0 <= box[0] < box[2] <= rect.width
            assert 0 <= box[1] < box[3] <= rect.height
            assert -1 <= score <= 1
        assert Region(hit.passage.images[0].page, places[0].box).box == places[0].box
