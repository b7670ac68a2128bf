"""Pairs kept apart from test sets."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.alignment.noise import Noise
from medrag.alignment.pairs import Leak, PreferencePair, check_leakage, separated
from medrag.errors import EvaluationError, MedragError
from medrag.identity import pseudonym
from medrag.images import hamming, identified, read_image
from medrag.records import ImageRef, Item, Question
from tests.alignment.pairs.made import pair, picture

KEY = b"0123456789abcdef"
N_PICTURES = 4


def item(name: str, *images: ImageRef | str, **told: str | None) -> Item:
    return Item(name, Question("Fluid?", images=images, **told))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[ImageRef]:
    folder = tmp_path_factory.mktemp("pictures")
    return [picture(folder / f"{n}.png", n, size=64) for n in range(N_PICTURES)]


def leaks(
    pairs: Sequence[PreferencePair], items: Sequence[Item], similar_bits: int | None = None
) -> list[tuple[str, str, str]]:
    found = separated(pairs, items, similar_bits=similar_bits, key=KEY).leaks
    return [(leak.pair, leak.item, leak.by) for leak in found]


NAMES = st.none() | st.sampled_from(["anna", "bert"])
DRAWN = st.lists(st.tuples(st.integers(0, N_PICTURES - 1), NAMES, NAMES), max_size=4)


@given(trained=DRAWN, tested=DRAWN)
def test_a_pair_is_kept_if_it_shares_no_picture_study_or_subject(
    trained: list[tuple[int, str | None, str | None]],
    tested: list[tuple[int, str | None, str | None]],
    images: list[ImageRef],
) -> None:
    def hashed(name: str | None) -> str | None:
        return pseudonym(name, KEY) if name else None

    pairs = [
        pair(images[n], id=str(place), study=hashed(study), subject=hashed(subject))
        for place, (n, study, subject) in enumerate(trained)
    ]
    items = [
        item(f"item {place}", images[n], study=study, subject=subject)
        for place, (n, study, subject) in enumerate(tested)
    ]
    found = separated(pairs, items, key=KEY)
    expected = [
        each
        for each, (n, study, subject) in zip(pairs, trained, strict=True)
        if not any(
            n == m or (study and study == s) or (subject and subject == p) for m, s, p in tested
        )
    ]
    assert list(found.pairs) == expected
    assert {leak.pair for leak in found.leaks} == {p.id for p in pairs} - {p.id for p in expected}


def test_the_pixels_count_and_not_the_name_of_the_file(
    images: list[ImageRef], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.bmp"
    Image.fromarray(read_image(images[0])).save(copy)
    assert leaks([pair(images[0])], [item("test", str(copy))]) == [("one", "test", "picture")]
    bare = ImageRef(images[0].path)
    assert leaks([pair(bare)], [item("test", str(copy))]) == [("one", "test", "picture")]


def test_a_part_of_a_picture_is_the_picture(images: list[ImageRef]) -> None:
    part = ImageRef(images[0].path, box=(0.0, 0.0, 20.0, 20.0))
    outlined = ImageRef(images[0].path, marks=((1.0, 1.0, 9.0, 9.0),))
    for one, other in ((part, images[0]), (images[0], part), (outlined, part)):
        assert leaks([pair(one)], [item("test", other)]) == [("one", "test", "picture")]


def test_pictures_of_the_rejected_side_and_those_put_in_their_place_count(
    images: list[ImageRef],
) -> None:
    rejected = pair(images[0], rejected_prompt=(images[1], "Fluid?"))
    swapped = pair(images[0], noise=Noise("swap_unrelated", other=images[1].path))
    held_out = [item("test", images[1])]
    assert leaks([rejected], held_out) == [("one", "test", "picture")]
    assert leaks([swapped], held_out) == [("one", "test", "picture")]


def test_a_picture_saved_smaller_is_found_where_similar_ones_count(
    images: list[ImageRef], tmp_path: Path
) -> None:
    small = tmp_path / "small.jpg"
    Image.fromarray(read_image(images[0])).resize((40, 40)).save(small, quality=90)
    held_out = [item("other", images[1]), item("test", str(small))]
    # The copy differs from its origin in few bits, other pictures in about half of 64.
    bits = [hamming(images[0].phash or "", identified(ImageRef(str(small))).phash or "")]
    bits += [hamming(images[0].phash or "", each.phash or "") for each in images[1:]]
    assert bits[0] <= 8 < min(bits[1:])
    assert leaks([pair(images[0])], held_out) == []
    assert leaks([pair(images[0])], held_out, 8) == [("one", "test", "similar picture")]


def test_as_many_bits_as_are_allowed_may_differ(images: list[ImageRef]) -> None:
    apart = hamming(images[0].phash or "", images[1].phash or "")
    held_out = [item("test", images[1])]
    assert leaks([pair(images[0])], held_out, apart - 1) == []
    assert leaks([pair(images[0])], held_out, apart) == [("one", "test", "similar picture")]


def test_pictures_of_one_colour_are_not_similar(tmp_path: Path) -> None:
    made = []
    for value in (10, 200):
        path = tmp_path / f"{value}.png"
        Image.new("RGB", (16, 16), (value,) * 3).save(path)
        made.append(identified(ImageRef(str(path))))
    assert leaks([pair(made[0])], [item("test", made[1])], 8) == []


def test_a_hash_that_somebody_mistyped_is_no_similar_picture(images: list[ImageRef]) -> None:
    wrong = replace(images[0], phash="xyz", sha256="0" * 64)
    assert leaks([pair(wrong)], [item("test", images[1])], 8) == []


def test_the_check_names_the_first_and_says_how_many(images: list[ImageRef]) -> None:
    pairs = [pair(images[0], id=f"pair {n}") for n in range(7)]
    pairs.append(pair(images[1], id="sound"))
    with pytest.raises(EvaluationError) as caught:
        check_leakage(pairs, [item("test", images[0])])
    told = str(caught.value)
    assert told.startswith("7 of 8 pairs share")
    assert "pair 0 has the picture of test" in told
    assert "pair 5" not in told
    assert "and 2 more" in told
    check_leakage(pairs[-1:], [item("test", images[0])])


def test_leaks_are_told_beside_what_is_kept(images: list[ImageRef]) -> None:
    pairs = [pair(images[0], id="leaking"), pair(images[1], id="sound")]
    found = separated(pairs, [item("test", images[0])])
    assert found.pairs == (pairs[1],)
    assert found.leaks == (Leak("leaking", "test", "picture"),)


def test_a_picture_that_cannot_be_read_names_the_pair_or_the_item(
    images: list[ImageRef], tmp_path: Path
) -> None:
    gone = ImageRef(str(tmp_path / "gone.png"))
    with pytest.raises(MedragError, match=r"pair 'one': .*gone\.png"):
        separated([pair(gone)], [])
    with pytest.raises(EvaluationError, match=r"test item 'test': .*gone\.png"):
        separated([pair(images[0])], [item("test", gone)])


def test_bits_out_of_range_are_refused(images: list[ImageRef]) -> None:
    with pytest.raises(ValueError, match="similar_bits must be in"):
        separated([], [], similar_bits=65)
