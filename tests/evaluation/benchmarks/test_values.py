"""Odd values of rows: blank and equal options, dates and decimals, pictures that are none."""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import load_benchmark
from medrag.evaluation.benchmarks.columns import json_value, said, text_of
from medrag.records import Item
from tests.evaluation.benchmarks.made import png
from tests.evaluation.benchmarks.test_cards import OWN, own

INDEX = (
    OWN.replace("format: csv", "format: jsonl").replace("ward*.csv", "w.jsonl")
    + "    answer_is: index\n    kind: choice\n    options: among\n"
).replace("expect: 2", "expect: 1")


def chosen(folder: Path, options: list[str], answer: Any, text: str = INDEX) -> Item:
    row = {"number": 1, "asked": "Which?", "right": answer, "among": options}
    (folder / "w.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return load_benchmark(own(folder, text), folder).items[0]


def test_a_blank_option_does_not_move_the_others(tmp_path: Path) -> None:
    item = chosen(tmp_path, ["a", "", "c", "d"], 2)
    assert item.references == ("c",)
    assert item.question.options == ("a", "c", "d")


def test_the_number_of_a_blank_option_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="1 is the number of an option that is blank"):
        chosen(tmp_path, ["a", "", "c", "d"], 1)


def test_the_letter_of_a_blank_option_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="'B' names none of the options A, C"):
        chosen(
            tmp_path, ["a", "", "c"], "B", INDEX.replace("answer_is: index", "answer_is: letter")
        )


@pytest.mark.parametrize("answer", [0, 1])
def test_of_equal_options_either_is_right(answer: int, tmp_path: Path) -> None:
    item = chosen(tmp_path, ["same", "same", "c"], answer)
    assert item.references == ("same",)
    assert item.question.options == ("same", "same", "c")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (date(2020, 1, 2), "2020-01-02"),
        (datetime(2020, 1, 2, 3, 4), "2020-01-02T03:04:00"),  # noqa: DTZ001
        (timedelta(hours=1), "1:00:00"),
        (Decimal("12"), 12),
        (Decimal("12.50"), 12.5),
        # More digits than a float holds.
        (Decimal("0.12345678901234567890"), "0.1234567890123456789"),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (float("inf"), None),
        (float("nan"), None),
        (b"text", "text"),
        (b"\xff\xd8", None),
        ([float("inf"), 1], [None, 1]),
        ({"a": date(2020, 1, 2)}, {"a": "2020-01-02"}),
        pytest.param(10**5000, None, id="huge"),
        ("", None),
        (True, True),
    ],
)
def test_what_json_cannot_hold_is_written_otherwise_or_absent(value: Any, kept: Any) -> None:
    assert json_value(value) == kept
    json.dumps(json_value(value))


@given(value=st.decimals() | st.dates() | st.datetimes() | st.floats() | st.binary(max_size=9))
def test_any_value_of_a_table_can_be_kept(value: Any) -> None:
    kept = json_value(value)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert isinstance(said(value), str)


def test_a_date_and_a_decimal_are_texts_where_a_text_is_meant() -> None:
    assert text_of(date(2020, 1, 2), "time") == "2020-01-02"
    assert text_of(Decimal("2.50"), "answer") == "2.5"
    assert text_of(Decimal("1E+999999"), "answer") == "1E+999999"


def test_a_table_with_dates_and_decimals_loses_no_row(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    row = {
        "number": Decimal("1.50"), "asked": "Why?", "right": "x", "day": date(2020, 1, 2),
        "size": float("inf"), "raw": b"\xff",
    }  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "w.parquet")
    text = OWN.replace("csv", "parquet").replace("ward*", "w").replace("expect: 2", "expect: 1")
    text += "    keep: {day: day, size: size, raw: raw, price: number}\n"
    item = load_benchmark(own(tmp_path, text), tmp_path).items[0]
    assert item.id == "1.5"
    assert item.fields == {"day": "2020-01-02", "price": 1.5}


def test_a_kept_column_that_is_nested_without_end_is_named(tmp_path: Path) -> None:
    text = INDEX + "    keep: {deep: deep}\n"
    deep = "[" * 600 + "]" * 600
    row = f'{{"number": 1, "asked": "Which?", "right": 0, "among": ["a", "b"], "deep": {deep}}}'
    (tmp_path / "w.jsonl").write_text(row, encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"line 1: .*nested"):
        load_benchmark(own(tmp_path, text), tmp_path)


@pytest.mark.parametrize(
    "cell", [{"a": 1}, {"bytes": None, "path": None, "url": "x"}, True, [["a.png"]], [{"a": 1}]]
)
def test_a_cell_that_is_no_picture_is_told_even_where_none_is_needed(
    cell: Any, tmp_path: Path
) -> None:
    row = {"question": "What is it?", "answer": "a cyst", "image": cell}
    (tmp_path / "test.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(
        EvaluationError, match=r"line 1: 'images \| image \| image_path' holds .*no"
    ):
        load_benchmark("qa", tmp_path)


@pytest.mark.parametrize("cell", [None, [], {}, {"bytes": None, "path": None}, [None]])
def test_an_empty_cell_is_no_picture(cell: Any, tmp_path: Path) -> None:
    row = {"question": "What is it?", "answer": "a cyst", "image": cell}
    (tmp_path / "test.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert load_benchmark("qa", tmp_path).items[0].question.images == ()


def test_columns_that_only_later_rows_have_are_read(tmp_path: Path) -> None:
    text = OWN.replace("csv", "jsonl").replace("ward*", "w")
    text += "    kind: auto\n    options: among\n    images: {columns: image, required: false}\n"
    rows = [
        {"number": 1, "asked": "Why?", "right": "x"},
        {"number": 2, "asked": "Which?", "right": "A", "among": ["a", "b"], "image": "a.png"},
    ]
    (tmp_path / "w.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "a.png").write_bytes(png(1))
    items = load_benchmark(own(tmp_path, text), tmp_path).items
    assert [(item.kind, len(item.question.images)) for item in items] == [
        ("text", 0),
        ("choice", 1),
    ]


def test_a_column_that_every_row_needs_may_begin_in_a_later_one(tmp_path: Path) -> None:
    text = OWN.replace("csv", "jsonl").replace("ward*", "w").replace("expect: 2", "expect: 1")
    rows = [{"number": 1, "asked": "Why?"}, {"number": 2, "asked": "Why?", "right": "x"}]
    (tmp_path / "w.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(EvaluationError, match="line 1: no answer stands in 'right'"):
        load_benchmark(own(tmp_path, text), tmp_path)
    assert len(load_benchmark(own(tmp_path, text), tmp_path, subset=True).items) == 1
