"""The files of MMed-RAG, RULE and MMedPO: made-up rows in their exact shape."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.alignment.noise import Noise
from medrag.alignment.pairs import (
    PreferencePair,
    check_pair,
    pictures_of,
    read_mmed_rag,
    read_mmedpo,
    read_rule,
)
from medrag.errors import InputFileError
from medrag.records import ImageRef
from tests.alignment.pairs.made import picture

Reader = Callable[..., list[PreferencePair]]
READERS: dict[str, Reader] = {
    "mmed_rag": read_mmed_rag, "rule": read_rule, "mmedpo": read_mmedpo,
}  # fmt: skip
ASKED = (
    "You are provided with a chest X-ray image, a image-related question and 1 reference "
    "report(s): Grey lungs.\nPlease answer the question based on the image and report and choose "
    "from the following two options: [yes, no]. Question: Are the lungs grey?\n<image>"
)
TOLD = ASKED.removesuffix("\n<image>")


def said(asked: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]


def row(kind: str, **changes: Any) -> dict[str, Any]:
    """A row as the files have it; a change to None takes a key away."""
    if kind == "mmedpo":
        asked = "<image>\nWalk through the important details of the image"
        sound = {
            "id": 17, "image": "p1/0.png",
            "conversations": said(asked, "impression: Grey lungs."),
            "rejected_conversations": said(asked, " The lungs are green."), "weighted_score": 0.8,
        }  # fmt: skip
    else:
        sound = {
            "id": "p1/0.png", "image": "p1/0.png",
            "conversations": said(ASKED, "Yes, the lungs are grey."),
            "rejected_conversations": said(ASKED, "No, they are green."),
        }  # fmt: skip
    if kind == "mmed_rag":
        sound |= {"image_root": "/home/somebody/pictures", "rejected_noised": 0}
    changed = {**sound, **changes}
    return {name: value for name, value in changed.items() if value is not None}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    picture(folder / "p1" / "0.png", 1)
    picture(folder / "p1" / "0_noised.png", 2)
    return folder


def read(kind: str, folder: Path, images: Path, rows: Any, **options: Any) -> list[PreferencePair]:
    path = folder / "file.json"
    path.write_text(json.dumps(rows, indent=4), encoding="utf-8")
    return READERS[kind](path, images=images, **options)


def test_a_row_of_rule_is_a_pair_against_being_misled(tmp_path: Path, images: Path) -> None:
    (pair,) = read("rule", tmp_path, images, [row("rule")], domain="radiology")
    assert pair == PreferencePair(
        id="file-1",
        prompt=(TOLD, ImageRef(str(images / "p1" / "0.png"))),
        chosen="Yes, the lungs are grey.",
        rejected="No, they are green.",
        family="not_misled",
        domain="radiology",
        source_ids=("p1/0.png",),
    )


def test_rows_of_one_id_are_pairs_of_their_own(tmp_path: Path, images: Path) -> None:
    # The released files name a row by its picture, of which there are several questions.
    pairs = read("rule", tmp_path, images, [row("rule"), row("rule")])
    assert [pair.id for pair in pairs] == ["file-1", "file-2"]


def test_a_noised_row_of_mmed_rag_says_the_same_of_noise(tmp_path: Path, images: Path) -> None:
    noised = row("mmed_rag", rejected_noised=1, chosen_noised=0)
    noised["rejected_conversations"] = noised["conversations"]
    plain, across = read("mmed_rag", tmp_path, images, [row("mmed_rag"), noised], seed=5)
    assert (plain.family, plain.noise) == ("use_context", None)
    assert across.family == "cross_modality"
    assert across.noise == Noise("replace_gaussian", seed=5)
    assert across.noised == (0,)
    assert across.chosen == across.rejected


def test_a_row_of_mmedpo_keeps_its_raw_weight_and_is_told_of(
    tmp_path: Path, images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        first, second = read(
            "mmedpo", tmp_path, images, [row("mmedpo"), row("mmedpo", weighted_score=1)]
        )
    assert (first.weight, second.weight) == (0.8, 1.0)
    assert first.family == "sampled"
    assert first.prompt[1:] == ("Walk through the important details of the image",)
    assert first.rejected == "The lungs are green."
    assert first.source_ids == ("17",)
    assert "raw scores, 0.90 on average" in caplog.text


def test_a_row_of_mmedpo_may_have_a_rejected_picture(tmp_path: Path, images: Path) -> None:
    changed = row("mmedpo", rejected_image="p1/0_noised.png")
    changed["rejected_conversations"] = changed["conversations"]
    (pair,) = read("mmedpo", tmp_path, images, [changed])
    assert pair.family == "lesion"
    (noisy,) = pictures_of(pair.rejected_prompt or ())
    assert noisy.path == str(images / "p1" / "0_noised.png")
    assert pair.chosen == pair.rejected


def test_a_row_of_mmedpo_may_be_noised_all_over(tmp_path: Path, images: Path) -> None:
    (pair,) = read("mmedpo", tmp_path, images, [row("mmedpo", rejected_noised=1)])
    assert pair.family == "global_noise"


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("rule", {"rejected_noised": 0}, "rejected_noised: unknown key; known are id, image"),
        ("rule", {"image": None}, "image: is missing"),
        ("rule", {"image": ["p1/0.png"]}, "image: expected a text, found a list"),
        ("rule", {"image": "p1/9.png"}, "the picture 'p1/9.png' is not in"),
        ("rule", {"image": "../p1/0.png"}, "leaves its folder"),
        ("rule", {"image": "/etc/passwd"}, "leaves its folder"),
        ("rule", {"image": "p1/\x00.png"}, "names no place"),
        ("rule", {"conversations": []}, "conversations: expected one turn of human and one of gpt"),
        ("rule", {"conversations": said(ASKED, "Yes.") * 2}, "found human, gpt, human, gpt"),
        ("rule", {"conversations": [{"from": "cat"}]}, "conversations[0].from: expected one of"),
        ("rule", {"conversations": said("Fluid?", "Yes.")}, "asks other words on the rejected"),
        ("rule", {"conversations": said(ASKED, "No, they are green.")}, "chosen and rejected are"),
        ("rule", {"conversations": said(ASKED, " ")}, "chosen is empty"),
        (
            "mmed_rag",
            {"rejected_noised": 2},
            "rejected_noised: expected 0 or 1, found the number 2",
        ),
        ("mmed_rag", {"chosen_noised": 1}, "chosen_noised is 1, by which both sides get noise"),
        ("mmedpo", {"weighted_score": None}, "weighted_score: is missing"),
        ("mmedpo", {"weighted_score": -0.1}, "weight must be a number of at least 0"),
        ("mmedpo", {"weighted_score": float("nan")}, "weight must be a number of at least 0"),
        ("mmedpo", {"rejected_image": "p1/9.png"}, "the picture 'p1/9.png' is not in"),
        (
            "mmedpo",
            {"rejected_image": "p1/0_noised.png", "rejected_noised": 1},
            "has both rejected_noised and rejected_image",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_number(
    tmp_path: Path, images: Path, kind: str, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputFileError) as caught:
        read(kind, tmp_path, images, [row(kind), row(kind, **change)])
    assert caught.value.place == "row 2"
    assert told in str(caught.value)


@pytest.mark.parametrize("asked", ["Fluid?", "<image>\n<image>\nFluid?"])
def test_there_must_be_one_mark_for_the_picture(tmp_path: Path, images: Path, asked: str) -> None:
    changed = row(
        "rule", conversations=said(asked, "Yes."), rejected_conversations=said(asked, "No.")
    )
    with pytest.raises(InputFileError, match=r"row 1: the human's words hold <image> \d times"):
        read("rule", tmp_path, images, [changed])


def test_the_picture_stands_where_its_mark_does(tmp_path: Path, images: Path) -> None:
    asked = "First look <image> then say."
    changed = row(
        "rule", conversations=said(asked, "Yes."), rejected_conversations=said(asked, "No.")
    )
    (pair,) = read("rule", tmp_path, images, [changed])
    assert [part for part in pair.prompt if isinstance(part, str)] == ["First look", "then say."]
    assert isinstance(pair.prompt[1], ImageRef)


def test_all_bad_rows_are_counted(tmp_path: Path, images: Path) -> None:
    rows = [row("rule"), *(row("rule", image=f"p1/{n}.png") for n in (7, 8, 9))]
    with pytest.raises(InputFileError, match=r"row 2: .*7\.png.*and 2 more rows are no pairs"):
        read("rule", tmp_path, images, rows)


def test_bad_rows_can_be_left_out_and_the_log_tells(
    tmp_path: Path, images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [row("rule", image="p1/7.png"), row("rule"), "nothing"]
    with caplog.at_level(logging.WARNING):
        pairs = read("rule", tmp_path, images, rows, leave_out=True)
    # The numbers of the rows stay.
    assert [pair.id for pair in pairs] == ["file-2"]
    assert "2 rows are no pairs and were left out; row 1: the picture 'p1/7.png'" in caplog.text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"rows": []}', "expected a list of rows, found an object"),
        ("[1,", "is no JSON in UTF-8"),
        ("[" * 100_000, "is no JSON in UTF-8"),
    ],
)
def test_a_file_that_is_no_list_is_refused(
    tmp_path: Path, images: Path, content: str, told: str
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError, match=told):
        read_rule(path, images=images)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, images: Path) -> None:
    with pytest.raises(InputFileError, match=r"gone\.json: cannot be read"):
        read_rule(tmp_path / "gone.json", images=images)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["p1/0.png", "p1/0_noised.png", "../x", "\ud800", "x" * 5000, 0, 1, 0.5])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
WORDS = st.sampled_from(
    ["<image>\nA?", "<image>\nB?", "A?", "<image><image>", "", "Yes", " Yes", "No"]
)
TALKS = st.builds(said, WORDS, WORDS) | VALUES
KEYS = st.sampled_from(["id", "image", "image_root", "rejected_noised", "chosen_noised",
                        "weighted_score", "rejected_image", "conversations", "other"])  # fmt: skip


@st.composite
def near_rows(draw: st.DrawFn, kind: str) -> Any:
    """A sound row of which some keys hold something else."""
    changes = draw(st.dictionaries(KEYS, VALUES, max_size=2))
    if draw(st.booleans()):
        changes["conversations"] = draw(TALKS)
        changes["rejected_conversations"] = draw(st.just(changes["conversations"]) | TALKS)
    return row(kind, **changes)


@pytest.mark.parametrize("kind", READERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(drawn=st.data())
def test_any_list_gives_pairs_or_an_error_that_names_a_row(
    kind: str, drawn: st.DataObject, tmp_path: Path, images: Path
) -> None:
    rows = drawn.draw(st.lists(near_rows(kind) | VALUES, max_size=3))
    sound = read(kind, tmp_path, images, rows, leave_out=True)
    for pair in sound:
        check_pair(pair)
        assert pair.id.removeprefix("file-") in {str(n + 1) for n in range(len(rows))}
        assert all(Path(each.path).is_relative_to(images) for each in pictures_of(pair.prompt))
    if len(sound) == len(rows):
        assert read(kind, tmp_path, images, rows) == sound
        return
    first = min(set(range(1, len(rows) + 1)) - {int(pair.id[5:]) for pair in sound})
    with pytest.raises(InputFileError) as caught:
        read(kind, tmp_path, images, rows)
    assert caught.value.place == f"row {first}"
