"""DICOM files: what is shown of their pixels."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)

from medrag.errors import InputFileError
from medrag.images import format_of, read_image
from medrag.images.dicom import windowed
from medrag.records import ImageRef, Skipped
from tests.ingestion.dicom_files import (
    CR,
    SECONDARY,
    grey,
    made,
    passages_of,
    ramp,
    read,
    saved,
)

ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def test_a_window_is_applied_after_slope_and_intercept(tmp_path: Path) -> None:
    stored = np.array([[0, 1014, 1064, 1114, 4095]], dtype="<u2")
    dataset = made(stored, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=101)
    # HU -1024, -10, 40, 90, 3071; shares ((x - 39.5) / 100 + 0.5): 0, 0.005, 0.505, 1, 1
    assert grey(saved(tmp_path / "a.dcm", dataset)).tolist() == [[0, 1, 129, 255, 255]]


def test_the_first_of_several_windows_counts(tmp_path: Path) -> None:
    one = made(ramp(), WindowCenter=32, WindowWidth=20)
    two = made(ramp(), WindowCenter=[32, 1000], WindowWidth=[20, 5])
    first, second = saved(tmp_path / "a.dcm", one), saved(tmp_path / "b.dcm", two)
    np.testing.assert_array_equal(grey(first), grey(second))


def test_without_a_window_outliers_do_not_darken_the_picture(tmp_path: Path) -> None:
    values = np.linspace(0, 1000, 10_000).astype("<i2").reshape(100, 100)
    values[0, 0], values[0, 1] = 32_000, -32_000
    shown = grey(saved(tmp_path / "a.dcm", made(values)))
    assert int(shown[50, 0]) == pytest.approx(128, abs=2)
    assert (shown[0, 0], shown[0, 1]) == (255, 0)


def test_padding_does_not_count_for_the_default_window(tmp_path: Path) -> None:
    values = np.full((20, 20), -2000, dtype="<i2")
    values[5:15, 5:15] = np.arange(100).reshape(10, 10)
    dataset = made(values)
    dataset.add_new(0x00280120, "SS", -2000)  # Pixel Padding Value
    shown = grey(saved(tmp_path / "a.dcm", dataset))
    assert int(shown[10, 5]) == pytest.approx(128, abs=3)
    assert shown[0, 0] == 0


def test_a_window_that_shows_nothing_gives_way_to_the_default(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.dcm", made(ramp(), WindowCenter=30_000, WindowWidth=10))
    assert np.ptp(grey(path)) == 255


def test_eight_bits_without_a_window_stay_as_they_are(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.dcm", made(ramp("u1"), SECONDARY))
    np.testing.assert_array_equal(grey(path), ramp("u1"))


def test_monochrome1_is_the_negative_of_monochrome2(tmp_path: Path) -> None:
    tags = {"WindowCenter": 32, "WindowWidth": 40}
    plain = saved(tmp_path / "a.dcm", made(ramp(), CR, **tags))
    inverse = made(ramp(), CR, **tags, PhotometricInterpretation="MONOCHROME1")
    shown = grey(saved(tmp_path / "b.dcm", inverse))
    np.testing.assert_allclose(255 - shown.astype(int), grey(plain), atol=1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", [0, 0, 0.5 + 0.5 / 9, 1, 1]),  # (5 - 4.5) / 9 + 0.5
        ("LINEAR_EXACT", [0, 0, 0.5, 1, 1]),
        ("SIGMOID", [0.0180, 0.1192, 0.5, 0.8808, 0.9820]),  # 1 / (1 + exp(4)), exp(2)
    ],
)
def test_the_three_window_functions_follow_the_standard(
    function: str, expected: list[float]
) -> None:
    values = np.array([-5.0, 0.0, 5.0, 10.0, 15.0])
    shares = windowed(values, 5.0, 10.0, function)
    np.testing.assert_allclose(shares, expected, atol=5e-5)


def test_a_window_one_wide_is_a_threshold() -> None:
    assert windowed(np.array([4.0, 5.0, 6.0]), 5.0, 1.0).tolist() == [0, 1, 1]


def test_a_table_of_values_of_interest_is_looked_up(tmp_path: Path) -> None:
    table = Dataset()
    table.add_new(0x00283002, "US", [64, 0, 8])  # 64 entries from 0, of 8 bits
    table.add_new(0x00283006, "US", [255 - 4 * i for i in range(64)])
    path = saved(tmp_path / "a.dcm", made(ramp(), VOILUTSequence=[table]))
    np.testing.assert_array_equal(grey(path), 255 - 4 * ramp("u1"))


def test_colour_is_shown_in_colour(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path = saved(tmp_path / "a.dcm", made(pixels, SECONDARY))
    np.testing.assert_array_equal(read_image(ImageRef(str(path))), pixels)


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    red = np.tile(np.array([76, 85, 255], dtype=np.uint8), (4, 4, 1))  # Y, Cb, Cr of red
    dataset = made(red, SECONDARY, PhotometricInterpretation="YBR_FULL")
    shown = read_image(ImageRef(str(saved(tmp_path / "a.dcm", dataset))))[0, 0]
    np.testing.assert_allclose(shown, [255, 0, 0], atol=2)


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    dataset = made(np.array([[0, 1], [2, 3]], dtype="u1"), SECONDARY)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour, table in (("Red", [0, 255, 0, 9]), ("Green", [0, 0, 255, 9]),
                          ("Blue", [0, 0, 0, 9])):  # fmt: skip
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", bytes(table))
    shown = read_image(ImageRef(str(saved(tmp_path / "a.dcm", dataset))))
    assert shown.reshape(-1, 3).tolist() == [[0, 0, 0], [255, 0, 0], [0, 255, 0], [9, 9, 9]]


def test_frames_of_an_enhanced_file_have_windows_of_their_own(tmp_path: Path) -> None:
    dataset = made(np.stack([ramp(), ramp()]), NumberOfFrames=2)
    groups = []
    for centre in (10, 50):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 11
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    path = saved(tmp_path / "a.dcm", dataset)
    assert grey(path, 0).mean() > grey(path, 1).mean()
    with pytest.raises(InputFileError, match="frame 2: the file has 2 frames"):
        grey(path, 2)


def test_a_compressed_frame_is_decoded(tmp_path: Path) -> None:
    dataset = made(ramp(), WindowCenter=32, WindowWidth=40)
    plain = grey(saved(tmp_path / "a.dcm", dataset))
    dataset.compress(RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(grey(saved(tmp_path / "b.dcm", dataset)), plain)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm"])
def test_files_of_other_byte_orders_and_preambles_are_dicom(name: str) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    assert format_of(path) == "dicom"
    assert np.ptp(grey(path)) > 150


# What cannot be shown


def test_a_codec_that_is_not_installed_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = pydicom.pixels.get_decoder(JPEGLosslessSV1)
    monkeypatch.setattr(decoder, "_available", {})
    dataset = made(ramp())
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    path = saved(tmp_path / "a.dcm", dataset)
    with pytest.raises(InputFileError, match=r"JPEG Lossless.*pip install 'medrag\[dicom\]'"):
        read(path)


def test_a_video_says_that_it_is_one(tmp_path: Path) -> None:
    dataset = made(ramp("u1"))
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    dataset.PixelData = encapsulate([b"\0\0\1\xb3"])
    with pytest.raises(InputFileError, match="stored as MPEG2"):
        read(saved(tmp_path / "a.dcm", dataset))


def test_a_picture_object_without_pixels_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.dcm", made(None))
    with pytest.raises(InputFileError, match="CT Image Storage without pixels"):
        read(path)
    with pytest.raises(InputFileError, match="without pixels"):
        read_image(ImageRef(str(path)))


@pytest.mark.parametrize(
    ("sop_class", "modality", "word"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", "SR", "Basic Text SR"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "OT", "export it"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", "no pixels"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "SEG", "no picture of a patient"),
    ],
)
def test_reports_documents_curves_and_masks_are_left_out_with_a_reason(
    tmp_path: Path, sop_class: str, modality: str, word: str
) -> None:
    [note] = read(saved(tmp_path / "a.dcm", made(None, sop_class, Modality=modality)))
    assert isinstance(note, Skipped)
    assert (note.reason, note.failed) == ("not_a_picture", False)
    assert word in note.detail


def test_an_absurdly_large_picture_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.dcm", made(ramp(), Rows=40_000, Columns=40_000))
    with pytest.raises(InputFileError, match="40000 x 40000 pixels"):
        read(path)


def test_a_header_without_a_size_is_an_error(tmp_path: Path) -> None:
    dataset = made(ramp())
    del dataset.Rows
    with pytest.raises(InputFileError, match="lacks the size"):
        read(saved(tmp_path / "a.dcm", dataset))


def test_a_deflated_file_is_read_and_a_deflated_bomb_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = made(ramp())
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = saved(tmp_path / "a.dcm", dataset)
    assert len(passages_of(read(path))) == 1
    monkeypatch.setattr("medrag.images.dicom.MAX_VOXELS", 100)
    with pytest.raises(InputFileError, match="inflates to more than 200 bytes"):
        read(path)


_WHOLE = made(ramp(), PatientID="17", Modality="CT", NumberOfFrames=1)


@ANY_FOLDER
@given(st.floats(0, 0.999))
def test_a_file_cut_short_counts_not_at_all(tmp_path: Path, share: float) -> None:
    path = saved(tmp_path / "a.dcm", _WHOLE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputFileError, match=r"a\.dcm"):
        read(path)


@pytest.mark.parametrize("keyword", ["NumberOfFrames", "WindowCenter", "StudyInstanceUID"])
def test_neither_an_error_nor_a_log_quotes_a_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, keyword: str
) -> None:
    value = "1234567890"
    tags: dict[str, Any] = {"WindowWidth": 10, keyword: value}
    path = saved(tmp_path / "a.dcm", made(ramp(), PatientID="17", **tags))
    # Another device's slip of the pen: a name where a number belongs.
    path.write_bytes(path.read_bytes().replace(value.encode(), b"Erika Must"))
    said = ""
    try:
        stored = repr(read(path))
    except InputFileError as error:
        stored, said = "", str(error)
    assert "Erika" not in stored + said + caplog.text
    assert (said == "") == (keyword == "StudyInstanceUID")


@ANY_FOLDER
@given(st.data())
def test_damaged_bytes_never_raise_another_error(tmp_path: Path, data: st.DataObject) -> None:
    path = saved(tmp_path / "a.dcm", _WHOLE)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(132, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with suppress(InputFileError):
        assert read(path)
