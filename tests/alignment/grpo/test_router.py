"""What a router is trained on."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.grpo.router import (
    RouterRow,
    read_router_rows,
    router_examples,
    router_pairs,
    router_prompt,
    router_reply,
)
from medrag.alignment.rewards import RouterReward
from medrag.errors import InputFileError
from medrag.records import Filter, Generation, Passage, Prompt, Question
from medrag.retrieval.agentic import AgenticRetriever, DecisionPath, path_of, read_route
from medrag.retrieval.agentic.routing import RoutedQuery

PARTITIONS = ("Breast", "Skin")
ASKED = Question("What grade is it?", options=("one", "two"), id="q")
ROW = RouterRow(ASKED, DecisionPath(True, 1, True, "Breast"), (RoutedQuery("grades", "Breast"),))
NOTHING = RouterRow(Question("Is it blue?"), DecisionPath(rag=False))


class _Router:
    """Writes down what it is asked, and searches for nothing."""

    name = "router"

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        self.asked += prompts
        return [Generation("<tool_call>\n</tool_call>") for _ in prompts]


class _NoRows:
    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        return []


@pytest.mark.parametrize("partitions", [PARTITIONS, ()])
def test_the_prompt_is_that_of_the_retriever(partitions: tuple[str, ...]) -> None:
    router = _Router()
    retriever = AgenticRetriever(
        retriever=None, generator=router, rows=_NoRows(), max_queries=3,  # type: ignore[arg-type]
        partitions={name: name for name in partitions},
    )  # fmt: skip
    retriever.retrieve([ASKED], 1, [Filter()])
    assert router.asked == [router_prompt(ASKED, partitions=partitions, max_queries=3)]


def test_the_supervised_start_says_what_the_reward_counts_whole() -> None:
    [example, other] = router_examples([ROW, NOTHING], partitions=PARTITIONS)
    [pair, silent] = router_pairs([ROW, NOTHING], partitions=PARTITIONS)
    assert pair.prompt == example.prompt.parts
    reward = RouterReward(partitions=PARTITIONS)
    said = [pair.chosen, silent.chosen, pair.rejected, silent.rejected]
    # The rejected reply decides otherwise in the first thing that counts.
    assert reward.reward(said, [example, other] * 2).tolist() == [4, 4, 0, 0]


def test_a_row_of_which_only_the_path_is_known_is_rewarded_but_not_imitated() -> None:
    bare = RouterRow(ASKED, ROW.path)
    assert router_pairs([bare], partitions=PARTITIONS) == []
    assert router_examples([bare], partitions=PARTITIONS)[0].path == ROW.path


def test_a_decision_that_the_router_may_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="no partition: 'Breast'"):
        router_examples([RouterRow(ASKED, ROW.path)], partitions=("Skin",))
    with pytest.raises(ValueError, match="no right decision"):
        router_examples([RouterRow(ASKED, DecisionPath(True, 2), ROW.queries)])
    with pytest.raises(ValueError, match="more than max_queries 1"):
        router_examples([RouterRow(ASKED, DecisionPath(True, 2))], max_queries=1)


_PLAIN = st.text(alphabet='abc äß"\\{}', min_size=1, max_size=20).filter(lambda t: t.strip())


@given(st.lists(st.builds(RoutedQuery, _PLAIN.map(str.strip),
                          st.sampled_from([*PARTITIONS, None])), max_size=4))  # fmt: skip
def test_what_is_written_as_a_reply_is_read_as_the_same_decision(
    queries: list[RoutedQuery],
) -> None:
    route = read_route(router_reply(queries, thought="so"), PARTITIONS)
    assert route.queries == tuple(queries)
    assert path_of(route) is not None


def test_rows_are_read_from_json_lines(tmp_path: Path) -> None:
    lines = [
        {"id": "q", "question": "What grade is it?", "options": ["one", "two"],
         "queries": [{"text": "grades", "partition": "Breast"}]},
        {"question": "Is it blue?", "queries": []},
        {"question": "Why?", "path": {"rag": True, "rewrite_count": 2}},
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert read_router_rows(path) == [
        ROW, NOTHING, RouterRow(Question("Why?"), DecisionPath(True, 2)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ('{"question": 3}', "expected an object"),
        ('{"question": "a", "querys": []}', "unknown key 'querys'"),
        ('{"question": "a", "queries": [{"partition": "b"}]}', "'text'"),
        ('{"question": "a", "queries": "b"}', "must be a list"),
        ('{"question": "a", "path": {"rag": false, "rewrite_count": 1}}', "contradicts itself"),
        ('{"question": "a", "path": {"rag": true, "rewrite_count": 1, "classifier": true}}',
         "contradicts itself"),
        ('{"question": "a", "queries": [{"text": "a\\nb"}]}', "cannot be written"),
        ("[" * 100_000, "line 2"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_row_is_refused_with_its_number(
    tmp_path: Path, line: str, said: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "Why?"}\n' + line, encoding="utf-8")
    with pytest.raises(InputFileError, match="line 2") as caught:
        read_router_rows(path)
    assert said in str(caught.value)
