"""DICOM files: what is kept of their headers, and which frames are taken."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.images import asked_parts
from medrag.images.modalities import MODALITIES
from medrag.ingestion.modalities import IDENTIFYING
from medrag.records import ImageRef, Skipped
from tests.ingestion.dicom_files import (
    CR,
    KEY,
    SECONDARY,
    made,
    passages_of,
    ramp,
    read,
    reasons_of,
    saved,
)


def _patient(**tags: Any) -> Dataset:
    return made(
        ramp(), CR, Modality="DX", BodyPartExamined="CHEST", ViewPosition="PA",
        PatientName="Mustermann^Erika", PatientID="MRN-4711", StudyInstanceUID="1.2.3.99",
        StudyDate="20200125", StudyTime="103000.5", PixelSpacing=[0.5, 0.25], **tags,
    )  # fmt: skip


def test_a_header_gives_modality_part_view_time_and_domain(tmp_path: Path) -> None:
    [passage] = passages_of(read(saved(tmp_path / "a.dcm", _patient())))
    assert passage.kind == "image"
    assert passage.text == "Radiograph, chest, posteroanterior (PA) view."
    assert dict(passage.fields) == {
        "modality": "DX", "body_part": "chest", "view": "PA", "spacing": [0.5, 0.25],
    }  # fmt: skip
    assert (passage.source.domain, passage.source.time) == ("radiology", "2020-01-25T10:30:00")
    assert len(passage.images[0].sha256 or "") == 64


def test_subject_and_study_are_hashed_as_in_every_other_file(tmp_path: Path) -> None:
    [passage] = passages_of(read(saved(tmp_path / "a.dcm", _patient())))
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
    stored = repr(read(saved(tmp_path / "a.dcm", dataset)))
    assert len(secrets) > 20
    assert [secret for secret in secrets if secret in stored] == []


def test_descriptions_are_kept_only_when_asked(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.dcm", _patient(StudyDescription="Chest routine"))
    assert "routine" not in passages_of(read(path))[0].text
    assert passages_of(read(path, descriptions=True))[0].text.endswith("view. Chest routine.")


@pytest.mark.parametrize("part", ["Erika M, left hand", "MUSTERMANN ERIKA"])
def test_free_text_and_names_in_place_of_a_code_are_dropped(tmp_path: Path, part: str) -> None:
    dataset = _patient()
    dataset["BodyPartExamined"]._value = part
    [passage] = passages_of(read(saved(tmp_path / "a.dcm", dataset)))
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
    found = read(saved(file, _patient()), tmp_path)
    [note] = [each for each in found if isinstance(each, Skipped)]
    assert (note.reason, note.failed) == ("identifying", False)
    assert note.detail == f"the path of the file shows the value of {tag}; rename it"
    assert len(passages_of(found)) == 1


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
    found = read(saved(tmp_path / "a.dcm", dataset))
    assert passages_of(found)[0].fields.get("burned_in_text") == expected
    assert reasons_of(found) == (["burnt_in_text"] if expected else [])


def test_a_modality_without_a_domain_takes_that_of_the_corpus(tmp_path: Path) -> None:
    for modality, domain in (("OP", "ophthalmology"), ("SM", "pathology"), ("XC", "default")):
        path = saved(tmp_path / "a.dcm", made(ramp(), Modality=modality))
        assert passages_of(read(path))[0].source.domain == domain


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
    path = saved(tmp_path / "a.dcm", made(ramp(), **tags))
    assert passages_of(read(path))[0].source.time == expected


def test_an_empty_patient_id_is_no_subject(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.dcm", made(ramp(), PatientID="", StudyInstanceUID=""))
    source = passages_of(read(path))[0].source
    assert (source.subject, source.study) == (None, None)


def test_many_frames_are_thinned_out_evenly(tmp_path: Path) -> None:
    stack = np.stack([ramp() + 7 * i for i in range(12)])
    path = saved(tmp_path / "a.dcm", made(stack, NumberOfFrames=12))
    found = read(path, max_frames=3)
    assert [passage.images[0].frame for passage in passages_of(found)] == [2, 6, 10]
    assert len({passage.id for passage in passages_of(found)}) == 3
    assert reasons_of(found) == ["not_chosen"]
    assert reasons_of(read(path, max_frames=12)) == []


def test_a_clip_may_be_one_passage_with_its_frames(tmp_path: Path) -> None:
    stack = np.stack([ramp() + 7 * i for i in range(12)])
    path = saved(tmp_path / "a.dcm", made(stack, NumberOfFrames=12))
    [passage] = passages_of(read(path, max_frames=3, volume=True))
    assert [image.frame for image in passage.images] == [2, 6, 10]
    assert all(image.sha256 for image in passage.images)


def test_a_damaged_number_of_frames_is_told_without_what_the_header_holds(tmp_path: Path) -> None:
    stack = np.stack([ramp() + 7 * i for i in range(12)])
    path = saved(tmp_path / "a.dcm", made(stack, NumberOfFrames=12))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"IS\x02\x0012", b"IS\x02\x001\xff"))
    with pytest.raises(InputFileError, match=r"a\.dcm: cannot be read as a DICOM file: ValueError"):
        asked_parts(ImageRef(str(path)))


def test_a_clip_that_is_asked_about_shows_the_frames_that_ingestion_takes(tmp_path: Path) -> None:
    stack = np.stack([ramp() + 7 * i for i in range(12)])
    path = saved(tmp_path / "a.dcm", made(stack, NumberOfFrames=12))
    [passage] = passages_of(read(path, volume=True))
    asked = asked_parts(ImageRef(str(path)))
    assert len(asked) == 8
    assert [(each.frame, each.sha256) for each in asked] == [
        (each.frame, each.sha256) for each in passage.images
    ]


def test_a_single_frame_has_no_number(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.dcm", made(ramp()))
    assert passages_of(read(path))[0].images[0].frame is None
