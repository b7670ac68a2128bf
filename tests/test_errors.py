"""Errors name the place, and survive the way from a worker process."""

import pickle
from pathlib import Path

import pytest

from medrag.errors import InputFileError, MedragError, MissingExtraError, UnsafePathError
from medrag.extras import require


def test_an_input_error_names_file_and_place() -> None:
    error = InputFileError(Path("book.pdf"), "it is encrypted; decrypt it first", place="page 3")
    assert str(error) == "book.pdf, page 3: it is encrypted; decrypt it first"


@pytest.mark.parametrize("kind", [InputFileError, UnsafePathError])
def test_an_input_error_survives_pickling(kind: type[InputFileError]) -> None:
    # Written and read by this test alone.
    again = pickle.loads(pickle.dumps(kind(Path("a"), "is empty", place="line 1")))  # noqa: S301
    assert type(again) is kind
    assert (str(again), again.path, again.place) == ("a, line 1: is empty", Path("a"), "line 1")


def test_a_missing_library_is_named_with_its_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'medrag\[ocr\]'") as caught:
        require("no_such_library_at_all", extra="ocr")
    assert isinstance(caught.value, MedragError)


def test_a_library_that_is_there_is_returned() -> None:
    assert require("json").dumps([1]) == "[1]"
