"""Pictures on their way to a model: what they are decoded to, and how often."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medrag.checkpoints.batching import Halving
from medrag.encoding.pictures import asked_pictures, picture_vectors, pictures_of
from medrag.errors import InputFileError
from medrag.images import identified
from medrag.records import ImageRef, Question
from tests.encoding.tiny_pictures import colours, pictured, saved, written

Inputs = Mapping[str, NDArray[Any]]


class Spy:
    """A model whose vector is the mean colour, and 1; it counts what it is given."""

    def __init__(self, *, most: int = 100) -> None:
        self.most = most
        self.prepared_pictures = 0
        self.batches: list[int] = []

    def prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        self.prepared_pictures += 1
        return {"colour": pixels.reshape(-1, 3).mean(axis=0), "shape": np.array(pixels.shape)}

    def encoded(self, inputs: Inputs) -> NDArray[np.float32]:
        assert set(inputs) == {"colour", "shape"}
        self.batches.append(len(inputs["colour"]))
        if len(inputs["colour"]) > self.most:
            raise RuntimeError("out of memory")
        ones = np.ones((len(inputs["colour"]), 1))
        return np.concatenate([inputs["colour"], ones], axis=1, dtype=np.float32)


def encoded(refs: list[ImageRef], spy: Spy, *, budget: int = 4) -> NDArray[np.float32]:
    found = picture_vectors(
        [[ref] for ref in refs],
        prepared=spy.prepared,
        encoded=spy.encoded,
        halving=Halving(budget=budget),
    )
    assert found.lengths.tolist() == [1] * len(refs)
    np.testing.assert_allclose(np.linalg.norm(found.values, axis=1), 1, atol=1e-6)
    # The last number was 1 before the row was made unit.
    return found.values[:, :3] / found.values[:, 3:]


def kinds(folder: Path) -> dict[str, tuple[Path, NDArray[np.float64]]]:
    """One picture as files of every kind, with the mean colour that each should show."""
    pixels = colours(3)
    rgb = Image.fromarray(pixels)
    mean = pixels.reshape(-1, 3).mean(axis=0)
    grey = np.asarray(rgb.convert("L"))
    deep = grey.astype(np.uint16) * 257
    alpha = np.full(grey.shape, 255, np.uint8)
    alpha[:, : grey.shape[1] // 2] = 0
    clear = np.dstack([pixels, alpha])
    shown = np.where(alpha[..., None] == 0, 255, pixels).reshape(-1, 3).mean(axis=0)
    ink = Image.fromarray(255 - np.dstack([pixels, np.full_like(grey, 255)]), "CMYK")
    one = np.repeat(grey.mean(), 3)
    made = {
        "rgb.png": (rgb, mean), "rgb.bmp": (rgb, mean), "grey.png": (Image.fromarray(grey), one),
        "deep.png": (Image.fromarray(deep), one), "deep.tif": (Image.fromarray(deep), one),
        "palette.png": (rgb.quantize(256), mean), "clear.png": (Image.fromarray(clear), shown),
        "ink.tif": (ink, mean), "photo.jpg": (rgb, mean), "ink.jpg": (ink, mean),
        "bits.png": (Image.fromarray(np.ones((8, 8), bool)), np.full(3, 255.0)),
    }  # fmt: skip
    for name, (image, _) in made.items():
        image.save(folder / name, **({"quality": 95} if name.endswith("jpg") else {}))
    return {name: (folder / name, expected) for name, (_, expected) in made.items()}


KINDS = ["rgb.png", "rgb.bmp", "grey.png", "deep.png", "deep.tif", "palette.png", "clear.png",
         "ink.tif", "photo.jpg", "ink.jpg", "bits.png"]  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_picture_comes_through_as_red_green_blue(name: str, tmp_path: Path) -> None:
    path, expected = kinds(tmp_path)[name]
    found = encoded([ImageRef(str(path))], Spy())
    # Palettes and JPEG move colours by some steps; swapped channels would move them by tens.
    np.testing.assert_allclose(found[0], expected, atol=4)
    if len(set(expected.round())) == 3:
        assert np.abs(found[0] - expected[::-1]).max() > 10


def test_equal_pictures_go_through_the_model_once(tmp_path: Path) -> None:
    one, two = saved(tmp_path / "one.png", 1), saved(tmp_path / "two.png", 2)
    copy = tmp_path / "copy.bmp"
    Image.open(one).save(copy)
    refs = [identified(ImageRef(str(path))) for path in (one, two, copy, one)]
    spy = Spy()
    found = encoded(refs, spy)
    assert spy.prepared_pictures == 2
    np.testing.assert_array_equal(found[[0, 0, 0]], found[[0, 2, 3]])
    assert not np.array_equal(found[0], found[1])


def test_parts_of_one_picture_are_different_pictures(tmp_path: Path) -> None:
    ref = ImageRef(str(saved(tmp_path / "a.png", 1)))
    spy = Spy()
    found = encoded([ref, replace(ref, box=(0, 0, 9, 9)), ref], spy)
    assert spy.prepared_pictures == 2
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


@pytest.mark.parametrize("most", [1, 3, 100])
def test_rows_stand_in_the_order_asked_whatever_the_batches(most: int, tmp_path: Path) -> None:
    refs = [ImageRef(str(saved(tmp_path / f"{n}.png", n))) for n in range(7)]
    expected = np.array([colours(n).reshape(-1, 3).mean(axis=0) for n in range(7)])
    spy = Spy(most=most)
    np.testing.assert_allclose(encoded(refs, spy), expected, rtol=1e-5)
    assert sum(n for n in spy.batches if n <= most) == 7


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    refs = [ImageRef(str(saved(tmp_path / f"{n}.png", n))) for n in range(3)]
    broken = tmp_path / "broken.png"
    broken.write_bytes((tmp_path / "0.png").read_bytes()[:60])
    with pytest.raises(InputFileError, match=r"broken\.png"):
        encoded([*refs, ImageRef(str(broken))], Spy())


def test_what_has_no_picture_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="passage words has no picture"):
        pictures_of(written("words"))
    with pytest.raises(ValueError, match="question 'What\\?' has no picture"):
        asked_pictures(Question("What?"))
    path = tmp_path / "a.png"
    assert asked_pictures(Question(images=(path, str(path)))) == (ImageRef(str(path)),) * 2
    assert pictures_of(pictured(path)) == (ImageRef(str(path)),)
