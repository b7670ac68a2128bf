"""Ratings of a judge, brought to one scale."""

import pytest

from medrag.evaluation.scorers import scoring_protocol
from tests.evaluation.scorers.made import SaysAlways, made

OPTIONS = ("CT", "MRI", "PET")


@pytest.mark.parametrize(
    ("rating", "share"), [("1", 0.0), ("2", 0.25), ("3", 0.5), ("4", 0.75), ("5", 1.0)]
)
def test_an_open_answer_is_rated_from_one_to_five(rating: str, share: float) -> None:
    protocol = scoring_protocol("sure_vqa", judge=SaysAlways(f"Rating: {rating}"))
    assert protocol.score([made("lung", "liver")])[0]["judge_rating"] == share


def test_closed_answers_and_labels_have_scales_of_their_own() -> None:
    cases = [
        made("no", "yes", kind="yes_no"),
        made("A", "CT", "PET", kind="choices", options=OPTIONS),
    ]
    for reply, shares in (("Rating: 1", [1.0, 1.0]), ("Rating: 0", [0.0, 0.0])):
        values = scoring_protocol("sure_vqa", judge=SaysAlways(reply)).score(cases)
        assert [each["judge_rating"] for each in values] == shares


def test_the_judge_is_not_asked_about_what_is_right_or_nothing() -> None:
    judge = SaysAlways("Rating: 3")
    cases = [
        made("The liver.", "liver"), made("", "liver"), made("I don't know.", "liver"),
        made("B", "MRI", kind="choice", options=OPTIONS), made("lung", "liver"),
    ]  # fmt: skip
    values = scoring_protocol("sure_vqa", judge=judge).score(cases)
    assert [each["judge_rating"] for each in values] == [1.0, 0.0, 0.0, 1.0, 0.5]
    assert len(judge.asked) == 1


def test_the_judge_sees_the_text_of_an_option_and_no_reasoning() -> None:
    judge = SaysAlways("Rating: 0")
    cases = [
        made("C", "MRI", kind="choice", options=OPTIONS),
        made("<think>no</think> Yes.", "no", kind="yes_no"),
    ]
    scoring_protocol("sure_vqa", judge=judge).score(cases)
    assert "Answer: PET" in judge.asked[0]
    assert "Answer: Yes." in judge.asked[1]


def test_what_the_judge_says_unreadably_is_counted() -> None:
    protocol = scoring_protocol("sure_vqa", judge=SaysAlways("hm"))
    cases = [made("lung", "liver"), made("liver", "liver"), made("", "liver")]
    values = protocol.score(cases)
    assert values[0]["judge_rating"] != values[0]["judge_rating"]
    totals = protocol.totals(list(zip(cases, values, strict=True)))
    # Of those that were read, one has 5 and one 1.
    assert (totals["n_unjudged"], totals["printed_open_rating"]) == (1.0, 3.0)


def test_it_needs_a_judge() -> None:
    with pytest.raises(ValueError, match="sure_vqa needs a judge"):
        scoring_protocol("sure_vqa")
