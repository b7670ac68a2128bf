"""Follow-up queries in the replies of models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.retrieval.asking.queries import Queries, read_queries, same_query
from medrag.retrieval.asking.showing import LONGEST_QUERY, is_query


@pytest.mark.parametrize("mark", ["- ", "* ", "• ", "1. ", "12) ", "  - "])
def test_each_line_of_a_list_is_a_query(mark: str) -> None:
    reply = f"To answer this:\n{mark}what is gout?\n{mark}what is an effusion?\nThat is all."
    assert read_queries(reply, 3).queries == ("what is gout?", "what is an effusion?")


def test_no_more_queries_are_read_than_are_wanted() -> None:
    assert read_queries("- a b\n- c d\n- e f", 2).queries == ("a b", "c d")


def test_a_query_that_differs_in_capitals_and_blanks_is_the_same() -> None:
    assert read_queries("- What is  gout?\n- what is gout?", 3).queries == ("What is  gout?",)
    assert same_query("What is  gout?", "what is gout?")
    assert not same_query("gout", "gouty")


@pytest.mark.parametrize("reply", ["DONE", "DONE.", " **DONE** ", "`DONE`"])
def test_done_ends_it(reply: str) -> None:
    assert read_queries(reply, 3) == Queries(done=True)


@pytest.mark.parametrize("reply", ["", "I am DONE", "What is gout?", "-gout", "-"])
def test_words_that_are_no_list_ask_for_nothing(reply: str) -> None:
    assert read_queries(reply, 3) == Queries()


@pytest.mark.parametrize(
    "query",
    [
        "<|im_end|> gout",
        "gout\u202e",
        "gout\u200b",
        "a\x1b[31m",
        "gout\ud800",
        "g" * 501,
        "a\u2028b",
    ],
)
def test_a_line_that_hides_something_is_refused(query: str) -> None:
    assert read_queries(f"- {query}\n- gout", 3) == Queries(("gout",), refused=1)


@given(st.text(), st.integers(1, 5))
def test_whatever_is_read_may_be_searched_for(reply: str, n: int) -> None:
    for text in (reply, "- " + reply.replace("\n", "\n- ")):
        read = read_queries(text, n)
        assert len(read.queries) <= n
        assert all(is_query(each) and len(each) <= LONGEST_QUERY for each in read.queries)
        assert not (read.done and read.queries)
