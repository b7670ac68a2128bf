"""Replies as rewards read them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.alignment.grpo.replies import ReplyReader, reward_functions
from medrag.alignment.rewards import AnswerReward, Example, FormatReward, WeightedRewards
from medrag.generation.local.loading import Loaded, load
from medrag.generation.local.replies import Replies
from medrag.generation.reply import Tags
from medrag.records import Item, Prompt, Question

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    from tests.generation.tiny_vlms import save_text_model

    folder: Path = tmp_path_factory.mktemp("texts")
    save_text_model(folder)
    return load(model=str(folder), device="cpu")


def _reader(loaded: Loaded, item: Item | None = None) -> ReplyReader:
    question = Question("Is it wide?")
    return ReplyReader(
        loaded=loaded, examples=[Example("e", Prompt(question, (), (question.text,)), item)]
    )


def _tokens(loaded: Loaded, text: str) -> list[int]:
    ids: list[int] = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def test_a_reply_ends_at_the_first_token_that_ends_it(loaded: Loaded) -> None:
    tokens = _tokens(loaded, "yes<|im_end|>no")
    assert _reader(loaded).text(0, tokens) == "yes"


def test_special_tokens_are_no_words_and_tags_stay(loaded: Loaded) -> None:
    tokens = _tokens(loaded, "<think>a<|im_start|></think><answer>b</answer>")
    assert _reader(loaded).text(0, tokens) == "<think>a</think><answer>b</answer>"


def test_the_answer_is_that_which_inference_reads(loaded: Loaded) -> None:
    tags = Tags(("<think>", "</think>"), None)
    tokens = _tokens(loaded, "<think>wide</think> Yes.")
    read = Replies(loaded.tokenizer, tags).read(tokens, thinking=False)
    assert _reader(loaded).text(0, tokens).rpartition("</think>")[2].strip() == read.text == "Yes."


def test_a_reply_to_a_prompt_that_ends_inside_thoughts_begins_with_their_tag(
    loaded: Loaded,
) -> None:
    class Thinking:
        chat_template = "told below"

        def __getattr__(self, name: str) -> Any:
            return getattr(loaded.processor, name)

        def apply_chat_template(self, *_: Any, **__: Any) -> str:
            return "Is it wide?<think>\n"

    reader = _reader(replace(loaded, processor=Thinking()))
    assert reader.text(0, _tokens(loaded, "so</think>yes")) == "<think>so</think>yes"


def test_rewards_are_asked_by_place_and_tell_their_parts(loaded: Loaded) -> None:
    item = Item("i", Question("Is it wide?"), ("yes",), "yes_no", True)
    rewards = WeightedRewards(rewards=[(AnswerReward(), 1.0), (FormatReward(), 1.0)])
    answer, form = reward_functions(rewards, _reader(loaded, item))
    told: dict[str, float] = {}
    given = {
        "completion_ids": [_tokens(loaded, "yes"), _tokens(loaded, "no")], "place": [0, 0],
        "log_metric": told.__setitem__, "trainer_state": None,
    }  # fmt: skip
    assert answer(**given) == [1.0, 0.0]
    assert form(**given) == [0.0, 0.0]
    assert (answer.__name__, form.__name__) == ("answer", "format")
    assert told["parts/answer/read"] == 1
    assert told["parts/format/think"] == 0


def test_a_reward_that_does_not_apply_is_none(loaded: Loaded) -> None:
    [answer] = reward_functions(WeightedRewards(rewards=[(AnswerReward(), 1.0)]), _reader(loaded))
    told: dict[str, float] = {}
    values = answer(completion_ids=[[0]], place=[0], log_metric=told.__setitem__)
    assert values == [None]
    assert not np.isfinite(list(told.values())).any()
