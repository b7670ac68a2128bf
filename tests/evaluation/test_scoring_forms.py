"""Scores of answers that are numbers, boxes, pairs, or options with probabilities."""

import math
from pathlib import Path

import pytest

from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scores import Estimate
from medrag.evaluation.scoring import score_run
from medrag.records import Answer, Item, Question, QuestionRegion
from tests.evaluation.library import written_run


def measures(
    folder: Path, items: list[Item], answers: list[Answer], protocol: str = "exact"
) -> dict[str, Estimate]:
    run = written_run(folder, items, {"no_context": answers})
    return dict(score_run(run, scoring_protocol(protocol)).arms[0].measures)


def answered(items: list[Item], texts: list[str]) -> list[Answer]:
    return [Answer(item.question, text) for item, text in zip(items, texts, strict=True)]


def number(name: str, right: str, unit: str = "") -> Item:
    fields = {"unit": unit} if unit else {}
    return Item(name, Question("How large?"), (right,), "number", fields=fields)


def test_numbers_have_absolute_and_relative_errors_in_the_unit_of_the_reference(
    tmp_path: Path,
) -> None:
    items = [number("a", "20", "mm"), number("b", "10", "mm"), number("c", "4")]
    texts = ["It measures 2.5 cm.", "I see nothing of the kind in it", "3"]
    found = measures(tmp_path / "run", items, answered(items, texts))
    # 25 mm for 20 is 5 off, 0.25 of it; 3 for 4 is 1 off, 0.25; the second was not read.
    assert (found["absolute_error"].value, found["absolute_error"].n) == (3, 2)
    assert found["relative_error"].value == pytest.approx(0.25)
    assert (found["within_10_percent"].value, found["within_10_percent"].n) == (0, 3)


def test_a_right_count_of_none_has_no_relative_error(tmp_path: Path) -> None:
    items = [number("a", "0"), number("b", "10"), number("c", "0")]
    found = measures(tmp_path / "run", items, answered(items, ["0", "11", "1"]))
    # 0 of 0 and 1 of 10; 1 of 0 is left out.
    assert found["relative_error"].value == pytest.approx(0.05)
    assert found["relative_error"].n == 2
    # 0 for 0 and 11 for 10 are within a tenth.
    assert found["within_10_percent"].value == pytest.approx(2 / 3)


def test_boxes_are_matched_and_give_map(tmp_path: Path) -> None:
    def asked(name: str) -> Item:
        region = QuestionRegion(box=(0.0, 0.0, 10.0, 10.0))
        return Item(name, Question("Where?"), kind="boxes", regions=(region,))

    items = [asked("a"), asked("b")]
    answers = [
        Answer(items[0].question, "[[0, 0, 10, 10]]"),
        Answer(items[1].question, "[[0, 0, 10, 4]]"),
    ]
    found = measures(tmp_path / "run", items, answers)
    # Overlaps of 1 and 0.4.
    assert found["mean_iou"].value == pytest.approx(0.7)
    assert found["accuracy_at_iou_50"].value == 0.5
    # Of two equally sure boxes one is right: precision 0.5 at recall 0.5.
    assert found["map_50"].value == pytest.approx(0.25)


def test_pairs_count_as_pairs(tmp_path: Path) -> None:
    options = ("left", "right")

    def asked(name: str, pair: str, right: str) -> Item:
        question = Question("Which side?", options=options)
        return Item(name, question, (right,), "choice", True, cluster=pair, fields={"pair": pair})

    items = [
        asked("1a", "1", "left"), asked("1b", "1", "right"),
        asked("2a", "2", "left"), asked("2b", "2", "right"),
    ]  # fmt: skip
    texts = ["A", "B", "A", "A"]
    answers = answered(items, texts)
    found = measures(tmp_path / "run", items, answers)
    assert found["accuracy"].value == 0.75
    # The first pair is right; the second has one option for both pictures.
    assert found["pair_set_accuracy"].value == 0.5
    assert found["pair_confusion"].value == 0.5
    assert found["pair_set_accuracy"].n == 2


def test_conformal_sets_are_fitted_on_one_half_and_counted_on_the_other(tmp_path: Path) -> None:
    options = ("one", "two", "three")
    items, answers = [], []
    for place in range(200):
        question = Question("Which?", options=options)
        items.append(Item(f"{place}", question, ("one",), "choice", True))
        scores = (-0.1 - place % 10, -1.5, -2.0)
        answers.append(Answer(question, "A", option_scores=scores))
    found = measures(tmp_path / "run", items, answers, "prefix")
    coverage, size = found["conformal_coverage"], found["conformal_size"]
    assert 50 < coverage.n < 150
    # Both halves are drawn alike: 0.9 within three standard errors of a hundred.
    assert abs(coverage.value - 0.9) < 0.09 + 1e-9 or coverage.value > 0.9
    assert 1 <= size.value <= 3


def test_yes_and_no_are_measured_by_class(tmp_path: Path) -> None:
    items = [
        Item(str(place), Question("Is it?"), (right,), "yes_no", True)
        for place, right in enumerate(["yes", "yes", "yes", "no"])
    ]
    answers = [Answer(item.question, "Yes.", confidence=0.5) for item in items]
    found = measures(tmp_path / "run", items, answers, "closed_only")
    assert found["closed_accuracy"].value == 0.75
    # Recall is 1 of yes and 0 of no; F1 is 2 * 3 / 7 of yes and 0 of no.
    assert found["yes_no_balanced_accuracy"].value == 0.5
    assert found["yes_no_macro_f1"].value == pytest.approx(3 / 7)
    assert found["yes_no_auroc"].value == 0.5


def test_reports_are_measured_by_overlap(tmp_path: Path) -> None:
    items = [Item("a", Question("Report."), ("the heart is normal in size",), "report")]
    answers = [Answer(items[0].question, "the heart is normal in size")]
    found = measures(tmp_path / "run", items, answers)
    assert found["report_bleu4"].value == pytest.approx(1)
    assert found["report_rouge_l_coco"].value == pytest.approx(1)
    assert math.isnan(found["report_bleu4"].low)


def test_abstaining_is_right_where_the_library_holds_no_answer(tmp_path: Path) -> None:
    question = Question("Which dose?")
    items = [
        Item("a", question, fields={"unanswerable": True}),
        Item("b", question, fields={"unanswerable": True}),
        Item("c", question, ("5 mg",)),
    ]
    declined = Answer(question, "No evidence found in this library.", abstained=True)
    found = measures(tmp_path / "run", items, [declined, Answer(question, "5 mg"), declined])
    assert (found["right_abstention"].value, found["right_abstention"].n) == (0.5, 2)
    assert (found["wrong_abstention"].value, found["wrong_abstention"].n) == (1, 1)
