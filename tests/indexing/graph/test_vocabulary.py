"""Mistyped words and those that may be meant, held against a slow count of mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.indexing.graph.names import words_of
from medrag.indexing.graph.vocabulary import compiled_words, corrections, is_known

WORDS = ("pneumonia", "pneumothorax", "asthma", "angina", "aphasia", "anemia", "edema", "tibia")


def n_mistakes(one: str, other: str) -> int:
    """Count missing, added, wrong and swapped letters by the textbook's recursion."""
    table = {(i, 0): i for i in range(len(one) + 1)}
    table |= {(0, j): j for j in range(len(other) + 1)}
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            wrong = one[i - 1] != other[j - 1]
            best = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + wrong,
            )  # fmt: skip
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                best = min(best, table[i - 2, j - 2] + 1)
            table[i, j] = best
    return table[len(one), len(other)]


@given(st.text(alphabet="adeghimnopstux", min_size=5, max_size=13))
def test_corrections_are_the_words_that_a_slow_count_finds_near(written: str) -> None:
    arrays = compiled_words(WORDS, {})
    [word] = words_of(written)
    most = 2 if len(written) >= 8 else 1
    counted = {each: n_mistakes(written, each) for each in WORDS}
    near = {
        each: n
        for each, n in counted.items()
        if n <= most and (n <= 1 or each[0] == written[0])
    }  # fmt: skip
    assert {each.word: each.n_mistakes for each in corrections(word, arrays)} == near


@given(word=st.sampled_from(WORDS), at=st.integers(1, 4), letter=st.sampled_from("xyzqw"))
def test_a_wrong_letter_is_put_right(word: str, at: int, letter: str) -> None:
    [wrong] = words_of(word[:at] + letter + word[at + 1 :])
    assert word in {each.word for each in corrections(wrong, compiled_words(WORDS, {}))}


@pytest.mark.parametrize("written", ["", "tib", "tib1a", "x" * 50])
def test_short_words_and_those_with_digits_stay_as_they_are(written: str) -> None:
    assert [corrections(word, compiled_words(WORDS, {})) for word in words_of(written)] in (
        [], [[]],
    )  # fmt: skip


def test_a_word_that_one_text_alone_holds_may_be_a_mistake() -> None:
    arrays = compiled_words(["asthma", "asthmma"], {"asthma": 5, "asthmma": 1, "wheezing": 2})
    assert is_known("asthma", arrays)
    assert is_known("wheezing", arrays)
    assert not is_known("asthmma", arrays)


def test_nothing_is_known_of_no_words() -> None:
    arrays = compiled_words([], {})
    assert not is_known("asthma", arrays)
    assert corrections(words_of("asthma")[0], arrays) == []
