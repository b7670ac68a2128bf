"""Several rewards as one, examples, and the reward of a router."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from medrag.alignment.rewards import (
    AnswerReward,
    Example,
    FormatReward,
    RouterReward,
    WeightedRewards,
    examples_of,
    examples_of_answers,
)
from medrag.alignment.rewards.protocol import Floats
from medrag.prompting.fitting import fit
from medrag.records import Answer, Hit, Passage, Selection, Source
from medrag.retrieval.agentic import DecisionPath
from tests.alignment.rewards.made import ODD, choice, closed, example, replies

PARTITIONS = ("Breast", "Skin")
CALLS = '<tool_call>\n{"name": "rag", "parameters": {"query": "what"}}\n%s</tool_call>'
NAMED = '{"name": "classifier", "parameters": {"partition": "Breast"}}\n'


class _Fixed:
    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        return np.full(len(replies), self.value)

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        return {self.name: self.reward(replies, examples)}


def test_the_total_is_the_weighted_sum_of_what_applies() -> None:
    nan = float("nan")
    rewards = WeightedRewards(rewards=[(_Fixed("a", 1), 2), (_Fixed("b", nan), 5)])
    # 2 x 1, and b does not apply.
    assert rewards.reward([""], [example()]).tolist() == [2]
    none = WeightedRewards(rewards=[(_Fixed("b", nan), 5)])
    assert np.isnan(none.reward([""], [example()])).all()


def test_each_reward_and_each_of_its_parts_is_told_by_name() -> None:
    rewards = WeightedRewards(rewards=[(FormatReward(), 0.5), (AnswerReward(), 1)])
    parts = rewards.parts(["<think>a</think><answer>yes</answer>"], [example(closed())])
    assert parts["total"].tolist() == [1.5]
    assert {name for name in parts if "/" in name} == {
        "format/think", "format/answer", "answer/read", "answer/given",
    }  # fmt: skip


def test_rewards_without_a_weight_of_one_name_or_without_an_end_are_refused() -> None:
    with pytest.raises(ValueError, match="no rewards"):
        WeightedRewards(rewards=[])
    with pytest.raises(ValueError, match="two rewards are called 'a'"):
        WeightedRewards(rewards=[(_Fixed("a", 1), 1), (_Fixed("a", 2), 1)])
    with pytest.raises(ValueError, match="the weight of a"):
        WeightedRewards(rewards=[(_Fixed("a", 1), 0)])
    endless = WeightedRewards(rewards=[(_Fixed("a", float("inf")), 1)])
    with pytest.raises(ValueError, match="finite or nan"):
        endless.reward([""], [example()])


def _routed(reply: str, path: DecisionPath) -> dict[str, float]:
    reward = RouterReward(partitions=PARTITIONS)
    found = reward.parts([reply], [replace(example(), path=path)])
    return {name: float(values[0]) for name, values in found.items()}


def test_a_decision_is_worth_0_to_4_and_its_parts_say_why() -> None:
    wanted = DecisionPath(True, 1, True, "Breast")
    assert _routed(CALLS % NAMED, wanted)["router"] == 4
    assert _routed(CALLS % NAMED.replace("Breast", "Skin"), wanted)["router"] == 3
    assert _routed(CALLS % "", wanted)["router"] == 2
    assert _routed("<tool_call>\n</tool_call>", wanted)["router"] == 0
    assert _routed("<tool_call>\n</tool_call>", DecisionPath(rag=False))["router"] == 4
    parts = _routed(CALLS % "", wanted)
    assert (parts["rag"], parts["rewrite_count"], parts["classifier"], parts["partition"]) == (
        1, 1, 0, 0,
    )  # fmt: skip


def test_a_reply_that_is_no_decision_is_worth_nothing_also_where_nothing_is_searched() -> None:
    parts = _routed("no tools, thanks", DecisionPath(rag=False))
    assert (parts["router"], parts["valid"], parts["rag"]) == (0, 0, 0)
    assert np.isnan(parts["partition"])


def test_the_router_reward_does_not_apply_without_a_path() -> None:
    assert np.isnan(RouterReward().reward([CALLS % ""], [example()])).all()


@given(replies())
def test_any_reply_of_a_router_is_worth_0_to_4(reply: str) -> None:
    assert _routed(reply, DecisionPath(True, 1))["router"] in (0, 1, 2, 3, 4)


@pytest.mark.parametrize("reply", ODD)
def test_odd_replies_of_a_router_are_worth_nothing(reply: str) -> None:
    assert _routed(reply, DecisionPath(True, 1))["router"] == 0


def test_examples_have_the_prompts_of_a_pipeline() -> None:
    hit = Hit(Passage("p", "text", "The heart is large.", Source("c", "d", "0")), 1.0, 1, "")
    items, shown = [closed(), choice()], [Selection((hit,)), Selection(())]
    examples = examples_of(items, shown)
    assert examples[0].prompt == fit(items[0].question, shown[0]).prompt
    assert examples[0].prompt.evidence == (hit,)
    assert [each.item for each in examples] == items
    with pytest.raises(ValueError, match="2 items need as many selections, got 1"):
        examples_of(items, shown[:1])


def test_the_field_chain_of_an_item_is_the_right_chain_of_its_example() -> None:
    item = replace(closed(), fields={"chain": {"side": "left"}})
    assert examples_of([item])[0].chain == {"side": "left"}
    with pytest.raises(ValueError, match="must map questions to answers"):
        examples_of([replace(item, fields={"chain": ["left"]})])


def test_examples_of_answers_have_the_prompts_that_were_written_down() -> None:
    items = [closed(), choice()]
    answers = [
        Answer(items[0].question, "yes", prompt=("What?",), template="vqa/1"),
        Answer(items[1].question, "", error="the server is away"),
    ]
    [only] = examples_of_answers(items, answers)
    assert (only.prompt.parts, only.prompt.template) == (("What?",), "vqa/1")
    with pytest.raises(ValueError, match="in the order of the items"):
        examples_of_answers(items, answers[::-1])
