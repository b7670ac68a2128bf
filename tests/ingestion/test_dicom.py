"""DICOM files: what is shown of their pixels, and what is kept of their headers."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.images import asked_parts, format_of, read_image
from medrag.images.dicom import windowed
from medrag.ingestion.dicom import DicomIngestor
from medrag.ingestion.modalities import IDENTIFYING, MODALITIES
from medrag.records import Corpus, ImageRef, Passage, Skipped

KEY = b"0123456789abcdef"
CT, CR, SECONDARY = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1", (
    "1.2.840.10008.5.1.4.1.1.7"
)  # fmt: skip
ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def _dataset(pixels: NDArray[Any] | None, sop_class: str = CT, **tags: Any) -> Dataset:
    """A small file in memory; `tags` are keywords and values, which win over the defaults."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.4"
    if pixels is not None:
        bits = pixels.dtype.itemsize * 8
        grey = pixels.ndim == 2 or pixels.shape[-1] != 3
        dataset.Rows, dataset.Columns = pixels.shape[-2:] if grey else pixels.shape[-3:-1]
        dataset.SamplesPerPixel = 1 if grey else 3
        dataset.PhotometricInterpretation = "MONOCHROME2" if grey else "RGB"
        dataset.BitsAllocated = dataset.BitsStored = bits
        dataset.HighBit = bits - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        if not grey:
            dataset.PlanarConfiguration = 0
        dataset.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def _saved(path: Path, dataset: Dataset) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def _ramp(dtype: str = "<u2") -> NDArray[Any]:
    return np.arange(64, dtype=dtype).reshape(8, 8)


def _grey(path: Path, frame: int | None = None) -> NDArray[np.uint8]:
    pixels = read_image(ImageRef(str(path), frame=frame))
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0]


def _read(path: Path, root: Path | None = None, **options: Any) -> list[Passage | Skipped]:
    corpus = Corpus("c", root or path.parent, domain="default")
    return list(DicomIngestor(corpus=corpus, key=KEY, **options).passages(path))


def _passages(found: list[Passage | Skipped]) -> list[Passage]:
    return [each for each in found if isinstance(each, Passage)]


def _reasons(found: list[Passage | Skipped]) -> list[str]:
    return [each.reason for each in found if isinstance(each, Skipped)]


# Pixels


def test_a_window_is_applied_after_slope_and_intercept(tmp_path: Path) -> None:
    stored = np.array([[0, 1014, 1064, 1114, 4095]], dtype="<u2")
    dataset = _dataset(
        stored, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=101
    )
    # HU -1024, -10, 40, 90, 3071; shares ((x - 39.5) / 100 + 0.5): 0, 0.005, 0.505, 1, 1
    assert _grey(_saved(tmp_path / "a.dcm", dataset)).tolist() == [[0, 1, 129, 255, 255]]


def test_the_first_of_several_windows_counts(tmp_path: Path) -> None:
    one = _dataset(_ramp(), WindowCenter=32, WindowWidth=20)
    two = _dataset(_ramp(), WindowCenter=[32, 1000], WindowWidth=[20, 5])
    first, second = _saved(tmp_path / "a.dcm", one), _saved(tmp_path / "b.dcm", two)
    np.testing.assert_array_equal(_grey(first), _grey(second))


def test_without_a_window_outliers_do_not_darken_the_picture(tmp_path: Path) -> None:
    values = np.linspace(0, 1000, 10_000).astype("<i2").reshape(100, 100)
    values[0, 0], values[0, 1] = 32_000, -32_000
    shown = _grey(_saved(tmp_path / "a.dcm", _dataset(values)))
    assert int(shown[50, 0]) == pytest.approx(128, abs=2)
    assert (shown[0, 0], shown[0, 1]) == (255, 0)


def test_padding_does_not_count_for_the_default_window(tmp_path: Path) -> None:
    values = np.full((20, 20), -2000, dtype="<i2")
    values[5:15, 5:15] = np.arange(100).reshape(10, 10)
    dataset = _dataset(values)
    dataset.add_new(0x00280120, "SS", -2000)  # Pixel Padding Value
    shown = _grey(_saved(tmp_path / "a.dcm", dataset))
    assert int(shown[10, 5]) == pytest.approx(128, abs=3)
    assert shown[0, 0] == 0


def test_a_window_that_shows_nothing_gives_way_to_the_default(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp(), WindowCenter=30_000, WindowWidth=10))
    assert np.ptp(_grey(path)) == 255


def test_eight_bits_without_a_window_stay_as_they_are(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp("u1"), SECONDARY))
    np.testing.assert_array_equal(_grey(path), _ramp("u1"))


def test_monochrome1_is_the_negative_of_monochrome2(tmp_path: Path) -> None:
    tags = {"WindowCenter": 32, "WindowWidth": 40}
    plain = _saved(tmp_path / "a.dcm", _dataset(_ramp(), CR, **tags))
    inverse = _dataset(_ramp(), CR, **tags, PhotometricInterpretation="MONOCHROME1")
    shown = _grey(_saved(tmp_path / "b.dcm", inverse))
    np.testing.assert_allclose(255 - shown.astype(int), _grey(plain), atol=1)


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
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp(), VOILUTSequence=[table]))
    np.testing.assert_array_equal(_grey(path), 255 - 4 * _ramp("u1"))


def test_colour_is_shown_in_colour(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path = _saved(tmp_path / "a.dcm", _dataset(pixels, SECONDARY))
    np.testing.assert_array_equal(read_image(ImageRef(str(path))), pixels)


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    red = np.tile(np.array([76, 85, 255], dtype=np.uint8), (4, 4, 1))  # Y, Cb, Cr of red
    dataset = _dataset(red, SECONDARY, PhotometricInterpretation="YBR_FULL")
    shown = read_image(ImageRef(str(_saved(tmp_path / "a.dcm", dataset))))[0, 0]
    np.testing.assert_allclose(shown, [255, 0, 0], atol=2)


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    dataset = _dataset(np.array([[0, 1], [2, 3]], dtype="u1"), SECONDARY)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour, table in (("Red", [0, 255, 0, 9]), ("Green", [0, 0, 255, 9]),
                          ("Blue", [0, 0, 0, 9])):  # fmt: skip
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", bytes(table))
    shown = read_image(ImageRef(str(_saved(tmp_path / "a.dcm", dataset))))
    assert shown.reshape(-1, 3).tolist() == [[0, 0, 0], [255, 0, 0], [0, 255, 0], [9, 9, 9]]


def test_frames_of_an_enhanced_file_have_windows_of_their_own(tmp_path: Path) -> None:
    dataset = _dataset(np.stack([_ramp(), _ramp()]), NumberOfFrames=2)
    groups = []
    for centre in (10, 50):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 11
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    path = _saved(tmp_path / "a.dcm", dataset)
    assert _grey(path, 0).mean() > _grey(path, 1).mean()
    with pytest.raises(InputFileError, match="frame 2: the file has 2 frames"):
        _grey(path, 2)


def test_a_compressed_frame_is_decoded(tmp_path: Path) -> None:
    dataset = _dataset(_ramp(), WindowCenter=32, WindowWidth=40)
    plain = _grey(_saved(tmp_path / "a.dcm", dataset))
    dataset.compress(RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(_grey(_saved(tmp_path / "b.dcm", dataset)), plain)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm"])
def test_files_of_other_byte_orders_and_preambles_are_dicom(name: str) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    assert format_of(path) == "dicom"
    assert np.ptp(_grey(path)) > 150


# What cannot be shown


def test_a_codec_that_is_not_installed_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = pydicom.pixels.get_decoder(JPEGLosslessSV1)
    monkeypatch.setattr(decoder, "_available", {})
    dataset = _dataset(_ramp())
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    path = _saved(tmp_path / "a.dcm", dataset)
    with pytest.raises(InputFileError, match=r"JPEG Lossless.*pip install 'medrag\[dicom\]'"):
        _read(path)


def test_a_video_says_that_it_is_one(tmp_path: Path) -> None:
    dataset = _dataset(_ramp("u1"))
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    dataset.PixelData = encapsulate([b"\0\0\1\xb3"])
    with pytest.raises(InputFileError, match="stored as MPEG2"):
        _read(_saved(tmp_path / "a.dcm", dataset))


def test_a_picture_object_without_pixels_is_an_error(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.dcm", _dataset(None))
    with pytest.raises(InputFileError, match="CT Image Storage without pixels"):
        _read(path)
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
    [note] = _read(_saved(tmp_path / "a.dcm", _dataset(None, sop_class, Modality=modality)))
    assert isinstance(note, Skipped)
    assert (note.reason, note.failed) == ("not_a_picture", False)
    assert word in note.detail


def test_an_absurdly_large_picture_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp(), Rows=40_000, Columns=40_000))
    with pytest.raises(InputFileError, match="40000 x 40000 pixels"):
        _read(path)


def test_a_header_without_a_size_is_an_error(tmp_path: Path) -> None:
    dataset = _dataset(_ramp())
    del dataset.Rows
    with pytest.raises(InputFileError, match="lacks the size"):
        _read(_saved(tmp_path / "a.dcm", dataset))


def test_a_deflated_file_is_read_and_a_deflated_bomb_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _dataset(_ramp())
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = _saved(tmp_path / "a.dcm", dataset)
    assert len(_passages(_read(path))) == 1
    monkeypatch.setattr("medrag.images.dicom.MAX_VOXELS", 100)
    with pytest.raises(InputFileError, match="inflates to more than 200 bytes"):
        _read(path)


_WHOLE = _dataset(_ramp(), PatientID="17", Modality="CT", NumberOfFrames=1)


@ANY_FOLDER
@given(st.floats(0, 0.999))
def test_a_file_cut_short_counts_not_at_all(tmp_path: Path, share: float) -> None:
    path = _saved(tmp_path / "a.dcm", _WHOLE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputFileError, match=r"a\.dcm"):
        _read(path)


@pytest.mark.parametrize("keyword", ["NumberOfFrames", "WindowCenter", "StudyInstanceUID"])
def test_neither_an_error_nor_a_log_quotes_a_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, keyword: str
) -> None:
    value = "1234567890"
    tags: dict[str, Any] = {"WindowWidth": 10, keyword: value}
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp(), PatientID="17", **tags))
    # Another device's slip of the pen: a name where a number belongs.
    path.write_bytes(path.read_bytes().replace(value.encode(), b"Erika Must"))
    said = ""
    try:
        stored = repr(_read(path))
    except InputFileError as error:
        stored, said = "", str(error)
    assert "Erika" not in stored + said + caplog.text
    assert (said == "") == (keyword == "StudyInstanceUID")


@ANY_FOLDER
@given(st.data())
def test_damaged_bytes_never_raise_another_error(tmp_path: Path, data: st.DataObject) -> None:
    path = _saved(tmp_path / "a.dcm", _WHOLE)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(132, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with suppress(InputFileError):
        assert _read(path)


# Headers


def _patient(**tags: Any) -> Dataset:
    return _dataset(
        _ramp(), CR, Modality="DX", BodyPartExamined="CHEST", ViewPosition="PA",
        PatientName="Mustermann^Erika", PatientID="MRN-4711", StudyInstanceUID="1.2.3.99",
        StudyDate="20200125", StudyTime="103000.5", PixelSpacing=[0.5, 0.25], **tags,
    )  # fmt: skip


def test_a_header_gives_modality_part_view_time_and_domain(tmp_path: Path) -> None:
    [passage] = _passages(_read(_saved(tmp_path / "a.dcm", _patient())))
    assert passage.kind == "image"
    assert passage.text == "Radiograph, chest, posteroanterior (PA) view."
    assert dict(passage.fields) == {
        "modality": "DX", "body_part": "chest", "view": "PA", "spacing": [0.5, 0.25],
    }  # fmt: skip
    assert (passage.source.domain, passage.source.time) == ("radiology", "2020-01-25T10:30:00")
    assert len(passage.images[0].sha256 or "") == 64


def test_subject_and_study_are_hashed_as_in_every_other_file(tmp_path: Path) -> None:
    [passage] = _passages(_read(_saved(tmp_path / "a.dcm", _patient())))
    assert passage.source.subject == pseudonym("MRN-4711", KEY)
    assert passage.source.study == pseudonym("1.2.3.99", KEY)


def test_no_identifying_tag_is_stored(tmp_path: Path) -> None:
    dataset = _patient(StudyDescription="free text of Erika")
    secrets = ["Mustermann", "Erika", "MRN-4711", "1.2.3.99"]
    for number, keyword in enumerate(IDENTIFYING):
        kind = pydicom.datadict.dictionary_VR(keyword)
        if kind in ("LO", "SH", "PN", "ST", "LT", "UT", "UC") and keyword not in dataset:
            setattr(dataset, keyword, f"SECRET{number}")
            secrets.append(f"SECRET{number}")
    stored = repr(_read(_saved(tmp_path / "a.dcm", dataset)))
    assert len(secrets) > 20
    assert [secret for secret in secrets if secret in stored] == []


def test_descriptions_are_kept_only_when_asked(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.dcm", _patient(StudyDescription="Chest routine"))
    assert "routine" not in _passages(_read(path))[0].text
    assert _passages(_read(path, descriptions=True))[0].text.endswith("view. Chest routine.")


@pytest.mark.parametrize("part", ["Erika M, left hand", "MUSTERMANN ERIKA"])
def test_free_text_and_names_in_place_of_a_code_are_dropped(tmp_path: Path, part: str) -> None:
    dataset = _patient()
    dataset["BodyPartExamined"]._value = part
    [passage] = _passages(_read(_saved(tmp_path / "a.dcm", dataset)))
    assert "erika" not in repr(passage).lower()
    assert passage.text == "Radiograph, posteroanterior (PA) view."


@pytest.mark.parametrize(
    ("path", "tag"),
    [("mustermann/a.dcm", "PatientName"), ("x/mrn_4711_1.dcm", "PatientID")],
)
def test_a_path_that_shows_who_it_is_is_noted_without_repeating_it(
    tmp_path: Path, path: str, tag: str
) -> None:
    file = tmp_path / path
    file.parent.mkdir()
    found = _read(_saved(file, _patient()), tmp_path)
    [note] = [each for each in found if isinstance(each, Skipped)]
    assert (note.reason, note.failed) == ("identifying", False)
    assert note.detail == f"the path of the file shows the value of {tag}; rename it"
    assert len(_passages(found)) == 1


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"BurnedInAnnotation": "YES"}, "declared"),
        ({"BurnedInAnnotation": "NO", "Modality": "US"}, None),
        ({"Modality": "US"}, "likely"),
        ({"SOPClassUID": SECONDARY}, "likely"),
        ({}, None),
    ],
)
def test_pictures_with_text_in_their_pixels_are_flagged(
    tmp_path: Path, tags: dict[str, str], expected: str | None
) -> None:
    dataset = _patient()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    found = _read(_saved(tmp_path / "a.dcm", dataset))
    assert _passages(found)[0].fields.get("burned_in_text") == expected
    assert _reasons(found) == (["burnt_in_text"] if expected else [])


def test_a_modality_without_a_domain_takes_that_of_the_corpus(tmp_path: Path) -> None:
    for modality, domain in (("OP", "ophthalmology"), ("SM", "pathology"), ("XC", "default")):
        path = _saved(tmp_path / "a.dcm", _dataset(_ramp(), Modality=modality))
        assert _passages(_read(path))[0].source.domain == domain


def test_every_modality_has_words() -> None:
    assert all(modality.name for modality in MODALITIES.values())


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"StudyDate": "20200125"}, "2020-01-25"),
        ({"StudyDate": "20200125", "StudyTime": "0930"}, "2020-01-25"),
        ({"AcquisitionDate": "20200126", "AcquisitionTime": "093000"}, "2020-01-26T09:30:00"),
        ({"AcquisitionDateTime": "20200127083000.123"}, "2020-01-27T08:30:00"),
        ({}, None),
    ],
)
def test_the_time_is_the_studys_or_the_next_best(
    tmp_path: Path, tags: dict[str, str], expected: str | None
) -> None:
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp(), **tags))
    assert _passages(_read(path))[0].source.time == expected


def test_an_empty_patient_id_is_no_subject(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp(), PatientID="", StudyInstanceUID=""))
    source = _passages(_read(path))[0].source
    assert (source.subject, source.study) == (None, None)


def test_many_frames_are_thinned_out_evenly(tmp_path: Path) -> None:
    stack = np.stack([_ramp() + 7 * i for i in range(12)])
    path = _saved(tmp_path / "a.dcm", _dataset(stack, NumberOfFrames=12))
    found = _read(path, max_frames=3)
    assert [passage.images[0].frame for passage in _passages(found)] == [2, 6, 10]
    assert len({passage.id for passage in _passages(found)}) == 3
    assert _reasons(found) == ["not_chosen"]
    assert _reasons(_read(path, max_frames=12)) == []


def test_a_clip_may_be_one_passage_with_its_frames(tmp_path: Path) -> None:
    stack = np.stack([_ramp() + 7 * i for i in range(12)])
    path = _saved(tmp_path / "a.dcm", _dataset(stack, NumberOfFrames=12))
    [passage] = _passages(_read(path, max_frames=3, volume=True))
    assert [image.frame for image in passage.images] == [2, 6, 10]
    assert all(image.sha256 for image in passage.images)


def test_a_damaged_number_of_frames_is_told_without_what_the_header_holds(tmp_path: Path) -> None:
    stack = np.stack([_ramp() + 7 * i for i in range(12)])
    path = _saved(tmp_path / "a.dcm", _dataset(stack, NumberOfFrames=12))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"IS\x02\x0012", b"IS\x02\x001\xff"))
    with pytest.raises(InputFileError, match=r"a\.dcm: cannot be read as a DICOM file: ValueError"):
        asked_parts(ImageRef(str(path)))


def test_a_clip_that_is_asked_about_shows_the_frames_that_ingestion_takes(tmp_path: Path) -> None:
    stack = np.stack([_ramp() + 7 * i for i in range(12)])
    path = _saved(tmp_path / "a.dcm", _dataset(stack, NumberOfFrames=12))
    [passage] = _passages(_read(path, volume=True))
    asked = asked_parts(ImageRef(str(path)))
    assert len(asked) == 8
    assert [(each.frame, each.sha256) for each in asked] == [
        (each.frame, each.sha256) for each in passage.images
    ]


def test_a_single_frame_has_no_number(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.dcm", _dataset(_ramp()))
    assert _passages(_read(path))[0].images[0].frame is None
