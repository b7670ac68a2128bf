import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.corruption import (
    as_corruption,
    corrupted,
    corrupted_questions,
    write_corrupted,
    write_picture,
)
from medrag.alignment.noise import Noise, check_noise
from medrag.codec import record_from_json
from medrag.errors import InputFileError, MedragError
from medrag.evaluation.arms import StandIns
from medrag.images import identified, pixel_sha256, read_image
from medrag.records import ImageRef, Question
from tests.alignment.corruption.pictures import plain, random, saved, shapes

DRAWN = [
    Noise("replace_gaussian"),
    Noise("add_gaussian"),
    Noise("add_gaussian", std=0.3),
    Noise("diffusion", step=700),
    Noise("lesion_mask", step=700, box=(0, 0, 9, 9)),
]
drawn = st.sampled_from(DRAWN)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("other") / "other.png", random(6, 11, seed=77))


@given(noise=drawn, shape=shapes, seed=st.integers(0, 2**40))
def test_a_noise_gives_the_same_bytes_each_time_and_the_size_of_the_picture(
    noise: Noise, shape: tuple[int, int], seed: int
) -> None:
    picture, seeded = random(*shape), replace(noise, seed=seed)
    first = corrupted(picture, seeded)
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, corrupted(picture.copy(), seeded))


@given(noise=drawn, shape=shapes)
def test_a_picture_is_not_changed_by_its_corruption(noise: Noise, shape: tuple[int, int]) -> None:
    picture = random(*shape)
    before = picture.copy()
    corrupted(picture, noise)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("noise", DRAWN)
def test_another_seed_gives_other_noise(noise: Noise) -> None:
    picture = random(9, 9)
    assert (corrupted(picture, noise) != corrupted(picture, replace(noise, seed=1))).any()


@pytest.mark.parametrize("noise", DRAWN)
def test_pictures_that_differ_in_a_byte_get_other_noise(noise: Noise) -> None:
    picture = plain(9, 9, (128, 128, 128))
    near = picture.copy()
    near[8, 8, 2] += 1
    # One level cannot move more than a few of the 243 numbers if the noise is the same.
    assert (corrupted(picture, noise) != corrupted(near, noise)).sum() > 100


def test_a_picture_on_its_side_gets_other_noise() -> None:
    flat, tall = plain(2, 8, (9, 9, 9)), plain(8, 2, (9, 9, 9))
    noise = Noise("replace_gaussian")
    assert (corrupted(flat, noise).ravel() != corrupted(tall, noise).ravel()).any()


def test_a_view_with_strides_is_read_as_what_it_shows() -> None:
    picture = random(8, 8)
    view = picture[::2, ::-1]
    noise = Noise("diffusion", step=500)
    np.testing.assert_array_equal(corrupted(view, noise), corrupted(view.copy(), noise))


def test_noise_of_a_box_lies_in_the_box() -> None:
    picture = random(20, 30)
    made = corrupted(picture, Noise("lesion_mask", step=900, box=(10, 5, 20, 15)))
    changed = (made != picture).any(axis=2)
    assert changed[5:15, 10:20].mean() > 0.9
    changed[5:15, 10:20] = False
    assert not changed.any()


def test_noise_follows_a_heat_map(tmp_path: Path) -> None:
    levels = np.zeros((10, 10, 3), np.uint8)
    levels[:, 5:] = 255
    noise = Noise("lesion_mask", step=900, heat_map=saved(tmp_path / "map.png", levels))
    picture = random(10, 10)
    changed = (corrupted(picture, noise) != picture).any(axis=2)
    assert not changed[:, :5].any()
    assert changed[:, 5:].mean() > 0.9


def test_a_swapped_picture_is_the_other_one_in_its_size(tmp_path: Path) -> None:
    noise = Noise("swap_unrelated", other=saved(tmp_path / "red.png", plain(4, 50, (255, 0, 0))))
    made = corrupted(random(9, 5), noise)
    np.testing.assert_array_equal(made, plain(9, 5, (255, 0, 0)))


@pytest.mark.parametrize("more", [{"step": 600}, {"std": 0.2}])
def test_a_swapped_picture_may_be_noised_and_differs_by_picture(
    other: str, more: dict[str, float]
) -> None:
    noise = Noise("swap_unrelated", other=other, **more)  # type: ignore[arg-type]
    bare = Noise("swap_unrelated", other=other)
    one, two = random(9, 5, seed=1), random(9, 5, seed=2)
    np.testing.assert_array_equal(corrupted(one, bare), corrupted(two, bare))
    assert (corrupted(one, noise) != corrupted(one, bare)).any()
    assert (corrupted(one, noise) != corrupted(two, noise)).any()


def test_a_picture_is_not_swapped_for_itself(tmp_path: Path) -> None:
    picture = random(4, 4)
    noise = Noise("swap_unrelated", other=saved(tmp_path / "a.png", picture))
    with pytest.raises(ValueError, match="is the picture itself"):
        corrupted(picture, noise)


def test_another_picture_that_is_missing_is_named(tmp_path: Path) -> None:
    noise = Noise("swap_unrelated", other=str(tmp_path / "gone.png"))
    with pytest.raises(InputFileError, match=r"gone.png.*does not exist"):
        corrupted(random(4, 4), noise)


@pytest.mark.parametrize(
    ("noise", "field"),
    [
        (Noise("salt"), "kind must be"),  # type: ignore[arg-type]
        (Noise("blank", seed=-1), "seed must be"),
        (Noise("diffusion"), "step is needed"),
        (Noise("lesion_mask", box=(0, 0, 1, 1)), "step is needed"),
        (Noise("lesion_mask", step=5), "either box or heat_map, got neither"),
        (Noise("lesion_mask", step=5, box=(0, 0, 1, 1), heat_map="a"), "got both"),
        (Noise("swap_unrelated"), "other is needed"),
        (Noise("swap_unrelated", other="a", step=5, std=0.1), "step or std"),
        (Noise("diffusion", step=1001), "step must be"),
        (Noise("add_gaussian", std=0.0), "std must be"),
        (Noise("add_gaussian", std=float("nan")), "std must be"),
        (Noise("lesion_mask", step=5, box=(3, 0, 1, 1)), "box must have"),
        (Noise("lesion_mask", step=5, box=(0, 0, float("inf"), 1)), "box must have"),
        (Noise("blank", std=0.1), "std means nothing to blank"),
        (Noise("replace_gaussian", step=3), "step means nothing"),
        (Noise("diffusion", step=3, box=(0, 0, 1, 1)), "box means nothing"),
    ],
)
def test_a_noise_that_cannot_be_done_names_its_field(noise: Noise, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        check_noise(noise)
    with pytest.raises(ValueError, match=field):
        corrupted(random(2, 2), noise)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((2, 2, 3), np.float32),
        np.zeros((0, 2, 3), np.uint8),
    ],
)
def test_what_is_no_picture_in_rgb_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be uint8 of shape"):
        corrupted(picture, Noise("blank"))


def asked(tmp_path: Path, *pictures: np.ndarray) -> list[ImageRef]:
    paths = (saved(tmp_path / f"{n}.png", each) for n, each in enumerate(pictures))
    return [identified(ImageRef(path)) for path in paths]


def test_corrupted_pictures_are_written_as_they_were_made(tmp_path: Path) -> None:
    refs = asked(tmp_path, random(4, 6), random(5, 5, seed=1))
    noise = Noise("diffusion", step=300)
    written = write_corrupted(refs, noise, tmp_path / "made")
    for ref, made in zip(refs, written, strict=True):
        np.testing.assert_array_equal(read_image(made), corrupted(read_image(ref), noise))
        assert made == identified(ImageRef(made.path))
        assert Path(made.path).stem == made.sha256


def test_each_picture_may_have_a_noise_of_its_own(tmp_path: Path) -> None:
    [ref] = asked(tmp_path, random(4, 6))
    noises = [Noise("blank"), Noise("replace_gaussian")]
    one, two = write_corrupted([ref, ref], noises, tmp_path / "made")
    assert np.ptp(read_image(one)) == 0
    assert np.ptp(read_image(two)) > 0


def test_as_many_noises_as_pictures_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 noises for 0 pictures"):
        write_corrupted([], [Noise("blank")] * 2, tmp_path)


def test_what_is_written_stays_and_is_not_written_again(tmp_path: Path) -> None:
    refs = asked(tmp_path, random(4, 6))
    noise = Noise("add_gaussian")
    [first] = write_corrupted(refs, noise, tmp_path / "made")
    stamp = Path(first.path).stat()
    assert write_corrupted(refs, noise, tmp_path / "made") == [first]
    again = Path(first.path).stat()
    assert (again.st_ino, again.st_mtime_ns) == (stamp.st_ino, stamp.st_mtime_ns)
    assert [path.name for path in (tmp_path / "made").iterdir()] == [Path(first.path).name]


def test_a_file_of_another_content_is_not_written_over(tmp_path: Path) -> None:
    picture = random(3, 3)
    path = tmp_path / f"{pixel_sha256(picture)}.png"
    saved(path, plain(3, 3, (0, 0, 0)))
    before = path.read_bytes()
    with pytest.raises(InputFileError, match="holds another picture"):
        write_picture(picture, tmp_path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MedragError, match=r"file.*cannot be written"):
        write_picture(random(3, 3), tmp_path / "file" / "below")


def test_a_full_disk_leaves_no_half_of_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MedragError, match="No space left"):
        write_picture(random(3, 3), tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_questions_are_asked_of_corrupted_pictures(tmp_path: Path) -> None:
    refs = asked(tmp_path, random(4, 6), random(5, 5, seed=1))
    questions = [Question("a", images=tuple(refs), id="1"), Question("b", id="2")]
    made = corrupted_questions(questions, Noise("blank"), tmp_path / "made")
    assert [each.id for each in made] == ["1", "2"]
    assert made[1] == questions[1]
    shown = [read_image(image) for image in made[0].images if isinstance(image, ImageRef)]
    assert [pixels.shape for pixels in shown] == [(4, 6, 3), (5, 5, 3)]
    assert all(np.ptp(pixels) == 0 for pixels in shown)


def test_questions_that_are_not_prepared_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="prepare the questions first"):
        corrupted_questions([Question("a", images=("a.png",))], Noise("blank"), tmp_path)


def test_an_arm_of_noise_shows_what_the_noise_makes_and_tells_it(tmp_path: Path) -> None:
    noise = Noise("diffusion", seed=2, step=300)
    [ref] = asked(tmp_path, random(6, 5))
    corruption = as_corruption(noise)
    shown = StandIns(folder=tmp_path / "arms", seed=0, corruption=corruption).noise(ref)
    np.testing.assert_array_equal(read_image(shown), corrupted(read_image(ref), noise))
    assert record_from_json(Noise, json.loads(json.dumps(dict(corruption.settings)))) == noise


def test_an_arm_is_not_given_a_noise_that_cannot_be_done() -> None:
    with pytest.raises(ValueError, match="step is needed"):
        as_corruption(Noise("diffusion"))


def test_nothing_is_drawn_from_the_global_generator() -> None:
    before: Callable[[], tuple] = lambda: np.random.get_state()[1].tolist()  # noqa: E731, NPY002
    state = before()
    for noise in DRAWN:
        corrupted(random(3, 3), noise)
    assert before() == state


@pytest.mark.parametrize(
    ("noise", "first"),
    [
        (Noise("replace_gaussian"), [0, 125, 186, 247, 33, 88]),
        (Noise("add_gaussian", seed=1), [121, 130, 220, 145, 76, 161]),
        (Noise("diffusion", step=500), [106, 104, 237, 190, 81, 212]),
    ],
)
def test_a_stored_noise_stays_what_it_was_in_every_release(noise: Noise, first: list[int]) -> None:
    # Pairs keep a seed and no pixels: another stream of numbers would be other training data.
    assert corrupted(plain(2, 2, (128, 64, 200)), noise).ravel()[:6].tolist() == first
