from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.pairs import check_pair
from medrag.alignment.sampling import written_pairs
from medrag.errors import MedragError
from medrag.records import ImageRef, Item
from tests.alignment.sampling.asked import Broken, Model, item, picture

OPEN = item("1", "What is seen?", "a node of the left lung")


def writing(text: str) -> Model:
    return Model(lambda _: text)


def test_what_the_writer_writes_is_rejected() -> None:
    writer = writing("a node of the right lung")
    made = written_pairs([OPEN], writer=writer, benchmark="b")
    [pair] = made.pairs
    assert (pair.chosen, pair.rejected) == ("a node of the left lung", "a node of the right lung")
    assert (pair.id, pair.family) == ("b/1/written", "written")
    assert made.left_out == {}
    told = str(writer.prompts[0].parts[-1])
    assert "<<<\na node of the left lung\n>>>" in told
    assert "What is seen?" in told
    check_pair(pair)


@pytest.mark.parametrize(
    ("reference", "other"),
    [("yes", "no"), ("No", "Yes"), ("YES", "NO"), ("No.", "Yes."), ("yes!", "no!")],
)
def test_a_bare_yes_becomes_a_no_in_its_own_letters(reference: str, other: str) -> None:
    asked = item("1", "Is there an effusion?", reference, kind="yes_no")
    [pair] = written_pairs([asked], writer=None, benchmark="b").pairs
    assert (pair.chosen, pair.rejected) == (reference, other)


def test_a_yes_with_reasons_is_left_to_the_writer() -> None:
    asked = item("1", "Is there an effusion?", "Yes, on the left.", kind="yes_no")
    writer = writing("No, both sides are clear.")
    [pair] = written_pairs([asked], writer=writer, benchmark="b").pairs
    assert pair.rejected == "No, both sides are clear."


@given(st.integers(0, 30), st.integers(2, 5), st.data())
def test_of_options_another_one_is_rejected_in_the_form_of_the_right_one(
    seed: int, n: int, data: st.DataObject
) -> None:
    options = tuple(f"option {number}" for number in range(n))
    right = data.draw(st.integers(0, n - 1))
    asked = item("1", "Which?", options[right], kind="choice", options=options)
    [pair] = written_pairs([asked], writer=None, benchmark="b", seed=seed).pairs
    assert pair.chosen == f"{'ABCDE'[right]}. option {right}"
    assert pair.rejected != pair.chosen
    assert pair.rejected in [f"{'ABCDE'[place]}. option {place}" for place in range(n)]


def test_options_are_drawn_by_the_seed_and_the_item() -> None:
    options = tuple("abcdefgh")
    items = [item(str(n), "Which?", "a", kind="choice", options=options) for n in range(20)]
    one, again, other = (
        [pair.rejected for pair in written_pairs(items, writer=None, benchmark="b", seed=s).pairs]
        for s in (1, 1, 2)
    )
    assert one == again
    assert one != other
    assert len(set(one)) > 3


def test_a_question_without_another_option_is_left_out() -> None:
    asked = item("1", "Which?", "a", "b", kind="choices", options=("a", "b"))
    made = written_pairs([asked], writer=None, benchmark="b")
    assert made.left_out == {"the question has no other option": 1}


def test_without_a_writer_open_questions_are_left_out() -> None:
    made = written_pairs([OPEN], writer=None, benchmark="b")
    assert made.pairs == ()
    assert made.left_out == {"nobody was given to write a wrong answer": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A node of the LEFT lung.", "says what the reference says"),
        ('"the node of the left lung"', "says what the reference says"),
        ("Wrong answer: a node of the left lung", "says what the reference says"),
        ("", "is empty"),
        ("Wrong answer:", "is empty"),
        ("I cannot answer this question.", "declines"),
    ],
)
def test_a_written_answer_that_is_not_wrong_is_left_out(text: str, reason: str) -> None:
    made = written_pairs([OPEN], writer=writing(text), benchmark="b")
    assert made.pairs == ()
    assert reason in next(iter(made.left_out))


@pytest.mark.parametrize(
    ("text", "rejected"),
    [
        ("Wrong answer: a cyst [1].", "a cyst."),
        ("“a cyst”", "a cyst"),
        ("'a cyst'", "a cyst"),
        ('"a cyst" or "a node"', '"a cyst" or "a node"'),
        ("The answer: a cyst", "a cyst"),
    ],
)
def test_only_the_wrong_answer_is_kept_of_a_reply(text: str, rejected: str) -> None:
    [pair] = written_pairs([OPEN], writer=writing(text), benchmark="b").pairs
    assert pair.rejected == rejected


def test_pairs_stand_in_the_order_of_their_items_whoever_wrote_them() -> None:
    items = [
        item("1", "What of the hip?", "a node"),
        item("2", "Is it?", "yes", kind="yes_no"),
        item("3", "What of the skull?", "a node"),
        item("4", "What of the foot?", "a node"),
    ]
    writer = Model(lambda text: "a cyst of the foot" if "foot" in text else "a cyst of the hip")
    made = written_pairs(items, writer=writer, benchmark="b")
    assert [pair.id for pair in made.pairs] == [f"b/{n}/written" for n in (1, 2, 3, 4)]
    assert made.pairs[3].rejected == "a cyst of the foot"


def test_a_prompt_on_which_the_writer_fails_is_counted() -> None:
    items = [item("1", "What of the hip?", "a node"), item("2", "What of the skull?", "a node")]
    made = written_pairs(items, writer=Broken("skull"), benchmark="b")
    assert [pair.id for pair in made.pairs] == ["b/1/written"]
    assert made.left_out == {"the writer failed (RuntimeError)": 1}


def test_a_writer_that_fails_on_everything_is_told() -> None:
    with pytest.raises(MedragError, match="the writer failed on all 1 prompts"):
        written_pairs([OPEN], writer=Broken(), benchmark="b")


def test_the_writer_sees_pictures_if_it_is_to(tmp_path: Path) -> None:
    writer = writing("a cyst")
    asked = item("1", "What?", "a node", image=picture(tmp_path))
    written_pairs([asked], writer=writer, benchmark="b", with_pictures=True)
    assert isinstance(writer.prompts[0].parts[0], ImageRef)


def test_a_pair_shows_what_a_model_is_asked() -> None:
    asked: Item = item("1", "Which bone?", "ulna", kind="choice", options=("ulna", "tibia"))
    [pair] = written_pairs([asked], writer=None, benchmark="b").pairs
    assert "A. ulna\nB. tibia" in "".join(str(part) for part in pair.prompt)
    assert (pair.chosen, pair.rejected) == ("A. ulna", "B. tibia")
