from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.evaluation.floors import FLOORS, Floor, floor_answers, why_left_out
from medrag.evaluation.floors.forms import form_of
from medrag.evaluation.floors.nearest import nearest_cases
from medrag.records import AnswerKind, Item, Question


def polar(text: str, answer: str, **question: Any) -> Item:
    return Item(text, Question(text=text, **question), (answer,), "yes_no", closed=True)


def told(text: str, answer: str, kind: AnswerKind = "text", **question: Any) -> Item:
    return Item(text, Question(text=text, **question), (answer,), kind)


def choice(text: str, options: str, *right: str) -> Item:
    kind: AnswerKind = "choices" if len(right) > 1 else "choice"
    return Item(text, Question(text=text, options=tuple(options.split("|"))), right, kind)


def made(name: str, items: list[Item], training: list[Item], **given: Any) -> Floor:
    floor = floor_answers(name, items, training, **given)
    assert floor is not None
    return floor


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """Stripes, the same with a mark in a corner, and a disc."""
    y, x = np.mgrid[:128, :128]
    stripes = (y // 16 % 2) * 200
    drawn = {
        "stripes": stripes,
        "marked": np.where((x < 8) & (y < 8), 100, stripes),
        "disc": ((y - 64) ** 2 + (x - 64) ** 2 < 900) * 255,
    }
    for name, pixels in drawn.items():
        Image.fromarray(pixels.astype(np.uint8)).convert("RGB").save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in drawn}


# --- forms


def guessed(text: str, answer: str, kind: AnswerKind = "text") -> Item:
    """An item of a benchmark whose files do not tell closed questions."""
    return replace(told(text, answer, kind), closed=kind == "yes_no", inferred=True)


def test_where_the_files_do_not_tell_it_the_question_alone_says_what_is_closed() -> None:
    forms = [
        form_of(guessed("Is the heart enlarged?", "yes", "yes_no")),
        form_of(guessed("Is the heart enlarged?", "mildly")),
        form_of(guessed("Is the lesion left or right?", "left")),
        form_of(guessed("Anything abnormal?", "no", "yes_no")),
        form_of(guessed("How many?", "2", "number")),
    ]
    assert forms == ["closed", "closed", "open", "open", "open"]


def test_what_the_files_say_of_closed_questions_counts_whatever_their_words() -> None:
    assert form_of(replace(told("Is it so?", "yes", "yes_no"), closed=False)) == "open"
    assert form_of(replace(told("Which plane?", "axial"), closed=True)) == "closed"


@given(
    answers=st.lists(
        st.sampled_from([("yes", "yes_no"), ("2", "number"), ("left", "text")]), min_size=1
    ),
    asked=st.sampled_from(["Is it so?", "How many are there?", "What is it?"]),
    name=st.sampled_from(FLOORS),
)
def test_a_floor_answers_the_same_whatever_form_the_right_answer_has(
    answers: list[tuple[str, AnswerKind]], asked: str, name: str
) -> None:
    training = [guessed(asked, *answer) for answer in answers]
    rights: list[tuple[str, AnswerKind]] = [("no", "yes_no"), ("3", "number"), ("right", "text")]
    floors = [floor_answers(name, [guessed(asked, *right)], training) for right in rights]
    assert floors[0] == floors[1] == floors[2]


# --- constant


def test_the_constant_is_the_most_frequent_training_answer_of_the_same_form() -> None:
    training = [
        polar("a", "Yes"),
        polar("b", "no"),
        polar("c", "No."),
        told("d", "Left lung"),
        told("e", "right lung"),
        told("f", "left lung"),
        told("g", "left lung"),
    ]
    floor = made("constant", [polar("x", "yes"), told("y", "heart")], training)
    # no: 2 of 3; left lung: 3 of 4, mostly written in lower case
    assert floor.texts == ("no", "left lung")
    assert floor.confidences == pytest.approx((2 / 3, 3 / 4))
    assert floor.note == ""


def test_a_closed_item_gets_the_constant_of_closed_items_whatever_its_answer() -> None:
    closed = replace(told("How is it cut?", "axial"), closed=True)
    training = [polar("a", "no"), polar("b", "no"), replace(told("c", "axial"), closed=True)]
    assert made("constant", [closed], training).texts == ("no",)


def test_the_constant_of_shared_options_is_the_option_most_often_right() -> None:
    training = [
        choice("a", "none|mild|severe", "mild"),
        choice("b", "severe|mild|none", "mild"),
        choice("c", "none|severe|mild", "severe"),
        choice("d", "one|two|three", "one"),
    ]
    floor = made("constant", [choice("x", "mild|severe|none", "severe")], training)
    assert floor.texts == ("A. mild",)
    assert floor.confidences == pytest.approx((2 / 3,))


def test_the_constant_of_other_options_is_the_letter_most_often_right() -> None:
    training = [
        choice("a", "1|2|3|4", "4"),
        choice("b", "5|6|7|8", "8"),
        choice("c", "3|4|5|6", "4"),
    ]
    items = [choice("x", "p|q|r|s", "p"), choice("y", "p|q", "p")]
    # D is right twice, B once; an item of two options has no D.
    assert made("constant", items, training).texts == ("D. s", "B. q")


def test_several_right_options_are_counted_together() -> None:
    training = [
        choice("a", "1|2|3", "3", "1"),
        choice("b", "4|5|6", "4", "6"),
        choice("c", "7|8|9", "7", "8"),
    ]
    floor = made("constant", [choice("x", "p|q|r", "p", "q")], training)
    assert floor.texts == ("A. p; C. r",)


def test_without_training_items_the_constant_comes_from_the_test_labels_and_says_so() -> None:
    items = [
        polar("a", "yes"),
        polar("b", "yes"),
        polar("c", "no"),
        choice("d", "p|q", "q"),
        told("e", "heart"),
    ]
    floor = made("constant", items, [])
    assert floor.texts == ("yes", "yes", "yes", "B. q", "")
    assert "learnt from the test labels themselves" in floor.note
    assert "no answer for 1 of kind text" in floor.note


def test_without_training_items_no_choice_is_told_its_own_answer() -> None:
    items = [
        choice("a", "p|q", "q"),
        choice("b", "r|s", "s"),
        choice("c", "t|u", "t"),
    ]
    # B is right twice, A once: the constant is the letter, whatever is right of each.
    assert made("constant", items, []).texts == ("B. q", "B. s", "B. u")


# --- question


def test_the_question_floor_goes_from_the_question_to_its_beginning_to_the_constant() -> None:
    training = [
        polar("Is there air?", "no"),
        polar("is there AIR", "no"),
        polar("Is there a mass?", "yes"),
        polar("Is there blood?", "yes"),
        polar("Is there fat?", "yes"),
        polar("Are lungs clear?", "yes"),
        polar("Are bones whole?", "no"),
        polar("Are bones clear?", "no"),
        polar("Does it heal?", "yes"),
    ]
    items = [
        polar("Is there air?", "yes"),
        polar("Is there a fracture?", "no"),
        polar("Was it cut?", "no"),
    ]
    floor = made("question", items, training)
    # "is there air": no twice of 2; "is there": yes 3 of 5; all: yes 5 of 9
    assert floor.texts == ("no", "yes", "yes")
    assert floor.confidences == pytest.approx((1.0, 3 / 5, 5 / 9))


def test_the_question_floor_never_answers_an_open_question_by_yes() -> None:
    training = [polar("What is it", "yes"), polar("What is it", "yes"), told("What is it", "CT")]
    assert made("question", [told("What is it", "MRI")], training).texts == ("CT",)


def test_the_question_floor_chooses_only_what_is_an_option() -> None:
    training = [
        choice("Which organ?", "heart|liver", "liver"),
        choice("Which organ?", "heart|liver", "liver"),
        choice("Which organ?", "lung|heart", "heart"),
    ]
    item = choice("Which organ?", "spleen|heart", "spleen")
    assert made("question", [item], training).texts == ("B. heart",)


# --- random


def test_random_answers_are_even_and_the_same_for_the_same_seed_and_item() -> None:
    items = [polar(f"{n}", "yes") for n in range(400)]
    options = [choice(f"{n}", "p|q|r|s", "p") for n in range(400)]
    floor = made("random", items + options, [], seed=1)
    counts = Counter(floor.texts)
    # 200 and 100 expected; their standard deviations are 10 and 9
    assert counts["yes"] == pytest.approx(200, abs=40)
    assert all(counts[f"{'ABCD'[n]}. {'pqrs'[n]}"] == pytest.approx(100, abs=36) for n in range(4))
    assert set(floor.confidences) == {None}
    assert made("random", options[:5], [], seed=1).texts == floor.texts[400:405]
    assert made("random", items, [], seed=2).texts != floor.texts[:400]


def test_a_random_open_answer_is_a_training_answer() -> None:
    training = [told("a", "CT"), told("b", "MRI"), polar("c", "yes")]
    floor = made("random", [told(f"{n}", "X-ray") for n in range(50)], training)
    assert set(floor.texts) == {"CT", "MRI"}


def test_random_options_of_several_are_never_none() -> None:
    items = [choice(f"{n}", "p|q", "p", "q") for n in range(60)]
    assert set(made("random", items, []).texts) == {"A. p", "B. q", "A. p; B. q"}


# --- nearest case


def test_the_nearest_case_is_near_in_question_and_picture(pictures: dict[str, Path]) -> None:
    training = [
        polar("Is the heart enlarged?", "no", images=(pictures["disc"],)),
        polar("Is the heart enlarged?", "yes", images=(pictures["marked"],)),
        polar("Is air in the bowel?", "no", images=(pictures["marked"],)),
    ]
    item = polar("Is the heart enlarged?", "no", images=(pictures["stripes"],))
    floor = made("nearest_case", [item], training)
    assert floor.texts == ("yes",)
    # The same words, and pictures alike to nearly 1.
    assert floor.confidences[0] is not None
    assert 0.5 < floor.confidences[0] < 1


def test_where_no_word_is_common_the_nearest_picture_answers(pictures: dict[str, Path]) -> None:
    training = [
        told("What organ system?", "chest", images=(pictures["disc"],)),
        told("Which plane?", "axial", images=(pictures["marked"],)),
    ]
    item = told("How was it stained?", "HE", images=(pictures["stripes"],))
    assert made("nearest_case", [item], training).texts == ("axial",)


def test_the_guard_keeps_out_the_same_pixels_study_and_subject(pictures: dict[str, Path]) -> None:
    copy = pictures["stripes"].with_name("copy.bmp")
    Image.open(pictures["stripes"]).save(copy)
    asked = "Is the heart enlarged?"
    training = [
        polar(asked, "yes", images=(copy,)),
        polar(asked, "yes", images=(pictures["marked"],), study="s1"),
        polar(asked, "yes", images=(pictures["marked"],), subject="p1"),
        polar(asked, "no", images=(pictures["disc"],)),
    ]
    shown = (pictures["stripes"],)
    item = polar(asked, "no", images=shown, study="s1", subject="p1")
    assert made("nearest_case", [item], training).texts == ("no",)
    leaking = made("nearest_case", [item], training, guard=False)
    assert leaking.texts == ("yes",)
    assert leaking.confidences == pytest.approx((1.0,), abs=1e-5)
    assert "were allowed" in leaking.note


def test_a_case_without_a_picture_is_the_last_choice(pictures: dict[str, Path]) -> None:
    training = [
        polar("Is the heart large?", "yes"),
        polar("Is it air?", "no", images=(pictures["disc"],)),
    ]
    item = polar("Is the heart large?", "yes", images=(pictures["stripes"],))
    assert made("nearest_case", [item], training).texts == ("no",)
    assert made("nearest_case", [polar("Is the heart large?", "no")], training).texts == ("yes",)


def test_the_nearest_case_names_an_option_or_gives_way_to_the_constant() -> None:
    training = [
        choice("Which lobe is it?", "right upper|left upper", "right upper"),
        choice("Which organ?", "heart|liver", "heart"),
    ]
    items = [
        choice("Which lobe is it?", "left lower|right upper lobe", "left lower"),
        choice("Which lobe is it?", "spleen|kidney", "kidney"),
    ]
    floor = made("nearest_case", items, training)
    # "right upper" has 2 of 2 and 2 of 3 words in common with B; the second gets letter A.
    assert floor.texts == ("B. right upper lobe", "A. spleen")
    assert "1 of 2 items fit no case" in floor.note


def test_a_picture_that_cannot_be_read_counts_as_absent_and_is_told(
    pictures: dict[str, Path],
) -> None:
    broken, gone = pictures["disc"].with_name("broken.png"), pictures["disc"].with_name("gone.png")
    broken.write_bytes(pictures["disc"].read_bytes()[:80])
    asked = "Is the heart enlarged?"
    training = [
        polar(asked, "yes", images=(broken,)),
        polar(asked, "no", images=(pictures["disc"],)),
        polar("Is it air?", "yes", images=(pictures["stripes"],)),
    ]
    shown = polar(asked, "no", images=(pictures["marked"],))
    unread = polar("Is it air?", "yes", images=(gone, gone))
    floor = made("nearest_case", [shown, unread], training)
    # The first case has no picture to compare; the second item goes by its words alone.
    assert floor.texts == ("no", "yes")
    assert floor.note == "pictures that cannot be read and count as absent: 2"


def test_a_file_that_cannot_be_read_is_guarded_by_its_name(tmp_path: Path) -> None:
    shown = (tmp_path / "gone.png",)
    training = [polar("Is it air?", "yes", images=shown), polar("Is it fat?", "no")]
    item = polar("Is it air?", "yes", images=shown)
    assert made("nearest_case", [item], training).texts == ("no",)
    assert made("nearest_case", [item], training, guard=False).texts == ("yes",)


@given(
    texts=st.lists(st.sampled_from(["a", "b", "c", "ab", "bc", "abc"]), min_size=1, max_size=6),
    asked=st.sampled_from(["a", "b", "ab", "bc", "abc", "d"]),
)
def test_the_nearest_case_is_the_best_of_all_compared_one_by_one(
    texts: list[str], asked: str
) -> None:
    spread = [" ".join(f"organ{letter}" for letter in text) for text in texts]
    item = polar(" ".join(f"organ{letter}" for letter in asked), "yes")
    shares = [len({*text} & {*asked}) / len({*text} | {*asked}) for text in texts]
    training = [polar(text, "no") for text in spread]
    (found,) = nearest_cases([item], training, guard=True).nearest
    assert found is not None
    assert found.place == int(np.argmax(shares))
    assert found.similarity == pytest.approx(max(max(shares), 0.01) ** 2)


# --- any


@pytest.mark.parametrize("name", FLOORS)
def test_no_item_and_no_training_item_is_no_error(name: str) -> None:
    assert floor_answers(name, [], []) is None
    assert why_left_out(name, [], []) == "no item is answered by a text"


@pytest.mark.parametrize("name", ["question", "nearest_case"])
def test_a_floor_that_learns_is_left_out_without_training_items(name: str) -> None:
    items = [polar("a", "yes")]
    assert floor_answers(name, items, []) is None
    assert "needs training items with answers of the form closed" in str(
        why_left_out(name, items, [])
    )


def test_boxes_have_no_floor_and_are_counted() -> None:
    boxes = Item("b", Question(text="Where?"), (), "boxes")
    assert floor_answers("random", [boxes], []) is None
    floor = made("random", [boxes, polar("a", "yes")], [])
    assert floor.texts[0] == ""
    assert floor.note == "no answer for 1 of kind boxes"


def test_an_unknown_floor_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no floor 'majority'; known: constant"):
        floor_answers("majority", [], [])


@given(
    answers=st.lists(st.text(max_size=6), max_size=5),
    wanted=st.lists(st.sampled_from(["yes_no", "text", "choice", "number"]), min_size=1),
    name=st.sampled_from(FLOORS),
)
def test_every_item_gets_a_text_and_a_share(
    answers: list[str], wanted: list[AnswerKind], name: str
) -> None:
    training = [told(f"Is it {a}?", a) for a in answers] + [polar("Is it so?", "yes")]
    items = [
        Item(str(n), Question(text="Is it?", options=("a", "b")), ("a",), kind)
        for n, kind in enumerate(wanted)
    ]
    floor = floor_answers(name, items, training)
    if floor is None:
        assert why_left_out(name, items, training)
        return
    assert len(floor.texts) == len(floor.confidences) == len(items)
    assert all(each is None or 0 <= each <= 1 for each in floor.confidences)
