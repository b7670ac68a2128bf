from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.weighing import read_score


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ('{"score": 8}', 0.8),
        ('{"score": 0.35}', 0.35),
        ('{"score": "7/10"}', 0.7),
        ('Let me think of 3 lesions.\n{"reason": "near", "score": 10}', 1.0),
        ("Score: 8", 0.8),
        ("**Score:** 8/10.", 0.8),
        ("The final score is 7.5 of 10, as 2 of 3 signs fit.", 0.75),
        ("Relevance = 60%", 0.6),
        ("Rating: 3 out of 5", 0.6),
        ("8", 0.8),
        (" 0 ", 0.0),
        ("10.", 1.0),
        ("0.8", 0.8),
        ("0,8", 0.8),
        ("7.5", 0.75),
        ("1", 0.1),
        ("0.0", 0.0),
        ("10.0", 1.0),
        ("80 percent", 0.8),
        ("I would say 8/10, since it is plausible.", 0.8),
        ("85/100", 0.85),
        ("It deserves 9 out of 10, I think.", 0.9),
        ("0.9/1", 0.9),
        ("Score: 8. So it is 8/10.", 0.8),
    ],
)
def test_a_score_is_read_whatever_its_scale(reply: str, score: float) -> None:
    assert read_score(reply) == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "no idea",
        "eight",
        "There are 3 lesions and 2 nodes.",
        "Score: N",
        '{"score": N}',
        '{"score": null}',
        '{"score": true}',
        '{"score": NaN}',
        '{"score": [8]}',
        "11",
        "Score: 12",
        "Score: 12/10",
        "Score: -3",
        "120%",
        "7/0",
        "3/7",
        "1.0",
        "Score: 1.0",
        "Score: 6-7",
        "Score: 6 to 7",
        "8/10/2020",
        "8.5.2",
        "Score: 8 ... Score: 3",
        '{"score": 8} or {"score": 2}',
        "2/10 at first, then 9/10",
        "-8/10",
        "60% of the lung is opaque, so this matters.",
        "3 of 5 signs are there.",
        "The relevance of 3 lesions is not clear.",
        "1000",
        "٨",
    ],
)
def test_what_is_no_score_or_several_is_no_number(reply: str) -> None:
    assert isnan(read_score(reply))


@given(st.text(alphabet='0123456789./,%- of\n{}":score*', max_size=40) | st.text(max_size=60))
def test_no_reply_breaks_the_reader_or_leaves_the_range(reply: str) -> None:
    score = read_score(reply)
    assert isnan(score) or 0 <= score <= 1


@given(n=st.integers(0, 10), before=st.sampled_from(["", "Reason: 3 signs of 4.\n", "Well. "]))
def test_a_whole_number_asked_for_is_read_as_tenths(n: int, before: str) -> None:
    assert read_score(f'{before}{{"score": {n}}}') == n / 10
    assert read_score(f"{before}Score: {n}/10") == n / 10


def test_a_reply_of_many_digits_is_read_quickly() -> None:
    assert isnan(read_score("9" * 100_000 + " of " * 1000 + "{" * 10_000))
