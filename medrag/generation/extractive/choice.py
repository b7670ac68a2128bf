"""Multiple choice: score every option against the sentences of the evidence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medrag.generation.extractive.evidence import Pool, Similarity, Unit, matches
from medrag.generation.extractive.naming import aboutness
from medrag.generation.extractive.open_question import asked_stems
from medrag.language import stems
from medrag.records import Question

# Chosen on the even questions of a textbook's review, confirmed on the odd ones.
_SATURATION = 0.5
_LENGTH = 0.75
_TITLE = 0.3
_OPTION_NORM = 0.5
_BEST = 5
_SIMILARITY = 4.0
_COMPARED = 12
# "All of the above" needs the best sentences of every other option to hold this share of its words.
_ALL_TOLD = 0.5
_JUST_ABOVE = 1.01
# What a sentence that names another option as well loses beside one that names a share of words.
_OTHERS = 0.25

Scores = NDArray[np.float64]

_ALL = re.compile(
    r"\W*(?:all|any|both) (?:of )?(?:the |these )?(?:above|these|options|a and b)\b.*", re.I
)
_NONE = re.compile(r"\W*(?:none|neither) of (?:the )?(?:above|these|options)\b.*", re.I)
_EXCEPTION = re.compile(r"\b(?:except|not|false|incorrect|least|untrue)\b", re.I)
_ASKING = re.compile(r"\b(?:which|what|except)\b|_{2,}", re.I)
_BLANK = re.compile(r"_{2,}")


@dataclass(frozen=True, slots=True)
class OptionScore:
    """How well the evidence supports an option.

    Attributes:
        option: its place, from 0.
        score: higher is better; comparable between the options of one question only.
        told: in [0, 1], the share of its own words, by weight, that its best sentences hold,
            counting those that hold a word of the question too.
        supports: the sentences that name it, best first.
    """

    option: int
    score: float
    told: float
    supports: tuple[Unit, ...]


def score_options(
    question: Question, pool: Pool, similarity: Similarity | None = None
) -> list[OptionScore]:
    """Score the options of a question, in their order.

    A sentence supports an option by the words of the question and of the option that it holds, as
    BM25 counts them, with weights from the evidence alone; words of the question that only the
    passage's title or text holds count less. An option's score adds its best sentences, each at
    1 / rank. The words of an option count for less the more there are of them.

    Args:
        question: with options.
        pool: the evidence.
        similarity: of the question with an option to sentences; adds to the words.
    """
    asked = frozenset(stems(question.text, pool.language))
    shared = matches(asked, pool) + _TITLE * _around(asked, pool)
    related = np.array([any(stem in count for stem in asked) for count in pool.counts]) | (
        not asked
    )
    others = _other_words(question, pool)
    scores = []
    for option, text in enumerate(question.options):
        own = frozenset(stems(text, pool.language))
        words = own - asked or own
        weight = sum(pool.weight(word) for word in words) or 1.0
        named = matches(words, pool) / weight**_OPTION_NORM
        told = _shares(words, weight, pool) * related
        total = shared + named
        if similarity is not None:
            total = total + _SIMILARITY * _likeness(question, text, total, pool, similarity)
        clear = told - _OTHERS * (matches(others[option], pool) > 0)
        asking = f"{question.text} {text}"
        scores.append(_option_score(option, total, told, clear, asking, pool))
    return _with_summaries(question, scores)


def asks_for_exception(text: str) -> bool:
    """Tell whether a question asks which option does not hold ("which is not", "all except")."""
    clauses = re.split(r"(?<=[.?!])\s+", text.strip())
    asking = [clause for clause in clauses if _ASKING.search(clause)] or clauses[-1:]
    return any(_EXCEPTION.search(clause) for clause in asking)


def chosen(question: Question, scores: Sequence[OptionScore]) -> OptionScore:
    """Choose the best option.

    Where the question asks for an exception it is the least supported one, and its sentences are
    those that support the others.
    """
    if not asks_for_exception(question.text):
        return max(scores, key=lambda one: (one.score, -one.option))
    least = min(scores, key=lambda one: (one.score, one.option))
    others = sorted(scores, key=lambda one: -one.score)
    supports = [unit for one in others if one is not least for unit in one.supports[:1]]
    return replace(least, supports=tuple(supports))


def words_to_hold(question: Question, best: OptionScore, language: str) -> frozenset[str]:
    """List the stems of a question and of the option chosen, which evidence is to hold."""
    own = frozenset(stems(question.options[best.option], language))
    return asked_stems(question.text, language) | own


def held(words: frozenset[str], supports: Sequence[Unit]) -> float:
    """Give the share of some words that a sentence and its passage hold, on average, at best.

    Returns:
        In [0, 1]; 0 without a sentence, 1 without words.
    """
    if not supports or not words:
        return float(bool(supports))
    return max(
        (len(words & unit.around) + len(words & frozenset(unit.stems))) / (2 * len(words))
        for unit in supports
    )


def _around(asked: frozenset[str], pool: Pool) -> Scores:
    """Weigh the words of a question that a sentence leaves to its passage."""
    return np.array(
        [
            sum(pool.weight(stem) for stem in asked if stem in unit.around and not count[stem])
            for unit, count in zip(pool.units, pool.counts, strict=True)
        ]
    )


def _likeness(
    question: Question, option: str, total: Scores, pool: Pool, similarity: Similarity
) -> Scores:
    """Compare the question with an option filled in to the sentences that its words rank best."""
    best = np.argsort(-total, kind="stable")[:_COMPARED]
    texts = [pool.units[i].text for i in best]
    alike = np.zeros(len(pool.units))
    alike[best] = similarity([filled_in(question.text, option)], texts)[0]
    return alike


def filled_in(text: str, option: str) -> str:
    """Put an option into the blank of a question, or after it."""
    if _BLANK.search(text):
        return _BLANK.sub(lambda _: option.rstrip("."), text, count=1)
    return f"{text} {option}"


def _shares(words: frozenset[str], weight: float, pool: Pool) -> Scores:
    """Give the share of some words, by weight, that each sentence holds."""
    return (
        np.array(
            [sum(pool.weight(word) for word in words if word in count) for count in pool.counts]
        )
        / weight
    )


def _other_words(question: Question, pool: Pool) -> list[frozenset[str]]:
    """List the words of all options but one, without its own and the question's, for each."""
    own = [frozenset(stems(text, pool.language)) for text in question.options]
    asked = frozenset(stems(question.text, pool.language))
    return [
        frozenset().union(*(words for other, words in enumerate(own) if other != option))
        - own[option]
        - asked
        for option in range(len(own))
    ]


def _option_score(
    option: int, total: Scores, told: Scores, clear: Scores, asking: str, pool: Pool
) -> OptionScore:
    """Add the best sentences of an option; those that name none of its words support nothing.

    Of those that support it, one that names it whole and no other option, and is about
    nothing else, comes first.
    """
    order = np.argsort(-total, kind="stable")
    best = order[:_BEST]
    score = float(sum(total[i] / rank for rank, i in enumerate(best, start=1)))
    naming = [i for i in order if told[i] > 0][:_COMPARED]
    fit = {i: total[i] * clear[i] * aboutness(asking, pool.units[i]) for i in naming}
    supports = tuple(pool.units[i] for i in sorted(naming, key=lambda i: -fit[i])[:_BEST])
    return OptionScore(option, score, float(told[best].max(initial=0.0)), supports)


def _with_summaries(question: Question, scores: list[OptionScore]) -> list[OptionScore]:
    """Put "all of the above" first where the evidence tells of every other option, else last.

    "None of the above" comes last: that something stands nowhere in the evidence is no support.
    """
    every = {i for i, text in enumerate(question.options) if _ALL.match(text)}
    none = {i for i, text in enumerate(question.options) if _NONE.match(text)}
    others = [one for one in scores if one.option not in every | none]
    if not others:
        return scores
    highest = max(one.score for one in others)
    supports = tuple(unit for one in others for unit in one.supports[:1])
    all_told = min(one.told for one in others) >= _ALL_TOLD
    summary = (highest * _JUST_ABOVE, 1.0, supports) if all_told else (0.0, 0.0, ())
    return [
        OptionScore(one.option, *summary)
        if one.option in every
        else OptionScore(one.option, 0.0, 0.0, ())
        if one.option in none
        else one
        for one in scores
    ]
