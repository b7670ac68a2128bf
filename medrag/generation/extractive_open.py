"""Open questions: choose the sentences of the evidence that answer them."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.generation.extractive_evidence import Pool, Similarity, Unit, matches
from medrag.language import stems
from medrag.records import Question

# Words that say what to do, not what about.
_ASKING = (
    "name list describe explain define discuss compare contrast identify give tell summarize "
    "following mean meaning term called happen happens important function role difference example "
    "examples reason reasons main least three two several work works cause causes kind kinds type "
    "types use used many much long often show shows shown see seen image images picture pictures "
    "film scan"
)
# A sentence shows by these words that it answers the kind of question. English only: where no cue
# is known, none counts.
_CUES = (
    (
        r"^(?:where\b|in (?:which|what) (?:part|region|place|organ|area))",
        r"\b(?:locat|situat|found in|found on|within|between|lies|lie|beneath|behind|above|below|"
        r"superior|inferior|anterior|posterior|side|region)",
    ),
    (
        r"^(?:why\b|what (?:causes|is the cause|is the reason))",
        r"\b(?:because|due to|caus|result|therefore|thus|so that|allow|prevent|lead)",
    ),
    (r"^when\b", r"\b(?:when|during|after|before|while|until|begin|week|month|year|day)"),
    (
        r"^how (?:many|much|long|often|large|old|thick)\b",
        r"\b(?:\d|one|two|three|four|five|six|seven|eight|nine|ten|twelve|dozen|hundred|percent)",
    ),
)
_DEFINITION = re.compile(r"^(?:what (?:is|are|was|were|does)\b|define\b|definition of\b)", re.I)
_SAYS_WHAT = re.compile(r"\s(?:is|are|was|were|refers? to|means?|consists? of)\b|:", re.I)
# A sentence that leans on the one before it is hard to read alone.
_LEANS = re.compile(r"(?:this|these|those|it|they|however|thus|therefore|such|for example)\b", re.I)
_LEANING = 0.85
_FIGURE = re.compile(r"\b(?:figure|table|diagram|illustration)\b", re.I)
_SAID = 3
_CUE_BONUS, _DEFINITION_BONUS, _RANK, _TITLE = 0.15, 0.35, 0.3, 0.15
_SIMILARITY, _COMPARED = 1.0, 24
# A further sentence must reach this share of the best score, and differ in this share of its words.
_NEAR, _SAME = 0.6, 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """A sentence that answers, its score, and the share of the question's words it stands on."""

    unit: Unit
    score: float
    coverage: float


def asked_stems(text: str, language: str) -> frozenset[str]:
    """List the stems that say what a question is about; none if it names nothing."""
    return frozenset(stems(text, language)) - frozenset(stems(_ASKING, "en"))


def find(question: Question, pool: Pool, similarity: Similarity | None = None) -> list[Found]:
    """Rank the sentences of the evidence by how well they answer a question, best first.

    A sentence is scored by the words of the question that it holds, and less by those that only
    its passage holds; headings, questions and lists of aims lose, the kind of sentence that the
    question asks for (a place, a cause, a number, a definition) gains.
    """
    asked = asked_stems(question.text, pool.language)
    if not asked or not pool.units:
        return []
    own = matches(asked, pool, length=0.5)
    scores = own + _TITLE * _lead(asked, pool)
    most = float(scores.max()) or 1.0
    bonus = np.array([_bonus(question.text, asked, unit, pool) for unit in pool.units])
    scores = (scores + most * bonus * (own > 0)) * _shapes(question.text, pool)
    if similarity is not None:
        scores = scores + _SIMILARITY * most * _likeness(question, scores, pool, similarity)
    order = np.argsort(-scores, kind="stable")
    found = [Found(u := pool.units[i], float(scores[i]), coverage(asked, u)) for i in order]
    return [one for one in found if one.score > 0]


def coverage(asked: frozenset[str], unit: Unit) -> float:
    """Give the share of a question's stems that a sentence holds, those of its passage at half."""
    held = frozenset(unit.stems)
    full = len(asked & held)
    half = len((asked & unit.around) - held)
    return (full + half / 2) / len(asked) if asked else 0.0


def missing(asked: frozenset[str], pool: Pool) -> float:
    """Give the share of a question's stems that no passage of the evidence holds."""
    held = frozenset().union(*(unit.around for unit in pool.units))
    return len(asked - held) / len(asked) if asked else 0.0


def share_around(asked: frozenset[str], unit: Unit) -> float:
    """Give the share of a question's stems that a sentence's passage holds; 1 if it has none."""
    return len(asked & unit.around) / len(asked) if asked else 1.0


def pick(found: list[Found], n: int, asked: frozenset[str]) -> list[Unit]:
    """Take up to n sentences: the best, and those near it that say something else."""
    picked: list[Unit] = []
    for one in found:
        if len(picked) == n or one.score < _NEAR * found[0].score:
            break
        if all(_alike(one.unit, other, asked) < _SAME for other in picked):
            picked.append(one.unit)
    return picked


def _lead(asked: frozenset[str], pool: Pool) -> NDArray[np.float64]:
    return np.array(
        [
            sum(pool.weight(stem) for stem in asked if stem in unit.around and not count[stem])
            for unit, count in zip(pool.units, pool.counts, strict=True)
        ]
    )


def _bonus(text: str, asked: frozenset[str], unit: Unit, pool: Pool) -> float:
    bonus = _RANK / unit.marker
    question = text.strip().lower()
    for kind, cue in _CUES:
        if re.match(kind, question) and re.search(cue, unit.text, re.I):
            bonus += _CUE_BONUS
    if _DEFINITION.match(question) and _defines(asked, unit, pool.language):
        bonus += _DEFINITION_BONUS
    if unit.hit.passage.kind in ("term", "fact"):
        bonus += _CUE_BONUS
    return bonus


def _defines(asked: frozenset[str], unit: Unit, language: str) -> bool:
    """Tell whether a sentence begins with what is asked and goes on to say what it is."""
    match = _SAYS_WHAT.search(unit.text)
    if match is None:
        return False
    subject = stems(unit.text[: match.start()], language)
    if len(stems(unit.text[match.end() :], language)) < _SAID:
        return False
    return bool(subject) and asked >= set(subject) and len(subject) <= len(asked) + 1


def _shapes(asked_text: str, pool: Pool) -> NDArray[np.float64]:
    """Weigh down what is no statement: headings, titles, questions, aims of a chapter."""
    factors = np.ones(len(pool.units))
    for i, unit in enumerate(pool.units):
        if unit.place == 0 and unit.hit.passage.kind in ("figure", "table"):
            factors[i] = 1.5 if _FIGURE.search(asked_text) else 0.5
        if unit.hit.passage.kind in ("text", "report") and unit.text[-1] not in '.!)”"’':
            factors[i] = 0.6
        if unit.text.endswith("?"):
            factors[i] = 0.3
        if unit.text.startswith(("-", "•")):
            factors[i] *= 0.6
        if unit.place and _LEANS.match(unit.text):
            factors[i] *= _LEANING
    return factors


def _likeness(
    question: Question, scores: NDArray[np.float64], pool: Pool, similarity: Similarity
) -> NDArray[np.float64]:
    best = np.argsort(-scores, kind="stable")[:_COMPARED]
    alike = np.zeros(len(pool.units))
    alike[best] = similarity([question.text], [pool.units[i].text for i in best])[0]
    return alike


def _alike(one: Unit, other: Unit, asked: frozenset[str]) -> float:
    """Give the share of words that two sentences have in common, beside those asked for."""
    first, second = set(one.stems) - asked, set(other.stems) - asked
    return len(first & second) / len(first | second) if first | second else 1.0
