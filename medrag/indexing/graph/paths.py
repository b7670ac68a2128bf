"""Shortest paths of facts between the concepts of a question."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medrag.indexing.graph.opened import CompiledGraph, degrees, entries

# Concepts with more facts than this join everything with everything, and are not passed through.
_HUB = 64
_FRONTIER = 4096
_MOST_BETWEEN = 3
_MOST_NODES = 6
# What a step more leaves of a path's score.
_STEP = 0.95


@dataclass(frozen=True, slots=True)
class FactPath:
    """A walk from one concept to another.

    Attributes:
        nodes: the concepts on it, ends included.
        facts: numbers of the facts between each and the next; len(nodes) - 1.
        score: in (0, 1]; falls with every step, and with how common the concepts between are.
    """

    nodes: tuple[int, ...]
    facts: tuple[int, ...]
    score: float


def paths_between(
    nodes: Sequence[int], graph: CompiledGraph, *, hops: int = 3, weights: Sequence[float] = ()
) -> list[FactPath]:
    """Find the shortest paths of at most `hops` facts between each two of several concepts.

    Args:
        nodes: of which the first six count.
        weights: of the nodes in (0, 1]; 1 each if empty.

    Returns:
        Best first, three between the same two at most.

    Raises:
        ValueError: if hops is below 1.
    """
    if hops < 1:
        raise ValueError(f"hops must be at least 1, got {hops}")
    sure = dict(zip(nodes, weights or [1.0] * len(nodes), strict=True))
    ends = list(sure)[:_MOST_NODES]
    # Each end is walked from once: half the way, and the other half from the other end.
    halves = {node: _layers(node, graph, (hops + 1) // 2) for node in ends}
    found = []
    for i, one in enumerate(ends):
        for other in ends[i + 1 :]:
            between = _meeting(halves[one], halves[other], hops)
            scored = [_scored(*walk, sure[one] * sure[other], graph) for walk in between]
            found += sorted(scored, key=_order)[:_MOST_BETWEEN]
    return sorted(found, key=_order)


def _order(path: FactPath) -> tuple[float, tuple[int, ...]]:
    return (-path.score, path.facts)


# How each node was reached first: from which node, by which fact, in how many steps.
_Steps = dict[int, tuple[int, int, int]]


def _layers(start: int, graph: CompiledGraph, depth: int) -> _Steps:
    steps: _Steps = {start: (start, -1, 0)}
    frontier = np.array([start], dtype=np.int64)
    for step in range(1, depth + 1):
        if step > 1:
            frontier = frontier[degrees(graph, frontier) <= _HUB]
        nodes, places = entries(graph.arrays["node_starts"], frontier[:_FRONTIER])
        others = graph.arrays["node_others"][places].tolist()
        facts = graph.arrays["node_facts"][places].tolist()
        reached = []
        for node, other, fact in zip(nodes.tolist(), others, facts, strict=True):
            if other not in steps:
                steps[other] = (node, fact, step)
                reached.append(other)
        frontier = np.array(sorted(reached), dtype=np.int64)
    return steps


def _meeting(
    one: _Steps, other: _Steps, hops: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Join the walks from two ends where they meet, if as short as any that do."""
    fewer, more = sorted((one, other), key=len)
    lengths = {node: one[node][2] + other[node][2] for node in fewer if node in more}
    shortest = min(lengths.values(), default=hops + 1)
    if not 0 < shortest <= hops:
        return []
    walks = []
    for node in sorted(node for node, length in lengths.items() if length == shortest):
        nodes, facts = _back(node, one)
        behind, further = _back(node, other)
        walks.append(((*reversed(nodes), *behind[1:]), (*reversed(facts), *further)))
    return list(dict.fromkeys(walks))


def _back(node: int, steps: _Steps) -> tuple[list[int], list[int]]:
    """Walk back from a node to where its walk began."""
    nodes, facts = [node], []
    while steps[node][2]:
        node, fact, _ = steps[node]
        nodes.append(node)
        facts.append(fact)
    return nodes, facts


def _scored(
    nodes: tuple[int, ...], facts: tuple[int, ...], sure: float, graph: CompiledGraph
) -> FactPath:
    between = degrees(graph, np.array(nodes[1:-1], dtype=np.int64))
    rare = float(np.prod(1.0 / (1.0 + 0.05 * np.log1p(between))))
    return FactPath(nodes, facts, sure * rare * _STEP ** (len(facts) - 1))
