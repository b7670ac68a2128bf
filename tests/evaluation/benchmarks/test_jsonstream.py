import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import jsonstream
from medrag.evaluation.benchmarks.jsonstream import elements

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def read(text: str, tmp_path: Path, **options: Any) -> list[tuple[tuple[str, ...], Any]]:
    path = tmp_path / "file.json"
    path.write_text(text, encoding="utf-8")
    return list(elements(path, **options))


@given(
    values=st.lists(VALUES, max_size=6), indent=st.sampled_from([None, 1]), chunk=st.integers(1, 9)
)
def test_a_list_gives_what_json_reads_however_small_the_window(
    values: list[Any], indent: int | None, chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonstream, "_CHUNK", chunk)
        found = read(json.dumps(values, indent=indent), tmp_path_factory.mktemp("json"))
    assert [value for _, value in found] == values
    assert [key for (key,), _ in found] == [str(n + 1) for n in range(len(values))]


@given(values=st.dictionaries(st.text(), st.lists(VALUES, max_size=3), max_size=4))
def test_two_levels_are_opened(
    values: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = read(json.dumps(values), tmp_path_factory.mktemp("json"), depth=2)
    flat = [((key, str(n)), each) for key, many in values.items() for n, each in enumerate(many, 1)]
    assert found == flat


def test_a_number_that_is_cut_by_the_window_is_read_whole(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonstream, "_CHUNK", 2)
        assert read("[12345, 678]", tmp_path) == [(("1",), 12345), (("2",), 678)]


def test_nan_which_is_no_json_is_absent(tmp_path: Path) -> None:
    assert read('{"a": NaN}', tmp_path) == [(("a",), None)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "character 1: the file is empty"),
        ("7", "expected a JSON list or object, found '7'"),
        ("[1 2]", "character 4: expected ','"),
        ("[1, 2", "expected ','"),
        ('{"a" 1}', "expected ':'"),
        ("{a: 1}", "expected a name in quotes"),
        ("[1] [2]", "something stands behind the end"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_file_says_where(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError) as caught:
        read(text, tmp_path)
    assert problem in str(caught.value)


@given(text=st.text(alphabet='[]{}",:1aN \n\\', max_size=30))
def test_nothing_but_an_evaluation_error_comes_out(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        found = read(text, tmp_path_factory.mktemp("json"))
    except EvaluationError:
        return
    whole = json.loads(text)
    if isinstance(whole, list):
        assert json.dumps([each for _, each in found]) == json.dumps(whole)
