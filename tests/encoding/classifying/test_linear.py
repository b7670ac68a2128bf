"""Domains by a fitted head, on pictures that a generator drew."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.encoding.classifying import LinearClassifier
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.encoding.heads import CalibratedHead, LinearHead, Neighbours, fitted, save_head
from medrag.errors import InputFileError, RecipeError
from medrag.records import Question


def drawn(folder: Path, kind: str, seed: int) -> Path:
    """A pink picture of dots, a grey one of a bright disc, or pure noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    if kind == "smear":
        pixels = np.full((64, 64, 3), (230, 190, 210))
        for _ in range(8):
            cx, cy = rng.integers(8, 56, 2)
            pixels[(x - cx) ** 2 + (y - cy) ** 2 < 16] = (120, 60, 150)
    elif kind == "scan":
        grey = 200 * np.exp(-((x - rng.integers(24, 40)) ** 2 + (y - 32) ** 2) / 300)
        pixels = np.repeat(grey[:, :, None], 3, axis=2)
    else:
        pixels = rng.integers(0, 256, (64, 64, 3))
    path = folder / f"{kind}{seed}.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    kinds = {"smear": "pathology", "scan": "radiology"}
    paths = [(drawn(folder, kind, seed), name) for kind, name in kinds.items() for seed in range(8)]
    encoder = DescriptorEncoder()
    vectors = encoder.encode_questions([Question(images=(path,)) for path, _ in paths], "image")
    labels = [name for _, name in paths]
    linear = fitted(vectors.values, labels, encoder=encoder.name, l2=0.1, standardise=False)
    known = Neighbours(vectors=vectors.values, k=2, furthest=0.3)
    save_head(CalibratedHead(linear, neighbours=known), folder / "head.npz")
    return folder / "head.npz"


def test_pictures_are_routed_to_what_they_are_like(head: Path, tmp_path: Path) -> None:
    asked = [Question(images=(drawn(tmp_path, kind, 99),)) for kind in ("smear", "scan")]
    found = LinearClassifier(head=head).classify(asked)
    assert [each.domains[0] for each in found] == ["pathology", "radiology"]
    assert all(each.known for each in found)
    assert all(sum(each.probabilities.values()) == pytest.approx(1) for each in found)


def test_noise_is_unlike_both_and_is_let_through_on_request(head: Path, tmp_path: Path) -> None:
    question = Question(images=(drawn(tmp_path, "noise", 1),))
    (routing,) = LinearClassifier(head=head).classify([question])
    assert (routing.domains, routing.known) == ((), False)
    (routing,) = LinearClassifier(head=head, furthest=2.0).classify([question])
    assert len(routing.domains) == 2


def test_several_pictures_vote_and_noise_does_not(head: Path, tmp_path: Path) -> None:
    smear, scan, noise = (drawn(tmp_path, kind, 5) for kind in ("smear", "scan", "noise"))
    found = LinearClassifier(head=head).classify(
        [Question(images=(smear, noise)), Question(images=(smear, scan)), Question("words alone")]
    )
    assert (found[0].domains[0], found[0].known) == ("pathology", True)
    assert "1 of 2 pictures vote" in found[0].reason
    # One picture of each: the mean is near a half each.
    assert set(found[1].domains) == {"pathology", "radiology"}
    assert max(found[1].probabilities.values()) < 0.7
    assert (found[2].domains, found[2].known) == ((), False)


def test_no_question_gives_no_routing(head: Path) -> None:
    assert LinearClassifier(head=head).classify([]) == []


def test_a_stricter_least_makes_a_known_domain_unknown(head: Path, tmp_path: Path) -> None:
    question = Question(images=(drawn(tmp_path, "scan", 3),))
    (routing,) = LinearClassifier(head=head, least=1.0).classify([question])
    assert not routing.known
    assert routing.domains[0] == "radiology"


def test_a_head_that_is_missing_or_of_another_encoder_is_named(head: Path, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"absent\.npz"):
        LinearClassifier(head=tmp_path / "absent.npz")
    other = LinearHead.load(head, encoder=DescriptorEncoder.name)
    other.encoder = "another"
    other.save(tmp_path / "other.npz")
    with pytest.raises(RecipeError, match="'another'"):
        LinearClassifier(head=tmp_path / "other.npz")


def test_furthest_needs_something_to_be_far_from(head: Path, tmp_path: Path) -> None:
    LinearHead.load(head, encoder=DescriptorEncoder.name).save(tmp_path / "plain.npz")
    with pytest.raises(ValueError, match="furthest says nothing"):
        LinearClassifier(head=tmp_path / "plain.npz", furthest=0.2)
