"""How good a router's decisions are."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from medrag.alignment.rewards.example import Example
from medrag.alignment.rewards.protocol import Floats, check_same
from medrag.retrieval.agentic import DecisionPath, hierarchical_reward, path_of, read_route


class RouterReward:
    """Give 0 to 4 for a router's decision, the earlier parts of it first.

    A reply that is no decision has 0. The reward does not apply (nan) to examples without a path.

    Args:
        partitions: that the router may name, verbatim.
        max_queries: of one decision; more are a fault.

    Raises:
        ValueError: if a partition is blank or max_queries is below 1.

    Source:
        Patho-AgenticRAG, arXiv 2508.02258; see `hierarchical_reward`.
    """

    name = "router"

    def __init__(self, *, partitions: Collection[str] = (), max_queries: int = 4) -> None:
        if blank := [each for each in partitions if not each.strip()]:
            raise ValueError(f"partitions holds a blank name: {blank[0]!r}")
        if max_queries < 1:
            raise ValueError(f"max_queries must be at least 1, got {max_queries}")
        self.partitions = tuple(partitions)
        self.max_queries = max_queries

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give each reply 0, 1, 2, 3 or 4; nan without a reference."""
        return self.parts(replies, examples)[self.name]

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Tell the rewards, whether a reply is "valid", and which parts of the path are right.

        "rag" is told of all; "rewrite_count", "classifier" and "partition" of examples whose
        reference searches, or names a partition.
        """
        check_same(replies, examples)
        names = ("router", "valid", "rag", "rewrite_count", "classifier", "partition")
        found = {name: np.full(len(replies), np.nan) for name in names}
        for at, (reply, example) in enumerate(zip(replies, examples, strict=True)):
            if example.path is not None:
                for name, value in _told(self.path(reply), example.path).items():
                    found[name][at] = value
        return found

    def path(self, reply: str) -> DecisionPath | None:
        """Read the decision of a reply as the retriever reads it; None for a fault."""
        return path_of(read_route(reply, self.partitions, max_queries=self.max_queries))


def _told(path: DecisionPath | None, wanted: DecisionPath) -> Mapping[str, float]:
    given = DecisionPath(rag=not wanted.rag) if path is None else path
    told = {"router": 0.0 if path is None else hierarchical_reward(path, wanted),
            "valid": float(path is not None), "rag": float(given.rag == wanted.rag)}  # fmt: skip
    if wanted.rag:
        told["rewrite_count"] = float(given.rewrite_count == wanted.rewrite_count)
        told["classifier"] = float(given.rag and given.classifier == wanted.classifier)
    if wanted.classifier:
        told["partition"] = float(given.partition == wanted.partition)
    return told
