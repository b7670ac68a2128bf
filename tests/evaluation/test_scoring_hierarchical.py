"""Reports that are asked as a tree of questions, from items and answers to estimates."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.parsed import Letters
from medrag.evaluation.parsing import shown
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scores import STATES, Estimate
from medrag.evaluation.scoring.columns import empty_columns, gather
from medrag.evaluation.scoring.hierarchical import hierarchy_measures
from medrag.evaluation.statistics import Resamples
from medrag.records import Answer, AnswerKind, Item, Question
from tests.evaluation.library import written_run

YES_NO, SIDES = ("yes", "no"), ("left", "right", "unspecified")
ABOVE = {"lung": None, "opacity": "lung", "side": "opacity"}
NAMES = ("report_accuracy", "report_macro_precision", "report_macro_recall", "report_macro_f1")


def asked(report: str, node: str, *right: str) -> Item:
    options, kind = (SIDES, "choices") if node == "side" else (YES_NO, "choice")
    fields = {"report": report, "node": node}
    if above := ABOVE[node]:
        fields["parent"] = above
    form: AnswerKind = "choices" if kind == "choices" else "choice"
    question = Question(f"What of the {node}?", options=options)
    return Item(f"{report} {node}", question, right, form, True, cluster=report, fields=fields)


REPORTS = [
    asked("a", "lung", "yes"),
    asked("a", "opacity", "yes"),
    asked("a", "side", "left"),
    asked("b", "lung", "no"),
]


def measured(folder: Path, items: list[Item], texts: list[str]) -> dict[str, Estimate]:
    pairs = zip(items, texts, strict=True)
    answers = [Answer(item.question, text, abstained=not text) for item, text in pairs]
    run = written_run(folder / "run", items, {"no_context": answers})
    columns = gather(run, scoring_protocol("exact")).columns["no_context"]
    found = hierarchy_measures(columns, list(run.items.values()))
    return Resamples([item.cluster for item in items]).estimates(found)


def test_right_answers_to_every_question_make_right_reports(tmp_path: Path) -> None:
    found = measured(tmp_path, REPORTS, ["yes", "A. yes", "A. left", "No."])
    assert {name for name in found if not name.startswith("raw_")} == set(NAMES)
    assert {(each.value, each.n) for each in found.values()} == {(1.0, 2)}


def test_a_denied_question_denies_those_below_it_as_by_hand(tmp_path: Path) -> None:
    found = measured(tmp_path, REPORTS, ["no", "yes", "left", "no"])
    # Affirmed columns: lung yes and no, opacity yes and no (b, which was not asked), left.
    # As given, hits, predicted, positive: 0 0 1; 1 2 1; 1 1 1; 1 1 1; 1 1 1
    raw = [found[f"raw_{name}"].value for name in NAMES]
    assert raw == pytest.approx([1 / 2, (0 + 1 / 2 + 3) / 5, 4 / 5, (0 + 2 / 3 + 3) / 5])
    # Once the lung decides: 0 0 1; 1 2 1; 0 0 1; 1 2 1; 0 0 1
    consistent = [found[name].value for name in NAMES]
    assert consistent == pytest.approx([1 / 2, 1 / 5, 2 / 5, (2 / 3 + 2 / 3) / 5])


def test_several_options_may_be_right_of_one_question(tmp_path: Path) -> None:
    items = [*REPORTS[:2], asked("a", "side", "left", "right")]
    found = measured(tmp_path, items, ["yes", "yes", "A, B"])
    assert found["report_accuracy"].value == 1
    found = measured(tmp_path / "half", items, ["yes", "yes", "B"])
    # lung yes, opacity yes and right are found, left is not.
    assert found["report_accuracy"].value == 0
    assert found["report_macro_recall"].value == 3 / 4


def test_what_is_not_answered_is_wrong_and_not_predicted(tmp_path: Path) -> None:
    found = measured(tmp_path, REPORTS, ["yes", "yes", "", "no"])
    assert found["report_accuracy"].value == 1 / 2
    # Of five affirmed columns all but left are found.
    assert found["report_macro_recall"].value == 4 / 5
    assert found["report_macro_precision"].value == 4 / 5


def test_a_report_counts_once_all_its_questions_were_asked_and_answered() -> None:
    items = [*REPORTS, *(asked("c", node, right) for node, right in [("opacity", "yes")])]
    columns = empty_columns("context", len(items))
    columns.states[:] = STATES.index("answered")
    columns.parsed[:] = ["A", "A", "A", "B", "A"]
    counted = Resamples([None] * 5).estimates(hierarchy_measures(columns, items))
    # Nothing says what is above the opacity of c.
    assert {each.n for each in counted.values()} == {2}
    columns.states[1] = STATES.index("missing")
    counted = Resamples([None] * 5).estimates(hierarchy_measures(columns, items))
    assert {each.n for each in counted.values()} == {1}


def test_other_items_are_no_reports(tmp_path: Path) -> None:
    item = Item("a", Question("Is it?", options=YES_NO), ("yes",), "choice", True)
    assert measured(tmp_path, [item], ["yes"]) == {}


def test_many_columns_give_the_same_numbers_as_few() -> None:
    # The macro means of 30 reports about 20 findings each, against sums written out by item.
    generator = np.random.default_rng(0)
    items, letters = [], []
    for report in range(30):
        for node in range(20):
            right = "yes" if generator.random() < 0.4 else "no"
            question = Question("Is it?", options=YES_NO)
            fields = {"report": str(report), "node": str(node)}
            name = f"{report} {node}"
            items.append(Item(name, question, (right,), "choice", True, fields=fields))
            letters.append("A" if generator.random() < 0.5 else "B")
    columns = empty_columns("context", len(items))
    columns.states[:] = STATES.index("answered")
    columns.parsed[:] = letters
    found = Resamples([str(item.fields["report"]) for item in items]).estimates(
        hierarchy_measures(columns, items)
    )
    recalls = []
    for node in range(20):
        for letter, option in (("A", "yes"), ("B", "no")):
            own = [p for p, i in enumerate(items) if i.fields["node"] == str(node)]
            positive = [p for p in own if items[p].references == (option,)]
            recalls.append(np.mean([letters[p] == letter for p in positive]))
    assert found["raw_report_macro_recall"].value == pytest.approx(float(np.mean(recalls)))
    assert found["raw_report_macro_recall"].low < found["raw_report_macro_recall"].value


@given(st.sets(st.integers(0, 20), min_size=1))
def test_options_are_read_back_from_the_letters_that_are_shown(chosen: set[int]) -> None:
    options = tuple(f"option {number}" for number in range(21))
    right = tuple(options[number] for number in sorted(chosen))
    fields = {"report": "a", "node": "n"}
    item = Item("a", Question("Which?", options=options), right, "choices", True, fields=fields)
    columns = empty_columns("context", 1)
    columns.states[:] = STATES.index("answered")
    columns.parsed[:] = [shown(Letters(tuple(sorted(chosen))))]
    found = Resamples([None]).estimates(hierarchy_measures(columns, [item]))
    assert found["raw_report_accuracy"].value == 1
