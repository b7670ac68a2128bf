"""Run folders that were damaged, mixed up or planted: each is refused, and the place is named."""

import errno
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from medrag.codec import to_json
from medrag.errors import EvaluationError
from medrag.evaluation.runs import Run, open_run
from medrag.evaluation.runs import writing as run_writing
from medrag.evaluation.runs.identifiers import without_identifiers
from medrag.evaluation.runs.manifest import begin, finish
from medrag.evaluation.runs.writing import Writer, item_lines
from medrag.identity import load_key, pseudonym
from medrag.indexing import durable
from medrag.records import (
    Answer,
    Citation,
    Hit,
    ImageRef,
    Item,
    Passage,
    Question,
    Selection,
    Source,
)
from medrag.records import Part as ChannelPart
from tests.evaluation.library import written_run

FILES = ("items.jsonl", "passages.jsonl", "answers.jsonl")
Change = Callable[[dict[str, Any]], object]


def question(number: int) -> Question:
    picture = ImageRef(f"/data/{number}.png")
    return Question(f"Question {number}?", (picture,), id=f"q{number}", options=("yes", "no"))


def items(n: int = 3) -> list[Item]:
    return [
        Item(f"q{i}", question(i), ("yes",), "choice", cluster=f"c{i}", fields={"type": "organ"})
        for i in range(n)
    ]


def answer(number: int) -> Answer:
    source = Source("books", "book.txt", "0" * 64)
    passage = Passage(f"p{number}", "text", f"Words {number}.", source, fields={"title": "t"})
    hit = Hit(passage, 0.5, 1, "q", {"lexical": ChannelPart(1, 0.5)})
    return Answer(
        question(number),
        "A. yes [1]",
        citations=(Citation(1, passage, 0.5),),
        selection=Selection((hit,), (), "top 1", True),
        confidence=0.5,
        timings={"answer": 0.1},
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return written_run(tmp_path / "run", items(), {"context": [answer(i) for i in range(3)]})


def changed(path: Path, line: int, change: Change) -> None:
    """Change the JSON value of a line, from 1."""
    rows = [json.loads(each) for each in path.read_text(encoding="utf-8").splitlines()]
    change(rows[line - 1])
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def at(*keys: str | int, to: Any) -> Change:
    """Put another value at a place of a JSON value."""

    def change(value: Any) -> None:
        for key in keys[:-1]:
            value = value[key]
        value[keys[-1]] = to

    return change


def without(*keys: str | int) -> Change:
    def change(value: Any) -> None:
        for key in keys[:-1]:
            value = value[key]
        del value[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at("item", to=5), "item: expected a text, found the number 5"),
        (at("arm", to=None), "arm: expected a text, found null"),
        (at("answer", to=[]), "answer: expected an object, found a list"),
        (at("answer", "text", to=5), "answer.text: expected a text, found the number 5"),
        (at("answer", "text", to=None), "answer.text: expected a text, found null"),
        (at("answer", "text", to=[]), "answer.text: expected a text, found a list"),
        (without("answer", "text"), "answer.text: is missing"),
        (at("answer", "words", to="?"), "answer.words: unknown key"),
        (at("answer", "confidence", to="x"), "answer.confidence: expected a number or null, found"),
        (at("answer", "confidence", to=[1]), "answer.confidence: expected a number or null, found"),
        (at("answer", "confidence", to=True), "answer.confidence: expected a number or null, fo"),
        (at("answer", "confidence", to=1e308), "answer.confidence: expected a number in [0, 1]"),
        (at("answer", "confidence", to=-5), "answer.confidence: expected a number in [0, 1], foun"),
        (at("answer", "confidence", to=10**400), "found a number of more than 64 bits"),
        (at("answer", "timings", to={"a": "x"}), "answer.timings.a: expected a number, found the"),
        (at("answer", "timings", to={"a": 1e999}), "answer.timings.a: expected seconds, found"),
        (at("answer", "fired", to="x"), "answer.fired: expected true or false, found the text 'x'"),
        (at("answer", "reason", to=1), "answer.reason: expected a text, found the number 1"),
        (at("answer", "evidence", 0, "score", to="x"), "answer.evidence[0].score: expected a numb"),
        (at("answer", "evidence", 0, "score", to=None), "answer.evidence[0].score: expected a nu"),
        (at("answer", "evidence", 0, "passage", to=[]), "answer.evidence[0].passage: expected a "),
        (at("answer", "evidence", 0, "parts", "lexical", "rank", to="1"),
         "answer.evidence[0].parts.lexical.rank: expected a whole number, found the text '1'"),
        (at("answer", "evidence", to={}), "answer.evidence: expected a list, found an object"),
        (at("answer", "citations", to=[-3]), "answer.citations[0]: expected a marker"),
        (at("answer", "citations", to=[0]), "answer.citations[0]: expected a marker"),
        (at("answer", "citations", to=[1, 2]), "answer.citations[1]: expected a marker"),
        (at("answer", "citations", to=["1"]), "answer.citations[0]: expected a whole number"),
        (at("answer", "near_duplicates", to=[-1]), "answer.near_duplicates[0]: expected a mark"),
        (at("answer", "question", "options", to=[1, 2]), "answer.question.options[0]: expected a"),
        (at("answer", "usage", to=5), "answer.usage: expected an object, found the number 5"),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_in_an_answer_is_named(run: Run, change: Change, told: str) -> None:
    changed(run.folder / "answers.jsonl", 2, change)
    with pytest.raises(EvaluationError, match=rf"answers\.jsonl, line 2: .*{re.escape(told)}"):
        list(open_run(run.folder).answers())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at("references", to=[5]), "references[0]: expected a text, found the number 5"),
        (at("cluster", to=5), "cluster: expected a text or null, found the number 5"),
        (at("cluster", to=[]), "cluster: expected a text or null, found a list"),
        (at("fields", to=5), "fields: expected an object, found the number 5"),
        (at("fields", to=[]), "fields: expected an object, found a list"),
        (at("id", to=[1]), "id: expected a text, found a list"),
        (at("kind", to="maybe"), "kind: expected one of yes_no, choice"),
        (at("closed", to=1), "closed: expected true or false, found the number 1"),
        (at("question", "text", to=5), "question.text: expected a text, found the number 5"),
        (at("question", "options", 1, to=5), "question.options[1]: expected a text, found the num"),
        (at("question", "images", 0, to=5), "question.images[0]: expected an object or a text"),
        (at("question", "images", 0, "path", to=5), "question.images[0].path: expected a text"),
        (at("question", "images", 0, "box", to=[1, 2]), "question.images[0].box: expected 4 value"),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_in_an_item_is_named(run: Run, change: Change, told: str) -> None:
    changed(run.folder / "items.jsonl", 3, change)
    with pytest.raises(EvaluationError, match=rf"items\.jsonl, line 3: .*{re.escape(told)}"):
        open_run(run.folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at("text", to=5), "text: expected a text, found the number 5"),
        (at("kind", to=5), "kind: expected one of text, page"),
        (at("fields", to=5), "fields: expected an object, found the number 5"),
        (at("id", to=5), "id: expected a text"),
        (at("source", "regions", to=[5]), "source.regions[0]: expected an object"),
    ],
)
def test_a_value_of_a_wrong_type_in_a_passage_is_named(run: Run, change: Change, told: str) -> None:
    changed(run.folder / "passages.jsonl", 2, change)
    with pytest.raises(EvaluationError, match=rf"passages\.jsonl, line 2: .*{re.escape(told)}"):
        list(open_run(run.folder).answers())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("format"), "format: is missing"),
        (at("format", to="1"), "format: expected a whole number, found the text '1'"),
        (without("arms"), "arms: is missing"),
        (at("arms", to="context"), "arms: expected a list, found the text 'context'"),
        (at("arms", to=[5]), "arms[0]: expected a text, found the number 5"),
        (at("arms", to=["context", "context"]), "arms: expected each arm once"),
        (at("notes", to=[]), "notes: expected an object, found a list"),
        (at("notes", to={"context": 5}), "notes.context: expected a text, found the number 5"),
        (without("problems"), "problems: is missing"),
        (at("problems", to="none"), "problems: expected a list"),
        (at("memory", to={"answer": "x"}), "memory.answer: expected a whole number"),
        (at("benchmark", to="made"), "benchmark: expected an object, found the text 'made'"),
        (without("benchmark", "name"), "benchmark.name: is missing"),
        (at("benchmark", "split", to=5), "benchmark.split: expected a text, found the number 5"),
        (without("benchmark", "layout"), "benchmark.layout: is missing"),
        (at("benchmark", "protocols", to=[1]), "benchmark.protocols[0]: expected a text"),
        (at("n_items", to="15"), "n_items: expected a whole number, found the text '15'"),
        (at("n_items", to=True), "n_items: expected a whole number, found true"),
        (without("items_sha256"), "items_sha256: is missing"),
        (at("index", to=5), "index: expected an object or null, found the number 5"),
    ],
)  # fmt: skip
def test_a_wrong_value_in_the_manifest_is_named(run: Run, change: Change, told: str) -> None:
    changed(run.folder / "manifest.json", 1, change)
    with pytest.raises(EvaluationError, match=rf"manifest\.json: {re.escape(told)}"):
        open_run(run.folder)


def test_a_missing_file_of_passages_is_named_and_nothing_is_thrown_away(run: Run) -> None:
    (run.folder / "passages.jsonl").unlink()
    before = (run.folder / "answers.jsonl").read_bytes()
    with pytest.raises(EvaluationError, match=r"passages\.jsonl is missing, and line 1 of answers"):
        list(open_run(run.folder).answers())
    with pytest.raises(EvaluationError, match=r"passages\.jsonl is missing"):
        Writer(run.folder)
    assert (run.folder / "answers.jsonl").read_bytes() == before


def test_answers_whose_passages_were_cut_are_answered_anew(run: Run) -> None:
    path = run.folder / "passages.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EvaluationError, match=r"passages\.jsonl was cut .* 'p2', which line 3"):
        list(open_run(run.folder).answers())
    writer = Writer(run.folder)
    assert writer.done == {("q0", "context"), ("q1", "context")}
    writer.write("context", items()[2:], [answer(2)])
    assert [each.answer.selection.kept[0].passage.id for each in run.answers()] == [
        "p0",
        "p1",
        "p2",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at("answer", "question", "text", to="Another?"), "found the text 'Another?', expected"),
        (at("answer", "question", "options", to=["no", "yes"]), "found the options ['no', 'yes']"),
    ],
)
def test_answers_to_other_questions_of_equal_ids_are_named(
    run: Run, change: Change, told: str
) -> None:
    changed(run.folder / "answers.jsonl", 2, change)
    expected = rf"line 2: answers another question than item 'q1' asks: {re.escape(told)}"
    with pytest.raises(EvaluationError, match=expected):
        list(open_run(run.folder).answers())
    with pytest.raises(EvaluationError, match=expected):
        Writer(run.folder)


def test_items_that_were_edited_are_neither_scored_nor_gone_on_with(run: Run) -> None:
    lines = item_lines(items())
    changed(run.folder / "items.jsonl", 1, at("references", to=["no"]))
    with pytest.raises(EvaluationError, match=r"items\.jsonl was changed since the run began"):
        open_run(run.folder)
    with pytest.raises(EvaluationError, match=r"items\.jsonl was changed since the run began"):
        begin(run.folder, dict(run.manifest), lines, ["context"])


def test_items_that_are_missing_are_written_anew_when_a_run_goes_on(run: Run) -> None:
    (run.folder / "items.jsonl").unlink()
    # The pictures lie elsewhere by now.
    moved = [
        replace(each, question=replace(each.question, images=("/elsewhere.png",)))
        for each in items()
    ]
    here = {name: each for name, each in run.manifest.items() if name != "items_sha256"}
    begin(run.folder, {**here, "training": None}, item_lines(moved), ["context"])
    assert list(open_run(run.folder).items.values()) == moved


def test_an_arm_that_the_manifest_does_not_list_is_named(run: Run) -> None:
    changed(run.folder / "answers.jsonl", 2, at("arm", to="golden"))
    with pytest.raises(EvaluationError, match=r"answers\.jsonl, line 2: is of the arm 'golden'"):
        list(open_run(run.folder).answers())


def test_an_arm_that_was_answered_before_stays_when_it_is_left_out_later(run: Run) -> None:
    finish(run.folder, {"context": "left out: no training items"}, {})
    assert open_run(run.folder).arms == ("context",)


@pytest.mark.parametrize("name", FILES)
def test_files_of_a_stranger_are_never_touched(tmp_path: Path, run: Run, name: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine\nand an open end")
    with pytest.raises(EvaluationError, match=rf"holds {re.escape(name)} without manifest\.json"):
        begin(tmp_path / "mine", dict(run.manifest), b"", [])
    assert [each.name for each in (tmp_path / "mine").iterdir()] == [name]
    assert (tmp_path / "mine" / name).read_text() == "mine\nand an open end"


def test_an_answer_that_could_not_be_read_again_is_not_written(run: Run) -> None:
    before = (run.folder / "answers.jsonl").read_bytes()
    sure = replace(answer(0), confidence=87.0)
    with pytest.raises(EvaluationError, match=r"item 'q0' in the arm 'x' .*confidence: .* 87\.0"):
        Writer(run.folder).write("x", items()[:1], [sure])
    assert (run.folder / "answers.jsonl").read_bytes() == before


def patient(**changes: Any) -> Item:
    asked = Question("?", id="p2/MRN-SECRET-2", subject="MRN-SECRET-2", study="77")
    item = Item(
        "p2/MRN-SECRET-2", asked, cluster="MRN-SECRET-2:77",
        fields={"view": "PA of s77", "rows": ["MRN-SECRET-2", 3], "number": "771"},
    )  # fmt: skip
    return replace(item, **changes)


def test_identifiers_are_replaced_wherever_they_stand() -> None:
    key = load_key()
    subject, study = pseudonym("MRN-SECRET-2", key), pseudonym("77", key)
    (hidden,) = without_identifiers([patient()])
    assert (hidden.id, hidden.question.id) == (f"p2/{subject}", f"p2/{subject}")
    assert hidden.cluster == f"{subject}:{study}"
    assert (hidden.question.subject, hidden.question.study) == (subject, study)
    # 771 is another number, of which 77 is no part.
    rows = {"view": f"PA of s{study}", "rows": [subject, 3], "number": "771"}
    assert hidden.fields == rows


def test_an_identifier_with_a_letter_before_it_is_replaced() -> None:
    item = Item("a", Question("?", subject="10000001"), cluster="p10000001")
    (hidden,) = without_identifiers([item])
    assert hidden.cluster == f"p{pseudonym('10000001', load_key())}"


def test_a_short_identifier_does_not_destroy_longer_ones() -> None:
    item = Item("10-a1b", Question("?", subject="1"), cluster="1", fields={"n": "10 21 x1"})
    (hidden,) = without_identifiers([item])
    one = pseudonym("1", load_key())
    # In "a1b" and "x1" it stands between letters, which are no part of a number.
    assert (hidden.id, hidden.cluster, hidden.fields) == (
        f"10-a{one}b",
        one,
        {"n": f"10 21 x{one}"},
    )


def test_replacing_identifiers_a_second_time_changes_nothing() -> None:
    once = without_identifiers([patient()], b"another key of 16 bytes")
    assert without_identifiers(once) == once


def test_a_short_identifier_leaves_a_pseudonym_whole() -> None:
    subject = "p-" + "1a" * 16
    item = Item("a", Question("?", subject=subject, study="1"), cluster=subject)
    assert without_identifiers([item])[0].cluster == subject


def test_no_file_of_a_run_holds_an_identifier(tmp_path: Path) -> None:
    (hidden,) = without_identifiers([patient()])
    run = written_run(tmp_path / "run", [patient()], {"context": [Answer(hidden.question, "A")]})
    assert [each.item for each in run.answers()] == [hidden.id]
    for name in FILES:
        assert b"SECRET" not in (run.folder / name).read_bytes()


def test_items_that_share_an_id_without_identifiers_are_named() -> None:
    first, second = patient(id="MRN-SECRET-2"), patient(id=pseudonym("MRN-SECRET-2", load_key()))
    with pytest.raises(EvaluationError, match=r"'MRN-SECRET-2' and 'p-.*' are both"):
        without_identifiers([first, second])


def full(file: BinaryIO) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("name", ["items.jsonl", "candidates.json"])
def test_a_full_disk_names_the_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(durable, "sync", full)
    with pytest.raises(OSError, match=rf"No space left .*{re.escape(name)}"):
        durable.write_atomically(tmp_path / name, b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_of_answers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(run.folder)
    monkeypatch.setattr(run_writing, "sync", full)
    with pytest.raises(EvaluationError, match=r"passages\.jsonl cannot be written \(No space"):
        writer.write("no_context", items()[:1], [answer(0)])


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_planted_link_is_not_followed(run: Run, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (run.folder / "answers.jsonl.tmp").symlink_to(victim)
    (run.folder / f"answers.jsonl.{os.getpid()}.tmp").symlink_to(victim)
    changed(run.folder / "answers.jsonl", 1, at("answer", "text", to=""))
    changed(run.folder / "answers.jsonl", 1, at("answer", "error", to="timed out"))
    assert ("q0", "context") not in Writer(run.folder).done
    assert victim.read_text() == "precious"
    assert len(list(run.answers())) == 2


def test_what_a_kill_left_behind_is_tidied(run: Run) -> None:
    left = run.folder / f"answers.jsonl.{'0' * 16}.tmp"
    left.write_bytes(b"half")
    (run.folder / "notes.tmp").write_text("mine")
    Writer(run.folder)
    assert not left.exists()
    assert (run.folder / "notes.tmp").exists()


def test_a_run_that_is_whole_reads_as_it_was_written(run: Run) -> None:
    assert [to_json(each.answer) for each in run.answers()] == [
        to_json(answer(i)) for i in range(3)
    ]
