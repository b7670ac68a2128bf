"""The right half of the flow: retrieve, select, answer."""

from medrag.pipeline.pipeline import Pipeline, Selected
from medrag.pipeline.preparing import prepared
from medrag.retrieval.guarding import NEAR_DUPLICATE_BITS, guarded, near_duplicates, violates

__all__ = [
    "NEAR_DUPLICATE_BITS",
    "Pipeline",
    "Selected",
    "guarded",
    "near_duplicates",
    "prepared",
    "violates",
]
