"""What every classifier of domains must do, whatever it goes by."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.config.components import planned
from medrag.config.place import Place
from medrag.config.tables import TABLES
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.encoding.heads import CalibratedHead, Neighbours, fitted, save_head
from medrag.protocols import DomainClassifier, Side
from medrag.records import Embeddings, Generation, Passage, Prompt, Question
from tests.evaluation.routing.drawn import drawn


class Echo:
    """A generator that names a domain where the question does."""

    name = "echo"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        told = [str(prompt.parts[-1]).split("<<<")[-1] for prompt in prompts]
        return [Generation("radiology" if "X-ray" in text else "unknown") for text in told]


class Letters:
    """Texts by their letters, pictures by their size: a space for both."""

    name = "letters"
    normalised = True

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        raise NotImplementedError

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        told = [q.text if side == "text" else str(q.images[0]) for q in questions]
        rows = [[text.lower().count(letter) for letter in "aeioutrsn"] for text in told]
        values = np.array(rows, dtype=np.float32).reshape(-1, 9) + 0.01
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return Embeddings(values, np.ones(len(rows), dtype=np.int32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def questions(folder: Path) -> list[Question]:
    scan, smear, noise = (drawn(folder / f"{k}.png", k, 1) for k in ("scan", "smear", "noise"))
    return [
        Question("Does the chest X-ray show an effusion?"),
        Question("How many platelets are in the smear?", images=(smear,)),
        Question("What is this?", images=(scan, smear, noise)),
        Question("What is this?", images=(noise,)),
        Question("", options=("melanoma", "mole"), domain="dermatology"),
        Question(),
    ]


def head(folder: Path) -> str:
    encoder = DescriptorEncoder()
    paths = [(drawn(folder / "in" / f"{k}{n}.png", k, n), k) for k in ("scan", "smear")
             for n in range(4)]  # fmt: skip
    rows = encoder.encode_questions([Question(images=(path,)) for path, _ in paths], "image").values
    linear = fitted(rows, [k for _, k in paths], encoder=encoder.name, standardise=False)
    known = Neighbours(vectors=rows, k=2, furthest=0.3)
    save_head(CalibratedHead(linear, neighbours=known), folder / "head.npz")
    return "head.npz"


def made(kind: str, folder: Path) -> DomainClassifier:
    domains = ["radiology", "pathology"]
    recipes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "asked": ({"domains": domains}, {"generator": Echo()}),
        "first_known": ({"classifiers": [{"kind": "stated"}, {"kind": "words"}]}, {}),
        "linear": ({"head": head(folder)}, {}),
        "stated": ({"collections": {folder.name: "radiology"}}, {}),
        "words": ({}, {}),
        "zero_shot": ({"domains": domains}, {"encoder": Letters()}),
    }
    if kind not in recipes:
        pytest.fail(f"no builder of the classifier {kind!r}: add it to {__file__}")
    said, given = recipes[kind]
    place = Place(str(folder / "recipe.yaml"))
    plan = planned("classifier", {"kind": kind, **said}, place, given=frozenset(given))
    classifier: DomainClassifier = plan(**given)
    return classifier


@pytest.mark.parametrize("kind", sorted(TABLES["classifier"]))
def test_every_classifier_keeps_its_promises(
    kind: str, folder: Path, questions: list[Question]
) -> None:
    classifier = made(kind, folder)
    found = classifier.classify(questions)
    assert len(found) == len(questions)
    assert any(each.known for each in found), "nothing is known, so that nothing is checked"
    assert any(not each.known for each in found)
    for routing in found:
        told = routing.probabilities
        assert not told or sum(told.values()) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in told.values())
        assert len(set(routing.domains)) == len(routing.domains)
        assert routing.domains or not routing.known
        shares = [told[name] for name in routing.domains]
        assert shares == sorted(shares, reverse=True)
        assert routing.reason
    alone = [classifier.classify([question])[0] for question in questions]
    assert [(each.domains, each.known) for each in alone] == [
        (each.domains, each.known) for each in found
    ]
    assert classifier.classify([]) == []
