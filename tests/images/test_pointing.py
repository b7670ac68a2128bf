"""What a question points at."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from medrag.errors import InputFileError
from medrag.images import read_image
from medrag.images.pointing import check_regions, mask_box, pointed_images, region_views, unmarked
from medrag.records import ImageRef, Question, QuestionRegion

WIDTH, HEIGHT = 200, 100


@pytest.fixture
def picture(tmp_path: Path) -> ImageRef:
    path = tmp_path / "film.png"
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(path)
    return ImageRef(str(path), sha256="s", phash="p")


def mask_file(folder: Path, mask: NDArray[np.uint8], name: str = "mask.png") -> str:
    Image.fromarray(mask).save(folder / name, quality=80)
    return str(folder / name)


def painted(value: int = 255) -> NDArray[np.uint8]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:60, 50:150] = value
    return mask


def asked(picture: ImageRef, *regions: QuestionRegion) -> Question:
    return Question("?", images=(picture,), regions=regions)


def test_a_box_is_outlined_and_told_by_its_share(picture: ImageRef) -> None:
    question = asked(picture, QuestionRegion(box=(40, 20, 80, 60), name="nodule"))
    (view,) = region_views(question)
    assert view.marked == ImageRef(picture.path, marks=((40, 20, 80, 60),))
    # 40 x 40 of 200 x 100 pixels is 8%.
    assert view.words == "nodule: the box from (40, 20) to (80, 60) in picture 1, 8.0% of it"
    assert view.number == 1
    assert read_image(view.marked).shape == (HEIGHT, WIDTH, 3)


def test_a_point_is_outlined_by_a_small_box(picture: ImageRef) -> None:
    (view,) = region_views(asked(picture, QuestionRegion(point=(100, 2))))
    assert view.box == (95, 0, 105, 7)  # 5% of the shorter side around it, within the picture
    assert view.words == "the point (100, 2) in picture 1"


def test_a_box_that_was_rounded_over_the_edge_is_cut_there(picture: ImageRef) -> None:
    (view,) = region_views(asked(picture, QuestionRegion(box=(-1, 20, 80, 100.6))))
    assert view.box == (0, 20, 80, 100)


def test_a_name_alone_is_told_in_words(picture: ImageRef) -> None:
    (view,) = region_views(asked(picture, QuestionRegion(name="left  lower\nlobe")))
    assert (view.words, view.marked) == ("left lower lobe in picture 1", None)


@pytest.mark.parametrize("value", [1, 7, 255])
def test_a_mask_is_shown_by_its_box_and_told_by_its_share(
    picture: ImageRef, tmp_path: Path, value: int
) -> None:
    mask = mask_file(tmp_path, painted(value))
    (view,) = region_views(asked(picture, QuestionRegion(mask=mask)))
    assert view.box == (50, 20, 150, 60)
    assert view.words == (
        "an outlined area, 20% of picture 1, within the box from (50, 20) to (150, 60)"
    )


def test_a_mask_saved_as_jpeg_is_read_through_its_noise(picture: ImageRef, tmp_path: Path) -> None:
    mask = mask_file(tmp_path, painted(), "mask.jpg")
    (view,) = region_views(asked(picture, QuestionRegion(mask=mask)))
    assert view.box == pytest.approx((50, 20, 150, 60), abs=1)


def test_regions_of_one_picture_are_outlined_together(picture: ImageRef) -> None:
    question = Question(
        "?",
        images=(picture, ImageRef(picture.path)),
        regions=(
            QuestionRegion(box=(40, 20, 80, 60)), QuestionRegion(name="heart"),
            QuestionRegion(box=(100, 20, 120, 60)),
        ),
    )  # fmt: skip
    views = region_views(question)
    assert [view.number for view in views] == [1, None, 2]
    assert views[0].marked == views[2].marked
    first, second = pointed_images(question, views)
    assert first.marks == ((40, 20, 80, 60), (100, 20, 120, 60))
    assert second == question.images[1]
    assert unmarked(first) == unmarked(picture)


def test_places_in_a_part_of_a_picture_count_from_the_part(picture: ImageRef) -> None:
    part = ImageRef(picture.path, box=(100, 50, 200, 100))
    (view,) = region_views(asked(part, QuestionRegion(box=(10, 10, 30, 30))))
    assert view.marked is not None
    assert view.marked.marks == ((10, 10, 30, 30),)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (QuestionRegion(image=1, box=(1, 1, 2, 2)), r"picture 2, but the question has 1 picture$"),
        (QuestionRegion(image=-1, name="heart"), "picture 0"),
        (QuestionRegion(), "one of a box, a point and a mask, or have a name"),
        (QuestionRegion(name=" "), "one of a box"),
        (QuestionRegion(box=(1, 1, 2, 2), point=(1, 1)), "one of a box"),
        (QuestionRegion(box=(20, 1, 10, 2)), "empty"),
        (QuestionRegion(box=(float("nan"), 1, 10, 2)), "empty"),
        (QuestionRegion(box=(20, 1, 205, 2)), r"outside picture 1 of 200 x 100 pixels"),
        (QuestionRegion(point=(20, 101)), "outside picture 1"),
    ],
)
def test_a_region_that_makes_no_sense_is_refused(
    picture: ImageRef, region: QuestionRegion, message: str
) -> None:
    with pytest.raises(ValueError, match=f"region 1.*{message}"):
        check_regions(asked(picture, region))


def test_a_mask_that_does_not_fit_is_refused(picture: ImageRef, tmp_path: Path) -> None:
    # A large structure of label 2, and a small one of label 1.
    labels = painted(2)
    labels[:3, :3] = 1
    shades = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    for mask, message in (
        (np.full((50, 50), 255, np.uint8), "50 x 50 pixels, and its picture has 200 x 100"),
        (painted(0), "all black"),
        (shades, "several shades"),
        (labels, "several shades"),
    ):
        path = mask_file(tmp_path, mask)
        with pytest.raises(InputFileError, match=message):
            check_regions(asked(picture, QuestionRegion(mask=path)))


def test_the_mask_of_a_slice_is_a_slice_of_a_scan(tmp_path: Path) -> None:
    scan, mask = np.random.default_rng(0).normal(size=(12, 10, 5)), np.zeros((12, 10, 5))
    mask[2:6, 1:4, 3] = 1
    for name, values in (("scan", scan), ("mask", mask)):
        image = nibabel.Nifti1Image(values.astype(np.float32), np.diag([1.0, 1, 2, 1]))
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    image = ImageRef(str(tmp_path / "scan.nii.gz"), axis=2, slice=3)
    mask_path = str(tmp_path / "mask.nii.gz")
    (view,) = region_views(asked(image, QuestionRegion(mask=mask_path)))
    # The patient's right (high x) is shown on the left, the front (high y) at the top.
    assert view.box == (12 - 6, 10 - 4, 12 - 2, 10 - 1)
    with pytest.raises(InputFileError, match="all black"):
        check_regions(asked(replace(image, slice=2), QuestionRegion(mask=mask_path)))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 29)), min_size=1, max_size=9))
def test_the_box_of_a_mask_holds_all_of_it_and_no_empty_edge(pixels: list[tuple[int, int]]) -> None:
    mask = np.zeros((20, 30), bool)
    mask[tuple(np.transpose(pixels))] = True
    x0, y0, x1, y1 = map(int, mask_box(mask))
    inside = mask[y0:y1, x0:x1]
    assert inside.sum() == mask.sum()
    assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
