"""Runs on a server that end in the middle: by Ctrl-C, by the system, or for want of money."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medrag.config import Index, load_pipeline
from medrag.errors import BudgetSpentError, EvaluationError
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import open_run
from tests.evaluation.library import ASKED, loaded
from tests.servers import Answer, Request, Serve, Server, serving

N = len(ASKED)


@pytest.fixture
def serve() -> Iterator[Serve]:
    yield from serving()


def said(request: Request) -> str:
    return str(request.body["messages"][-1]["content"])


def about(request: Request) -> str:
    """The item that a request asks about."""
    return next(name for name, (text, _) in ASKED.items() if text in said(request))


def reply(request: Request, *, tokens: int = 10) -> Answer:
    """Answer with what depends on the question alone."""
    message = {"role": "assistant", "content": f"It is the {about(request)} [1]."}
    usage = {"prompt_tokens": tokens - 5, "completion_tokens": 5}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return 200, {}, {"choices": [choice], "usage": usage}


def recipe(folder: Path, server: Server, **options: object) -> Path:
    """A pipeline that asks a server."""
    path = folder / "asking.yaml"
    generator = {
        "kind": "remote", "url": server.url, "model": "m", "log_probabilities": False,
        "wait": 0.01, "tries": 2, "max_tokens": 20, **options,
    }  # fmt: skip
    spec = {"select": {"kind": "top_k", "k": 2}}
    spec["answer"] = {"kind": "one_pass", "generator": generator}
    path.write_text(json.dumps(spec), encoding="utf-8")
    return path


def texts(out: Path) -> dict[str, str]:
    return {each.item: each.answer.text for each in open_run(out).answers()}


def command(pipeline: Path, questions: Path, index: Index, out: Path, batch: int) -> list[str]:
    run = "from medrag.cli.main import main; main()"
    parts = [sys.executable, "-c", run, "eval", "run", pipeline, "qa", "--data", questions]
    parts += ["--index", index.folder, "--out", out, "--batch", batch, "--no-floors"]
    return [str(part) for part in parts]


def begun(asked: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        asked,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"},
        start_new_session=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are sent to a process")
@pytest.mark.parametrize(
    ("number", "status", "told"),
    [(signal.SIGINT, 130, "interrupted;"), (signal.SIGTERM, 143, "ended;")],
    ids=["Ctrl-C", "the system"],
)
def test_a_run_that_is_interrupted_goes_on_to_the_same_answers(
    serve: Serve,
    small_index: Index,
    small_questions: Path,
    tmp_path: Path,
    number: signal.Signals,
    status: int,
    told: str,
) -> None:
    held = threading.Event()

    def answer(request: Request, place: int) -> Answer:
        # The fourth answer does not come before the run is interrupted, nor soon after.
        if place == 3:
            held.wait(60)
        return reply(request)

    server = serve(answer)
    pipeline, out = recipe(tmp_path, server, timeout=120), tmp_path / "run"
    # The key of pseudonyms and the like are in the environment of the tests already.
    process = begun(command(pipeline, small_questions, small_index, out, batch=2), {})
    wait_for(lambda: len(server.requests) >= 4 or process.poll() is not None)
    answers = out / "answers.jsonl"
    wait_for(lambda: answers.is_file() and answers.read_bytes().count(b"\n") >= 2)
    interrupted = time.monotonic()
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=30)
    # It does not wait for the answer that is under way.
    assert time.monotonic() - interrupted < 15
    held.set()
    assert process.returncode == status, said
    assert said.strip().splitlines()[-1].startswith(told)
    assert "the same command goes on from there" in said
    written = texts(out)
    assert len(written) == 2
    n = len(server.requests)
    again = begun(command(pipeline, small_questions, small_index, out, batch=2), {})
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert not {about(each) for each in server.requests[n:]} & set(written)
    assert len(server.requests) == n + N - len(written)
    whole = run_benchmark(
        load_pipeline(pipeline, index=small_index), loaded(small_questions), tmp_path / "whole"
    )
    assert texts(out) == {each.item: each.answer.text for each in whole.answers()}
    assert set(texts(out).values()) == {f"It is the {name} [1]." for name in ASKED}


def test_a_spent_budget_leaves_what_was_paid_for_and_says_how_many_are_left(
    serve: Serve, small_index: Index, small_questions: Path, tmp_path: Path
) -> None:
    server = serve(lambda request, _: reply(request, tokens=600))
    pipeline = recipe(tmp_path, server, most_tokens=2000, concurrency=1)
    out, questions = tmp_path / "run", loaded(small_questions)
    # Each takes 600 of 2,000 tokens: one batch of all is cut short after the third.
    with pytest.raises(BudgetSpentError, match=rf"most_tokens.*; 3 of {N} answers are left: .*"):
        run_benchmark(load_pipeline(pipeline, index=small_index), questions, out)
    assert len(texts(out)) == len(server.requests) == 3
    # The same once more, with as much to spend.
    run_benchmark(load_pipeline(pipeline, index=small_index), questions, out)
    assert len(server.requests) == N
    assert sorted(map(about, server.requests)) == sorted(ASKED)


def test_the_command_says_that_the_budget_is_spent(
    serve: Serve, small_index: Index, small_questions: Path, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    from medrag.cli.main import app

    server = serve(lambda request, _: reply(request, tokens=600))
    pipeline = recipe(tmp_path, server, most_tokens=2000, concurrency=1)
    asked = command(pipeline, small_questions, small_index, tmp_path / "run", batch=32)[3:]
    result = CliRunner().invoke(app, asked, prog_name="medrag")
    assert result.exit_code == 1
    assert "3 of 6 answers are left" in " ".join(result.stderr.split())
    assert "the same command goes on" in " ".join(result.stderr.split())
    assert CliRunner().invoke(app, asked, prog_name="medrag").exit_code == 0
    assert len(server.requests) == N


def test_one_item_that_fails_costs_no_second_request_for_the_others(
    serve: Serve,
    small_index: Index,
    small_questions: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    is_down = True

    def answer(request: Request, _: int) -> Answer:
        if is_down and about(request) == "joint":
            return 400, {}, {"error": {"message": "the prompt is too long"}}
        return reply(request)

    server = serve(answer)
    pipeline, questions = recipe(tmp_path, server), loaded(small_questions)
    with caplog.at_level(logging.WARNING, "medrag"):
        run = run_benchmark(load_pipeline(pipeline, index=small_index), questions, tmp_path / "run")
    failed = [each for each in run.answers() if each.answer.error]
    assert [each.item for each in failed] == ["joint"]
    (told,) = (each for each in caplog.messages if f"1 of {N} answers failed" in each)
    assert "the prompt is too long" in told
    assert "the same command tries these anew" in told
    assert "the prompt is too long" in str(failed[0].answer.error)
    assert len(server.requests) == N
    is_down = False
    run_benchmark(load_pipeline(pipeline, index=small_index), questions, tmp_path / "run")
    assert [about(each) for each in server.requests[N:]] == ["joint"]


def test_a_run_ends_where_nothing_but_failures_comes(
    serve: Serve,
    small_index: Index,
    small_questions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from medrag.evaluation import run as module

    monkeypatch.setattr(module, "_FAILURES", 4)
    server = serve(lambda *_: (401, {}, {"error": {"message": "no such key"}}))
    with pytest.raises(EvaluationError, match=r"4 answers in a row failed, .* no such key; put .*"):
        run_benchmark(
            load_pipeline(recipe(tmp_path, server), index=small_index),
            loaded(small_questions),
            tmp_path / "run",
            batch=2,
        )
    assert len(server.requests) == 4


def test_a_run_goes_on_with_more_to_spend_on_another_machine(
    serve: Serve, small_index: Index, small_questions: Path, tmp_path: Path
) -> None:
    def run(server: Server, **options: object) -> None:
        pipeline = load_pipeline(recipe(tmp_path, server, **options), index=small_index)
        run_benchmark(pipeline, loaded(small_questions), tmp_path / "run")

    first, second = (serve(lambda request, _: reply(request, tokens=600)) for _ in range(2))
    with pytest.raises(BudgetSpentError):
        run(first, most_tokens=2000, concurrency=1)
    run(second, most_tokens=9000, concurrency=3, timeout=9)
    assert (len(first.requests), len(second.requests)) == (3, 3)
    # What replies depend on may not change.
    with pytest.raises(EvaluationError, match="another pipeline"):
        run(second, temperature=0.5)


def test_a_run_whose_every_answer_failed_ends_badly_and_says_why(
    serve: Serve, small_index: Index, small_questions: Path, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    from medrag.cli.main import app

    server = serve(lambda *_: (400, {}, {"error": {"message": "the prompt is too long"}}))
    pipeline = recipe(tmp_path, server)
    asked = command(pipeline, small_questions, small_index, tmp_path / "run", batch=32)[3:]
    result = CliRunner().invoke(app, asked, prog_name="medrag")
    assert result.exit_code == 1
    told = " ".join(result.stderr.split())
    assert f"failed ({N}), the first because:" in told
    assert "the prompt is too long" in told
    assert len(texts(tmp_path / "run")) == N
