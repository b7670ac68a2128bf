"""Boxes and numbers: what is near counts, and silence is no answer."""

import pytest

from medrag.evaluation.parsing import parse_answer
from medrag.evaluation.scorers import Case, scoring_protocol
from medrag.evaluation.scorers.places import form_values
from medrag.records import Answer, Item, Question, QuestionRegion
from tests.evaluation.scorers.made import made

PLACES = scoring_protocol("places")
EXACT = scoring_protocol("exact")
BOX = QuestionRegion(box=(0.0, 0.0, 10.0, 10.0))
POINT = QuestionRegion(point=(5.0, 5.0))


def placed(answer: str, *regions: QuestionRegion, error: str | None = None) -> Case:
    item = Item("1", Question("Where?"), kind="boxes", regions=regions)
    return Case(item, Answer(item.question, answer, error=error), parse_answer(answer, item))


@pytest.mark.parametrize("answer", ["", "blah", "I cannot tell.", "no box", "[0, 0, 10]"])
@pytest.mark.parametrize("regions", [(), (BOX,)])
def test_what_is_no_box_finds_nothing_even_where_nothing_is(
    answer: str, regions: tuple[QuestionRegion, ...]
) -> None:
    case = placed(answer, *regions)
    assert form_values(case) == {"mean_iou": 0.0, "accuracy_at_iou_50": 0.0}
    assert EXACT.score([case])[0]["accuracy"] == 0.0


@pytest.mark.parametrize("answer", ["[]", '{"boxes": []}', "The answer is [ ].", "[[]]"])
def test_an_empty_list_is_right_where_nothing_is(answer: str) -> None:
    case = placed(answer)
    assert form_values(case) == {"mean_iou": 1.0, "accuracy_at_iou_50": 1.0}
    assert EXACT.score([case])[0]["accuracy"] == 1.0


def test_an_empty_list_is_wrong_where_something_is() -> None:
    assert form_values(placed("[]", BOX))["mean_iou"] == 0.0


def test_points_alone_do_not_count_and_points_beside_boxes_are_passed_over() -> None:
    alone, beside = placed("[5, 5]", POINT), placed("[0, 0, 10, 10]", BOX, POINT)
    for protocol in (PLACES, EXACT):
        assert protocol.score([alone]) == [{}]
    assert PLACES.score([beside])[0]["accuracy_at_iou_50"] == 1.0


def test_the_headline_counts_boxes_and_numbers() -> None:
    # 0.6 and 0.4 of the box; 11 is a tenth off 10, 12 is not.
    cases = [placed("[0, 0, 10, 6]", BOX), placed("[0, 0, 10, 4]", BOX)]
    cases += [made(answer, "10", kind="number") for answer in ("11", "12")]
    values = PLACES.score(cases)
    found = [next(each[name] for name in PLACES.headline if name in each) for each in values]
    assert found == [1.0, 0.0, 1.0, 0.0]
    assert [each["accuracy_of_parsed"] for each in values] == found


def test_errors_of_numbers_are_in_the_unit_of_the_reference() -> None:
    values = form_values(made("2.5 centimeters", "20 mm", kind="number"))
    # 25 mm for 20 mm
    assert values == {"absolute_error": 5.0, "relative_error": 0.25, "within_10_percent": 0.0}


@pytest.mark.parametrize("answer", ["many", "", "5 kg"])
def test_what_is_no_number_of_this_unit_has_no_error_and_is_not_near(answer: str) -> None:
    assert form_values(made(answer, "20 mm", kind="number")) == {"within_10_percent": 0.0}


def test_a_right_nothing_has_no_error_and_a_wrong_one_no_relative_error() -> None:
    right, wrong = (form_values(made(each, "0", kind="number")) for each in ("0", "2"))
    assert right == {"absolute_error": 0.0, "relative_error": 0.0, "within_10_percent": 1.0}
    assert wrong == {"absolute_error": 2.0, "within_10_percent": 0.0}


def test_both_modes_agree() -> None:
    case = placed("[0, 0, 10, 6]", BOX)
    [faithful] = scoring_protocol("places", "faithful").score([case])
    assert faithful == form_values(case)
