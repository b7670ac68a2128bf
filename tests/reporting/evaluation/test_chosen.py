from collections.abc import Iterator
from dataclasses import replace

from medrag.evaluation.runs import Answered, Run
from medrag.evaluation.scores import Diagnostics, Flow, Scores
from medrag.reporting.evaluation.chosen import examples


class CountedRun(Run):
    """A run that counts how often its answers are read."""

    reads = 0

    def answers(self) -> Iterator[Answered]:
        type(self).reads += 1
        yield from super().answers()


def test_the_answers_are_read_once(run: Run, scores: Scores) -> None:
    counted = CountedRun(run.folder, run.manifest, run.items)
    examples(counted, scores, "context", n=5)
    assert CountedRun.reads == 1


def test_the_most_confident_wrong_answer_is_the_worst(run: Run, scores: Scores) -> None:
    worst = examples(run, scores, "context", n=5).worst
    wrong = [r for r in scores.rows if r.arm == "context" and r.right == 0 and r.confidence]
    assert worst[0].row.confidence == max(r.confidence or 0 for r in wrong)
    assert all(example.row.right == 0 for example in worst)


def test_among_equals_what_context_broke_comes_first(run: Run, scores: Scores) -> None:
    rows = tuple(replace(row, confidence=None, state="answered") for row in scores.rows)
    worst = examples(run, replace(scores, rows=rows), "context", n=20).worst
    changes = [example.change for example in worst]
    assert changes == sorted(changes, key=lambda change: change != "broken")
    assert "broken" in changes


def test_what_context_fixed_is_the_best(run: Run, scores: Scores) -> None:
    best = examples(run, scores, "context", n=30).best
    changes = [example.change for example in best]
    assert changes == sorted(changes, key=lambda change: change != "fixed")
    assert all(example.row.right == 1 for example in best)


def test_what_does_not_count_is_not_shown(run: Run, scores: Scores) -> None:
    rows = tuple(replace(row, right=float("nan")) for row in scores.rows)
    found = examples(run, replace(scores, rows=rows), "context", n=20)
    assert found.worst == found.best == ()


def test_a_flow_between_other_arms_changes_nothing(run: Run, scores: Scores) -> None:
    everything = tuple(run.items)
    other = Diagnostics((Flow("context", "oracle_context", everything, (), (), ()),))
    best = examples(run, replace(scores, diagnostics=other), "context", n=5).best
    assert {example.change for example in best} == {""}


def test_an_example_brings_its_answer_and_the_other_arms(run: Run, scores: Scores) -> None:
    example = examples(run, scores, "context", n=1).best[0]
    assert example.answer is not None
    assert example.answer.question.id == example.row.item
    assert [row.arm for row in example.others] == [
        arm.arm for arm in scores.arms if arm.arm != "context"
    ]
