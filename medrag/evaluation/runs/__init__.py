"""Runs on disk: reading, writing, and the manifest that says what the answers depend on."""

from medrag.evaluation.runs.files import ANSWERS, ITEMS, MANIFEST, PASSAGES
from medrag.evaluation.runs.reading import Answered, Run, open_run, read_manifest

__all__ = [
    "ANSWERS",
    "ITEMS",
    "MANIFEST",
    "PASSAGES",
    "Answered",
    "Run",
    "open_run",
    "read_manifest",
]
