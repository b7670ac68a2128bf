"""YAML to objects: the only part that knows every implementation.

A pipeline file names an index; an index file names corpora and encoders; a corpus card names
files. `kind` picks a class, other keys are keywords of its constructor.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medrag.config.alignment import load_alignment
    from medrag.config.building import build_index
    from medrag.config.index import Index, open_index
    from medrag.config.pipelines import load_pipeline

_HOMES = {
    "Index": "medrag.config.index",
    "build_index": "medrag.config.building",
    "load_alignment": "medrag.config.alignment",
    "load_pipeline": "medrag.config.pipelines",
    "open_index": "medrag.config.index",
}

__all__ = ["Index", "build_index", "load_alignment", "load_pipeline", "open_index"]


def __getattr__(name: str) -> Any:
    # A question is answered without the modules that build an index.
    if name not in _HOMES:
        raise AttributeError(f"module 'medrag.config' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
