"""Tuning of retrievers on pairs: image-text heads, CLIP towers, models of texts and of pages."""

from medrag.alignment.retriever.factual import factual_positives
from medrag.alignment.retriever.negatives import hard_negatives
from medrag.alignment.retriever.pair import RetrieverPair, Triple
from medrag.alignment.retriever.reader import (
    ReaderSignal,
    reader_likelihoods,
    reader_signal,
    reader_targets,
)
from medrag.alignment.retriever.reading import pairs_of_passages, read_retriever_pairs
from medrag.alignment.retriever.recall import Recall
from medrag.alignment.retriever.settings import RetrieverModel, RetrieverSettings
from medrag.alignment.retriever.tuning import TunedRetriever, tune_by_domain, tune_retriever
from medrag.alignment.retriever.validating import CrossValidated, cross_validate

__all__ = [
    "CrossValidated",
    "ReaderSignal",
    "Recall",
    "RetrieverModel",
    "RetrieverPair",
    "RetrieverSettings",
    "Triple",
    "TunedRetriever",
    "cross_validate",
    "factual_positives",
    "hard_negatives",
    "pairs_of_passages",
    "read_retriever_pairs",
    "reader_likelihoods",
    "reader_signal",
    "reader_targets",
    "tune_by_domain",
    "tune_retriever",
]
