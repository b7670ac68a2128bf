"""Open questions: choose the sentences of the evidence that answer them."""

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medrag.generation.extractive.evidence import Pool, Similarity, Unit, matches
from medrag.generation.extractive.naming import aboutness, entry_names, is_named
from medrag.generation.extractive.quoting import heading_of
from medrag.language import stems
from medrag.records import Question

# Words that say what to do, not what about.
_ASKING = (
    "name list describe explain define discuss compare contrast identify give tell summarize "
    "following mean meaning term called happen happens important function role difference example "
    "examples reason reasons main least three two several work works cause causes kind kinds type "
    "types sort sorts use used many much long often show shows shown see seen image images picture "
    "pictures film scan disease diseases disorder condition differ different another found find "
    "statement statements true correct correctly best likely describes describing occur occurs "
    "occurring result results each both regarding referred known primarily primary major common "
    "commonly typically usually during all considered"
)
# How a question asks for a kind of sentence, by which of its words, and how a sentence shows that
# it is of that kind. English only: where no cue is known, none counts.
_CUES = (
    (
        r"^(?:where\b|in (?:which|what) (?:part|region|place|organ|area|body)|"
        r"(?:which|what) (?:is|are) the (?:location|site))",
        "located situated found location site arise lie organ part place area region",
        r"\b(?:locat|situat|found in|found on|within|between|lies|lie|beneath|behind|above|below|"
        r"superior|inferior|anterior|posterior|side|region|site|arises?|derive[sd]? from)",
    ),
    (
        r"^(?:why\b|what (?:causes|is the cause|is the reason))",
        "",
        r"\b(?:because|due to|caus|result|therefore|thus|so that|allow|prevent|lead)",
    ),
    (r"^when\b", "", r"\b(?:when|during|after|before|while|until|begin|week|month|year|day)"),
    (
        r"^how (?:many|much|long|often|large|old|thick)\b",
        "",
        r"\b(?:\d|one|two|three|four|five|six|seven|eight|nine|ten|twelve|dozen|hundred|percent)",
    ),
    (
        r".*\b(?:symptoms?|signs?|manifestations?|findings?|features?)\b",
        "symptom sign manifestation finding feature clinical",
        r"\b(?:symptom|signs?\b|manifest|findings?\b|features?\b)",
    ),
    (r".*\b(?:kinds?|types?|sorts?|class)\b", "", r"\bkind of|\bis an?\b"),
    (
        r".*\b(?:functions?|roles?|purpose)\b|^what do(?:es)? .+ do\b",
        "purpose",
        r"\b(?:functions?|roles?|transports?|carr(?:y|ies)|regulates?|produces?|secretes?|releases?|"
        r"controls?|helps?|allows?|protects?|stores?|serves?|responsible|acts?|provides?)\b",
    ),
    (
        r".*\b(?:(?:another|other) (?:names?|terms?|words?)|synonyms?|also called|known as)\b",
        "another other synonym also call known word",
        r"\b(?:synonyms?|also (?:called|known)|known as|called)\b",
    ),
)
_DEFINITION = re.compile(r"^(?:what (?:is|are|was|were|does)\b|define\b|definition of\b)", re.I)
_SAYS_WHAT = re.compile(
    r"\s(?:is|are|was|were)\s+(?!\w+(?:ed|ly)\b|not\b|in\b|at\b|on\b)|"
    r"\s(?:refers? to|means?|consists? of)\b|:",
    re.I,
)
# Words of degree, which the evidence need not repeat.
_DEGREE = "strong weak large small big little high low long short great major common very best"
# A sentence that leans on the one before it is hard to read alone.
_LEANS = re.compile(r"(?:this|these|those|it|they|however|thus|therefore|such|for example)\b", re.I)
_LEANING = 0.85
_OTHER_KIND = 0.7
_FIGURE = re.compile(r"\b(?:figure|table|diagram|illustration)\b", re.I)
_SAID = 3
_CUE_BONUS, _DEFINITION_BONUS, _ENTRY_BONUS, _HEADING_BONUS = 0.15, 0.35, 0.2, 0.35
_RANK, _TITLE = 0.3, 0.15
_SIMILARITY, _COMPARED = 1.0, 24
# A further sentence must reach this share of the best score, and differ in this share of its words.
_NEAR, _SAME = 0.6, 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """A sentence that answers.

    Attributes:
        score: higher is better; comparable within one question only.
        coverage: in [0, 1], the share of the question's words that it stands on.
        about: in [0, 1], whether it is about what the question names; see `aboutness`.
    """

    unit: Unit
    score: float
    coverage: float
    about: float = 1.0


def asked_stems(text: str, language: str) -> frozenset[str]:
    """List the stems that say what a question is about; none if it names nothing."""
    return frozenset(stems(text, language)) - frozenset(stems(_ASKING, "en"))


def find(question: Question, pool: Pool, similarity: Similarity | None = None) -> list[Found]:
    """Rank the sentences of the evidence by how well they answer a question, best first.

    A sentence is scored by the words of the question that it holds, and less by those that only
    its passage holds; headings, questions and lists of aims lose, and so does what is about
    something else; the kind of sentence that the question asks for (a place, a cause, a number, a
    definition) gains, and holds the words that ask for it.
    """
    asked = asked_stems(question.text, pool.language)
    pool = cued(question.text, pool)
    if not asked or not pool.units:
        return []
    own = matches(asked, pool, length=0.5)
    scores = own + _TITLE * _lead(asked, pool)
    most = float(scores.max()) or 1.0
    bonus = np.array([_bonus(question.text, asked, unit, pool) for unit in pool.units])
    about = np.array([aboutness(question.text, unit) for unit in pool.units])
    scores = (scores + most * bonus * (own > 0)) * _shapes(question.text, pool) * about
    if similarity is not None:
        scores = scores + _SIMILARITY * most * _likeness(question, scores, pool, similarity)
    order = np.argsort(-scores, kind="stable")
    found = [
        Found(u := pool.units[i], float(scores[i]), coverage(asked, u), float(about[i]))
        for i in order
    ]
    return [one for one in found if one.score > 0]


def cued(text: str, pool: Pool) -> Pool:
    """Let each sentence hold the words by which a question asks for a sentence of its kind.

    "Where is it located?" is answered by "it lies behind the stomach", which need not say
    "located".
    """
    asking = _asking(text)
    if not asking:
        return pool
    asked = asked_stems(text, pool.language)
    units = [_with_cues(unit, asking, asked) for unit in pool.units]
    return Pool(units, pool.language, compares_pictures=pool.compares_pictures)


def _with_cues(unit: Unit, asking: list[tuple[str, str]], asked: frozenset[str]) -> Unit:
    given = [words for words, cue in asking if words and re.search(cue, unit.text, re.I)]
    held = (asked & set(stems(" ".join(given), "en"))) - set(unit.stems)
    if not held:
        return unit
    return replace(unit, stems=(*unit.stems, *sorted(held)), around=unit.around | held)


def coverage(asked: frozenset[str], unit: Unit) -> float:
    """Give the share of a question's stems that a sentence holds, those of its passage at half."""
    held = frozenset(unit.stems)
    full = len(asked & held)
    half = len((asked & unit.around) - held)
    return (full + half / 2) / len(asked) if asked else 0.0


def defines(asked: frozenset[str], unit: Unit, language: str) -> bool:
    """Tell whether a sentence begins with what is asked and goes on to say what it is.

    Of a term only the first sentence of its definition does.
    """
    match = _SAYS_WHAT.search(unit.text)
    kind = unit.hit.passage.kind
    if match is None or kind == "table" or (kind == "term" and unit.place):
        return False
    if len(stems(unit.text[match.end() :], language)) < _SAID:
        return False
    return is_named(unit.text[: match.start()], asked, language)


def missing(asked: frozenset[str], pool: Pool) -> float:
    """Give the share of a question's stems that no passage of the evidence holds.

    Words of degree may be missing: "strong magnets" are magnets.
    """
    held = frozenset(stems(_DEGREE, "en")).union(*(unit.around for unit in pool.units))
    return len(asked - held) / len(asked) if asked else 0.0


def share_around(asked: frozenset[str], unit: Unit) -> float:
    """Give the share of a question's stems that a sentence's passage holds; 1 if it has none."""
    return len(asked & unit.around) / len(asked) if asked else 1.0


def pick(found: list[Found], n: int, asked: frozenset[str]) -> list[Unit]:
    """Take up to n sentences: the best, and those near it that say something else of the same."""
    picked: list[Unit] = []
    for one in found:
        if len(picked) == n or one.score < _NEAR * found[0].score:
            break
        said = frozenset(one.unit.stems) - asked
        if picked and one.about < 1:
            continue
        if any(said <= frozenset(other.stems) for other in picked):
            continue
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
    cues = [cue for _, cue in _asking(text) if re.search(cue, unit.text, re.I)]
    bonus += _CUE_BONUS * len(cues)
    passage = unit.hit.passage
    fact = str(passage.fields.get("relation") or "").replace("_", " ")
    heading = fact if passage.kind == "fact" else heading_of(passage, unit.text)
    if heading:
        bonus += _HEADING_BONUS if any(re.search(cue, heading, re.I) for cue in cues) else 0
    elif _DEFINITION.match(text.strip()) and defines(asked, unit, pool.language):
        bonus += _DEFINITION_BONUS + (_ENTRY_BONUS if entry_names(unit) else 0)
    if passage.kind in ("term", "fact"):
        bonus += _CUE_BONUS
    return bonus


def _asking(text: str) -> list[tuple[str, str]]:
    """Give the words that ask for a kind of sentence, and the pattern that such a one shows."""
    question = text.strip().lower()
    return [(words, cue) for kind, words, cue in _CUES if re.match(kind, question)]


def _shapes(asked_text: str, pool: Pool) -> NDArray[np.float64]:
    """Weigh down what is no statement (headings, questions, aims), or of a kind not asked for."""
    factors = np.ones(len(pool.units))
    cues = [cue for _, cue in _asking(asked_text)]
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
        if cues and not any(re.search(cue, unit.text, re.I) for cue in cues):
            factors[i] *= _OTHER_KIND
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
