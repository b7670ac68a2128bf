"""What an answer copies from reports and cases of other patients."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from string import punctuation
from typing import NamedTuple

from medrag.language import sentences, without_markers
from medrag.records import Answer, Passage, is_of_a_patient
from medrag.verification.contradictions import known_language

# Words in a row that are no chance: a shorter run is a phrase that all reports share.
_RUN = 8
_ALL_KNOWN = b"\x01" * _RUN
# A whole sentence counts from here; "Yes." stands everywhere.
_SENTENCE = 4
_MARKS = str.maketrans(dict.fromkeys(punctuation + "“”‘’«»–—…•·", " "))


def copying_values(answer: Answer) -> dict[str, float]:
    """Measure how much of an answer stands word for word in evidence of another patient.

    A word is copied if it stands in a run of 8 words, or in a whole sentence of 4 or more, that a
    report or case of another patient holds as well; case and punctuation do not count. Evidence
    of the patient in question (history) may be copied.

    Returns:
        "copied_words" in [0, 1] and "copied_references", 0 or 1; nothing without such evidence.
    """
    others = [
        hit.passage
        for hit in answer.selection.kept
        if _of_another(hit.passage, answer) and hit.passage.text
    ]
    said = _sentences(answer, known_language(others[0])) if others else []
    flat = [word for sentence in said for word in sentence]
    if not flat:
        return {}
    copied = [False] * len(flat)
    for passage in others:
        for start, end in _common_spans(said, flat, _words(passage.text)):
            copied[start:end] = [True] * (end - start)
    return {"copied_words": sum(copied) / len(flat), "copied_references": float(any(copied))}


class _Words(NamedTuple):
    """The words of a passage: in a row, with a blank on either side of each, and each once."""

    row: str
    once: frozenset[str]


def _common_spans(
    said: Sequence[Sequence[str]], flat: Sequence[str], held: _Words
) -> Iterator[tuple[int, int]]:
    """Give the spans of an answer's words that stand in a passage as well."""
    known = bytes(map(held.once.__contains__, flat))
    start = known.find(_ALL_KNOWN)
    while start >= 0:
        if _row(flat[start : start + _RUN]) in held.row:
            yield start, start + _RUN
        start = known.find(_ALL_KNOWN, start + 1)
    start = 0
    for sentence in said:
        short = _SENTENCE <= len(sentence) < _RUN
        if short and held.once.issuperset(sentence) and _row(sentence) in held.row:
            yield start, start + len(sentence)
        start += len(sentence)


def _of_another(passage: Passage, answer: Answer) -> bool:
    subject = answer.question.subject
    same = subject is not None and passage.source.subject == subject
    return is_of_a_patient(passage) and not same


def _sentences(answer: Answer, language: str) -> list[list[str]]:
    text = without_markers(answer.text)
    return [_split(text[start:end]) for start, end in sentences(text, language)]


@lru_cache(maxsize=1 << 11)
def _words(text: str) -> _Words:
    found = _split(text)
    return _Words(_row(found), frozenset(found))


def _split(text: str) -> list[str]:
    return text.lower().translate(_MARKS).split()


def _row(several: Sequence[str]) -> str:
    return f" {' '.join(several)} "
