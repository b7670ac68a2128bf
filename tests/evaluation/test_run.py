"""Running a benchmark: what is written, and what a kill, a repetition or a mistake does to it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from medrag.config import Index
from medrag.errors import EvaluationError, IndexLockedError, MedragError
from medrag.evaluation.benchmarks import Benchmark
from medrag.evaluation.floors import FLOORS
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import Answered, open_run
from medrag.evaluation.runs.candidates import read_candidates, write_candidates
from medrag.evaluation.runs.writing import anonymous
from medrag.identity import load_key, pseudonym
from medrag.indexing.lock import writing
from medrag.pipeline import Pipeline
from medrag.records import Answer, Generation, Item, Prompt, Question, Selection
from tests.evaluation.library import loaded, pipeline_on

ROOT = Path(__file__).resolve().parents[2]


class Counting:
    """An answerer that counts what it is asked, and may stop at some point."""

    def __init__(self, inner: object, *, stop_after: int | None = None) -> None:
        self.inner = inner
        self.stop_after = stop_after
        self.asked: list[str] = []

    def answer(
        self, questions: Sequence[Question], selections: Sequence[Selection]
    ) -> list[Answer]:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += [question.id for question in questions]
        return self.inner.answer(questions, selections)  # type: ignore[attr-defined,no-any-return]


def counted(index: Index, **options: int) -> tuple[Pipeline, Counting]:
    pipeline = pipeline_on(index)
    counting = Counting(pipeline.answerer, **options)
    pipeline.answerer = counting  # type: ignore[assignment]
    return pipeline, counting


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def benchmark(small_questions: Path) -> Benchmark:
    return loaded(small_questions)


def test_a_run_holds_an_answer_for_every_item_and_arm(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    arms = ("no_context", "context", "random_context", "oracle_context")
    run = run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run", arms=arms)
    found = {(answered.item, answered.arm) for answered in run.answers()}
    assert found == {(item.id, arm) for item in benchmark.items for arm in arms}
    assert run.arms == ("context", "no_context", "random_context", "oracle_context")
    assert list(run.items.values()) == list(benchmark.items)


def test_a_run_keeps_the_prompt_the_evidence_and_the_time_of_each_answer(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run = run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    answer = next(one.answer for one in run.answers(prompts=True) if one.item == "joint")
    assert answer.text.startswith("B. Gout [")
    assert answer.citations[0].passage.fields["doc_id"] == "joint"
    assert any("crystals of urate" in part for part in answer.prompt if isinstance(part, str))
    assert {"retrieve", "generate"} <= set(answer.timings)


def test_a_run_again_asks_nothing_again(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    before = (tmp_path / "run" / "answers.jsonl").read_bytes()
    pipeline, counting = counted(small_index)
    # The same pipeline but for who counts: the manifest's model is the name of the answerer.
    pipeline.answerer.generator = counting.inner.generator  # type: ignore[attr-defined]
    run_benchmark(pipeline, benchmark, tmp_path / "run")
    assert counting.asked == []
    assert (tmp_path / "run" / "answers.jsonl").read_bytes() == before


def test_an_interrupted_run_goes_on_without_answering_twice(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    first, counting = counted(small_index, stop_after=4)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(first, benchmark, tmp_path / "run", batch=2)
    second, again = counted(small_index)
    run = run_benchmark(second, benchmark, tmp_path / "run", batch=2)
    assert counting.asked + again.asked == [item.question.id for item in benchmark.items]
    assert len(list(run.answers())) == len(benchmark.items)


@pytest.mark.parametrize("kept", [1, 40, 200])
def test_a_line_that_was_cut_short_is_answered_anew(
    small_index: Index, benchmark: Benchmark, tmp_path: Path, kept: int
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    path = tmp_path / "run" / "answers.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + whole[-1][:kept])
    assert len(list(open_run(tmp_path / "run").answers())) == len(benchmark.items) - 1
    run = run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    assert len(list(run.answers())) == len(benchmark.items)


def test_an_arm_is_added_to_a_run_that_is_there(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    run = run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run", arms=["no_context"])
    assert run.arms == ("context", "no_context")
    assert len(list(run.answers())) == 2 * len(benchmark.items)


def test_a_run_of_another_pipeline_is_not_mixed_in(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    other = pipeline_on(small_index)
    other.k = 3
    with pytest.raises(EvaluationError, match=r"another k: 20 there, 3 here; .* another folder"):
        run_benchmark(other, benchmark, tmp_path / "run")


def test_a_run_of_other_items_is_not_mixed_in(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    fewer = replace(benchmark, items=benchmark.items[:3])
    with pytest.raises(EvaluationError, match=r"another n_items: 6 there, 3 here"):
        run_benchmark(pipeline_on(small_index), fewer, tmp_path / "run")


def test_two_writers_of_one_run_are_refused(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    with writing(tmp_path / "run"), pytest.raises(IndexLockedError):
        run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")


def test_retrieval_that_brings_nothing_is_an_error(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    class Nothing:
        def retrieve(self, questions: Sequence[Question], k: int, filters: object) -> list[object]:
            return [[] for _ in questions]

    pipeline = pipeline_on(small_index)
    pipeline.retriever = Nothing()  # type: ignore[assignment]
    with pytest.raises(EvaluationError, match=r"none of the 6 items .* got any context"):
        run_benchmark(pipeline, benchmark, tmp_path / "run")


def test_an_item_whose_picture_is_damaged_fails_alone(
    small_index: Index, pictured_questions: Path, tmp_path: Path
) -> None:
    benchmark = loaded(pictured_questions)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    broken = replace(benchmark.items[1].question, images=(str(damaged),))
    items = (benchmark.items[0], replace(benchmark.items[1], question=broken))
    run = run_benchmark(pipeline_on(small_index), replace(benchmark, items=items), tmp_path / "run")
    answers = {answered.item: answered.answer for answered in run.answers()}
    assert answers["lung"].text
    assert answers["lung"].error is None
    assert "damaged.png" in str(answers["heart"].error)


def test_floors_are_written_as_arms(
    small_index: Index, benchmark: Benchmark, small_questions: Path, tmp_path: Path
) -> None:
    run = run_benchmark(
        pipeline_on(small_index),
        benchmark,
        tmp_path / "run",
        floors=FLOORS,
        training=loaded(small_questions, "train").items,
    )
    # The training questions are the same, so that their answers are known by heart.
    texts = {a.item: a.answer.text for a in run.answers() if a.arm == "floor:question"}
    assert "Gout" in texts["joint"]
    assert set(run.arms) == {"context", *(f"floor:{name}" for name in FLOORS)}


def test_a_floor_that_learns_is_left_out_without_training(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run = run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run", floors=["question"])
    assert "floor:question" not in run.arms
    assert run.manifest["notes"]["floor:question"].startswith("left out")


def test_patients_are_pseudonyms_in_what_is_written() -> None:
    item = Item("a", Question("?", subject="patient-7", study="s-1"), cluster="patient-7")
    hidden = anonymous(item)
    assert hidden.question.subject == pseudonym("patient-7", load_key())
    assert hidden.cluster == hidden.question.subject
    assert "patient-7" not in repr(hidden)


def test_a_folder_that_is_no_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"is no run: .* medrag eval run"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("manifest.json", "{", r"manifest\.json cannot be read"),
        ("manifest.json", '{"format": 99}', "format 99"),
        ("items.jsonl", '{"id": 1}\n', r"items\.jsonl, line 1: no item"),
        ("answers.jsonl", '{"item": "joint"}\n', r"answers\.jsonl, line 1: no answer of a run"),
        ("answers.jsonl", "[]\n", r"answers\.jsonl, line 1: no answer of a run"),
    ],
)
def test_damaged_files_of_a_run_are_named(
    small_index: Index, benchmark: Benchmark, tmp_path: Path, file: str, content: str, told: str
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    (tmp_path / "run" / file).write_text(content)
    with pytest.raises(EvaluationError, match=told):
        list(open_run(tmp_path / "run").answers())


def test_answers_for_other_questions_are_named(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    path = tmp_path / "run" / "answers.jsonl"
    strange = json.loads(lines(path)[0]) | {"item": "spleen"}
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(strange) + "\n")
    with pytest.raises(EvaluationError, match=r"line 7: answers item 'spleen', which"):
        list(open_run(tmp_path / "run").answers())


def test_an_item_answered_twice_is_named(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    path = tmp_path / "run" / "answers.jsonl"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(lines(path)[0] + "\n")
    with pytest.raises(EvaluationError, match="answered a second time"):
        list(open_run(tmp_path / "run").answers())


def test_every_answer_names_passages_that_are_there(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    run = run_benchmark(pipeline_on(small_index), benchmark, tmp_path / "run")
    there = {json.loads(line)["id"] for line in lines(tmp_path / "run" / "passages.jsonl")}
    answers: list[Answered] = list(run.answers())
    named = {hit.passage.id for each in answers for hit in each.answer.selection.kept}
    assert named == there


def test_another_key_of_pseudonyms_stops_the_run_before_the_first_answer(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    def refuse(key: bytes) -> None:
        raise MedragError("built with another key")

    pipeline = pipeline_on(small_index)
    pipeline.check_key = refuse
    named = replace(benchmark.items[0].question, subject="patient-7")
    items = (replace(benchmark.items[0], question=named),)
    with pytest.raises(MedragError, match="another key"):
        run_benchmark(pipeline, replace(benchmark, items=items), tmp_path / "run")
    assert not (tmp_path / "run" / "answers.jsonl").exists()


SLOW_RUN = """
import sys, time
from pathlib import Path
from tests.evaluation.library import loaded, pipeline_on
from medrag.config import open_index
from medrag.evaluation.run import run_benchmark
pipeline = pipeline_on(open_index(sys.argv[1]))
answer = pipeline.answerer.answer
def slowly(*args):
    time.sleep(0.2)
    return answer(*args)
pipeline.answerer.answer = slowly
run_benchmark(pipeline, loaded(Path(sys.argv[2])), Path(sys.argv[3]), batch=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX systems")
def test_a_killed_run_goes_on_where_it_stopped(
    small_index: Index, small_questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-c", SLOW_RUN, small_index.folder, small_questions, out]
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT)
    answers = out / "answers.jsonl"
    while process.poll() is None and not (answers.is_file() and answers.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = lines(answers)
    assert 0 < len(before) < 6
    benchmark = loaded(small_questions)
    run = run_benchmark(pipeline_on(small_index), benchmark, out, batch=1)
    assert lines(answers)[: len(before) - 1] == before[:-1]
    assert [answered.item for answered in run.answers()] == [item.id for item in benchmark.items]


def test_what_failed_is_tried_anew_and_nothing_else(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    class Failing:
        """A generator that fails on one question as long as it is told to."""

        name = "failing"

        def __init__(self, inner: object) -> None:
            self.inner = inner
            self.is_down = True
            self.asked: list[str] = []

        def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
            self.asked += [prompt.question.id for prompt in prompts]
            if self.is_down and any(prompt.question.id == "joint" for prompt in prompts):
                raise RuntimeError("the server is down")
            return self.inner.generate(prompts)  # type: ignore[attr-defined,no-any-return]

    pipeline = pipeline_on(small_index)
    failing = Failing(pipeline.answerer.generator)  # type: ignore[attr-defined]
    pipeline.answerer.generator = failing  # type: ignore[attr-defined]
    first = run_benchmark(pipeline, benchmark, tmp_path / "run")
    assert [a.item for a in first.answers() if a.answer.error] == ["joint"]
    failing.is_down, failing.asked = False, []
    again = run_benchmark(pipeline, benchmark, tmp_path / "run")
    assert failing.asked == ["joint"]
    assert not any(a.answer.error for a in again.answers())
    assert len(list(again.answers())) == len(benchmark.items)


def test_a_run_is_read_while_it_is_written(
    small_index: Index, benchmark: Benchmark, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    run_benchmark(pipeline_on(small_index), replace(benchmark), out)
    reading = open_run(out).answers()
    first = next(reading)
    # Another arm brings passages and answers that were not there when reading began.
    run_benchmark(pipeline_on(small_index), benchmark, out, arms=["random_context"])
    assert {first.arm, *(each.arm for each in reading)} == {"context"}


def test_the_open_answers_of_training_are_kept_for_protocols(tmp_path: Path) -> None:
    items = [
        Item("a", Question("?"), ("left lung",)),
        Item("b", Question("?"), ("yes",), "yes_no", True),
        Item("c", Question("?"), ("left lung", "lung")),
    ]
    write_candidates(tmp_path, items)
    assert read_candidates(tmp_path) == ["left lung", "lung"]
    (tmp_path / "candidates.json").write_text("{}")
    with pytest.raises(EvaluationError, match="expected a list of answers"):
        read_candidates(tmp_path)
    (tmp_path / "candidates.json").unlink()
    assert read_candidates(tmp_path) is None
