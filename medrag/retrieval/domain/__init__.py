"""Which domain a question belongs to, and where it is asked for that."""

from medrag.retrieval.domain.asked import AskedClassifier
from medrag.retrieval.domain.by_domain import ByDomainRetriever
from medrag.retrieval.domain.first_known import FirstKnownClassifier
from medrag.retrieval.domain.stated import StatedClassifier

__all__ = ["AskedClassifier", "ByDomainRetriever", "FirstKnownClassifier", "StatedClassifier"]
