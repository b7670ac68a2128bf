import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medrag.records import Box, ImageRef, Passage, Question, QuestionRegion, Region
from medrag.reporting.evidence import merged, passage_pictures, question_pictures, trace_pictures
from tests.reporting.made import LIBRARY, figure, report, source

ORANGE = np.array([214, 96, 12])


def pixels(uri: str | None) -> NDArray[np.int64]:
    assert uri is not None
    code = uri.removeprefix("data:image/webp;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB"), dtype=np.int64)


def drawn(picture: NDArray[np.int64], colour: NDArray[np.int64]) -> Box:
    """Find the outline of a colour; WebP is lossy, hence near it."""
    rows, columns = np.nonzero(np.abs(picture - colour).sum(axis=2) < 90)
    return (float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max()))


def test_a_figure_is_cut_out_of_its_page_with_its_box_drawn() -> None:
    (picture,) = passage_pictures(figure(), LIBRARY)
    assert picture.place == "page 7"
    x0, y0, x1, y1 = drawn(pixels(picture.uri), ORANGE)
    # The box is 190 x 190 points at 132 dpi, drawn 4 pixels outside: 190 * 132 / 72 + 8 = 356.3.
    assert abs((x1 - x0) - 356) <= 4
    assert abs((y1 - y0) - 356) <= 4
    assert picture.height < 684 * 132 / 72  # not the whole page


def test_a_passage_over_two_pages_shows_both() -> None:
    regions = (Region(5, (58, 300, 440, 320)), Region(6, (58, 80, 440, 120)))
    passage = Passage("p", "text", "words", source(regions=regions))
    assert [p.place for p in passage_pictures(passage, LIBRARY)] == ["page 5", "page 6"]


def test_a_passage_over_many_pages_says_how_many_are_not_shown() -> None:
    regions = tuple(Region(page) for page in range(3, 8))
    shown = passage_pictures(Passage("p", "text", "words", source(regions=regions)), LIBRARY)
    assert shown[-1].problem == "3 more pages not shown"


def test_a_whole_page_stays_within_its_bound() -> None:
    (picture,) = passage_pictures(Passage("p", "page", "", source(regions=(Region(3),))), LIBRARY)
    assert max(picture.width, picture.height) <= 1400
    assert picture.width > 500


def test_a_report_shows_its_image() -> None:
    (picture,) = passage_pictures(report(), LIBRARY)
    assert (picture.width, picture.height) == (512, 512)
    assert picture.place == "s06.jpg"


def test_a_slice_and_a_frame_are_shown() -> None:
    refs = (ImageRef("scans/head.nii.gz", axis=2, slice=20), ImageRef("scans/s11.dcm", frame=0))
    shown = passage_pictures(Passage("p", "image", "", source("scans/s11.dcm"), refs), LIBRARY)
    assert [p.problem for p in shown] == ["", ""]
    assert shown[0].place == "head.nii.gz, z = 20"


def test_a_box_in_an_image_is_drawn_where_it_lies() -> None:
    ref = ImageRef("radiographs/s06.jpg", box=(100, 120, 200, 260))
    (picture,) = passage_pictures(replace(report(), images=(ref,)), LIBRARY)
    x0, y0, x1, y1 = drawn(pixels(picture.uri), ORANGE)
    np.testing.assert_allclose((x0, y0, x1, y1), (96, 116, 204, 264), atol=3)


def test_a_missing_original_gives_a_sentence_instead(tmp_path: Path) -> None:
    (picture,) = passage_pictures(figure(), tmp_path)
    assert picture.uri is None
    assert picture.problem == "The original is missing: textbook.pdf"


def test_an_unknown_corpus_gives_a_sentence_instead() -> None:
    (picture,) = passage_pictures(figure(), None)
    assert picture.problem == "The original is not on this machine."


def test_a_damaged_original_gives_a_sentence_instead(tmp_path: Path) -> None:
    (tmp_path / "textbook.pdf").write_bytes(b"%PDF-1.7 no more")
    (picture,) = passage_pictures(figure(), tmp_path)
    assert picture.uri is None
    assert picture.problem.startswith("The original cannot be read")


def test_a_path_that_leaves_the_corpus_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes((LIBRARY / "smears" / "b01.png").read_bytes())
    root = tmp_path / "corpus"
    root.mkdir()
    (picture,) = passage_pictures(report("../secret.png"), root)
    assert picture.uri is None
    assert "leaves its folder" in picture.problem


def test_the_regions_of_question_and_answer_lie_over_a_picture_that_is_left_as_it_is() -> None:
    path = LIBRARY / "radiographs" / "s06.jpg"
    question = Question("?", (path,), regions=(QuestionRegion(box=(50.0, 60.0, 150.0, 160.0)),))
    answered = (
        QuestionRegion(point=(300.0, 300.0), name="apex"),
        QuestionRegion(1, box=(1, 1, 2, 2)),
    )
    (picture,) = question_pictures(question, answered)
    assert [(each.who, each.tag, each.box, each.point) for each in picture.outlines] == [
        ("asked", "A", (50.0, 60.0, 150.0, 160.0), None),
        ("answer", "1", None, (300.0, 300.0)),
    ]
    assert picture.size == (512, 512)
    (plain,) = question_pictures(replace(question, regions=()))
    assert picture.uri == plain.uri


def test_regions_of_a_picture_that_is_missing_are_still_told() -> None:
    question = Question("?", ("/nowhere/film.png",), regions=(QuestionRegion(box=(5, 6, 7, 8)),))
    (picture,) = question_pictures(question)
    assert picture.uri is None
    assert picture.outlines[0].box == (5, 6, 7, 8)


def test_of_what_a_model_looked_at_only_pictures_of_question_and_corpora_are_read(
    tmp_path: Path,
) -> None:
    own, secret = tmp_path / "own.png", tmp_path / "secret.png"
    for path in (own, secret):
        Image.new("RGB", (40, 30)).save(path)
    looked = [
        ImageRef(str(own), box=(0, 0, 20, 10)),
        ImageRef(str(LIBRARY / "radiographs" / "s06.jpg")),
        ImageRef(str(secret)),
        ImageRef(str(LIBRARY / ".." / "secret.png")),
        ImageRef("secret.png"),
    ]
    shown = trace_pictures(looked, Question("?", (own,)), [LIBRARY], longest=300)
    assert [(each.width, each.height) for each in shown] == [
        (20, 10), (300, 300), (0, 0), (0, 0), (0, 0),
    ]  # fmt: skip


def test_lines_of_a_paragraph_become_one_box_and_columns_stay_apart() -> None:
    left = [(50.0, 10.0 * i, 200.0, 10.0 * i + 8) for i in range(3)]
    right = [(250.0, 10.0 * i, 400.0, 10.0 * i + 8) for i in range(3)]
    assert sorted(merged([*left, *right])) == [(50, 0, 200, 28), (250, 0, 400, 28)]
