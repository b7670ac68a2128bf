"""Pictures of every kind as pixels, their hashes, and paths that stay inside."""

import gzip
import io
import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pymupdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from medrag.errors import InputFileError, UnsafePathError
from medrag.images import (
    format_of,
    hamming,
    identified,
    kept_open,
    page_size,
    perceptual_hash,
    pixel_sha256,
    read_image,
    read_volume,
    resolved,
    within,
)
from medrag.images.raster import grey_to_uint8
from medrag.records import ImageRef, Passage, Source

Pixels = NDArray[np.uint8]
ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
RGB = arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))


def _scene(height: int = 96, width: int = 128) -> Pixels:
    """A picture with shape and colour: a bright disc on a gradient."""
    y, x = np.mgrid[:height, :width]
    disc = (x - width * 0.4) ** 2 + (y - height * 0.5) ** 2 < (height * 0.3) ** 2
    red = np.where(disc, 230, x * 200 // width)
    return np.stack([red, np.where(disc, 60, 30), y * 255 // height], axis=2).astype(np.uint8)


def _saved(path: Path, image: Image.Image, kind: str = "PNG", **options: object) -> ImageRef:
    image.save(path, format=kind, **options)  # type: ignore[arg-type]
    return ImageRef(str(path))


# Reading


@ANY_FOLDER
@given(RGB)
def test_pixels_come_back_from_a_lossless_file_unchanged(tmp_path: Path, pixels: Pixels) -> None:
    for kind in ("PNG", "TIFF", "BMP"):
        ref = _saved(tmp_path / "picture", Image.fromarray(pixels), kind)
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
    Image.fromarray(_scene()).save(memory, kind)
    path = tmp_path / "cut"
    path.write_bytes(memory.getvalue()[:cut])
    if cut >= len(memory.getvalue()):
        assert read_image(ImageRef(str(path))).shape == (96, 128, 3)
        return
    with suppress(InputFileError):
        assert read_image(ImageRef(str(path))).shape == (96, 128, 3)


def test_the_content_says_what_a_file_is_and_not_its_name(tmp_path: Path) -> None:
    ref = _saved(tmp_path / "scan.pdf", Image.fromarray(_scene()), "JPEG")
    assert format_of(Path(ref.path)) == "raster"
    assert read_image(ref).shape == (96, 128, 3)


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    image = Image.fromarray(_scene())
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    ref = _saved(tmp_path / "a.png", image, exif=exif)
    np.testing.assert_array_equal(read_image(ref), np.rot90(_scene(), -1))


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    layer = np.zeros((2, 2, 4), dtype=np.uint8)
    layer[0, 0] = (200, 0, 0, 255)
    layer[1, 1] = (0, 0, 0, 128)
    pixels = read_image(_saved(tmp_path / "a.png", Image.fromarray(layer)))
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[0, 1].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == [127, 127, 127]  # black at 128/255 on white


def test_a_palette_and_cmyk_become_rgb(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    palette = _saved(tmp_path / "a.png", image.quantize(4))
    cmyk = _saved(tmp_path / "a.tif", image.convert("CMYK"), "TIFF")
    for ref in (palette, cmyk):
        assert read_image(ref)[0, 0].tolist() == [255, 0, 0]


def test_twelve_bits_of_grey_span_black_to_white(tmp_path: Path) -> None:
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    pixels = read_image(_saved(tmp_path / "a.png", Image.fromarray(ramp)))
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
    ref = _saved(tmp_path / "a.tif", first, "TIFF", save_all=True, append_images=[second])
    assert read_image(ref)[0, 0].tolist() == [255, 0, 0]
    assert read_image(replace(ref, frame=1))[0, 0].tolist() == [0, 0, 255]
    with pytest.raises(InputFileError, match=r"frame 2: the file has 2 frames"):
        read_image(replace(ref, frame=2))


def test_a_box_cuts_out_the_pixels_that_it_touches(tmp_path: Path) -> None:
    ref = _saved(tmp_path / "a.png", Image.fromarray(_scene()))
    part = read_image(replace(ref, box=(10.5, 4.0, 20.0, 500.0)))
    np.testing.assert_array_equal(part, _scene()[4:, 10:20])


@pytest.mark.parametrize("box", [(200.0, 0.0, 300.0, 9.0), (5.0, 5.0, 5.0, 9.0),
                                 (float("nan"), 0.0, 5.0, 5.0)])  # fmt: skip
def test_a_box_outside_the_picture_is_refused(
    tmp_path: Path, box: tuple[float, float, float, float]
) -> None:
    ref = _saved(tmp_path / "a.png", Image.fromarray(_scene()))
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


# Pages


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


# Volumes


def _nifti(path: Path, values: NDArray[np.generic], affine: NDArray[np.float64]) -> Path:
    nibabel.Nifti1Image(values, affine).to_filename(path)
    return path


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((0, 1, 2), (1, 1, 1)), ((0, 1, 2), (-1, -1, 1)), ((2, 0, 1), (1, -1, -1))],
)
def test_a_volume_comes_in_ras_order_however_it_is_stored(
    tmp_path: Path, axes: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    upright = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)  # x, y, z
    stored = upright.transpose(axes)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for position, axis in enumerate(axes):
        flip = flips[position]
        stored = np.flip(stored, position) if flip < 0 else stored
        affine[axis, position] = flip * (axis + 1.0)  # 1, 2, 3 mm along x, y, z
        affine[axis, 3] = (upright.shape[axis] - 1) * (axis + 1.0) if flip < 0 else 0
    volume = read_volume(_nifti(tmp_path / "a.nii.gz", stored, affine))
    np.testing.assert_array_equal(volume.values, upright.transpose(2, 1, 0))
    assert volume.spacing == (3.0, 2.0, 1.0)
    np.testing.assert_allclose(volume.affine, np.diag([1.0, 2.0, 3.0, 1.0]), atol=1e-6)


def _marked(n: int = 20) -> NDArray[np.float32]:
    """A volume in (x, y, z) that is dark but for the patient's right, front and upper corner."""
    values = np.zeros((n, n, n), dtype=np.float32)
    values[-3:, -3:, -3:] = 100
    values[0, 0, 0] = 1
    return values


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_show_the_patients_right_on_the_left_and_front_or_head_on_top(
    tmp_path: Path, axis: int
) -> None:
    path = _nifti(tmp_path / "a.nii", _marked(), np.eye(4))
    pixels = read_image(ImageRef(str(path), axis=axis, slice=19))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, -1].tolist() == pixels[-1, 0].tolist() == [0, 0, 0]


def test_a_slice_has_square_pixels(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", _marked(), np.diag([1.0, 1.0, 5.0, 1.0]))
    assert read_image(ImageRef(str(path), axis=2, slice=0)).shape == (20, 20, 3)
    assert read_image(ImageRef(str(path), axis=1, slice=0)).shape == (100, 20, 3)


def test_computed_tomography_is_shown_in_a_window_of_soft_tissue(tmp_path: Path) -> None:
    values = np.full((4, 4, 4), -1000, dtype=np.int16)
    values[0, 0, 0], values[1, 0, 0], values[2, 0, 0] = -160, 40, 3000
    path = _nifti(tmp_path / "a.nii", values, np.eye(4))
    row = read_image(ImageRef(str(path), axis=2, slice=0))[-1, ::-1, 0]
    assert row.tolist() == [0, 128, 255, 0]  # (40 + 160) / 400 * 255 = 127.5


def test_a_series_is_read_volume_by_volume(tmp_path: Path) -> None:
    values = np.zeros((3, 3, 3, 2), dtype=np.int16)
    values[..., 1] = np.arange(27).reshape(3, 3, 3)
    path = _nifti(tmp_path / "a.nii.gz", values, np.eye(4))
    assert read_volume(path).n_times == 2
    assert read_volume(path).values.max() == 0
    assert read_volume(path, time=1).values.max() == 26
    with pytest.raises(InputFileError, match="time 2: the series has 2 volumes"):
        read_volume(path, time=2)


def test_a_single_slice_is_a_volume_of_one(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", np.ones((5, 4), dtype=np.float32), np.eye(4))
    assert read_volume(path).values.shape == (1, 4, 5)


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", np.zeros((4, 4, 4), dtype=np.int16), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[40:48] = struct.pack("<4h", 3, 500, 500, 500)
    for bomb in (bytes(raw), gzip.compress(raw)):
        path.write_bytes(bomb)
        with pytest.raises(InputFileError, match="promises 250,000,000 bytes"):
            read_volume(path)
    raw[40:48] = struct.pack("<4h", 3, 2000, 2000, 2000)
    path.write_bytes(raw)
    with pytest.raises(InputFileError, match="8,000,000,000 voxels"):
        read_volume(path)


def test_a_volume_cut_short_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 999, (16, 16, 16)).astype(np.int16)
    for name in ("a.nii", "a.nii.gz"):
        path = _nifti(tmp_path / name, values, np.eye(4))
        path.write_bytes(path.read_bytes()[:-600])
        with pytest.raises(InputFileError):
            read_volume(path)


def test_colours_complex_numbers_and_pairs_of_files_are_refused(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", np.zeros((3, 3, 3), dtype=np.complex64), np.eye(4))
    with pytest.raises(InputFileError, match="plain numbers"):
        read_volume(path)
    nibabel.Nifti1Pair(np.zeros((3, 3, 3), dtype=np.int16), np.eye(4)).to_filename(
        tmp_path / "b.img"
    )
    with pytest.raises(InputFileError, match="pair of"):
        read_volume(tmp_path / "b.hdr")


def test_a_volume_without_axis_or_with_a_wrong_slice_is_refused(tmp_path: Path) -> None:
    path = str(_nifti(tmp_path / "a.nii", _marked(), np.eye(4)))
    with pytest.raises(InputFileError, match="no axis and slice"):
        read_image(ImageRef(path))
    with pytest.raises(InputFileError, match="slice 20 of axis 2: the volume has 20 slices"):
        read_image(ImageRef(path, axis=2, slice=20))
    with pytest.raises(InputFileError, match="slice -1"):
        read_image(ImageRef(path, axis=2, slice=-1))


def test_a_volume_written_anew_is_not_taken_from_memory(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", _marked(), np.eye(4))
    before = read_image(ImageRef(str(path), axis=2, slice=19))
    _nifti(path, _marked()[::-1], np.eye(4))
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(
        read_image(ImageRef(str(path), axis=2, slice=19))[:, ::-1][0, 0], before[0, 0]
    )


@pytest.mark.realdata
def test_the_liver_of_a_real_scan_lies_on_the_left_of_the_picture(data: Path) -> None:
    path = data / "radiology" / "volume" / "example_ct_sm.nii.gz"
    pixels = read_image(ImageRef(str(path), axis=2, slice=20))
    assert pixels.shape == (101, 122, 3)
    # Enhanced liver fills the patient's right; the stomach and lung of the left hold black air.
    right, left = pixels[25:70, 15:55, 0], pixels[25:70, 67:107, 0]
    assert (right < 30).mean() < (left < 30).mean()
    assert right.mean() > left.mean()


# Hashes


@given(RGB)
def test_equal_pixels_have_one_name_and_other_shapes_another(pixels: Pixels) -> None:
    assert pixel_sha256(pixels) == pixel_sha256(np.asfortranarray(pixels))
    height, width, _ = pixels.shape
    if height != width:
        assert pixel_sha256(pixels) != pixel_sha256(pixels.reshape(width, height, 3))


def test_the_same_pixels_in_two_formats_have_one_name(tmp_path: Path) -> None:
    image = Image.fromarray(_scene())
    png = identified(_saved(tmp_path / "a.png", image))
    tiff = identified(_saved(tmp_path / "a.tif", image, "TIFF"))
    assert (png.sha256, png.phash) == (tiff.sha256, tiff.phash)
    assert png.sha256 == pixel_sha256(_scene())


def test_a_named_picture_is_not_decoded_again() -> None:
    ref = ImageRef("nowhere.png", sha256="0" * 64, phash="0" * 16)
    assert identified(ref) is ref


def test_a_scaled_and_recompressed_picture_looks_the_same(tmp_path: Path) -> None:
    blots = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(blots).resize((640, 480), Image.Resampling.BICUBIC)
    small = image.resize((200, 150))
    ref = identified(_saved(tmp_path / "a.jpg", small, "JPEG", quality=60))
    assert hamming(perceptual_hash(np.asarray(image)), ref.phash or "") <= 4


def test_another_picture_looks_different() -> None:
    assert hamming(perceptual_hash(_scene()), perceptual_hash(_scene()[::-1, ::-1])) > 16


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_pictures_of_one_colour_share_a_hash(grey: int) -> None:
    assert perceptual_hash(np.full((50, 70, 3), grey, dtype=np.uint8)) == "0" * 16


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_hamming_counts_differing_bits(first: int, second: int) -> None:
    assert hamming(f"{first:016x}", f"{second:016x}") == bin(first ^ second).count("1")


def test_hashes_of_two_lengths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="one length"):
        hamming("00", "0000")


# Paths


@pytest.mark.parametrize(
    "path",
    ["../a.png", "x/../../a.png", "/etc/passwd", r"..\a.png", r"C:\a.png", "C:a.png",
     r"\\host\share\a.png", "a\0b"],
)  # fmt: skip
def test_a_path_that_leaves_its_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePathError):
        within(tmp_path, path)


def test_a_path_inside_is_given_below_the_root(tmp_path: Path) -> None:
    assert within(tmp_path, "x/../y/a.png") == tmp_path / "y" / "a.png"
    assert within(tmp_path, tmp_path / "a.png") == tmp_path / "a.png"
    assert within(tmp_path, "") == tmp_path


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "in.png").touch()
    (tmp_path / "out.png").touch()
    (root / "good").symlink_to(root / "in.png")
    (root / "bad").symlink_to(tmp_path / "out.png")
    (root / "loop").symlink_to(root / "loop")
    assert within(root, "good") == root / "in.png"
    for name in ("bad", "loop"):
        with pytest.raises(UnsafePathError):
            within(root, name)


def test_a_root_that_is_a_link_is_a_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert within(tmp_path / "root", "a.png") == tmp_path / "root" / "a.png"


@ANY_FOLDER
@given(st.text(max_size=60) | st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "~", "C:"]),
       max_size=8).map("/".join))  # fmt: skip
def test_whatever_path_is_given_the_place_lies_inside(tmp_path: Path, path: str) -> None:
    try:
        found = within(tmp_path, path)
    except UnsafePathError:
        return
    assert found.resolve().is_relative_to(tmp_path.resolve())


def test_a_passage_is_resolved_below_its_root(tmp_path: Path) -> None:
    source = Source("c", "a.png", "0" * 64)
    passage = Passage("1", "image", "", source, (ImageRef("x/a.png", frame=3),))
    image = resolved(passage, tmp_path).images[0]
    assert image == ImageRef(str(tmp_path / "x" / "a.png"), frame=3)
    with pytest.raises(UnsafePathError):
        resolved(replace(passage, images=(ImageRef("../a.png"),)), tmp_path)


def test_reading_a_picture_loads_no_heavy_library(tmp_path: Path) -> None:
    _saved(tmp_path / "a.png", Image.fromarray(_scene()))
    code = (
        "import sys; from medrag.images import identified; from medrag.records import ImageRef; "
        "identified(ImageRef(sys.argv[1])); "
        "assert not {'torch', 'skimage', 'scipy', 'pydicom', 'nibabel', 'pymupdf'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], check=True)
