"""NIfTI volumes as chosen slices."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.images import read_image, resolved
from medrag.ingestion.nifti import NiftiIngestor
from medrag.records import Corpus, Passage, Skipped

KEY = b"0123456789abcdef"


def _scan(shape: tuple[int, ...] = (20, 24, 32), low: float = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(0).normal(500, 100, shape).astype(np.float32)
    values[0] += low
    return values


def _saved(path: Path, values: NDArray[Any], **header: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]))
    for name, text in header.items():
        image.header[name] = text.encode()
    image.to_filename(path)
    return path


def _read(path: Path, root: Path, **options: Any) -> list[Passage | Skipped]:
    return list(NiftiIngestor(corpus=Corpus("c", root), key=KEY, **options).passages(path))


def _passages(found: list[Passage | Skipped]) -> list[Passage]:
    return [each for each in found if isinstance(each, Passage)]


def _notes(found: list[Passage | Skipped]) -> list[tuple[str, str]]:
    return [(each.reason, each.detail) for each in found if isinstance(each, Skipped)]


def test_slices_are_spread_along_the_body_with_one_of_each_other_plane(tmp_path: Path) -> None:
    found = _passages(_read(_saved(tmp_path / "a.nii.gz", _scan()), tmp_path, axial=4))
    places = [(passage.images[0].axis, passage.images[0].slice) for passage in found]
    # middles of 32 / 4 = 8 slices: 4, 12, 20, 28; then y = 24 // 2 and x = 20 // 2
    assert places == [(2, 4), (2, 12), (2, 20), (2, 28), (1, 12), (0, 10)]
    assert found[0].text == "Axial slice 5 of 32, scan."
    assert found[-1].text == "Sagittal slice 11 of 20, scan."
    assert found[0].fields == {"plane": "axial", "spacing": [2.0, 1.0, 1.0]}
    assert found[0].source.domain == "radiology"
    assert len({passage.id for passage in found}) == len({p.images[0].sha256 for p in found}) == 6


def test_a_stored_slice_is_read_again_as_it_was(tmp_path: Path) -> None:
    for passage in _passages(_read(_saved(tmp_path / "a.nii", _scan()), tmp_path)):
        assert passage.images[0].path == "a.nii"
        assert read_image(resolved(passage, tmp_path).images[0]).ndim == 3


def test_a_scan_of_few_slices_is_not_cut_across(tmp_path: Path) -> None:
    found = _passages(_read(_saved(tmp_path / "a.nii", _scan((20, 24, 5))), tmp_path))
    assert [passage.images[0].slice for passage in found] == [0, 1, 2, 3, 4]


def test_hounsfield_units_tell_computed_tomography(tmp_path: Path) -> None:
    [passage, *_] = _passages(_read(_saved(tmp_path / "a.nii", _scan(low=-2000)), tmp_path))
    assert passage.fields["modality"] == "CT"
    assert "computed tomography" in passage.text


def test_blank_slices_are_left_out_and_counted(tmp_path: Path) -> None:
    values = _scan((20, 24, 8))
    values[:, :, 5:] = 0
    found = _read(_saved(tmp_path / "a.nii", values), tmp_path)
    assert len(_passages(found)) == 5
    assert _notes(found) == [("blank", "3 of 8 slices")]


def test_a_mask_is_no_picture(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (20, 20, 20)).astype(np.uint8)
    found = _read(_saved(tmp_path / "a.nii.gz", labels), tmp_path)
    assert [reason for reason, _ in _notes(found)] == ["not_a_picture"]
    assert _passages(found) == []


def test_of_a_series_the_first_volume_counts(tmp_path: Path) -> None:
    found = _read(_saved(tmp_path / "a.nii", _scan((8, 8, 8, 5))), tmp_path)
    assert _notes(found) == [("not_chosen", "4 of 5 volumes of the series")]


def test_a_scan_may_be_one_passage_with_its_axial_slices(tmp_path: Path) -> None:
    values = _scan()
    values[:, :, 28] = 0
    found = _read(_saved(tmp_path / "a.nii.gz", values), tmp_path, axial=4, volume=True)
    [passage] = _passages(found)
    assert [(image.axis, image.slice) for image in passage.images] == [(2, 4), (2, 12), (2, 20)]
    assert _notes(found) == [("blank", "1 of 4 slices")]
    assert passage.text == "Axial slices 5 to 21 of 32, scan."
    assert passage.fields == {"plane": "axial", "spacing": [2.0, 1.0, 1.0]}
    assert all(image.sha256 for image in passage.images)
    apart = _passages(_read(tmp_path / "a.nii.gz", tmp_path, axial=4))
    assert passage.id not in {each.id for each in apart}


def test_subject_and_session_come_from_names_after_bids(tmp_path: Path) -> None:
    path = _saved(tmp_path / "sub-01" / "ses-2" / "anat" / "sub-01_ses-2_T1w.nii.gz", _scan())
    source = _passages(_read(path, tmp_path))[0].source
    assert source.subject == pseudonym("sub-01", KEY)
    assert source.study == pseudonym("sub-01/ses-2", KEY)
    plain = _passages(_read(_saved(tmp_path / "subject.nii", _scan()), tmp_path))[0].source
    assert (plain.subject, plain.study) == (None, None)


def test_free_text_of_the_header_is_never_stored(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.nii", _scan(), descrip="Mustermann", aux_file="Erika")
    stored = repr(_read(path, tmp_path))
    assert "Mustermann" not in stored
    assert "Erika" not in stored


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_cut_short_counts_not_at_all(tmp_path: Path, name: str) -> None:
    path = _saved(tmp_path / name, _scan())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputFileError, match=r"a\.nii"):
        _read(path, tmp_path)


@pytest.mark.realdata
def test_a_real_scan_gives_slices_of_computed_tomography(data: Path) -> None:
    root = data / "radiology" / "volume"
    found = _passages(_read(root / "example_ct_sm.nii.gz", root))
    assert len(found) == 10
    assert {passage.fields["modality"] for passage in found} == {"CT"}
    assert found[0].fields["spacing"] == [3.0, 3.0, 3.0]
