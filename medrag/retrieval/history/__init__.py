"""The earlier studies of the patient in question."""

from medrag.retrieval.history.own import earlier_pictures, of_earlier_study
from medrag.retrieval.history.retriever import HistoryRetriever

__all__ = ["HistoryRetriever", "earlier_pictures", "of_earlier_study"]
