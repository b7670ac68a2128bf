"""Questions that point, and answers that give places and numbers."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medrag import config
from medrag.cli.ask import quantity_words, region_words, show_answer
from medrag.cli.pointing import typed_regions
from medrag.cli.shapes import answer_json
from medrag.cli.streaming import StreamPrinter, warnings_beside
from medrag.records import Answer, Claim, Omission, Quantity, Question, QuestionRegion
from tests.cli.conftest import Run

ANSWER = Answer(
    Question("Where?", images=("a.png",)),
    "There are two nodules.",
    claims=(Claim("There are two nodules.", (), "unsupported"),),
    regions=(
        QuestionRegion(box=(30, 40, 300, 400.4), name="no\x1b[2Jdule"),
        QuestionRegion(point=(5, 6)),
    ),
    quantities=(Quantity(2, "", "nodules"), Quantity(2.3, "cm"), Quantity(0.5, "%", "at most")),
    template="plain 3",
    left_out=(Omission(2, "text", "cut to 300 words"),),
    signals={"margin": float("nan"), "agreement": 0.5},
    trace=({"tool": "crop", "boxes": [[1.0, 2.0, 3.0, 4.0]]},),
)  # fmt: skip


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 80, 3), np.uint8)).save(path)
    return path


def test_regions_are_read_as_typed(tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.touch()
    regions = typed_regions(["1, 2,30,40", "2:5,6,7,8"], ["3.5,4"], [f"3:{mask}"], ["2: left lobe"])
    assert regions == (
        QuestionRegion(0, box=(1, 2, 30, 40)),
        QuestionRegion(1, box=(5, 6, 7, 8)),
        QuestionRegion(0, point=(3.5, 4)),
        QuestionRegion(2, mask=str(mask)),
        QuestionRegion(1, name="left lobe"),
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("--box", "1,2,3"), "expected 4 numbers parted by commas"),
        (("--box", "a,b,c,d"), "expected 4 numbers"),
        (("--point", "1,2,3"), "expected 2 numbers"),
        (("--mask", "nowhere.png"), "nowhere.png is not a file"),
        (("--region", "1: "), "is blank"),
        (("--box", "1,2,300,40"), "outside picture 1 of 80 x 50 pixels"),
        (("--box", "30,20,10,40"), "is empty"),
        (("--box", "2:1,2,30,40"), "the question has 1 picture"),
        (("--box", "0:1,2,30,40"), "picture 0"),
    ],
)
def test_a_region_that_cannot_be_meant_exits_2(
    medrag: Run, film: Path, typed: tuple[str, ...], told: str
) -> None:
    result = medrag("ask", "sample", "What is this?", "--image", film, *typed)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_a_mask_of_another_size_exits_1(medrag: Run, film: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", (10, 10), 255).save(mask)
    result = medrag("ask", "sample", "What is this?", "--image", film, "--mask", mask)
    assert result.exit_code == 1
    assert "its picture has 80 x 50" in result.stderr


def test_what_was_pointed_at_is_part_of_the_answer(medrag: Run, index: Path, film: Path) -> None:
    result = medrag("ask", "sample", "Is this an effusion?", "--image", film, "--index", index,
                    "--box", "10,10,40,40", "--region", "left lung", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    asked = json.loads(result.stdout)["asked_regions"]
    assert asked == [
        {"image": 0, "box": [10, 10, 40, 40], "point": None, "mask": None, "name": None},
        {"image": 0, "box": None, "point": None, "mask": None, "name": "left lung"},
    ]


def test_the_json_of_an_answer_holds_what_it_was_made_of() -> None:
    shape = answer_json(ANSWER)
    assert shape["regions"][1]["point"] == [5, 6]
    assert shape["quantities"][1] == {"value": 2.3, "unit": "cm", "name": ""}
    assert shape["left_out"] == [{"marker": 2, "kind": "text", "detail": "cut to 300 words"}]
    assert (shape["template"], shape["signals"]) == ("plain 3", {"margin": None, "agreement": 0.5})
    assert shape["trace"] == [{"tool": "crop", "boxes": [[1.0, 2.0, 3.0, 4.0]]}]
    json.dumps(shape, allow_nan=False)


def test_a_terminal_shows_places_numbers_and_doubts(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer(ANSWER)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "There are two nodules.",
        "  [unsupported] There are two nodules.",
        "  region: nodule, box (30, 40) to (300, 400)",
        "  region: point (5, 6)",
        "  quantity: 2 nodules",
        "  quantity: 2.3 cm",
        "  quantity: at most 0.5%",
    ]
    assert "[2]: cut to 300 words" in err


def test_an_answer_that_was_held_back_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    step = {"step": "abstain", "reason": "not confident enough: 0.30"}
    held = replace(ANSWER, abstained=True, trace=(step,))
    show_answer(held)
    shown = capsys.readouterr().out
    assert shown.startswith("not confident enough: 0.30. What was held back:\nThere are two")
    assert answer_json(held)["held_back"] == "not confident enough: 0.30"
    assert answer_json(ANSWER)["held_back"] is None


def test_which_picture_is_said_where_there_are_several() -> None:
    assert region_words(QuestionRegion(1, name="heart"), 2) == "heart in picture 2"
    assert quantity_words(Quantity(1200, "mL")) == "1200 mL"


class Streams:
    """A pipeline that tells its answer in pieces."""

    index = SimpleNamespace(corpora=(), roots={})
    calibration: object = None

    def __init__(self, pieces: list[str], answer: Answer) -> None:
        self.pieces, self._answer = pieces, answer

    def answer(self, question: Question, *, allow: Any) -> Answer:
        return self._answer

    def stream(self, question: Question, tell: Callable[[str], None], *, allow: Any) -> Answer:
        for piece in self.pieces:
            tell(piece)
        return self._answer


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(pieces: list[str], answer: Answer = ANSWER) -> None:
        monkeypatch.setattr(config, "load_pipeline", lambda *_, **__: Streams(pieces, answer))

    return use


def test_a_streamed_answer_is_printed_once(medrag: Run, streaming: Callable[..., None]) -> None:
    streaming(["There are ", "two\x1b[3", "1m nodules."])
    result = medrag("ask", "sample", "Where?", "--stream")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        "There are two nodules.\n  [unsupported] There are two nodules."
    )


def test_a_calibrated_confidence_is_told(
    medrag: Run, streaming: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    streaming([], replace(ANSWER, confidence=0.74))
    assert "confidence" not in medrag("ask", "sample", "Where?").stderr
    monkeypatch.setattr(Streams, "calibration", object())
    assert "confidence 74%, calibrated" in medrag("ask", "sample", "Where?").stderr


def test_a_tool_that_failed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer(replace(ANSWER, trace=({"tool": "chest", "error": "no\nanswer"}, {"tool": "crop"})))
    assert capsys.readouterr().err.endswith("the tool chest did not work: no answer\n")


def test_an_answer_that_was_revised_is_shown_as_it_stands(
    medrag: Run, streaming: Callable[..., None]
) -> None:
    streaming(["There are three"], replace(ANSWER, claims=(), regions=(), quantities=()))
    result = medrag("ask", "sample", "Where?", "--stream")
    assert result.stdout == "There are three\nThere are two nodules.\n"


def test_a_warning_does_not_stand_within_a_line_of_the_answer() -> None:
    written: list[str] = []
    printer = StreamPrinter(written.append)
    with warnings_beside(printer, lambda text: written.append(f"<{text}>")):
        printer("Two ")
        logging.getLogger("medrag.x").warning("no %s", "logprobs")
        printer("nodules.")
    printer.finish()
    assert "".join(written) == "Two \n<no logprobs>nodules.\n"
    assert printer.text.split() == ["Two", "nodules."]


@pytest.mark.parametrize("options", [("--json", "--stream"), ("--no-stream",), ()])
def test_what_no_terminal_reads_is_not_streamed(
    medrag: Run, streaming: Callable[..., None], options: tuple[str, ...]
) -> None:
    streaming(["never shown"])
    assert "never shown" not in medrag("ask", "sample", "Where?", *options).stdout


def printed(*pieces: str) -> str:
    shown: list[str] = []
    printer = StreamPrinter(shown.append)
    for piece in pieces:
        printer(piece)
    printer.finish()
    return "".join(shown)


@pytest.mark.parametrize(
    "text",
    [
        "a\x1b[31mb", "a\x1b]0;title\x07b", "a\x1b]52;c;x\x1b\\b", "a\x9b2Jb", "a\x1bPq\x1b\\b",
        "a\x1b(0b", "a\r\x08b", "a\u202eb",
    ],
)  # fmt: skip
def test_a_control_sequence_is_taken_out_wherever_it_is_cut(text: str) -> None:
    for cut in range(1, len(text)):
        assert printed(text[:cut], text[cut:]).strip("\n") == "ab"
    assert printed(*text).strip("\n") == "ab"


def test_a_sequence_without_an_end_does_not_hold_back_the_answer() -> None:
    assert printed("\x1b]0;", *["word "] * 100).count("word") > 40


def test_joiners_between_letters_stay_wherever_a_text_is_cut() -> None:
    text = "क्\u200dष"
    assert all(printed(text[:cut], text[cut:]) == f"{text}\n" for cut in range(1, len(text)))
