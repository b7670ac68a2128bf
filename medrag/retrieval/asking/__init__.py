"""Retrievers and rerankers that ask a model: follow-up queries, uncertainty, likelihood."""

from medrag.retrieval.asking.follow_up import FollowUpRetriever
from medrag.retrieval.asking.likelihood import LikelihoodReranker
from medrag.retrieval.asking.when_unsure import WhenUnsureRetriever

__all__ = ["FollowUpRetriever", "LikelihoodReranker", "WhenUnsureRetriever"]
