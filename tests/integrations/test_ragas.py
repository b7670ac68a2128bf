"""Runs scored by ragas: without a model, with a server that fails, and with a real one."""

import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from medrag.errors import EvaluationError, MissingExtraError, RecipeError
from medrag.evaluation.runs import Run
from medrag.integrations.ragas import (
    DO_NOT_TRACK,
    JUDGED,
    WORDS,
    ragas_dataset,
    ragas_scores,
)
from medrag.records import Answer, AnswerKind, Hit, Item, Passage, Question, Selection, Source
from tests.evaluation.library import written_run
from tests.servers import Answer as Response
from tests.servers import Request, Serve

pytest.importorskip("ragas")
# ragas leaves a file of its own open.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*uuid.json:ResourceWarning")

KEY = "sk-a-secret-of-the-tests"
TEXTS = [
    ("The left lung shows a small effusion [1].", "There is a small effusion in the left lung."),
    ("No fracture is seen [1].", "No fracture is seen."),
    ("yes", "no"),
    ("A mass of the right kidney [1] is likely.", "A mass is seen in the right kidney."),
]
SUPPORTED = '{"statements": [{"statement": "s", "reason": "r", "verdict": 1}]}'
STATEMENTS = '{"statements": ["s"]}'


def run_of(folder: Path, answers: list[Answer], items: list[Item], arm: str = "context") -> Run:
    own = [replace(a, question=i.question) for a, i in zip(answers, items, strict=True)]
    return written_run(Path(mkdtemp(dir=folder)) / "run", items, {arm: own})


def item(name: str, reference: str = "It is clear.") -> Item:
    return Item(name, Question("What is seen?"), (reference,), gold_passages=("p1",))


def answer(text: str, **options: Any) -> Answer:
    passage = Passage("p1", "text", "A small effusion is seen.", Source("c", "d", "0" * 64))
    return Answer(
        Question("What is seen?"), text, selection=Selection((Hit(passage, 1.0, 1),)), **options
    )


def run_of_texts(folder: Path, texts: list[tuple[str, str]] = TEXTS) -> Run:
    names = [str(number) for number in range(len(texts))]
    items = [item(name, reference) for name, (_, reference) in zip(names, texts, strict=True)]
    return run_of(folder, [answer(text) for text, _ in texts], items)


def reply(content: str) -> Response:
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": content},
    }
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    value = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
    return 200, {}, {**value, "choices": [choice], "usage": usage}


def judging(request: Request) -> Response:
    """Answer both questions of faithfulness: what it says, and whether that is so."""
    asked = request.body["messages"][-1]["content"]
    return reply(
        SUPPORTED
        if "natural language inference" in asked.lower() or "verdict" in asked
        else STATEMENTS
    )


def test_a_data_set_holds_what_was_asked_read_and_answered(tmp_path: Path) -> None:
    [first, *_] = ragas_dataset(run_of_texts(tmp_path)).to_list()
    assert first == {
        "user_input": "What is seen?",
        "response": "The left lung shows a small effusion.",
        "reference": "There is a small effusion in the left lung.",
        "retrieved_contexts": ["A small effusion is seen."],
        "retrieved_context_ids": ["p1"],
        "reference_context_ids": ["p1"],
    }
    assert len(ragas_dataset(run_of_texts(tmp_path), limit=2)) == 2


def test_what_needs_no_model_agrees_with_our_own_measures(tmp_path: Path) -> None:
    measures = pytest.importorskip("medrag.evaluation.text_measures")
    for library in ("rouge_score", "sacrebleu", "rapidfuzz"):
        pytest.importorskip(library)
    found = ragas_scores(run_of_texts(tmp_path))
    responses = [text.replace(" [1]", "") for text, _ in TEXTS]
    references = [reference for _, reference in TEXTS]
    pairs = list(zip(responses, references, strict=True))
    exact = [float(response == reference) for response, reference in pairs]
    np.testing.assert_array_equal(found.values["ExactMatch"], exact)
    assert exact == [0, 1, 0, 0]
    # No word of these texts meets another form of itself, so stems change nothing.
    rouge = [[measures.tokens(text, "rouge") for text in side] for side in (responses, references)]
    wanted = measures.rouge_l(rouge[0], [[each] for each in rouge[1]])
    np.testing.assert_allclose(found.values["RougeScore"], wanted, rtol=1e-9)
    # ragas divides texts at ". " and compares sentence by sentence; these are one sentence each.
    bleu = [[measures.tokens(text, "13a") for text in side] for side in (responses, references)]
    statistic = measures.sacrebleu(measures.counted(bleu[0], [[each] for each in bleu[1]]))
    np.testing.assert_allclose(
        found.values["BleuScore"], statistic.value(statistic.sums), rtol=1e-9, atol=1e-12
    )
    assert set(found.n_nan.values()) == {0}


def test_rouge_is_that_of_the_library_with_stems(tmp_path: Path) -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rougeL"], use_stemmer=True
    )
    found = ragas_scores(run_of_texts(tmp_path), ["RougeScore"]).values["RougeScore"]
    wanted = [scorer.score(r, text.replace(" [1]", ""))["rougeL"].fmeasure for text, r in TEXTS]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_answers_that_failed_are_no_number_and_say_why(tmp_path: Path) -> None:
    items = [item("1"), Item("2", Question("?")), item("3")]
    answers = [answer("", error="out of memory"), answer("yes"), answer("It is clear.")]
    found = ragas_scores(run_of(tmp_path, answers, items), ["ExactMatch"])
    assert found.items == ("1", "2", "3")
    np.testing.assert_array_equal(found.values["ExactMatch"], [math.nan, math.nan, 1.0])
    assert found.n_nan == {"ExactMatch": 2}
    assert found.reasons["ExactMatch"] == {
        "no answer: out of memory": 1,
        "the item has no reference": 1,
    }


def closed_item(kind: AnswerKind, right: tuple[str, ...], *options: str) -> Item:
    return Item(f"{kind} {right}", Question("Is it so?", options=options), right, kind=kind)


@pytest.mark.parametrize(
    ("asked", "said", "score"),
    [
        (closed_item("yes_no", ("No",)), "No.", 1.0),
        (closed_item("yes_no", ("no",)), "No, the lung is clear [1].", 1.0),
        (closed_item("yes_no", ("no",)), "Yes.", 0.0),
        (closed_item("choice", ("the heart",), "the lung", "the heart"), "B", 1.0),
        (closed_item("choice", ("the heart",), "the lung", "the heart"), "(A) the lung", 0.0),
        (closed_item("choice", ("the heart",), "the lung", "the heart"), "who knows", 0.0),
        (closed_item("choices", ("b", "a"), "a", "b", "c"), "A, B", 1.0),
        (closed_item("text", ("No",)), "No.", 0.0),
    ],
)
def test_words_of_a_closed_answer_are_those_that_were_chosen(
    tmp_path: Path, asked: Item, said: str, score: float
) -> None:
    found = ragas_scores(run_of(tmp_path, [answer(said)], [asked]), ["ExactMatch"])
    np.testing.assert_array_equal(found.values["ExactMatch"], [score])


def test_an_answer_that_abstains_is_not_scored_by_its_words(tmp_path: Path) -> None:
    asked = [item("1"), closed_item("yes_no", ("no",)), item("3")]
    said = [answer("", abstained=True), answer("I cannot answer this."), answer("It is clear.")]
    run = run_of(tmp_path, said, asked)
    found = ragas_scores(run, ["ExactMatch", "QuotedSpansAlignment"])
    np.testing.assert_array_equal(found.values["ExactMatch"], [math.nan, math.nan, 1.0])
    assert found.reasons["ExactMatch"] == {"the answer abstains": 2}
    # Other metrics get what was written, as does the data set.
    assert found.n_nan["QuotedSpansAlignment"] == 1
    assert found.unscored == ()
    assert ragas_dataset(run).to_list()[1]["response"] == "I cannot answer this."


def test_a_top_score_for_answers_without_quotes_is_not_given_unasked() -> None:
    assert "QuotedSpansAlignment" not in WORDS


def test_a_busy_server_is_asked_again(serve: Serve, tmp_path: Path) -> None:
    def response(request: Request, number: int) -> Response:
        if number < 2:
            return (429, 500)[number], {"Retry-After": "0.01"}, {"error": {"message": "busy"}}
        return judging(request)

    server = serve(response)
    found = ragas_scores(
        run_of_texts(tmp_path, TEXTS[:1]),
        ["Faithfulness"],
        url=server.url,
        model="m",
        concurrency=1,
    )
    np.testing.assert_array_equal(found.values["Faithfulness"], [1.0])
    # Two tries that failed, then what is stated, then whether it is so.
    assert len(server.requests) == 4
    assert {each.path for each in server.requests} == {"/v1/chat/completions"}
    assert not any("authorization" in map(str.lower, each.headers) for each in server.requests)


def test_replies_that_are_broken_are_counted_with_their_reason(
    serve: Serve, tmp_path: Path
) -> None:
    def response(request: Request, number: int) -> Response:
        return reply("no { JSON at all") if "fracture" in str(request.body) else judging(request)

    found = ragas_scores(
        run_of_texts(tmp_path, TEXTS[:2]), ["Faithfulness"], url=serve(response).url, model="m"
    )
    np.testing.assert_array_equal(found.values["Faithfulness"], [1.0, math.nan])
    assert found.n_nan == {"Faithfulness": 1}
    [reason] = found.reasons["Faithfulness"]
    assert "Invalid JSON" in reason


def test_a_server_that_hangs_costs_its_time_and_no_more(serve: Serve, tmp_path: Path) -> None:
    def response(request: Request, number: int) -> Response:
        time.sleep(0.5)
        return judging(request)

    found = ragas_scores(
        run_of_texts(tmp_path, TEXTS[:1]), ["Faithfulness"],
        url=serve(response).url, model="m", tries=1, timeout=0.1,
    )  # fmt: skip
    assert found.n_nan == {"Faithfulness": 1}
    [reason] = found.reasons["Faithfulness"]
    assert "timed out" in reason.lower()


def test_a_server_that_is_gone_is_given_up(
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    server = serve(lambda *_: (400, {}, {"error": {"message": f"no, {KEY}"}}))
    found = ragas_scores(
        run_of_texts(tmp_path, TEXTS * 10),
        ["Faithfulness"],
        url=server.url,
        model="m",
        key_variable="TEST_KEY",
        concurrency=1,
    )
    assert found.n_nan == {"Faithfulness": 40}
    assert found.reasons["Faithfulness"]["not asked: 20 before it had failed in a row"] == 20
    assert len(server.requests) == 20
    assert found.unscored == ("Faithfulness",)
    assert "Faithfulness scored no answer, 20 of 40: " in caplog.text
    assert KEY not in caplog.text


def test_the_key_is_sent_and_never_told(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    server = serve(lambda *_: (401, {}, {"error": {"message": f"Incorrect key {KEY}"}}))
    run = run_of_texts(tmp_path, TEXTS[:1])
    found = ragas_scores(run, ["Faithfulness"], url=server.url, model="m", key_variable="TEST_KEY")
    sent = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert sent["authorization"] == f"Bearer {KEY}"
    [reason] = found.reasons["Faithfulness"]
    assert "[key]" in reason
    assert KEY not in reason
    ragas_scores(run, ["Faithfulness"], url=server.url, model="m")
    assert "authorization" not in map(str.lower, server.requests[-1].headers)


@pytest.mark.parametrize("metric", JUDGED)
def test_every_judged_metric_can_be_asked_for(serve: Serve, tmp_path: Path, metric: str) -> None:
    server = serve(lambda *_: (400, {}, {"error": {"message": "no"}}))
    run = run_of_texts(tmp_path, TEXTS[:1])
    found = ragas_scores(run, [metric], url=server.url, model="m", tries=1)
    assert found.n_nan == {metric: 1}
    assert server.requests


def test_embeddings_come_from_the_same_server(serve: Serve, tmp_path: Path) -> None:
    def response(request: Request, number: int) -> Response:
        inputs = request.body["input"]
        n = 1 if isinstance(inputs, str) else len(inputs)
        rows = [{"object": "embedding", "index": i, "embedding": [0.6, 0.8]} for i in range(n)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return 200, {}, {"object": "list", "model": "e", "data": rows, "usage": usage}

    server = serve(response)
    found = ragas_scores(
        run_of_texts(tmp_path, TEXTS[:1]),
        ["SemanticSimilarity"],
        url=server.url,
        embedding_model="e",
    )
    # Equal vectors: their cosine is 1.
    np.testing.assert_allclose(found.values["SemanticSimilarity"], [1.0])
    assert {each.path for each in server.requests} == {"/v1/embeddings"}


def test_mistakes_are_told_before_anything_is_sent(tmp_path: Path) -> None:
    run = run_of_texts(tmp_path)
    with pytest.raises(ValueError, match="unknown metric 'Truth'"):
        ragas_scores(run, ["Truth"])
    needed = r"Faithfulness needs a chat model: give url and model \(--judge-url and --judge-model"
    with pytest.raises(ValueError, match=needed):
        ragas_scores(run, ["Faithfulness"])
    with pytest.raises(ValueError, match="SemanticSimilarity needs an embedding model"):
        ragas_scores(run, ["SemanticSimilarity"], url="http://localhost", model="m")
    with pytest.raises(ValueError, match="at least 1"):
        ragas_scores(run, concurrency=0)
    with pytest.raises(RecipeError, match="not encrypted"):
        ragas_scores(run, ["Faithfulness"], url="http://example.org", model="m")
    with pytest.raises(RecipeError, match="no address"):
        ragas_scores(run, ["Faithfulness"], url="http://127.0.0.1:99999", model="m")
    with pytest.raises(RecipeError, match="NO_SUCH_KEY is empty"):
        ragas_scores(
            run, ["Faithfulness"], url="https://example.org", model="m", key_variable="NO_SUCH_KEY"
        )
    with pytest.raises(EvaluationError, match="no answer of the arm 'text_only'; it has context"):
        ragas_scores(run, arm="text_only")


def test_a_library_that_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    with pytest.raises(MissingExtraError, match=r"rapidfuzz cannot be imported.*medrag\[eval\]"):
        ragas_scores(run_of_texts(tmp_path), ["NonLLMStringSimilarity"])


def test_ragas_is_told_not_to_report_before_it_is_imported() -> None:
    code = f"""
import os, sys
from medrag.integrations import ragas
assert "ragas" not in sys.modules and "{DO_NOT_TRACK}" not in os.environ
ragas._ragas("ragas")
from ragas._analytics import do_not_track
assert do_not_track()
"""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_real_server_with_a_random_model_gives_no_numbers_but_reasons(tmp_path: Path) -> None:
    for library in ("fastapi", "uvicorn"):
        pytest.importorskip(library)
    from tests.integrations.tiny_chat import save_tiny_chat, served

    model = tmp_path / "model"
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    save_tiny_chat(model)
    run = run_of_texts(run_folder, TEXTS[:2])
    with served(model) as url:
        found = ragas_scores(
            run, ["ExactMatch", "Faithfulness"], url=url, model=str(model), concurrency=2
        )
    # A random model writes no JSON: the words are scored, and the judged values are told apart.
    np.testing.assert_array_equal(found.values["ExactMatch"], [0.0, 1.0])
    assert found.n_nan == {"ExactMatch": 0, "Faithfulness": 2}
    assert sum(found.reasons["Faithfulness"].values()) == 2
    assert "" not in found.reasons["Faithfulness"]
