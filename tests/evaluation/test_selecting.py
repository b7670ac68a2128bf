"""Selectors on a benchmark: one retrieval, many settings, answers once for each set of hits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from medrag.config import Index
from medrag.errors import BudgetSpentError, EvaluationError, InputFileError, RecipeError
from medrag.evaluation.benchmarks import Benchmark
from medrag.evaluation.runs import Run, open_run
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.selecting import (
    Choices,
    Scored,
    Setting,
    answer_choices,
    calibrate_k,
    choose,
    report_on,
    save_k_calibration,
    score_choices,
)
from medrag.evaluation.selecting.choosing import FixedSelector, nearest_k
from medrag.pipeline import Pipeline
from medrag.records import Answer, Filter, Hit, Question, Selection
from medrag.selection.calibrated import CalibratedSelector
from medrag.selection.calibration import load_k_calibration
from medrag.selection.gap import GapSelector
from medrag.selection.top_k import TopKSelector
from tests.evaluation.library import ASKED, loaded, pipeline_on


@dataclass
class Counted:
    """A retriever that counts the questions it was asked."""

    pipeline: Pipeline
    n_asked: int = 0

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        self.n_asked += len(questions)
        return self.pipeline.retriever.retrieve(questions, k, filters)


@dataclass
class Told:
    """Answers with the first hit's title; knows what it was asked, and may run out of money."""

    budget: int = 1000
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def answer(
        self, questions: Sequence[Question], selections: Sequence[Selection]
    ) -> list[Answer]:
        if len(self.asked) + len(questions) > self.budget:
            raise BudgetSpentError("no money is left")
        found = []
        for question, selection in zip(questions, selections, strict=True):
            self.asked.append((question.text, *(hit.passage.id for hit in selection.kept)))
            titles = [str(hit.passage.fields.get("title")) for hit in selection.kept]
            said = next((title for title in titles if title in question.options), "none")
            found.append(Answer(question, said, selection=selection, model="Told"))
        return found


class Even:
    """Keeps one hit of every second question and three of the others."""

    def __init__(self) -> None:
        self.n = 0

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        self.n += 1
        return FixedSelector(k=1 + 2 * (self.n % 2)).select(question, ranking)


def told_by(index: Index, answerer: Told) -> Pipeline:
    return replaced(pipeline_on(index), answerer)


def replaced(pipeline: Pipeline, answerer: Told) -> Pipeline:
    return Pipeline(
        retriever=Counted(pipeline),
        selector=TopKSelector(k=1),
        answerer=answerer,
        k=5,
        index=pipeline.index,
        identity=pipeline.identity,
    )


@pytest.fixture
def asked(small_questions: Path) -> Benchmark:
    return loaded(small_questions)


@pytest.fixture
def pipeline(small_index: Index) -> Pipeline:
    return told_by(small_index, Told())


def gap(gamma: float, **given: object) -> Setting:
    return Setting(f"gap {gamma}", GapSelector(gamma=gamma, k_max=5, **given))  # type: ignore[arg-type]


def test_each_item_is_retrieved_once_for_all_settings(pipeline: Pipeline, asked: Benchmark) -> None:
    choices = choose(pipeline, asked, rules=[gap(0.1), gap(5.0)], ks=[1, 2, 5])
    assert pipeline.retriever.n_asked == len(ASKED)  # type: ignore[attr-defined]
    assert [each.setting.name for each in choices.rules] == ["gap 0.1", "gap 5.0"]
    assert choices.depth == 5


def test_recall_and_precision_are_against_the_gold_documents(
    pipeline: Pipeline, asked: Benchmark
) -> None:
    report = report_on(choose(pipeline, asked, ks=[1, 2]))
    one, two = report.settings
    # Every gold document is first: one of one kept, then one of two.
    assert (one.measures["recall"].value, one.measures["precision"].value) == (1, 1)
    assert two.measures["recall"].value == 1
    n_kept = two.measures["kept"].value
    assert two.measures["precision"].value == pytest.approx(1 / n_kept)
    assert "accuracy" not in one.measures


def test_no_context_is_a_fixed_number_too(pipeline: Pipeline, asked: Benchmark) -> None:
    (none,) = report_on(choose(pipeline, asked, ks=[0])).settings
    assert none.measures["recall"].value == 0
    assert np.isnan(none.measures["precision"].value)


def test_beside_a_rule_stands_the_fixed_number_nearest_to_its_mean(
    pipeline: Pipeline, asked: Benchmark
) -> None:
    # 3 and 1 in turn: 2 on average, which was not asked for and is added.
    choices = choose(pipeline, asked, rules=[Setting("even", Even())], ks=[1])
    report = report_on(choices)
    assert [each.name for each in report.settings] == ["k=1", "k=2", "even"]
    beside = report.settings[-1].beside
    assert beside is not None
    assert beside.name == "k=2"
    assert report.settings[-1].measures["kept"].value == pytest.approx(2, abs=0.5)
    assert set(beside.differences) == set(beside.adjusted_p) == {"recall", "precision"}
    assert choices.ks == (1,)


def test_precision_at_equal_budgets_is_equal_whoever_spends_it_unevenly(
    pipeline: Pipeline, asked: Benchmark
) -> None:
    # All gold is first, 6 gold among 12 kept: the mean over items would be (1 + 1/3) / 2 = 0.67.
    report = report_on(choose(pipeline, asked, rules=[Setting("even", Even())], ks=[2]))
    even = report.settings[-1]
    assert even.measures["precision"].value == pytest.approx(1 / even.measures["kept"].value)


def test_a_rule_that_never_fired_is_told(pipeline: Pipeline, asked: Benchmark) -> None:
    report = report_on(choose(pipeline, asked, rules=[gap(50.0)], ks=[1]))
    rule = report.settings[-1]
    assert rule.measures["fired"].value == 0
    assert rule.notes == ("the rule never fired on any of 6 items: it is the fixed number k_max",)


def test_a_rule_that_cannot_be_applied_is_told_and_stops_no_other(
    pipeline: Pipeline, asked: Benchmark
) -> None:
    wrong = Setting("by text", GapSelector(gamma=0.1, score="text"))
    report = report_on(choose(pipeline, asked, rules=[wrong, gap(0.1)], ks=[1]))
    refused = next(each for each in report.settings if each.name == "by text")
    assert refused.n_refused == 6
    assert "no hit has a score 'text'" in refused.refusal
    assert refused.beside is None
    assert np.isnan(refused.measures["kept"].value)
    assert report.settings[-1].measures["kept"].n == 6


def test_names_and_numbers_that_make_no_sense_are_refused(
    pipeline: Pipeline, asked: Benchmark
) -> None:
    with pytest.raises(EvaluationError, match="two settings are called 'k=1'"):
        choose(pipeline, asked, rules=[Setting("k=1", TopKSelector(k=2))], ks=[1])
    with pytest.raises(ValueError, match="between 0 and the 5 hits retrieved, got 7"):
        choose(pipeline, asked, ks=[7], depth=5)


def test_the_nearest_number_is_rounded_half_up_and_never_above_the_depth(
    pipeline: Pipeline, asked: Benchmark
) -> None:
    (rule,) = choose(pipeline, asked, rules=[Setting("even", Even())], ks=[1]).rules
    for kept, nearest in ((2.5, 3), (0.4, 0), (9.0, 5)):
        assert nearest_k(replace(rule, kept=np.array([kept])), 5) == nearest


def answered(choices: Choices, out: Path) -> Run:
    return answer_choices(choices, out, batch=4)


def scored(choices: Choices, out: Path) -> Scored:
    protocol = scoring_protocol("exact", "corrected")
    return score_choices(choices, answered(choices, out), protocol)


def test_equal_sets_of_hits_are_answered_once(
    small_index: Index, asked: Benchmark, tmp_path: Path
) -> None:
    answerer = Told()
    rules = [gap(50.0), Setting("first two", TopKSelector(k=2))]
    choices = choose(told_by(small_index, answerer), asked, rules=rules, ks=[1, 2, 5])
    run = answered(choices, tmp_path / "run")
    assert len(answerer.asked) == len(set(answerer.asked))
    assert len(list(run.answers())) == len(choices.all) * len(ASKED)
    assert run.arms == tuple(each.setting.name for each in choices.all)


def test_the_answers_say_why_their_hits_were_kept(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    choices = choose(pipeline, asked, rules=[gap(0.1)], ks=[2])
    found = {
        each.arm: each.answer.selection for each in answered(choices, tmp_path / "r").answers()
    }
    assert found["k=2"].reason == "the first 2"
    assert found["gap 0.1"].reason.startswith("adjacent_log_gap")
    assert found["k=2"].dropped == ()


def test_a_run_cut_short_goes_on_without_asking_twice(
    small_index: Index, asked: Benchmark, tmp_path: Path
) -> None:
    poor, rich = Told(budget=7), Told()
    rules = [gap(0.1)]
    first = choose(told_by(small_index, poor), asked, rules=rules, ks=[1, 2])
    with pytest.raises(BudgetSpentError, match="goes on from there"):
        answered(first, tmp_path / "run")
    n_first = len(poor.asked)
    assert 4 <= n_first <= 7
    again = choose(told_by(small_index, rich), asked, rules=rules, ks=[1, 2])
    run = answered(again, tmp_path / "run")
    assert len(list(run.answers())) == len(again.all) * len(ASKED)
    assert not set(poor.asked) & set(rich.asked)


def test_a_further_setting_uses_the_answers_that_are_there(
    small_index: Index, asked: Benchmark, tmp_path: Path
) -> None:
    answered(choose(told_by(small_index, Told()), asked, ks=[1, 2]), tmp_path / "run")
    later = Told()
    rules = [Setting("the first", TopKSelector(k=1))]
    choices = choose(told_by(small_index, later), asked, rules=rules, ks=[1, 2])
    run = answered(choices, tmp_path / "run")
    assert later.asked == []
    assert {each.arm for each in run.answers()} == {"k=1", "k=2", "the first"}


def test_a_name_that_meant_another_setting_is_refused(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    answered(
        choose(pipeline, asked, rules=[Setting("mine", TopKSelector(k=2))], ks=[1]), tmp_path / "r"
    )
    other = choose(pipeline, asked, rules=[Setting("mine", TopKSelector(k=3))], ks=[1])
    with pytest.raises(EvaluationError, match="holds answers of 'mine' from other hits"):
        answered(other, tmp_path / "r")


def test_accuracy_is_that_of_the_protocol_and_compared_item_by_item(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    rules = [Setting("nothing", FixedSelector(k=0)), Setting("the first", TopKSelector(k=1))]
    choices = choose(pipeline, asked, rules=rules, ks=[1])
    report = report_on(choices, scored(choices, tmp_path / "r"))
    found = {each.name: each for each in report.settings}
    assert found["k=1"].measures["accuracy"].value == 1
    assert found["nothing"].measures["accuracy"].value == 0
    # The nearest number to nothing is nothing.
    assert found["nothing"].beside is not None
    assert found["nothing"].beside.name == "k=0"
    assert found["the first"].beside is not None
    assert found["the first"].beside.differences["accuracy"].difference == 0
    assert found["the first"].beside.differences["accuracy"].p == 1
    assert report.protocol == "exact, corrected"


def test_what_each_doubling_of_k_adds_is_told(
    small_index: Index, asked: Benchmark, tmp_path: Path
) -> None:
    class Counting(Told):
        def answer(
            self, questions: Sequence[Question], selections: Sequence[Selection]
        ) -> list[Answer]:
            found = super().answer(questions, selections)
            # Right from two hits on.
            n = [len(each.kept) for each in selections]
            return [replace(a, text="none") if k < 2 else a for a, k in zip(found, n, strict=True)]

    choices = choose(told_by(small_index, Counting()), asked, ks=[1, 2])
    n_short = sum(len(each.ranking) < 2 for each in choices.ranked)
    report = report_on(choices, scored(choices, tmp_path / "r"))
    assert report.growth is not None
    # From none right at k = 1 to all at k = 2, but for items of which a single hit was found.
    assert report.growth.value == pytest.approx(1 - n_short / len(ASKED))
    assert report_on(choices).growth is None


def test_a_calibration_tests_the_numbers_asked_for_and_no_other(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    choices = choose(pipeline, asked, rules=[Setting("even", Even())], ks=[5, 1, 0])
    found = calibrate_k(choices, scored(choices, tmp_path / "r"), alpha=0.5, delta=0.1)
    assert [(each.k, each.risk) for each in found.tested] == [(5, 0.0), (1, 0.0), (0, 1.0)]
    # All 6 right: p = 0.5 ** 6 = 0.016, below 0.1 / 3 = 0.033.
    assert [each.passed for each in found.tested] == [True, True, False]
    assert found.tested[0].p == pytest.approx(0.5**6)
    assert found.k == 1
    assert (found.n, found.model, found.depth) == (6, "Told", 5)
    assert found.source["benchmark"] == "qa"
    assert found.index == pipeline.identity["index"]["sha256"]


def test_items_of_one_patient_are_tested_once(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    items = tuple(
        replace(item, cluster="one" if place < 4 else None)
        for place, item in enumerate(asked.items)
    )
    choices = choose(pipeline, replace(asked, items=items), ks=[1])
    found = calibrate_k(choices, scored(choices, tmp_path / "r"))
    assert found.n == 3
    assert found.problems[0].startswith(
        "3 independent items, one of each cluster, were tested of 6"
    )
    # 3 right ones: 0.8 ** 3 = 0.51; 0.8 ** 11 = 0.086 is the first below 0.1.
    assert "3 items are too few to test a risk of 0.2: 11" in found.problems[1]


def test_no_k_is_said_where_none_controls_the_risk(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    choices = choose(pipeline, asked, ks=[0])
    found = calibrate_k(choices, scored(choices, tmp_path / "r"), alpha=0.5)
    assert found.k is None
    assert any("no k controls the risk at 0.5" in problem for problem in found.problems)


def test_an_answer_that_is_not_given_is_wrong_for_the_calibration(
    small_index: Index, asked: Benchmark, tmp_path: Path
) -> None:
    class Silent(Told):
        def answer(
            self, questions: Sequence[Question], selections: Sequence[Selection]
        ) -> list[Answer]:
            found = super().answer(questions, selections)
            return [replace(each, text="", abstained=True) for each in found]

    choices = choose(told_by(small_index, Silent()), asked, ks=[1])
    found = calibrate_k(choices, scored(choices, tmp_path / "r"))
    assert [each.risk for each in found.tested] == [1.0]


def test_the_calibrated_selector_of_the_same_pipeline_selects_and_of_another_does_not(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    choices = choose(pipeline, asked, ks=[1, 2])
    made = calibrate_k(choices, scored(choices, tmp_path / "r"), alpha=0.5)
    save_k_calibration(made, tmp_path / "k.json")
    assert load_k_calibration(tmp_path / "k.json") == made
    setting = Setting("calibrated", CalibratedSelector(file=tmp_path / "k.json"))
    (rule,) = choose(pipeline, asked, rules=[setting], ks=[1, 2]).rules
    assert rule.mean_kept == made.k == 1
    with pytest.raises(RecipeError, match=r"another number of retrieved hits \(k\): 5 there"):
        choose(pipeline, asked, rules=[setting], ks=[1, 2], depth=7)


def test_a_file_of_something_else_is_not_overwritten(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    choices = choose(pipeline, asked, ks=[1])
    made = calibrate_k(choices, scored(choices, tmp_path / "r"))
    path = tmp_path / "notes.json"
    path.write_text('{"format": 1, "threshold": 0.5}', encoding="utf-8")
    with pytest.raises(InputFileError, match="is no calibration of k; name another file"):
        save_k_calibration(made, path)
    assert path.read_text(encoding="utf-8") == '{"format": 1, "threshold": 0.5}'


def test_a_calibration_without_numbers_is_refused(
    pipeline: Pipeline, asked: Benchmark, tmp_path: Path
) -> None:
    choices = choose(pipeline, asked, rules=[gap(0.1)], ks=[])
    with pytest.raises(EvaluationError, match="needs numbers to test"):
        calibrate_k(choices, scored(choices, tmp_path / "r"))


def test_nothing_found_at_all_is_an_error(small_index: Index, asked: Benchmark) -> None:
    class Empty:
        def retrieve(
            self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
        ) -> list[list[Hit]]:
            return [[] for _ in questions]

    empty = Pipeline(retriever=Empty(), selector=TopKSelector(), answerer=Told(), k=5)
    with pytest.raises(EvaluationError, match="nothing was found for any of the 6 items"):
        choose(empty, asked, ks=[1])


def test_an_item_whose_picture_is_gone_counts_nowhere(
    small_index: Index, pictured_questions: Path, tmp_path: Path
) -> None:
    asked = loaded(pictured_questions)
    first = replace(asked.items[0].question, images=(str(tmp_path / "gone.png"),))
    items = (replace(asked.items[0], question=first), *asked.items[1:])
    choices = choose(told_by(small_index, Told()), replace(asked, items=items), ks=[1])
    report = report_on(choices, scored(choices, tmp_path / "r"))
    assert report.settings[0].measures["kept"].n == len(ASKED) - 1
    assert report.settings[0].measures["accuracy"].n == len(ASKED) - 1
    assert "1 items could not be asked and count nowhere" in report.problems[0]
    assert len(list(open_run(tmp_path / "r").answers())) == len(ASKED) - 1
