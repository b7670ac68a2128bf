"""Windows of long texts."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from medrag.encoding.text.texts import joined
from medrag.encoding.text.windows import cut, windows, words


def titled(
    titles: Sequence[str], texts: Sequence[str], tokens: object, room: int | None
) -> list[list[str]]:
    found = windows(titles, texts, tokens, room)  # type: ignore[arg-type]
    return [[joined(*window) for window in several] for several in found]


def by_letters(texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Make each letter a token, so that words have many."""
    return [[(i, i + 1) for i, letter in enumerate(text) if letter != " "] for text in texts]


WORDS = st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=60).map(" ".join)


@given(text=WORDS, size=st.integers(20, 40))
def test_windows_hold_every_word_and_are_no_longer_than_allowed(text: str, size: int) -> None:
    [tokens] = by_letters([text])
    spans = cut(tokens, size)
    assert spans[0][0] == tokens[0][0]
    assert spans[-1][1] == tokens[-1][1]
    covered = {i for start, end in spans for i in range(start, end)}
    assert covered >= {start for start, _ in tokens}
    for start, end in spans:
        assert sum(start <= at < end for at, _ in tokens) <= size
        # Words of nine letters fit, so that no window begins or ends within one.
        assert start == 0 or text[start - 1] == " "
        assert end == len(text) or text[end] == " "


@given(title=WORDS, text=WORDS)
def test_titles_and_texts_are_read_whole(title: str, text: str) -> None:
    [windows] = titled([title], [text], by_letters, 40)
    words = {word for window in windows for word in window.replace("\n", " ").split(" ")}
    assert words >= {*title.split(), *text.split()}
    for window in windows:
        assert len(window.replace(" ", "").replace("\n", "")) <= 40


def test_a_short_title_stands_over_every_window() -> None:
    [windows] = titled(["skin"], ["abcd " * 40], by_letters, 40)
    assert len(windows) > 2
    assert all(window.startswith("skin\n") for window in windows)


def test_a_model_without_a_limit_reads_everything_at_once() -> None:
    assert titled(["skin", ""], ["a " * 900, "b"], by_letters, None) == [
        ["skin\n" + "a " * 900],
        ["b"],
    ]


def test_words_are_what_stands_between_spaces() -> None:
    assert words(["a  heart\nbeats", ""]) == [[(0, 1), (3, 8), (9, 14)], []]
