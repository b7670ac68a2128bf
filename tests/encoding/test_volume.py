from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medrag.config import build_index
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.encoding.volume import VolumeEncoder
from medrag.images import parts_of, read_image
from medrag.ingestion.nifti import NiftiIngestor
from medrag.records import Corpus, Embeddings, Filter, ImageRef, Passage, Question, Source
from tests.contracts import check_encoder

SOURCE = Source("corpus", "scan.nii", "0" * 64)


class Brightness:
    """Encode a picture by how bright it is, twice: two raw vectors for each."""

    name = "brightness"
    normalised = False
    numerics = "cpu float32"

    def encodes(self, passage: Passage) -> bool:
        return passage.kind == "image"

    def encode_passages(self, passages: Any) -> Embeddings:
        return self._of([passage.images for passage in passages])

    def encode_questions(self, questions: Any, side: str) -> Embeddings:
        if side == "text":
            rows = np.array([[3.0, 4.0, 0.0]] * len(questions), dtype=np.float32).reshape(-1, 3)
            return Embeddings(rows, np.ones(len(rows), dtype=np.int32))
        return self._of([question.images for question in questions])

    def _of(self, images: list[Any]) -> Embeddings:
        means = [read_image(one).mean() for [one] in images]
        rows = [row for mean in means for row in ([mean, 9, 0], [2 * mean, 0, 1])]
        values = np.array(rows, dtype=np.float32).reshape(-1, 3)
        return Embeddings(values, np.full(len(means), 2, dtype=np.int32))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A scan of 12 x 10 x 20 voxels, stored from right to left."""
    values = np.random.default_rng(0).normal(100, 30, (12, 10, 20)).astype(np.float32)
    values += np.arange(20, dtype=np.float32) * 10
    return saved(tmp_path / "scan.nii.gz", values)


def saved(path: Path, values: NDArray[np.float32]) -> Path:
    nibabel.Nifti1Image(values, np.diag([-1.0, 1.0, 2.0, 1.0])).to_filename(path)
    return path


def clip(path: Path, n: int = 6) -> Path:
    rng = np.random.default_rng(1)
    frames = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(n)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def passage(*images: ImageRef) -> Passage:
    return Passage("p", "image", "", SOURCE, images)


def test_the_contract_holds_for_pictures_scans_and_clips(scan: Path, tmp_path: Path) -> None:
    whole, moving = ImageRef(str(scan)), ImageRef(str(clip(tmp_path / "clip.tif")))
    slices = tuple(ImageRef(str(scan), axis=2, slice=n) for n in (3, 9))
    passages = [passage(whole), passage(moving), passage(*slices), passage(slices[0])]
    questions = [Question(images=(whole,)), Question(images=(*slices, str(moving.path)))]
    check_encoder(VolumeEncoder(slices=DescriptorEncoder(), n=4), passages, questions, "image")


def test_a_scan_is_the_mean_of_the_unit_vectors_of_its_slices(scan: Path) -> None:
    encoder = VolumeEncoder(slices=Brightness(), n=4)
    # middles of 20 / 4 = 5 slices: 2, 7, 12, 17
    refs = [ImageRef(str(scan), axis=2, slice=index) for index in (2, 7, 12, 17)]
    rows = Brightness()._of([[ref] for ref in refs]).values.astype(np.float64)
    mean = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
    expected = mean / np.linalg.norm(mean)
    for given in ((ImageRef(str(scan)),), tuple(refs)):
        found = encoder.encode_passages([passage(*given)])
        assert found.lengths.tolist() == [1]
        np.testing.assert_allclose(found.values, [expected], atol=1e-6)
        asked = encoder.encode_questions([Question(images=given)], "image")
        np.testing.assert_allclose(asked.values, [expected], atol=1e-6)


def test_one_picture_has_its_own_vector(scan: Path) -> None:
    one = passage(ImageRef(str(scan), axis=1, slice=4))
    bare = DescriptorEncoder().encode_passages([one])
    found = VolumeEncoder(slices=DescriptorEncoder()).encode_passages([one])
    np.testing.assert_allclose(found.values, bare.values, atol=1e-6)


def test_texts_go_to_the_encoder_of_pictures() -> None:
    found = VolumeEncoder(slices=Brightness()).encode_questions([Question("lung")], "text")
    np.testing.assert_allclose(found.values, [[0.6, 0.8, 0]], atol=1e-7)


def test_the_order_of_pictures_does_not_matter(scan: Path) -> None:
    refs = [ImageRef(str(scan), axis=2, slice=index) for index in (1, 8, 15)]
    encoder = VolumeEncoder(slices=Brightness())
    one = encoder.encode_passages([passage(*refs)]).values
    np.testing.assert_allclose(one, encoder.encode_passages([passage(*refs[::-1])]).values, 1e-6)


def test_parts_are_named_as_they_are_read(scan: Path, tmp_path: Path) -> None:
    whole = ImageRef(str(scan), sha256="0" * 64)
    # The file has 12 x 10 x 20 voxels: along y all ten of them are taken.
    along = parts_of(whole, 16, axis=1)
    assert [(ref.axis, ref.slice) for ref in along] == [(1, n) for n in range(10)]
    assert all(ref.sha256 is None for ref in along)
    assert [read_image(ref).shape[1] for ref in along] == [12] * 10
    frames = parts_of(ImageRef(str(clip(tmp_path / "clip.gif"))), 3)
    assert [ref.frame for ref in frames] == [1, 3, 5]
    for single in (along[0], frames[0], ImageRef(str(scan), axis=2, slice=0)):
        assert parts_of(single, 3) == (single,)


def test_a_turned_scan_is_cut_along_the_body(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(100, 30, (5, 6, 7)).astype(np.float32)
    affine = np.zeros((4, 4))
    # Stored axes: towards the head, to the left, to the front.
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = 1, -1, 1, 1
    nibabel.Nifti1Image(values, affine).to_filename(tmp_path / "turned.nii")
    ref = ImageRef(str(tmp_path / "turned.nii"))
    assert [len(parts_of(ref, 99, axis=axis)) for axis in (0, 1, 2)] == [6, 7, 5]


def test_the_name_tells_the_rule_and_the_encoder() -> None:
    names = {
        VolumeEncoder(slices=Brightness()).name,
        VolumeEncoder(slices=Brightness(), n=8).name,
        VolumeEncoder(slices=Brightness(), axis=1).name,
        VolumeEncoder(slices=DescriptorEncoder()).name,
    }
    assert len(names) == 4
    assert VolumeEncoder(slices=Brightness()).numerics == "cpu float32"
    assert VolumeEncoder(slices=Brightness()).encodes(passage(ImageRef("x")))
    assert not VolumeEncoder(slices=Brightness()).encodes(passage())
    page = replace(passage(ImageRef("x")), kind="page")
    assert not VolumeEncoder(slices=Brightness()).encodes(page)


def test_what_has_no_picture_is_refused() -> None:
    encoder = VolumeEncoder(slices=Brightness())
    with pytest.raises(ValueError, match="passage p has no picture"):
        encoder.encode_passages([passage()])
    with pytest.raises(ValueError, match="question 'lung' has no picture"):
        encoder.encode_questions([Question("lung")], "image")


@pytest.mark.parametrize("options", [{"n": 0}, {"axis": 3}])
def test_settings_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"n must be|axis must be"):
        VolumeEncoder(slices=Brightness(), **options)


def test_an_encoder_of_patches_gives_no_mean() -> None:
    patches = Brightness()
    patches.late_interaction = True  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="not one for each patch"):
        VolumeEncoder(slices=patches)


def test_scans_are_found_by_a_scan_in_an_index_of_scans(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    rng = np.random.default_rng(0)
    for n in range(4):
        # Noise of another grain in each.
        coarse = rng.normal(100, 40, (24 // (n + 1),) * 3)
        grain = np.kron(coarse, np.ones((n + 1,) * 3)).astype(np.float32)
        saved(root / f"{n}.nii", grain)
    (tmp_path / "card.yaml").write_text(
        "name: scans\nroot: scans\nfiles: ['*.nii']\nkind: nifti\n"
        "options: {volume: true, axial: 6}\n"
    )
    spec = {"kind": "volume", "slices": {"kind": "descriptor"}, "n": 6}
    index = build_index(
        tmp_path / "index",
        sources=[tmp_path / "card.yaml"],
        channels={"image": {"encoder": spec, "side": "image"}},
    )
    assert len(index.passages) == 4
    asked = tuple(parts_of(ImageRef(str(root / "2.nii")), 6))
    channel = index.chosen(["image"])["image"]
    [ranking] = channel.search([Question(images=asked)], 4, [Filter()])
    assert index.passages[ranking[0].row].source.document == "2.nii"
    assert ranking[0].score == pytest.approx(1, abs=1e-5)


@pytest.mark.realdata
def test_a_real_scan_is_one_vector(data: Path) -> None:
    root = data / "radiology" / "volume"
    ingestor = NiftiIngestor(corpus=Corpus("ct", root), key=bytes(16), volume=True)
    [whole] = ingestor.passages(root / "example_ct_sm.nii.gz")
    assert isinstance(whole, Passage)
    there = replace(
        whole, images=tuple(replace(ref, path=str(root / ref.path)) for ref in whole.images)
    )
    found = VolumeEncoder(slices=DescriptorEncoder()).encode_passages([there])
    assert found.values.shape == (1, 480)
