"""The router on real pictures: radiology and microscopy, and what is neither.

What the numbers are worth: smears of BCCD are all of one stain and one size, figures of the book
come from few chapters, and its domains are approximate. Two tests take the smears, or the book's
histology, away from the training.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medrag.encoding.classifying import WordsClassifier
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.encoding.heads import CalibratedHead
from medrag.evaluation.routing.fitting import RouterOptions, encoded, fit_router
from medrag.evaluation.routing.judging import judge_head, judge_held_out
from medrag.evaluation.routing.labelled import LabelledPicture, check_labelled
from medrag.evaluation.routing.scores import Rejected, RouterScores, rejected, score_router
from medrag.records import ImageRef, Question

pytestmark = pytest.mark.realdata

OPTIONS = RouterOptions(folds=5, reject=0.05)
TWO = ("radiology", "pathology")


@dataclass(frozen=True)
class Shelf:
    """Labelled pictures and their vectors, row by row."""

    pictures: list[LabelledPicture]
    vectors: NDArray[np.float32]

    def where(self, keep: Callable[[LabelledPicture], bool]) -> "Shelf":
        places = [at for at, each in enumerate(self.pictures) if keep(each)]
        return Shelf([self.pictures[at] for at in places], self.vectors[places])

    def held_out(self) -> RouterScores:
        judged = judge_held_out(self.vectors, self.pictures, "descriptor", OPTIONS)
        return score_router(judged, self.pictures)

    def head(self) -> CalibratedHead:
        return fit_router(self.vectors, self.pictures, "descriptor", OPTIONS)

    def judged_by(self, head: CalibratedHead) -> RouterScores:
        return score_router(judge_head(head, self.vectors), self.pictures)


def labelled(data: Path) -> list[LabelledPicture]:
    """Group by MedPix case, patient, chapter of the book, or smear."""

    def one(path: Path, domain: str, group: str) -> LabelledPicture:
        return LabelledPicture(ImageRef(str(path)), domain, group)

    rad = data / "radiology" / "vqa_rad"
    rows = json.loads((rad / "vqa_rad.json").read_text(encoding="utf-8"))
    cases = {row["image_name"]: row["image_case_url"] for row in rows}
    found = [one(rad / "images" / name, "radiology", f"case:{cases[name]}") for name in cases]
    notes = data / "radiology" / "covid_cxr_notes"
    with (notes / "notes.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            (path,) = notes.rglob(row["filename"])
            found.append(one(path, "radiology", f"patient:{row['patientid']}"))
    book = data / "textbook" / "anatomy_physiology"
    for line in (book / "figures.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.append(one(book / row["image"], row["domain"], f"chapter:{row['chapter']}"))
    smears = sorted((data / "pathology" / "bccd").rglob("*.jpg"))
    found += [one(path, "pathology", f"smear:{path.stem}") for path in smears]
    tissue = data / "pathology" / "ihc_colonic_glands_fhl2.png"
    fundus = data / "ophthalmology" / "fundus_normal_left_eye.jpg"
    return [
        *found,
        one(tissue, "pathology", "slide:colon"),
        one(fundus, "ophthalmology", "eye:fundus"),
    ]


@pytest.fixture(scope="module")
def every(data: Path) -> Shelf:
    pictures = labelled(data)
    check_labelled(pictures, OPTIONS.folds)
    return Shelf(pictures, encoded(DescriptorEncoder(), [each.image for each in pictures]))


@pytest.fixture(scope="module")
def two(every: Shelf) -> Shelf:
    return every.where(lambda each: each.domain in TWO)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    """Photographs that come with scikit-image and show nothing medical."""
    data = pytest.importorskip("skimage.data")
    named = (
        "astronaut", "brick", "camera", "chelsea", "clock", "coffee", "coins", "grass", "gravel",
        "hubble_deep_field", "moon", "rocket",
    )  # fmt: skip
    pictures = [np.asarray(getattr(data, name)()) for name in named]
    pictures += [np.asarray(each) for each in data.stereo_motorcycle()[:2]]
    return vectors_of(pictures, tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    """Noise, ramps and shapes, eight of each."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (256, 256, 3)).astype(np.uint8) for _ in range(8)]
    ramp = np.linspace(0, 255, 256)
    for n in range(8):
        plain = np.rot90(np.tile(ramp, (256, 1)) if n % 2 else np.add.outer(ramp, ramp) / 2, n // 2)
        tinted = plain[:, :, None] * rng.uniform(0.2, 1, 3)
        pictures.append(tinted.astype(np.uint8))
    for _ in range(8):
        canvas = Image.new("RGB", (256, 256), tuple(rng.integers(0, 256, 3).tolist()))
        pen = ImageDraw.Draw(canvas)
        for _ in range(6):
            (x, y), side = rng.integers(0, 200, 2).tolist(), int(rng.integers(20, 90))
            draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
            draw((x, y, x + side, y + side), fill=tuple(rng.integers(0, 256, 3).tolist()))
        pictures.append(np.asarray(canvas))
    return vectors_of(pictures, tmp_path_factory.mktemp("phantoms"))


def vectors_of(pictures: list[NDArray[np.uint8]], folder: Path) -> NDArray[np.float32]:
    paths = [folder / f"{n}.png" for n in range(len(pictures))]
    for path, pixels in zip(paths, pictures, strict=True):
        Image.fromarray(pixels).convert("RGB").save(path)
    return encoded(DescriptorEncoder(), [ImageRef(str(path)) for path in paths])


def test_radiology_and_microscopy_are_told_apart_on_groups_that_were_not_seen(two: Shelf) -> None:
    scores = two.held_out()
    measures = scores.measures
    assert (scores.n, scores.n_groups) == (394, 323)
    # Measured: 0.977 [0.950, 0.996], and 0.977 to 0.982 by ten ways to deal out the folds; 0.952
    # called known, 0.992 of these right. Wrong are 4 of the book's 8 radiographs, and 1 of 25 of
    # the patients; 4 of its 70 figures of tissue; no case of MedPix, and no smear.
    assert measures["balanced_accuracy"].value >= 0.97
    assert measures["recall: pathology"].value >= 0.96
    assert measures["recall: radiology"].value >= 0.96
    assert measures["known"].value >= 0.93
    assert measures["accuracy_known"].value >= 0.985
    # Asked for 0.05: 0.046 of pictures of the two domains are called unlike both.
    assert measures["rejected"].value <= 0.07
    # Measured: 0.022 before the temperature, 0.013 after it.
    assert measures["ece_after"].value < measures["ece_before"].value <= 0.03


def test_they_are_told_apart_without_the_smears_as_well(two: Shelf) -> None:
    measures = two.where(lambda each: not each.group.startswith("smear:")).held_out().measures
    # Measured: 0.963 [0.915, 0.993]; recalls 0.958 and 0.969.
    assert measures["balanced_accuracy"].value >= 0.95
    assert measures["in_two"].value >= 0.99


def test_five_domains_are_reported_without_a_goal(every: Shelf) -> None:
    scores = every.held_out()
    assert scores.domains == (
        "dermatology", "illustration", "ophthalmology", "pathology", "radiology"
    )  # fmt: skip
    assert scores.likeliest.sum(axis=1).tolist() == [6, 35, 7, 171, 223]
    # Measured: recalls 0.50, 0.66, 0.00, 0.85, 0.97; balanced 0.595; right among the likeliest two
    # 0.941; 0.835 called known, 0.970 of these right. Figures of histology that stand beside a
    # drawing are taken for illustrations (20 of 71); seven eyes of four groups are too few.
    assert scores.measures["in_two"].value >= 0.92
    assert scores.measures["accuracy_known"].value >= 0.94
    assert scores.measures["recall: radiology"].value >= 0.94


def test_phantoms_and_photographs_of_none_are_rejected_at_these_rates(
    every: Shelf,
    two: Shelf,
    photographs: NDArray[np.float32],
    phantoms: NDArray[np.float32],
) -> None:
    def rejects(head: CalibratedHead, vectors: NDArray[np.float32]) -> Rejected:
        return rejected(judge_head(head, vectors))

    # Measured: 24 of 24 phantoms by both; of 14 photographs 8 by the head of two domains, and 6 by
    # that of five. Grey photographs and starry skies are taken for radiographs.
    assert rejects(two.head(), phantoms).rate == 1.0
    assert rejects(every.head(), phantoms).rate == 1.0
    assert rejects(two.head(), photographs).rate >= 0.5
    assert rejects(every.head(), photographs).rate >= 0.4


def is_of_the_book(each: LabelledPicture) -> bool:
    return each.group.startswith("chapter:")


def test_smears_alone_do_not_teach_what_histology_looks_like_and_the_head_says_so(
    two: Shelf,
) -> None:
    head = two.where(lambda each: not is_of_the_book(each) and "colon" not in each.group).head()
    scores = two.where(lambda each: is_of_the_book(each) or "colon" in each.group).judged_by(head)
    # Measured: 24 of 71 figures and slides of tissue are nearest to pathology, and all 8 of
    # radiology to radiology; every one of the 79 is called unlike what was learnt.
    assert scores.measures["recall: pathology"].value <= 0.5
    assert scores.measures["recall: radiology"].value == 1.0
    assert scores.measures["rejected"].value >= 0.9


def test_histology_of_a_book_teaches_what_smears_look_like(two: Shelf) -> None:
    head = two.where(lambda each: not each.group.startswith("smear:")).head()
    scores = two.where(lambda each: each.group.startswith("smear:")).judged_by(head)
    # Measured: 100 of 100 are nearest to pathology, 58 of them called known, 42 unlike.
    assert scores.measures["recall: pathology"].value >= 0.97
    assert 0.4 <= scores.measures["known"].value <= 0.75


def test_words_of_questions_are_right_where_they_tell_anything(data: Path) -> None:
    rows = json.loads((data / "radiology/vqa_rad/vqa_rad.json").read_text(encoding="utf-8"))
    radiology = [Question(row["question"]) for row in rows]
    lines = (data / "pathology/bccd/bccd_qa.jsonl").read_text(encoding="utf-8").splitlines()
    smears = [Question(json.loads(line)["question"]) for line in lines]
    found = WordsClassifier().classify([*radiology, *smears])
    known = [each for each in found[: len(radiology)] if each.known]
    right = [each for each in known if each.domains[0] == "radiology"]
    # Measured: 232 of 1365 questions are known by a word, 229 of them right; 300 of 300 of smears.
    assert len(known) >= 150
    assert len(right) / len(known) >= 0.95
    assert all(each.domains[0] == "pathology" for each in found[len(radiology) :])
