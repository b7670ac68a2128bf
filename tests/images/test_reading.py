"""Pictures of every kind as pixels."""

import io
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import InputFileError
from medrag.images import (
    format_of,
    read_image,
)
from medrag.images.raster import grey_to_uint8
from medrag.records import ImageRef
from tests.images.scenes import ANY_FOLDER, RGB, Pixels, saved, scene


@ANY_FOLDER
@given(RGB)
def test_pixels_come_back_from_a_lossless_file_unchanged(tmp_path: Path, pixels: Pixels) -> None:
    for kind in ("PNG", "TIFF", "BMP"):
        ref = saved(tmp_path / "picture", Image.fromarray(pixels), kind)
        np.testing.assert_array_equal(read_image(ref), pixels)


@ANY_FOLDER
@given(st.binary(max_size=400), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"BM",
       b"\xff\xd8\xff\xe0", b"GIF89a", b"%PDF-1.7\n", b"\x08\0\x05\0CS\x02\0", b"P5 3 3 255 ",
       b"\0" * 128 + b"DICM", struct.pack("<i", 348) + b"\0" * 340 + b"n+1\0", b"\x1f\x8b\x08",
       b"RIFF\x10\0\0\0WEBPVP8 "]))  # fmt: skip
def test_bytes_that_are_no_picture_raise_the_one_error(
    tmp_path: Path, noise: bytes, start: bytes
) -> None:
    path = tmp_path / "noise"
    path.write_bytes(start + noise)
    with suppress(InputFileError):
        pixels = read_image(ImageRef(str(path), page=1, axis=2, slice=0))
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3


@ANY_FOLDER
@given(st.integers(0, 3000), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF"]))
def test_a_file_cut_short_is_named_or_read_whole(tmp_path: Path, cut: int, kind: str) -> None:
    memory = io.BytesIO()
    Image.fromarray(scene()).save(memory, kind)
    path = tmp_path / "cut"
    path.write_bytes(memory.getvalue()[:cut])
    if cut >= len(memory.getvalue()):
        assert read_image(ImageRef(str(path))).shape == (96, 128, 3)
        return
    with suppress(InputFileError):
        assert read_image(ImageRef(str(path))).shape == (96, 128, 3)


def test_the_content_says_what_a_file_is_and_not_its_name(tmp_path: Path) -> None:
    ref = saved(tmp_path / "scan.pdf", Image.fromarray(scene()), "JPEG")
    assert format_of(Path(ref.path)) == "raster"
    assert read_image(ref).shape == (96, 128, 3)


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    image = Image.fromarray(scene())
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    ref = saved(tmp_path / "a.png", image, exif=exif)
    np.testing.assert_array_equal(read_image(ref), np.rot90(scene(), -1))


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    layer = np.zeros((2, 2, 4), dtype=np.uint8)
    layer[0, 0] = (200, 0, 0, 255)
    layer[1, 1] = (0, 0, 0, 128)
    pixels = read_image(saved(tmp_path / "a.png", Image.fromarray(layer)))
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[0, 1].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == [127, 127, 127]  # black at 128/255 on white


def test_a_palette_and_cmyk_become_rgb(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    palette = saved(tmp_path / "a.png", image.quantize(4))
    cmyk = saved(tmp_path / "a.tif", image.convert("CMYK"), "TIFF")
    for ref in (palette, cmyk):
        assert read_image(ref)[0, 0].tolist() == [255, 0, 0]


def test_twelve_bits_of_grey_span_black_to_white(tmp_path: Path) -> None:
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    pixels = read_image(saved(tmp_path / "a.png", Image.fromarray(ramp)))
    assert pixels[0, 0, 0] == 0
    assert pixels[-1, -1, 0] == 255
    assert pixels[32, 0, 0] == 128  # 2048 / 4095 * 255 = 127.53


def test_eight_bits_in_a_file_of_sixteen_stay_what_they_are() -> None:
    values = np.array([[0, 100, 255]], dtype=np.uint16)
    assert grey_to_uint8(values).tolist() == [[0, 100, 255]]


def test_signed_and_odd_values_are_stretched() -> None:
    assert grey_to_uint8(np.array([[-10, 0, 10]])).tolist() == [[0, 128, 255]]
    assert grey_to_uint8(np.array([[0.0, 0.5, 1.0]])).tolist() == [[0, 128, 255]]
    assert grey_to_uint8(np.array([[np.nan, np.inf, 5.0]])).tolist() == [[0, 0, 255]]


def test_the_frames_of_a_tiff_are_told_apart(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (3, 2), colour) for colour in ("red", "blue"))
    ref = saved(tmp_path / "a.tif", first, "TIFF", save_all=True, append_images=[second])
    assert read_image(ref)[0, 0].tolist() == [255, 0, 0]
    assert read_image(replace(ref, frame=1))[0, 0].tolist() == [0, 0, 255]
    with pytest.raises(InputFileError, match=r"frame 2: the file has 2 frames"):
        read_image(replace(ref, frame=2))


def test_a_box_cuts_out_the_pixels_that_it_touches(tmp_path: Path) -> None:
    ref = saved(tmp_path / "a.png", Image.fromarray(scene()))
    part = read_image(replace(ref, box=(10.5, 4.0, 20.0, 500.0)))
    np.testing.assert_array_equal(part, scene()[4:, 10:20])


@pytest.mark.parametrize("box", [(200.0, 0.0, 300.0, 9.0), (5.0, 5.0, 5.0, 9.0),
                                 (float("nan"), 0.0, 5.0, 5.0)])  # fmt: skip
def test_a_box_outside_the_picture_is_refused(
    tmp_path: Path, box: tuple[float, float, float, float]
) -> None:
    ref = saved(tmp_path / "a.png", Image.fromarray(scene()))
    with pytest.raises(InputFileError, match="box"):
        read_image(replace(ref, box=box))


def _png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds next to nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = (
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
        for c in (header, data, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("size", [(40_000, 40_000), (10_001, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_made_to_exhaust_memory_is_refused_before_decoding(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png_header(*size))
    with pytest.raises(InputFileError, match="more than the 100,000,000"):
        read_image(ImageRef(str(path)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"absent\.png: the file does not exist"):
        read_image(ImageRef(str(tmp_path / "absent.png")))


def test_a_text_is_no_picture_and_the_error_says_what_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("not a picture", encoding="utf-8")
    with pytest.raises(InputFileError, match="expected PNG, JPEG"):
        read_image(ImageRef(str(path)))


def test_reading_a_picture_loads_no_heavy_library(tmp_path: Path) -> None:
    saved(tmp_path / "a.png", Image.fromarray(scene()))
    code = (
        "import sys; from medrag.images import identified; from medrag.records import ImageRef; "
        "identified(ImageRef(sys.argv[1])); "
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.png"], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "PIL" in loaded
    assert not {"torch", "skimage", "scipy", "pydicom", "nibabel", "pymupdf"} & loaded
