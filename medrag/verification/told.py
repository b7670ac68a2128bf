"""What a passage tells, in sentences that a claim can be held against."""

import re

from medrag.language import asks_yes_or_no
from medrag.records import Passage
from medrag.verification.contradictions import known_language

_THERE = re.compile(r"\s*(?:is|are|was|were)\s+there\s+(?:an?\s+|any\s+)?(.+?)\W*\Z", re.IGNORECASE)
_VERB = re.compile(
    r"\s*(?:is|are|was|were|does|do|did|has|have|can|could)\s+(.+?)\W*\Z", re.IGNORECASE
)
_SIGN = re.compile(r"\s*(yes|no)\b\W*", re.IGNORECASE)


def told(passage: Passage) -> str:
    """Give the text of a passage; of a case that was answered by yes or no, what that states."""
    question, answer = passage.fields.get("question"), passage.fields.get("answer")
    if passage.kind != "case" or not isinstance(question, str):
        return passage.text
    return stated(question, str(answer), known_language(passage)) or passage.text


def stated(question: str, answer: str, language: str) -> str | None:
    """Say what an answer by yes or no states.

    "Is there a pneumothorax?", answered "No, the lung reaches the wall", states "No pneumothorax.
    the lung reaches the wall".

    Returns:
        None where question or answer is of another form or language than English.
    """
    sign = _SIGN.match(answer)
    if language != "en" or sign is None or not asks_yes_or_no(question, language):
        return None
    asked = _THERE.match(question) or _VERB.match(question)
    if asked is None:
        return None
    denial = "No " if sign.group(1).lower() == "no" else ""
    return f"{denial}{asked.group(1)}. {answer[sign.end() :].strip()}".strip()
