"""The documents of a BEIR corpus."""

import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import InputFileError
from medrag.ingestion.beir import BeirIngestor
from medrag.records import Corpus, Passage, Skipped


def _read(path: Path, *, chunk: bool = False) -> tuple[list[Passage], list[Skipped]]:
    ingestor = BeirIngestor(corpus=Corpus("c", path.parent), chunk=chunk)
    found = list(ingestor.passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def _corpus(folder: Path, *lines: object) -> Path:
    path = folder / "corpus.jsonl"
    written = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
    return path


def test_a_document_is_one_passage_however_long(tmp_path: Path) -> None:
    text = "A sentence of a few words. " * 400
    path = _corpus(tmp_path, {"_id": "7", "title": "On lungs", "text": text})
    ((document,), _) = _read(path)
    assert document.text == text.strip()
    assert document.fields == {"title": "On lungs", "doc_id": "7", "span": "line 1"}


def test_pieces_are_made_on_demand_and_keep_their_document(tmp_path: Path) -> None:
    text = "A sentence of a few words. " * 400
    path = _corpus(tmp_path, {"_id": "7", "title": "On lungs", "text": text})
    pieces, _ = _read(path, chunk=True)
    assert len(pieces) > 3
    assert {piece.fields["doc_id"] for piece in pieces} == {"7"}
    assert len({piece.id for piece in pieces}) == len(pieces)
    assert pieces[0].fields["span"].startswith("line 1, characters 0-")


def test_a_document_without_a_body_is_found_by_its_title(tmp_path: Path) -> None:
    ((document,), _) = _read(_corpus(tmp_path, {"_id": "7", "title": "On lungs", "text": ""}))
    assert document.text == "On lungs"


def test_bad_lines_and_repeated_ids_are_told_apart(tmp_path: Path) -> None:
    good = {"_id": "1", "title": "t", "text": "x"}
    path = _corpus(
        tmp_path, good, "{broken", {"title": "t", "text": "no id"}, good, {"_id": "2", "text": []},
        {"_id": "3", "title": "", "text": ""}, {"_id": 4, "title": None, "text": "y"},
    )  # fmt: skip
    documents, skipped = _read(path)
    assert [document.fields["doc_id"] for document in documents] == ["1", "4"]
    assert [(each.reason, each.failed) for each in skipped] == [
        ("bad_line", True), ("bad_line", True), ("duplicate", False), ("bad_line", True),
        ("bad_line", True),
    ]  # fmt: skip
    assert [each.detail.split(":")[0] for each in skipped] == [
        "line 2", "line 3", "line 4", "line 5", "line 6",
    ]  # fmt: skip


def test_a_file_without_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="_id"):
        _read(_corpus(tmp_path, {"title": "t", "text": "x"}))


def test_documents_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = _corpus(tmp_path, *({"_id": str(n), "text": "x"} for n in range(5000)))
    found = BeirIngestor(corpus=Corpus("c", tmp_path)).passages(path)
    assert len(list(islice(found, 3))) == 3


@given(
    st.lists(st.tuples(st.text(max_size=9), st.text(min_size=1, max_size=30)), max_size=5),
)
def test_what_can_be_printed_comes_back(
    tmp_path_factory: pytest.TempPathFactory, documents: list[tuple[str, str]]
) -> None:
    rows = [
        {"_id": f"{n}", "title": title, "text": f"x{text}x"}
        for n, (title, text) in enumerate(documents, start=1)
    ]
    path = _corpus(tmp_path_factory.getbasetemp(), {"_id": "0", "text": "first"}, *rows)
    found, skipped = _read(path)
    assert not skipped
    for row, passage in zip(rows, found[1:], strict=True):
        assert [char for char in passage.text if char.isprintable()] == [
            char for char in row["text"] if char.isprintable()
        ]
        json.dumps(passage.text, ensure_ascii=False).encode("utf-8")


@pytest.mark.realdata
def test_scifact_has_all_its_documents(data: Path) -> None:
    documents, skipped = _read(data / "retrieval" / "scifact" / "corpus.jsonl")
    assert (len(documents), len(skipped)) == (5183, 0)
    assert len({document.fields["doc_id"] for document in documents}) == 5183
    assert len({document.id for document in documents}) == 5183
