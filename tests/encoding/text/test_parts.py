"""Texts that are longer than a model reads."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.encoding.text.parts import in_parts


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def letters(texts: Sequence[str]) -> list[int]:
    return [len(re.sub(r"\s", "", text)) for text in texts]


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert in_parts(["one  two.\nthree", ""], words, 3) == [["one  two.\nthree"], [""]]


def test_a_long_text_is_split_at_the_ends_of_sentences() -> None:
    text = "No effusion. The heart is normal. Bones are intact."
    assert in_parts([text], words, 6) == [
        ["No effusion. The heart is normal.", "Bones are intact."]
    ]


def test_lines_and_list_marks_of_a_report_count_as_ends() -> None:
    text = "Findings: no effusion\nHeart normal; bones intact"
    assert in_parts([text], words, 3) == [
        ["Findings: no effusion", "Heart normal;", "bones intact"]
    ]  # fmt: skip


def test_a_sentence_that_is_too_long_is_split_between_words() -> None:
    assert in_parts(["a b c d e f g. h"], words, 3) == [["a b c", "d e f", "g.", "h"]]


def test_a_word_that_is_too_long_is_split_within() -> None:
    (parts,) = in_parts(["abcdefghij xy"], letters, 4)
    assert "".join(parts) == "abcdefghijxy"
    assert max(letters(parts)) <= 4


@given(st.lists(st.text(alphabet="ab. \n", max_size=60), max_size=4), st.integers(1, 9))
def test_no_letter_is_lost_and_no_part_is_too_long(texts: list[str], room: int) -> None:
    for count in (words, letters):
        for text, parts in zip(texts, in_parts(texts, count, room), strict=True):
            assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)
            assert max(count(parts)) <= room


@given(st.text(alphabet="ab. ", max_size=60), st.integers(2, 9))
def test_a_count_that_grows_when_pieces_are_joined_is_kept_to(text: str, room: int) -> None:
    def count(texts: Sequence[str]) -> list[int]:
        return [len(each.split()) + len(each.split()) // 2 for each in texts]

    (parts,) = in_parts([text], count, room)
    assert max(count(parts)) <= room


def test_a_room_without_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 token"):
        in_parts(["a"], words, 0)
