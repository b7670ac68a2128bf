"""Names of pictures by what they show."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.images import (
    hamming,
    identified,
    perceptual_hash,
    pixel_sha256,
)
from medrag.records import ImageRef
from tests.images.scenes import RGB, Pixels, saved, scene


@given(RGB)
def test_equal_pixels_have_one_name_and_other_shapes_another(pixels: Pixels) -> None:
    assert pixel_sha256(pixels) == pixel_sha256(np.asfortranarray(pixels))
    height, width, _ = pixels.shape
    if height != width:
        assert pixel_sha256(pixels) != pixel_sha256(pixels.reshape(width, height, 3))


def test_the_same_pixels_in_two_formats_have_one_name(tmp_path: Path) -> None:
    image = Image.fromarray(scene())
    png = identified(saved(tmp_path / "a.png", image))
    tiff = identified(saved(tmp_path / "a.tif", image, "TIFF"))
    assert (png.sha256, png.phash) == (tiff.sha256, tiff.phash)
    assert png.sha256 == pixel_sha256(scene())


def test_a_named_picture_is_not_decoded_again() -> None:
    ref = ImageRef("nowhere.png", sha256="0" * 64, phash="0" * 16)
    assert identified(ref) is ref


def test_a_scaled_and_recompressed_picture_looks_the_same(tmp_path: Path) -> None:
    blots = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(blots).resize((640, 480), Image.Resampling.BICUBIC)
    small = image.resize((200, 150))
    ref = identified(saved(tmp_path / "a.jpg", small, "JPEG", quality=60))
    assert hamming(perceptual_hash(np.asarray(image)), ref.phash or "") <= 4


def test_another_picture_looks_different() -> None:
    assert hamming(perceptual_hash(scene()), perceptual_hash(scene()[::-1, ::-1])) > 16


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_pictures_of_one_colour_share_a_hash(grey: int) -> None:
    assert perceptual_hash(np.full((50, 70, 3), grey, dtype=np.uint8)) == "0" * 16


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_hamming_counts_differing_bits(first: int, second: int) -> None:
    assert hamming(f"{first:016x}", f"{second:016x}") == bin(first ^ second).count("1")


def test_hashes_of_two_lengths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="one length"):
        hamming("00", "0000")
