"""Texts in a language that is not known here are read as English."""

from medrag.language.tables import LANGUAGES
from medrag.records import Prompt


def read_as(code: str) -> str:
    """Give the language by whose rules a text is read: its own, or English if that is unknown."""
    return code if code in LANGUAGES else "en"


def prompt_language(prompt: Prompt) -> str:
    """Give the language by whose rules an answer is read: that of the first passage, or English."""
    return read_as(prompt.evidence[0].passage.source.language) if prompt.evidence else "en"
