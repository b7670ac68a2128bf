"""Paths of facts between the concepts of a question."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.indexing.graph import GraphChannel, to_networkx
from medrag.indexing.graph.opened import open_graph
from medrag.indexing.graph.paths import paths_between
from medrag.records import Filter, Passage, Question
from tests.indexing.graph.passages import PASSAGES, compiled, fact


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> GraphChannel:
    return compiled(PASSAGES, tmp_path_factory.mktemp("graph"))


def test_concepts_are_joined_over_what_both_have(channel: GraphChannel) -> None:
    [path, *_] = channel.paths("What links Miller carditis and acquired weakness syndrome?")
    assert [concept.name for concept in path.concepts] == [
        "Miller carditis", "racing pulse", "acquired weakness syndrome",
    ]  # fmt: skip
    assert [PASSAGES[row].text for row in path.rows] == [
        "Miller carditis has_symptom racing pulse",
        "acquired weakness syndrome has_symptom racing pulse",
    ]


def test_the_facts_of_a_path_rank_together(channel: GraphChannel) -> None:
    question = "What links Miller carditis and acquired weakness syndrome?"
    [ranking] = channel.search([Question(question)], 2, [Filter()])
    assert {PASSAGES[row].text for row, _ in ranking} == {
        "Miller carditis has_symptom racing pulse",
        "acquired weakness syndrome has_symptom racing pulse",
    }


def test_one_concept_has_no_path(channel: GraphChannel) -> None:
    assert channel.paths("Miller carditis") == []


def test_a_path_is_no_longer_than_asked_for(channel: GraphChannel) -> None:
    text = "left ventricle and blurred vision"
    assert channel.paths(text, hops=3) == []
    # ventricle - carditis - heart disease - disease - sun blindness - blurred vision
    assert [len(path.rows) for path in channel.paths(text, hops=5)] == [5]
    with pytest.raises(ValueError, match="hops must be at least 1"):
        channel.paths(text, hops=0)


def test_concepts_of_one_name_are_not_joined_to_each_other(tmp_path: Path) -> None:
    twins = [fact("A:1 xitis", "is_a", "A:2 yitis"), fact("A:3 xitis", "is_a", "A:2 yitis")]
    assert compiled(twins, tmp_path).paths("What is xitis?") == []


def test_what_is_denied_ends_no_path(channel: GraphChannel) -> None:
    assert channel.paths("Miller carditis without acquired weakness syndrome") == []


N = 9


@settings(max_examples=60)
@given(
    links=st.sets(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), min_size=1, max_size=16),
    ends=st.lists(st.integers(0, N - 1), min_size=2, max_size=4, unique=True),
    hops=st.integers(1, 5),
)
def test_paths_are_walks_along_facts_and_as_short_as_any(
    links: set[tuple[int, int]], ends: list[int], hops: int
) -> None:
    facts: list[Passage] = [
        fact(f"N:{head} node {head}", "joins", f"N:{tail} node {tail}")
        for head, tail in sorted(links)
    ]
    with TemporaryDirectory() as folder:
        compiled(facts, Path(folder))
        graph = open_graph(Path(folder))
        exported = to_networkx(Path(folder))
        nodes = [int(n) for n in exported if exported.nodes[n]["id"] in {f"N:{e}" for e in ends}]
        lengths = dict(nx.all_pairs_shortest_path_length(exported.to_undirected()))
        found = paths_between(nodes, graph, hops=hops)
        joined = set()
        for path in found:
            for (one, other), number in zip(pairwise(path.nodes), path.facts, strict=True):
                here = {int(graph.arrays[f"fact_{end}"][number]) for end in ("heads", "tails")}
                assert here == {one, other}
            one, other = path.nodes[0], path.nodes[-1]
            assert len(path.facts) == lengths[one][other]
            assert 0 < path.score <= 1
            joined.add(frozenset((one, other)))
        expected = {
            frozenset((one, other))
            for one in nodes
            for other in nodes
            if one != other and lengths[one].get(other, hops + 1) <= hops
        }
        assert joined == expected
