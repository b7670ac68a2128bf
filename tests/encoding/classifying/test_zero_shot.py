"""Domains by descriptions, in a space of three axes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.encoding.classifying import ZeroShotClassifier
from medrag.encoding.classifying.descriptions import read_descriptions
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.errors import RecipeError
from medrag.protocols import Side
from medrag.records import Embeddings, Passage, Question

AXES = {"scan": 0, "smear": 1, "cat": 2}


class Axes:
    """Texts and picture names become the sum of the axes that they name, of unit length."""

    name = "axes"
    normalised = True

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        raise NotImplementedError

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        told = [str(getattr(q.images[0], "path", "")) if side == "image" else q.text
                for q in questions]  # fmt: skip
        rows = [[float(word in text) for word in AXES] for text in told]
        values = np.array(rows, dtype=np.float32).reshape(-1, 3)
        norms = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
        return Embeddings(values / norms, np.ones(len(rows), dtype=np.int32))


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "domains:\n  radiology: {templates: [a scan, the scan]}\n"
        "  pathology: {templates: [a smear]}\nothers: [a cat]\n"
    )
    return path


def classifier(templates: Path, **options: Any) -> ZeroShotClassifier:
    return ZeroShotClassifier(encoder=Axes(), templates=templates, **options)


def test_the_nearest_description_decides(templates: Path) -> None:
    found = classifier(templates).classify(
        [Question(images=("scan.png",)), Question("which smear?"), Question(images=("cat.png",))]
    )
    assert [each.domains[:1] for each in found] == [("radiology",), ("pathology",), ()]
    assert [each.known for each in found] == [True, True, False]
    # Cosines 1 and 0, a scale of 20: 1 / (1 + exp(-20)).
    assert found[0].probabilities["radiology"] == pytest.approx(1 / (1 + np.exp(-20)))
    assert all(sum(each.probabilities.values()) == pytest.approx(1) for each in found)


def test_a_temperature_softens(templates: Path) -> None:
    (routing,) = classifier(templates, temperature=1.0).classify([Question("a scan")])
    # Cosines 1 and 0: e / (e + 1) = 0.731.
    assert routing.probabilities["radiology"] == pytest.approx(np.e / (np.e + 1))


def test_what_is_near_to_two_is_unknown_and_both_are_named(templates: Path) -> None:
    (routing,) = classifier(templates).classify([Question(images=("scan-smear.png",))])
    assert (set(routing.domains), routing.known) == ({"radiology", "pathology"}, False)


def test_what_is_far_from_all_is_unlike_them(templates: Path) -> None:
    near, far = Question(images=("scan.png",)), Question(images=("scan-cat-smear.png",))
    # The cosine of the second to each of the three axes is 0.577.
    found = classifier(templates, nearest=0.7).classify([near, far])
    assert [each.domains[:1] for each in found] == [("radiology",), ()]


def test_the_side_says_what_is_looked_at(templates: Path) -> None:
    question = Question("a smear?", images=("scan.png",))
    for side, domain in (("image", "radiology"), ("text", "pathology"), ("any", "radiology")):
        (routing,) = classifier(templates, side=side).classify([question])
        assert routing.domains[0] == domain
    (routing,) = classifier(templates, side="image").classify([Question("a smear?")])
    assert (routing.domains, routing.known) == ((), False)


def test_a_vote_of_pictures_is_a_vote(templates: Path) -> None:
    asked = Question(images=("scan1.png", "scan2.png", "smear.png"))
    (routing,) = classifier(templates).classify([asked])
    assert routing.probabilities["radiology"] == pytest.approx(2 / 3, abs=1e-6)


def test_the_descriptions_of_medrag_are_three_to_eight_of_each_domain() -> None:
    ours = read_descriptions()
    assert {"radiology", "pathology", "ophthalmology", "dermatology", "endoscopy"} < set(ours.words)
    assert all(3 <= len(texts) <= 8 for texts in ours.templates.values())
    assert all(len(set(texts)) == len(texts) for texts in ours.words.values())
    assert ours.others


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("domains: [", "cannot be read as YAML"),
        ("[]", "expected"),
        ("domains: {}", "no domains"),
        ("domains: {a: [x]}", "a: expected"),
        ("domains: {a: {template: [x]}}", "unknown key 'template'"),
        ("domains: {a: {templates: x}}", "expected a list of texts"),
        ("domains: {a: {templates: [' ']}}", "none of them blank"),
        ("domains: {a: {words: [x]}}", "'a' has no templates"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=told):
        classifier(path)


def test_a_domain_that_is_not_described_is_named(templates: Path) -> None:
    with pytest.raises(RecipeError, match="describes no domain 'eyes'"):
        classifier(templates, domains=("eyes",))
    assert list(classifier(templates, domains=("pathology",)).descriptions.templates) == [
        "pathology"
    ]


@pytest.mark.parametrize("wrong", [{"nearest": 2.0}, {"side": "both"}, {"temperature": -1.0}])
def test_values_out_of_range_are_refused(templates: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        classifier(templates, **wrong)


def test_an_encoder_that_reads_no_texts_is_told(templates: Path) -> None:
    made = ZeroShotClassifier(encoder=DescriptorEncoder(), templates=templates)
    with pytest.raises(RecipeError, match="give an encoder of pictures and texts"):
        made.classify([Question("a scan")])
