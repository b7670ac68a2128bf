"""How near concepts stand to those that a question means: by steps, or by PageRank."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph.opened import CompiledGraph, Nodes, degrees, entries
from medrag.indexing.graph.pagerank import Walk, personalised_pagerank

Reach = NDArray[np.float32]
Ranking = Literal["near", "pagerank"]

_HOPS = 2
# A step up to the broader concept keeps more of the meaning than one down or aside.
_UP, _DOWN, _ASIDE = 0.5, 0.4, 0.4
# Steps up that what is said of a broader concept is followed.
_CLOSURE = 8
# Of a concept with more facts than this, the narrower and the related ones are not followed.
_HUB = 64
_FRONTIER = 512
# Concepts of the highest rank whose facts are ranked.
_RANKED = 512
# A neighbour's rank is a fraction of what it is beside; its root compares with a step aside.
_RANK_POWER = 0.25


def reached(meant: Reach, graph: CompiledGraph) -> tuple[Reach, Nodes]:
    """Walk away from the concepts meant: how far each is reached, and the facts on the way.

    What holds of a concept holds of its kinds: the broader ones are followed to the top.
    """
    reach = meant.copy()
    _climb(reach, np.flatnonzero(meant), graph)
    frontier = np.flatnonzero(reach)
    walked = np.zeros(0, dtype=np.int64)
    for hop in range(_HOPS + 1):
        frontier = frontier[np.lexsort((frontier, -reach[frontier]))][:_FRONTIER]
        # Of the concepts meant alone all facts are read, however many.
        open_ = (degrees(graph, frontier) <= _HUB) | (meant[frontier] > 0)
        nodes, places = entries(graph.arrays["node_starts"], frontier[open_])
        facts = np.asarray(graph.arrays["node_facts"][places], dtype=np.int64)
        walked = np.union1d(walked, facts)
        if hop == _HOPS:
            break
        others = np.asarray(graph.arrays["node_others"][places], dtype=np.int64)
        is_kind = graph.is_kind[graph.arrays["fact_relations"][facts]]
        up = is_kind & (graph.arrays["fact_heads"][facts] == nodes)
        step = np.where(is_kind, np.where(up, _UP, _DOWN), _ASIDE)
        followed = up | (degrees(graph, nodes) <= _HUB)
        arriving = np.where(followed, reach[nodes] * step, 0.0).astype(np.float32)
        before = reach[others]
        np.maximum.at(reach, others, arriving)
        frontier = np.unique(others[reach[others] > before])
    return reach, walked


def walk_of(graph: CompiledGraph) -> Walk:
    """Make a graph's facts ready for PageRank; they are walked both ways."""
    return Walk(starts=graph.arrays["node_starts"], neighbours=graph.arrays["node_others"])


def ranked(meant: Reach, graph: CompiledGraph, walk: Walk, damping: float) -> tuple[Reach, Nodes]:
    """Rank concepts by PageRank that starts from those meant, and list the facts of the first."""
    rank = personalised_pagerank(walk, meant.astype(np.float64), damping=damping)
    first = np.flatnonzero(rank)
    if len(first) > _RANKED:
        first = first[np.argpartition(-rank[first], _RANKED)[:_RANKED]]
    best = meant.max() / max(rank[first].max(), 1e-300) ** _RANK_POWER
    reach = np.zeros(graph.n_nodes, dtype=np.float32)
    reach[first] = rank[first] ** _RANK_POWER * best
    reach = np.maximum(np.minimum(reach, meant.max() * 0.9), meant)
    open_ = (degrees(graph, first) <= _HUB) | (meant[first] > 0)
    _, places = entries(graph.arrays["node_starts"], np.sort(first[open_]))
    return reach, np.unique(np.asarray(graph.arrays["node_facts"][places], dtype=np.int64))


def _climb(reach: Reach, level: Nodes, graph: CompiledGraph) -> None:
    """Reach broader concepts, each step less."""
    for _ in range(_CLOSURE):
        children, places = entries(graph.arrays["parent_starts"], level)
        parents = np.asarray(graph.arrays["parents"][places], dtype=np.int64)
        before = reach[parents]
        np.maximum.at(reach, parents, reach[children] * np.float32(_UP))
        level = np.unique(parents[reach[parents] > before])
        if not len(level):
            return
