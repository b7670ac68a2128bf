"""What judges are asked, how they are read, and that nothing is asked twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.judging import (
    CachedJudge,
    medevalkit_prompt,
    prompt_key,
    read_medevalkit,
    read_sure_vqa,
    sure_vqa_prompt,
    sure_vqa_ratings,
)
from medrag.records import Item, Question
from tests.evaluation.scorers.made import SaysAlways

OPEN = Item("1", Question("Which organ?"), ("the liver",))
CLOSED = Item("2", Question("Is it there?"), ("yes",), "yes_no", closed=True)
LABELS = Item("3", Question("Which?", options=("CT", "MRI")), ("CT", "MRI"), "choices")


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("<think>same</think>\n<judge>0</judge>", 1.0),
        ("<judge> 1 </judge>", 0.0),
        ("0", 1.0),
        ("1.", 0.0),
    ],
)
def test_zero_is_right_and_one_is_wrong(reply: str, value: float) -> None:
    assert read_medevalkit(reply) == value


@pytest.mark.parametrize(
    "reply", [None, "", "right", "<judge>2</judge>", "<judge>0</judge><judge>1</judge>"]
)
def test_a_verdict_that_cannot_be_read_is_nan(reply: str | None) -> None:
    value = read_medevalkit(reply)
    assert value != value


@pytest.mark.parametrize(
    ("reply", "item", "value"),
    [
        ("It is close.\nRating: 4", OPEN, 4.0), ("**Rating:** 5", OPEN, 5.0), ("3", OPEN, 3.0),
        ("Rating: 1", CLOSED, 1.0), ("Rating: 0.5", LABELS, 0.5), ('{"rating": 2}', OPEN, 2.0),
    ],
)  # fmt: skip
def test_a_rating_is_read_on_the_scale_of_its_item(reply: str, item: Item, value: float) -> None:
    assert read_sure_vqa(reply, item) == value


@pytest.mark.parametrize(
    ("reply", "item"),
    [(None, OPEN), ("good", OPEN), ("Rating: 0", OPEN), ("Rating: 3", CLOSED), ("Rating: 45", OPEN),
     ("Rating: 1 or Rating: 2", OPEN)],
)  # fmt: skip
def test_a_rating_off_the_scale_is_nan(reply: str | None, item: Item) -> None:
    value = read_sure_vqa(reply, item)
    assert value != value


def test_an_exact_answer_gets_the_top_without_a_judge() -> None:
    judge = SaysAlways("Rating: 2")
    ratings = sure_vqa_ratings([OPEN, CLOSED, OPEN], ["The liver.", "Yes", "lung"], judge)
    assert ratings.values == (5.0, 1.0, 2.0)
    assert (ratings.n_asked, ratings.n_unread) == (1, 0)


def test_replies_that_cannot_be_read_are_counted() -> None:
    ratings = sure_vqa_ratings([OPEN, CLOSED], ["lung", "no"], SaysAlways("hm"))
    assert ratings.n_unread == ratings.n_asked == 2


def test_answers_and_items_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="give one for each"):
        sure_vqa_ratings([OPEN], [], SaysAlways("1"))


def test_prompts_hold_question_reference_and_answer() -> None:
    for prompt in (medevalkit_prompt(OPEN, "hepar"), sure_vqa_prompt(OPEN, "hepar")):
        assert all(part in prompt for part in ("Which organ?", "the liver", "hepar"))


class Fails:
    """A judge that stops at the second portion it is given."""

    name = "always"

    def __init__(self) -> None:
        self.n = 0

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        self.n += 1
        if self.n > 1:
            raise ConnectionError("gone")
        return ["kept"] * len(prompts)


def test_what_was_asked_before_a_crash_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "replies.sqlite"
    prompts = [f"prompt {n}" for n in range(50)]
    with pytest.raises(ConnectionError):
        CachedJudge(judge=Fails(), path=path).judge(prompts)
    judge = SaysAlways("new")
    replies = CachedJudge(judge=judge, path=path).judge(prompts)
    assert replies == ["kept"] * 32 + ["new"] * 18
    assert judge.asked == prompts[32:]


def test_a_prompt_is_asked_once_and_none_is_asked_again(tmp_path: Path) -> None:
    silent = SaysAlways(None)
    cached = CachedJudge(judge=silent, path=tmp_path / "replies")
    assert cached.judge(["a", "b", "a"]) == [None, None, None]
    assert silent.asked == ["a", "b"]
    silent.reply = "half \ud800"
    assert cached.judge(["a"]) == ["half \ud800"]
    assert cached.judge(["a"]) == ["half ?"]
    assert silent.asked == ["a", "b", "a"]


def test_replies_of_another_judge_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "replies"
    CachedJudge(judge=SaysAlways("one", name="small"), path=path).judge(["a"])
    assert CachedJudge(judge=SaysAlways("two", name="large"), path=path).judge(["a"]) == ["two"]
    assert prompt_key("ab", "c") != prompt_key("a", "bc")


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replies"
    path.write_bytes(b"not a database, but long enough to look like one" * 20)
    with pytest.raises(EvaluationError, match="delete the file"):
        CachedJudge(judge=SaysAlways("1"), path=path).judge(["a"])
