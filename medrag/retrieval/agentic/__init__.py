"""A retriever that routes, searches and reads, and the reward that trains its router."""

from medrag.retrieval.agentic.retriever import AgenticRetriever
from medrag.retrieval.agentic.reward import hierarchical_reward, reward_of_reply
from medrag.retrieval.agentic.routing import DecisionPath, path_of, read_route

__all__ = [
    "AgenticRetriever",
    "DecisionPath",
    "hierarchical_reward",
    "path_of",
    "read_route",
    "reward_of_reply",
]
