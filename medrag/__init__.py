"""Answer questions about medical images from a library of one's own, with citations."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medrag.config import build_index, load_pipeline, open_index
    from medrag.errors import MedragError
    from medrag.pipeline import Pipeline
    from medrag.records import Answer, Citation, Claim, Filter, Hit, Passage, Question, Source

__version__ = "0.1.0"

_HOMES = {
    "Answer": "medrag.records",
    "Citation": "medrag.records",
    "Claim": "medrag.records",
    "Filter": "medrag.records",
    "Hit": "medrag.records",
    "MedragError": "medrag.errors",
    "Passage": "medrag.records",
    "Pipeline": "medrag.pipeline",
    "Question": "medrag.records",
    "Source": "medrag.records",
    "build_index": "medrag.config",
    "load_pipeline": "medrag.config",
    "open_index": "medrag.config",
}

__all__ = [
    "Answer",
    "Citation",
    "Claim",
    "Filter",
    "Hit",
    "MedragError",
    "Passage",
    "Pipeline",
    "Question",
    "Source",
    "__version__",
    "build_index",
    "load_pipeline",
    "open_index",
]


def __getattr__(name: str) -> Any:
    # Names resolve at first use, so that importing medrag costs no more than this file.
    if name not in _HOMES:
        raise AttributeError(f"module 'medrag' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
