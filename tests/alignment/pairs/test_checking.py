"""When two sides of a pair differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from medrag.alignment.noise import Noise
from medrag.alignment.pairs import check_pair, pictures_of, shows_other_pictures
from medrag.records import ImageRef
from tests.alignment.pairs.made import pair, picture


@pytest.fixture
def image(tmp_path: Path) -> ImageRef:
    return picture(tmp_path / "one.png", 1)


@pytest.fixture
def other(tmp_path: Path) -> ImageRef:
    return picture(tmp_path / "two.png", 2)


def test_equal_answers_are_legal_with_another_picture_or_with_noise(
    image: ImageRef, other: ImageRef
) -> None:
    check_pair(pair(image, rejected="Yes", rejected_prompt=(other, "Is there fluid?")))
    check_pair(pair(image, rejected="Yes", noise=Noise("blank")))


def test_equal_answers_are_not_legal_with_the_same_picture_in_other_words(image: ImageRef) -> None:
    with pytest.raises(ValueError, match="chosen and rejected are equal"):
        check_pair(pair(image, rejected="Yes", rejected_prompt=(image, "Fluid?")))


def test_a_noise_that_is_only_told_does_not_make_equal_pictures_differ(image: ImageRef) -> None:
    told = pair(image, rejected="Yes", rejected_prompt=(image, "Fluid?"), noise=Noise("blank"))
    with pytest.raises(ValueError, match="chosen and rejected are equal"):
        check_pair(told)


def test_the_same_pixels_at_another_place_are_the_same_picture(
    image: ImageRef, tmp_path: Path
) -> None:
    copy = replace(image, path=str(tmp_path / "copy.png"))
    assert not shows_other_pictures(pair(image, rejected_prompt=(copy, "Fluid?")))
    assert shows_other_pictures(pair(image, rejected_prompt=(replace(copy, sha256=None), "?")))


def test_a_part_of_a_picture_that_nobody_hashed_is_another_picture(image: ImageRef) -> None:
    part = replace(image, box=(0.0, 0.0, 4.0, 4.0), sha256=None, phash=None)
    assert shows_other_pictures(pair(image, rejected_prompt=(part, "Fluid?")))


def test_fewer_pictures_are_other_pictures(image: ImageRef) -> None:
    assert shows_other_pictures(pair(image, rejected_prompt=("Fluid?",)))


def test_a_noise_needs_pictures_that_are_there_and_each_once(image: ImageRef) -> None:
    noise = Noise("blank")
    with pytest.raises(ValueError, match="noised is empty"):
        check_pair(pair(image, noise=noise, noised=()))
    with pytest.raises(ValueError, match="noised names a picture twice"):
        check_pair(pair(image, noise=noise, noised=(0, 0)))
    with pytest.raises(ValueError, match="noised names picture 0, but prompt has 0"):
        check_pair(pair(image, prompt=("Fluid?",), noise=noise))


def test_pictures_come_in_the_order_of_the_prompt(image: ImageRef, other: ImageRef) -> None:
    assert pictures_of(("a", other, image, "b")) == (other, image)
