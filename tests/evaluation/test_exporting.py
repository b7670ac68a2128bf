import json
from pathlib import Path

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.exporting import export_contexts
from medrag.evaluation.runs import Run
from medrag.records import Answer, Hit, ImageRef, Item, Passage, Question, Selection, Source
from medrag.retrieval.found import asked_key, read_contexts
from tests.evaluation.library import written_run

SOURCE = Source("c", "d", "0" * 64)
FACT = {"head": "opacity", "relation": "suggestive_of", "tail": "edema"}
HITS = (
    Hit(Passage("a", "report", "A large effusion.", SOURCE), 2.0, 1),
    Hit(Passage("b", "fact", "Opacity suggests edema.", SOURCE, fields=FACT), 1.0, 2),
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    question = Question("Is it?", images=(ImageRef("/home/someone/images/x1.png", "0" * 64),))
    items = [
        Item("1", question, ("yes",)),
        Item("2", Question("Or this?"), ("no",)),
    ]
    answers = [
        Answer(question, "Yes", selection=Selection(HITS)),
        Answer(items[1].question, "No", selection=Selection(())),
    ]
    bare = [Answer(item.question, "No", selection=Selection(())) for item in items]
    return written_run(tmp_path / "run", items, {"context": answers, "no_context": bare})


def test_contexts_are_written_as_mmed_rag_reads_them(run: Run, tmp_path: Path) -> None:
    assert export_contexts(run, tmp_path / "out.jsonl", form="mmed_rag") == 2
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert first == {
        "question_id": "1",
        "image": "x1.png",
        "question": "Is it?",
        "answer": "yes",
        "reference_reports": ["A large effusion.", "Opacity suggests edema."],
        "retrieve_k": 2,
    }
    assert second["reference_reports"] == []


def test_the_readers_of_rule_find_the_key_that_they_look_for(run: Run, tmp_path: Path) -> None:
    export_contexts(run, tmp_path / "out.jsonl", form="rule")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert "reference_report" in first
    assert "reference_reports" not in first


def test_triplets_are_written_by_picture(run: Run, tmp_path: Path) -> None:
    export_contexts(run, tmp_path / "out.json", form="kg_llava")
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["x1"] == ["(opacity, suggestive_of, edema)"]


@pytest.mark.parametrize("form", ["mmed_rag", "rule"])
def test_what_is_written_is_read_again(run: Run, tmp_path: Path, form: str) -> None:
    export_contexts(run, tmp_path / "out.jsonl", form=form)  # type: ignore[arg-type]
    found = read_contexts(tmp_path / "out.jsonl")
    texts = ["A large effusion.", "Opacity suggests edema."]
    assert (found["1"], found["2"]) == (texts, [])
    assert found[asked_key("Is it?", "x1.png")] == texts


def test_a_run_without_any_context_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="not one of 2 answers"):
        export_contexts(run, tmp_path / "out.jsonl", form="rule", arm="no_context")
    assert not (tmp_path / "out.jsonl").exists()


def test_an_arm_that_was_not_run_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no arm 'blank_image'"):
        export_contexts(run, tmp_path / "out.jsonl", form="rule", arm="blank_image")


def test_a_run_without_facts_has_no_triplets(tmp_path: Path) -> None:
    item = Item("1", Question("Is it?"), ("yes",))
    answer = Answer(item.question, "Yes", selection=Selection(HITS[:1]))
    run = written_run(tmp_path / "run", [item], {"context": [answer]})
    with pytest.raises(EvaluationError, match=r"not one context .* is a fact"):
        export_contexts(run, tmp_path / "out.json", form="kg_llava")
