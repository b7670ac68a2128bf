"""How good a router's decision is, against a reference: for training it."""

from collections.abc import Collection

from medrag.retrieval.agentic.routing import DecisionPath, path_of, read_route


def hierarchical_reward(path: DecisionPath, reference: DecisionPath) -> float:
    """Compare a decision with a reference, the earlier parts of it first.

    - 0 if `rag` is wrong; 4 if it rightly is False.
    - Else 1, and 1 more for the right number of queries; for the right `classifier`, 2 more where
      it is False, and where it is True 1 more, and another 1 for the right partition.

    Returns:
        0, 1, 2, 3 or 4.

    Source:
        Patho-AgenticRAG, arXiv 2508.02258, the algorithm of its reward. The reward of the format
        that a figure names is not in the algorithm, and not here.
    """
    if path.rag != reference.rag:
        return 0.0
    if not reference.rag:
        return 4.0
    reward = 1.0
    if path.rewrite_count == reference.rewrite_count:
        reward += 1.0
    if path.classifier != reference.classifier:
        return reward
    if not path.classifier:
        return reward + 2.0
    return reward + (2.0 if path.partition == reference.partition else 1.0)


def reward_of_reply(
    reply: str, reference: DecisionPath, partitions: Collection[str], *, max_queries: int = 4
) -> float:
    """Compute the reward of what a router wrote; 0 where that is no decision."""
    path = path_of(read_route(reply, partitions, max_queries=max_queries))
    return 0.0 if path is None else hierarchical_reward(path, reference)
