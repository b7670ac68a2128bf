"""What an answer holds beside its text and evidence."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.codec import to_json
from medrag.records import (
    Answer,
    Citation,
    Claim,
    ImageRef,
    Omission,
    Passage,
    Quantity,
    Question,
    Source,
)
from medrag.reporting.answer_parts import (
    claim_flags,
    confidence_words,
    left_out,
    quantity_list,
    removed_list,
    signal_rows,
    steps,
    thoughts,
)

ANSWER = Answer(Question("?"), "One. Two.")
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip
KEYS = st.sampled_from(["tool", "turn", "arguments", "text", "boxes", "images", "error", "x"])


@pytest.fixture
def film(tmp_path: Path) -> ImageRef:
    Image.new("RGB", (80, 60)).save(tmp_path / "film.png")
    return ImageRef(str(tmp_path / "film.png"))


def test_each_sentence_is_flagged_where_one_is_wanting() -> None:
    claims = (
        Claim("Held.", (1,), "supported", 0.9), Claim("Bare.", (), "unsupported", 0.3),
        Claim("Wrong.", (2,), "contradicted"), Claim("Skipped."),
    )  # fmt: skip
    shown = claim_flags(replace(ANSWER, claims=claims))
    assert "1 of 4 sentences supported" in shown
    for flag in ("supported (90%)", "not supported", "contradicted", "not checked"):
        assert flag in shown
    assert "30%" not in shown
    assert shown.index("Held.") < shown.index("Bare.") < shown.index("Wrong.")


def test_an_answer_that_is_supported_throughout_says_so_in_one_line() -> None:
    shown = claim_flags(replace(ANSWER, claims=(Claim("One.", (1,), "supported"),)))
    assert "supports every sentence" in shown
    assert "<li" not in shown


def test_support_by_another_patients_record_is_no_plain_support() -> None:
    source = Source("c", "d", "0" * 64)
    report = Passage(id="r", kind="report", text="Held.", source=source)
    answer = replace(
        ANSWER,
        question=Question("?", ("film.png",)),
        claims=(Claim("Held.", (1,), "supported"),),
        citations=(Citation(1, report, 1.0),),
    )
    assert "supported, of another patient" in claim_flags(answer)
    textbook = replace(answer, citations=(Citation(1, replace(report, kind="text"), 1.0),))
    assert "supports every sentence" in claim_flags(textbook)


def test_what_was_taken_out_is_listed() -> None:
    claims = [{"claim": 1, "text": "Wrong.", "support": "unsupported"}]
    shown = removed_list(replace(ANSWER, trace=({"step": "removed", "claims": claims},)))
    assert "Taken out" in shown
    assert "Wrong." in shown
    assert removed_list(ANSWER) == ""


def test_what_nobody_checked_is_not_flagged() -> None:
    assert claim_flags(replace(ANSWER, claims=(Claim("One."),))) == ""


@pytest.mark.parametrize(
    ("quantity", "shown"),
    [
        (Quantity(2.30, "cm"), "<b>2.3\u00a0cm</b>"),
        (Quantity(3, "", "nodules"), "<b>3</b> <span>nodules</span>"),
        (Quantity(42, "%", "at most"), "<span>at most</span> <b>42%</b>"),
        (Quantity(1200.5, "mL"), "<b>1200.5\u00a0mL</b>"),
    ],
)
def test_a_number_is_shown_with_its_unit_or_what_is_counted(quantity: Quantity, shown: str) -> None:
    assert shown in quantity_list([quantity])


def test_many_numbers_are_cut_and_none_are_nothing() -> None:
    assert quantity_list([]) == ""
    shown = quantity_list([Quantity(i, "mm") for i in range(30)])
    assert "6 more" in shown


def test_confidence_is_told_as_a_number_and_not_as_a_share() -> None:
    assert confidence_words(0.834) == "confidence 0.83"
    assert confidence_words(0.5) == "confidence 0.50"
    assert confidence_words(0.0) == "confidence 0.00"
    assert confidence_words(float("nan")) == ""


def test_signals_are_named_and_what_is_no_number_is_not_known() -> None:
    rows = signal_rows(replace(ANSWER, signals={"agreement": 0.8, "my_own": float("nan")}))
    assert rows == [("agreement of further drafts", "80%"), ("my own", "not known")]


def test_what_was_left_out_is_listed() -> None:
    omissions = (Omission(2, "image", "one image at most"), Omission(0, "shrunk", "to half"))
    shown = left_out(replace(ANSWER, left_out=omissions))
    assert "<b>[2]</b> told in words instead of shown: one image at most" in shown
    assert "<b>the question</b> shown smaller: to half" in shown
    assert left_out(ANSWER) == ""


def test_thoughts_are_folded_away_escaped_and_bounded() -> None:
    shown = thoughts(replace(ANSWER, thoughts="<script>x</script>" + "y" * 30_000))
    assert shown.startswith("<details><summary>")
    assert "<script" not in shown
    assert "10018 more characters" in shown
    assert thoughts(ANSWER) == ""


def test_a_step_shows_call_result_and_the_picture_looked_at(film: ImageRef) -> None:
    crop = replace(film, box=(0, 0, 20, 10))
    step = {"turn": 1, "tool": "crop", "arguments": {"image": 1, "box": [0, 0, 20.5, 10]},
            "text": "Enlarged.", "images": [to_json(crop)]}  # fmt: skip
    shown = steps(replace(ANSWER, question=Question("?", (film,)), trace=(step,)), {})
    assert "Steps on the way to the answer (1)" in shown
    assert "image: 1, box: 0, 0, 20.5, 10" in shown
    assert 'width="20" height="10"' in shown
    assert "Enlarged." in shown


def test_boxes_of_a_tool_are_drawn_on_the_picture_that_it_was_given(film: ImageRef) -> None:
    question = Question("?", ("/nowhere.png", film))
    step = {"tool": "ground", "arguments": {"image": 2}, "boxes": [[1, 2, 30, 40]]}
    shown = steps(replace(ANSWER, question=question, trace=(step,)), {})
    assert "box (1, 2) to (30, 40), found by this step" in shown
    assert "<svg" in shown
    for number in (0, 3, True, "2", None):
        other = {**step, "arguments": {"image": number}}
        assert "<svg" not in steps(replace(ANSWER, question=question, trace=(other,)), {})


def test_a_failed_step_says_why() -> None:
    shown = steps(replace(ANSWER, trace=({"tool": "expert", "error": "no <b>"},)), {})
    assert "did not work: no &lt;b&gt;" in shown


def test_a_step_of_another_loop_is_told_in_words() -> None:
    claims = [{"claim": 1, "text": "Wrong.", "support": "unsupported"}, {"claim": 2}]
    shown = steps(replace(ANSWER, trace=({"step": "removed", "claims": claims},)), {})
    assert "<b>removed</b>" in shown
    assert "claims: claim 1, text Wrong., support unsupported; claim 2" in shown


def test_many_steps_are_cut() -> None:
    shown = steps(replace(ANSWER, trace=tuple({"tool": "look"} for _ in range(20))), {})
    assert "8 more steps" in shown
    assert steps(ANSWER, {}) == ""


@given(st.dictionaries(KEYS, JUNK, max_size=8))
def test_whatever_stands_in_a_file_of_answers_is_shown_without_failing(
    step: dict[str, Any],
) -> None:
    shown = steps(replace(ANSWER, question=Question("?", ("/nowhere.png",)), trace=(step,)), {})
    assert shown.startswith("<details>")
