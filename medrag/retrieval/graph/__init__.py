"""Retrieve facts of a knowledge graph: by pictures, by similar cases, by documents, by findings."""

from medrag.retrieval.graph.attributes import visual_attributes
from medrag.retrieval.graph.case_facts import CaseFactsRetriever
from medrag.retrieval.graph.findings import AttributesRetriever
from medrag.retrieval.graph.image_facts import ImageFactsRetriever
from medrag.retrieval.graph.linked import LinkedRetriever

__all__ = [
    "AttributesRetriever",
    "CaseFactsRetriever",
    "ImageFactsRetriever",
    "LinkedRetriever",
    "visual_attributes",
]
