"""Records of files by lines, and what is said of bad ones."""

import csv
import io
import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.errors import InputFileError
from medrag.ingestion import lines
from medrag.ingestion.lines import (
    BadLine,
    BadRecordError,
    Record,
    column_names,
    records,
    text_of,
    texts_of,
)

_NAMES = st.text("abcdefgh", min_size=1, max_size=6)
_CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20
) | st.sampled_from(['a "quoted" word', "two\nlines", "comma, semicolon; tab\t", "é", ""])


def _file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_broken_line_is_numbered_and_reading_goes_on(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", '{"a": 1}\n{"a": \n\n{"a": 3}\n')
    first, bad, last = records(path)
    assert first == Record("line 1", {"a": 1})
    assert isinstance(bad, BadLine)
    assert bad.place == "line 2"
    assert last == Record("line 4", {"a": 3})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"[1, 2]", "list"),
        (b'"text"', "str"),
        (b'{"a": "\xff"}', "UTF-8 at byte 8"),
        (b'{"a": "\x00"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_what_is_no_object_is_a_bad_line(tmp_path: Path, line: bytes, words: str) -> None:
    path = _file(tmp_path, "a.jsonl", line + b'\n{"a": 1}\n')
    bad, good = records(path)
    assert isinstance(bad, BadLine)
    assert words in bad.problem
    assert good == Record("line 2", {"a": 1})


def test_a_line_over_the_limit_is_skipped_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_LIMIT", 1000)
    path = _file(tmp_path, "a.jsonl", '{"a": "' + "x" * 5000 + '"}\n{"a": 2}\n')
    bad, good = records(path)
    assert isinstance(bad, BadLine)
    assert good == Record("line 2", {"a": 2})


def test_numbers_that_are_none_are_absent(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", '{"a": NaN, "b": Infinity}\n')
    assert list(records(path)) == [Record("line 1", {"a": None, "b": None})]


def test_a_mark_before_the_first_byte_is_no_part_of_a_name(tmp_path: Path) -> None:
    for name, content in (("a.csv", "id,text\n1,x\n"), ("a.jsonl", '{"id": "1", "text": "x"}\n')):
        path = _file(tmp_path, name, b"\xef\xbb\xbf" + content.encode())
        assert column_names(path) == ["id", "text"]


def test_a_table_in_utf16_is_read(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.tsv", "id\ttext\n1\té\n".encode("utf-16"))
    assert list(records(path)) == [Record("line 2", {"id": "1", "text": "é"})]


def test_a_row_is_numbered_by_its_first_line(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", 'id,text\n1,"two\nlines"\n2,x\n')
    assert [record.place for record in records(path)] == ["line 2", "line 4"]


def test_a_row_with_other_cells_than_the_header_is_bad(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", "id,text\n1,x,y\n2\n3,z\n")
    long, short, good = records(path)
    assert isinstance(long, BadLine)
    assert "3 cells" in long.problem
    assert isinstance(short, BadLine)
    assert good == Record("line 4", {"id": "3", "text": "z"})


def test_a_quote_left_open_costs_its_own_row_only(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", 'id,text\n1,"open\n2,x\n3,y\n')
    bad, *rest = records(path)
    assert isinstance(bad, BadLine)
    assert bad.place == "line 2"
    assert rest == [
        Record("line 3", {"id": "2", "text": "x"}),
        Record("line 4", {"id": "3", "text": "y"}),
    ]


def test_a_row_over_the_limit_costs_its_own_line_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_LIMIT", 1000)
    rows = "\n".join(f"{n},x" for n in range(400))
    path = _file(tmp_path, "a.csv", f'id,text\n1,"open\n{rows}\n')
    bad, *rest = records(path)
    assert isinstance(bad, BadLine)
    assert "quote" in bad.problem
    assert len(rest) == 400


@pytest.mark.parametrize("cell", [b"\xff\xfe\xfd", b"a\x00b"])
def test_a_row_that_is_no_text_is_bad(tmp_path: Path, cell: bytes) -> None:
    path = _file(tmp_path, "a.csv", b"id,text\n1," + cell + b"\n2,x\n")
    bad, good = records(path)
    assert isinstance(bad, BadLine)
    assert good == Record("line 3", {"id": "2", "text": "x"})


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    # The csv module stops at 131,072 characters of its own accord.
    path = _file(tmp_path, "a.csv", "id,text\n1," + "x" * 200_000 + "\n")
    (record,) = records(path)
    assert isinstance(record, Record)
    assert len(record.values["text"]) == 200_000


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "id,text,id\n1,2,3\n", "twice"),
        ("a.json", "[{]", "broken JSON"),
        ("a.jsonl", '{"a": 1}'.encode("utf-16"), "UTF-8"),
    ],
)
def test_a_file_that_holds_no_records_is_refused(
    tmp_path: Path, name: str, content: bytes | str, words: str
) -> None:
    path = _file(tmp_path, name, content)
    with pytest.raises(InputFileError, match=words):
        list(records(path))


def test_a_cell_is_text_or_refused_by_its_column_name() -> None:
    record = Record("line 1", {"a": " x\x00 ", "b": 3, "c": None, "d": ["x"], "e": True})
    assert [text_of(record, name) for name in ("a", "b", "c", "e", None)] == [
        "x", "3", "", "yes", "",
    ]  # fmt: skip
    assert texts_of(record, "d") == ["x"]
    with pytest.raises(BadRecordError, match="'d' holds a list"):
        text_of(record, "d")


def test_lines_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", '{"a": 1}\n' * 100_000)
    assert len(list(islice(records(path), 3))) == 3


@given(
    names=st.lists(_NAMES, min_size=2, max_size=4, unique=True),
    rows=st.lists(st.lists(_CELLS, min_size=4, max_size=4), min_size=1, max_size=5),
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], rows: list[list[str]]
) -> None:
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(names)
    kept = [row[: len(names)] for row in rows if any(row[: len(names)])]
    table.writerows(kept)
    path = _file(tmp_path_factory.getbasetemp(), "back.csv", written.getvalue())
    read = [record.values for record in records(path) if isinstance(record, Record)]
    assert read == [dict(zip(names, row, strict=True)) for row in kept]


@given(rows=st.lists(st.dictionaries(_NAMES, _CELLS | st.integers() | st.none(), min_size=1)))
def test_json_lines_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    text = "".join(json.dumps(row) + "\n" for row in [{"first": 1}, *rows])
    path = _file(tmp_path_factory.getbasetemp(), "back.jsonl", text)
    read = [record.values for record in records(path) if isinstance(record, Record)]
    assert read == [{"first": 1}, *rows]


@settings(max_examples=200)
@given(
    content=st.binary(max_size=300), name=st.sampled_from(["x.csv", "x.tsv", "x.jsonl", "x.json"])
)
def test_any_bytes_give_records_bad_lines_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = _file(tmp_path_factory.getbasetemp(), name, content)
    try:
        found = list(records(path))
    except InputFileError as error:
        found = [BadLine(str(error.path), error.problem)]
    assert all(isinstance(each, Record | BadLine) for each in found)
