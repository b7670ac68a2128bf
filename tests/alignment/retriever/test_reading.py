"""Pairs from files and from passages."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.alignment.retriever import pairs_of_passages, read_retriever_pairs
from medrag.alignment.retriever.pair import Triple
from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.records import ImageRef, Passage, Source
from tests.encoding.tiny_pictures import saved

KEY = b"a key of the tests, 32 bytes long"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        saved(tmp_path / name, 0)
    return tmp_path


def rows(folder: Path, *given: Any) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in given), encoding="utf-8")
    return path


def test_a_radiology_row_of_mmed_rag(folder: Path) -> None:
    row = {
        "id": "s1", "report": "No effusion.", "image_path": ["a.png", "b.png"], "split": "train",
        "image_root": "/elsewhere", "study_id": 7, "subject_id": 3,
    }  # fmt: skip
    (pair,) = read_retriever_pairs(rows(folder, row), images=folder, key=KEY)
    assert pair.query == ImageRef(str(folder / "a.png"))
    assert pair.passage == "No effusion."
    assert pair.subject == pseudonym("3", KEY)
    assert pair.study == pseudonym("7", KEY)


def test_the_summary_of_an_ophthalmology_row_counts_before_its_report(folder: Path) -> None:
    row = {"image": "a.png", "report": "long", "gpt4_summary": "short"}
    (pair,) = read_retriever_pairs(rows(folder, row))
    assert pair.passage == "short"
    (other,) = read_retriever_pairs(rows(folder, row), text="report")
    assert other.passage == "long"


def test_a_pathology_row_in_a_list(folder: Path) -> None:
    path = folder / "pathology.json"
    path.write_text(json.dumps([{"image": "b.png", "caption": "A gland."}]))
    (pair,) = read_retriever_pairs(path)
    assert (pair.id, pair.passage) == ("1", "A gland.")


def test_a_page_that_answers_a_question(folder: Path) -> None:
    row = {"query": "what is a gland", "passage": {"path": "a.png", "page": 3}}
    (pair,) = read_retriever_pairs(rows(folder, row))
    assert pair.query == "what is a gland"
    assert pair.passage == ImageRef(str(folder / "a.png"), page=3)


def test_labels_and_triples(folder: Path) -> None:
    row = {
        "query": "a", "passage": "b", "labels": ["effusion"],
        "triples": [["effusion", "located at", "left"]],
    }  # fmt: skip
    (pair,) = read_retriever_pairs(rows(folder, row))
    assert pair.labels == {"effusion"}
    assert pair.triples == {Triple("effusion", "located at", "left")}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"report": "x"}, "has no image or image_path; its columns are report"),
        ({"image": "a.png"}, "has no text or gpt4_summary"),
        ({"image": "gone.png", "text": "x"}, "does not exist; say where pictures lie"),
        ({"image": "a.png", "text": 3}, "text must be a text with words"),
        ({"image": [[]], "text": "x"}, "must be a path"),
        ({"query": " ", "passage": "x"}, "query must be a text with words"),
        ({"query": "x", "passage": "y", "triples": [["a", "b"]]}, "a list of three texts"),
        ({"query": "x", "passage": "y", "labels": "effusion"}, "labels must be a list"),
        (["x"], "expected an object"),
    ],
)
def test_a_row_that_is_no_pair_is_named(folder: Path, row: Any, said: str) -> None:
    good = {"image": "a.png", "text": "x"}
    with pytest.raises(InputFileError, match=f"row 2: .*{said}"):
        read_retriever_pairs(rows(folder, good, row))


def test_a_line_that_is_no_json_is_named(folder: Path) -> None:
    path = folder / "pairs.jsonl"
    path.write_text('{"query": "a", "passage": "b"}\n\n{"query": ')
    with pytest.raises(InputFileError, match="line 3"):
        read_retriever_pairs(path)


def test_an_id_that_stands_twice_is_named(folder: Path) -> None:
    row = {"id": "s", "query": "x", "passage": "y"}
    with pytest.raises(InputFileError, match="'s' stands twice"):
        read_retriever_pairs(rows(folder, row, row))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"gone\.jsonl"):
        read_retriever_pairs(tmp_path / "gone.jsonl")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["query", "passage", "image", "text", "path", "triples", "labels", "id"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(_JSON, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_file_holds_is_read_or_refused(tmp_path: Path, held: list[Any]) -> None:
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    try:
        pairs = read_retriever_pairs(path)
    except InputFileError:
        return
    assert len(pairs) == len(held)


def figure(folder: Path, number: str, text: str = "A gland.", name: str = "a.png") -> Passage:
    source = Source("book", "book.pdf", "0" * 64, domain="pathology")
    refs = (ImageRef(str(folder / name)),)
    return Passage(number, "figure", text, source, refs, {"number": number})


def test_figures_of_a_chapter_are_one_group(folder: Path) -> None:
    found = pairs_of_passages([figure(folder, number) for number in ("4.2", "4.10", "5.1")])
    assert [pair.group for pair in found] == [
        "book/book.pdf/4", "book/book.pdf/4", "book/book.pdf/5",
    ]  # fmt: skip
    assert found[0].domain == "pathology"
    assert found[0].passage == "A gland."


def test_passages_without_a_picture_or_words_are_left_out(folder: Path) -> None:
    source = Source("book", "book.pdf", "0" * 64)
    passages = [
        figure(folder, "1.1", text=" "), figure(folder, "1.2", name="gone.png"),
        Passage("t", "text", "words", source),
        Passage("p", "page", "words", source, (ImageRef(str(folder / "a.png")),)),
    ]  # fmt: skip
    assert pairs_of_passages(passages) == []


def test_a_report_with_two_pictures_is_two_pairs_of_one_study(folder: Path) -> None:
    source = Source("reports", "r.csv", "0" * 64, subject="p-1", study="s-1")
    refs = tuple(ImageRef(str(folder / name)) for name in ("a.png", "b.png"))
    found = pairs_of_passages([Passage("r", "report", "No effusion.", source, refs)])
    assert [(pair.id, pair.study, pair.group) for pair in found] == [
        ("r#0", "s-1", None), ("r#1", "s-1", None),
    ]  # fmt: skip


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    told = json.dumps({"query": "a\u2028b", "passage": "c"}, ensure_ascii=False)
    path.write_text(f"\ufeff{told}\r\n", encoding="utf-8")
    [pair] = read_retriever_pairs(path, images=tmp_path, image="image", text="text")
    assert pair.id


def test_a_name_too_long_for_a_file_is_a_picture_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"image": "a" * 5000, "text": "t"}), encoding="utf-8")
    with pytest.raises(InputFileError, match="does not exist"):
        read_retriever_pairs(path, images=tmp_path, image="image", text="text")
