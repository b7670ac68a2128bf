"""Domains that are said, and the first of several ways to tell one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.errors import InputFileError
from medrag.images.modalities import dicom_domain
from medrag.records import ImageRef, Question, Routing, Usage
from medrag.retrieval.domain import FirstKnownClassifier, StatedClassifier
from medrag.retrieval.domain.routed import Routed
from tests.ingestion.dicom_files import made, ramp, saved
from tests.retrieval.domain.library import Says, known, unsure


def picture(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(folder / "p.png")
    return folder / "p.png"


def header(path: Path, modality: str, part: str = "") -> Path:
    return saved(path, made(ramp(), Modality=modality, BodyPartExamined=part))


def test_what_the_question_says_wins(tmp_path: Path) -> None:
    scan = header(tmp_path / "a.dcm", "CT")
    asked = [Question("q", images=(scan,), domain="pathology"), Question("q", images=(scan,))]
    found = StatedClassifier().classify(asked)
    assert [each.domains for each in found] == [("pathology",), ("radiology",)]
    assert all(each.known for each in found)
    assert found[1].reason == "DICOM header: radiology"


@pytest.mark.parametrize(
    ("modality", "part", "domain"),
    [
        ("MR", "EYE", "radiology"),
        ("SM", "", "pathology"),
        ("XC", "SKIN", "dermatology"),
        ("XC", "EYE", "ophthalmology"),
        ("OT", "", None),
        ("ZZ", "CHEST", None),
    ],
)
def test_the_modality_tells_the_domain_and_else_the_body_part(
    tmp_path: Path, modality: str, part: str, domain: str | None
) -> None:
    assert dicom_domain(header(tmp_path / "a.dcm", modality, part)) == domain


def test_a_picture_that_is_no_dicom_file_says_nothing(tmp_path: Path) -> None:
    assert dicom_domain(picture(tmp_path)) is None
    with pytest.raises(InputFileError, match=r"absent\.dcm: cannot be read"):
        dicom_domain(tmp_path / "absent.dcm")


def test_pictures_vote_and_where_they_differ_none_is_known(tmp_path: Path) -> None:
    scans = [header(tmp_path / f"{n}.dcm", "CT") for n in range(2)]
    slide = header(tmp_path / "slide.dcm", "SM")
    (routing,) = StatedClassifier().classify([Question(images=(slide, *scans))])
    assert (routing.domains, routing.known) == (("radiology", "pathology"), False)
    assert routing.probabilities == pytest.approx({"radiology": 2 / 3, "pathology": 1 / 3})


def test_the_innermost_folder_that_is_a_collection_tells_its_domain(tmp_path: Path) -> None:
    path = picture(tmp_path / "lungs" / "smears" / "a")
    collections = {"lungs": "radiology", "smears": "pathology"}
    classifier = StatedClassifier(collections=collections)
    (routing,) = classifier.classify([Question(images=(ImageRef(str(path)),))])
    assert (routing.domains, routing.known) == (("pathology",), True)


def test_headers_are_left_alone_on_request(tmp_path: Path) -> None:
    asked = [Question(images=(header(tmp_path / "a.dcm", "CT"),))]
    assert StatedClassifier(headers=False).classify(asked)[0].domains == ()


def test_nothing_said_is_no_domain() -> None:
    (routing,) = StatedClassifier().classify([Question("a chest X-ray?")])
    assert (routing.domains, routing.known) == ((), False)


def test_the_first_classifier_that_knows_decides_and_later_ones_are_not_asked() -> None:
    first = Says(Routing(reason="no word"), a=known("eye"))
    second = Says(known("lung"))
    classifier = FirstKnownClassifier(classifiers=(first, second))
    found = classifier.classify([Question("a"), Question("b")])
    assert [each.domains for each in found] == [("eye",), ("lung",)]
    assert (first.asked, second.asked) == (["a", "b"], ["b"])
    assert found[1].reason == "no word; known"


def test_where_none_knows_the_first_that_names_domains_has_its_say() -> None:
    three = (Says(Routing()), Says(unsure(eye=0.4, lung=0.3)), Says(unsure(skin=0.4, lung=0.3)))
    (routing,) = FirstKnownClassifier(classifiers=three).classify([Question()])
    assert (routing.domains, routing.known) == (("eye", "lung"), False)
    (routing,) = FirstKnownClassifier(classifiers=three[:1]).classify([Question()])
    assert routing.domains == ()


def test_steps_and_usage_of_all_that_were_asked_are_kept() -> None:
    class Traced(Says):
        repeatable = False

        def classify_traced(self, questions: list[Question]) -> list[Routed]:
            return [
                Routed(each, ({"step": "s"},), Usage(1, 1)) for each in self.classify(questions)
            ]

    classifier = FirstKnownClassifier(classifiers=(Traced(Routing()), Traced(known("eye"))))
    (found,) = classifier.classify_traced([Question()])
    assert found.trace == ({"step": "s"}, {"step": "s"})
    assert found.usage == Usage(2, 2)
    assert not classifier.repeatable
    assert FirstKnownClassifier(classifiers=(Says(Routing()),)).repeatable


def test_no_classifier_is_refused() -> None:
    with pytest.raises(ValueError, match="one or more"):
        FirstKnownClassifier(classifiers=())
