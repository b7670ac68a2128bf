"""Personalised PageRank, held against networkx."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.indexing.graph import GraphChannel, Walk, personalised_pagerank
from medrag.records import Filter, Question
from tests.indexing.graph.passages import PASSAGES, compiled

N = 12


def walk(links: list[tuple[int, int]]) -> Walk:
    heads = np.array([head for head, _ in links], dtype=np.int64)
    tails = np.array([tail for _, tail in links], dtype=np.int32)
    order = np.argsort(heads, kind="stable")
    starts = np.zeros(N + 1, dtype=np.int64)
    np.cumsum(np.bincount(heads, minlength=N), out=starts[1:])
    return Walk(starts=starts, neighbours=tails[order])


@settings(max_examples=60)
@given(
    links=st.sets(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), max_size=40),
    restart=st.lists(st.integers(0, 5), min_size=N, max_size=N).filter(any),
    damping=st.sampled_from([0.0, 0.5, 0.85, 0.95]),
)
def test_ranks_sum_to_one_and_are_those_of_networkx(
    links: set[tuple[int, int]], restart: list[int], damping: float
) -> None:
    rank = personalised_pagerank(
        walk(sorted(links)), np.array(restart, dtype=np.float64), damping=damping
    )
    graph = nx.DiGraph()
    graph.add_nodes_from(range(N))
    graph.add_edges_from(links)
    personal = {node: weight for node, weight in enumerate(restart) if weight}
    theirs = nx.pagerank(graph, alpha=damping, personalization=personal, tol=1e-10, max_iter=2000)
    assert rank.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(rank, [theirs[node] for node in range(N)], atol=1e-6)


def test_without_damping_every_rank_stays_where_it_starts() -> None:
    restart = np.zeros(N)
    restart[3] = 2.0
    rank = personalised_pagerank(walk([(3, 4)]), restart, damping=0.0)
    assert rank[3] == 1


@pytest.mark.parametrize(
    ("restart", "damping", "problem"),
    [
        ([0.0] * N, 0.85, "one above 0"),
        ([-1.0] + [1.0] * (N - 1), 0.85, "no negative"),
        ([1.0] * N, 1.0, "damping must be in"),
    ],
)
def test_a_walk_that_cannot_start_or_end_is_refused(
    restart: list[float], damping: float, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        personalised_pagerank(walk([(0, 1)]), np.array(restart), damping=damping)


def test_a_channel_ranks_by_pagerank_if_told_so(tmp_path: Path) -> None:
    near = compiled(PASSAGES, tmp_path)
    channel = GraphChannel(folder=near.folder, mask=near.mask, rank="pagerank", damping=0.7)
    [ranking] = channel.search(
        [Question("What are the symptoms of Miller carditis?")], 20, [Filter()]
    )
    assert PASSAGES[ranking[0].row].text == "Miller carditis has_symptom racing pulse"
    assert all(0 < score <= 1 for _, score in ranking)


@pytest.mark.parametrize(
    ("given_", "problem"), [({"rank": "nearest"}, "rank must be"), ({"damping": 1.5}, "damping")]
)
def test_a_channel_checks_how_it_is_to_rank(
    tmp_path: Path, given_: dict[str, object], problem: str
) -> None:
    near = compiled(PASSAGES, tmp_path)
    with pytest.raises(ValueError, match=problem):
        GraphChannel(folder=near.folder, mask=near.mask, **given_)  # type: ignore[arg-type]
