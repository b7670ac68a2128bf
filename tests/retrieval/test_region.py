from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medrag.images import read_image
from medrag.records import Filter, Hit, ImageRef, Question, QuestionRegion
from medrag.retrieval.region import RegionRetriever
from tests.images.scenes import scene
from tests.retrieval.shelf import Shelf, Telling

BOX = (20.0, 30.0, 60.0, 80.0)


class Seen:
    """A retriever that finds nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.questions: list[Question] = []

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        self.questions += questions
        return [[] for _ in questions]


@pytest.fixture
def picture(tmp_path: Path) -> ImageRef:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    return ImageRef(str(tmp_path / "a.png"), sha256="a" * 64)


def seen(question: Question, **options: Any) -> Question:
    inner = Seen()
    RegionRetriever(retriever=inner, **options).retrieve([question], 3, [Filter()])
    return inner.questions[0]


def pointing(picture: ImageRef, *regions: QuestionRegion) -> Question:
    return Question("what is here?", images=(picture,), regions=regions)


def test_the_box_becomes_the_picture(picture: ImageRef) -> None:
    asked = seen(pointing(picture, QuestionRegion(box=BOX)), margin=0.0)
    [part] = asked.images
    assert isinstance(part, ImageRef)
    np.testing.assert_array_equal(read_image(part), scene()[30:80, 20:60])
    assert (asked.regions, asked.text) == ((), "what is here?")
    # Other pixels than those of the whole.
    assert part.sha256 is None


def test_a_margin_is_a_share_of_the_sides_of_the_box(picture: ImageRef) -> None:
    [part] = seen(pointing(picture, QuestionRegion(box=BOX)), margin=0.1).images
    assert isinstance(part, ImageRef)
    assert part.box == (16, 25, 64, 85)


def test_a_point_is_shown_with_what_lies_around_it(picture: ImageRef) -> None:
    [part] = seen(pointing(picture, QuestionRegion(point=(50.0, 40.0))), least_side=32).images
    assert isinstance(part, ImageRef)
    assert read_image(part).shape[:2] == (32, 32)


def test_a_box_in_a_part_of_a_picture_counts_from_that_part(picture: ImageRef) -> None:
    part = ImageRef(picture.path, box=(10.0, 20.0, 110.0, 90.0))
    inner = QuestionRegion(box=(5.0, 5.0, 45.0, 45.0))
    [found] = seen(pointing(part, inner), margin=0.0).images
    assert isinstance(found, ImageRef)
    np.testing.assert_array_equal(read_image(found), scene()[25:65, 15:55])


def test_the_whole_picture_can_be_kept_beside_its_parts(picture: ImageRef) -> None:
    regions = (QuestionRegion(box=BOX), QuestionRegion(box=BOX), QuestionRegion(point=(9.0, 9.0)))
    asked = seen(pointing(picture, *regions), shown="both")
    assert asked.images[0] == picture
    # Equal parts are shown once.
    assert len(asked.images) == 3


def test_a_question_that_points_at_nothing_is_asked_as_it_is(picture: ImageRef) -> None:
    named = pointing(picture, QuestionRegion(name="the heart"))
    for question in (named, Question("what?", images=(picture,)), Question("what?")):
        assert seen(question) is question


def test_steps_and_what_may_not_be_repeated_are_passed_on(picture: ImageRef) -> None:
    retriever = RegionRetriever(retriever=Telling(Shelf()))
    [found] = retriever.retrieve_traced([pointing(picture, QuestionRegion(box=BOX))], 3, [Filter()])
    assert [step["step"] for step in found.trace] == ["region", "asked"]
    assert found.trace[0]["boxes"] == [[16.0, 25.0, 64.0, 85.0]]
    assert found.usage is not None
    assert not retriever.repeatable
    assert RegionRetriever(retriever=Seen()).repeatable


def test_a_region_outside_its_picture_is_refused(picture: ImageRef) -> None:
    with pytest.raises(ValueError, match="outside picture 1"):
        seen(pointing(picture, QuestionRegion(box=(0.0, 0.0, 900.0, 900.0))))


@pytest.mark.parametrize("options", [{"margin": -1}, {"least_side": 0}, {"shown": "all"}])
def test_settings_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        RegionRetriever(retriever=Seen(), **options)


def test_a_part_finds_what_looks_like_it_and_not_like_the_whole(tmp_path: Path) -> None:
    from medrag.config import build_index
    from medrag.retrieval.channels import ChannelsRetriever

    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[::8] = stripes[1::8] = 255
    smooth = scene(64, 64)
    (tmp_path / "images").mkdir()
    Image.fromarray(stripes).save(tmp_path / "images" / "stripes.png")
    Image.fromarray(smooth).save(tmp_path / "images" / "smooth.png")
    whole = np.concatenate([np.concatenate([smooth, smooth], axis=1)] * 2)
    whole[:64, :64] = stripes
    Image.fromarray(whole).save(tmp_path / "asked.png")
    index = build_index(tmp_path / "index", sources=[tmp_path / "images"])
    inner = ChannelsRetriever(rows=index.rows, channels=index.chosen(["image"]))
    picture = ImageRef(str(tmp_path / "asked.png"))
    question = Question(images=(picture,), regions=(QuestionRegion(box=(0.0, 0.0, 64.0, 64.0)),))
    [plain] = inner.retrieve([question], 1, [Filter()])
    [pointed] = RegionRetriever(retriever=inner, margin=0.0).retrieve([question], 1, [Filter()])
    assert "smooth" in plain[0].passage.images[0].path
    assert "stripes" in pointed[0].passage.images[0].path
    assert pointed[0].score > 0.99
