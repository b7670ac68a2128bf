"""What a question asks of the concepts that it names: their kinds, symptoms, places, meaning."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from medrag.indexing.graph.names import Word
from medrag.language import language_of

# Stands among the words of relations for those from a concept to a broader one.
KIND = "*kind"

# How people ask for a relation, and words that the names of such relations hold.
_CUES: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), frozenset(words.split()))
    for pattern, words in (
        (
            "symptoms?|signs?|manifest(?:s|ations?)?|presents?|presenting|complain(?:s|ts?)?",
            "symptom sign manifestation phenotype finding feature",
        ),
        (
            "where|locat(?:ed?|ion|ions)|sites?|anatomical|arises?|organs?|body parts?|affects?",
            "located location site anatomy anatomical organ affect part",
        ),
        (
            "kinds?|types?|sorts?|forms? of|subtypes?|subclass(?:es)?|class(?:es|ified)?|"
            "categor(?:y|ies)|variet(?:y|ies)|broader|narrower",
            KIND,
        ),
        ("caus(?:es?|ed)|etiology|aetiology|due to", "cause caused etiology agent basis"),
        (
            "treat(?:s|ed|ments?)?|drugs?|therap(?:y|ies)|medications?",
            "treat treatment therapy drug",
        ),
        ("genes?|genetic|mutations?", "gene genetic mutation"),
    )
)
# "Symptoms of X" and "a kind of X?" begin at X; "which diseases have X" and "kinds of X" end there.
_ENDS_THERE = re.compile(
    r"\b(?:which|what|name|list) (?:\w+ )?(?:diseases?|disorders?|conditions?|illness(?:es)?|"
    r"tumou?rs?|cancers?|neoplasms?)\b(?! (?:is|are|was)\b)|"
    r"\b(?:kinds|types|sorts|forms|subtypes|variet(?:y|ies)|examples) of\b|\bnarrower\b"
)
_DEFINE = re.compile(
    r"\b(?:synonyms?|called|known as|names? (?:for|of)|define[sd]?|definitions?|meanings?|"
    r"means?|describe[sd]?|stands? for)\b"
)
_CUE_WORD_FORMS = re.compile(
    r"(?:synonym|call|know|name|defin|mean|describ|stand|symptom|sign|manifest|present|complain|"
    r"locat|site|anatom|aris|organ|affect|kind|type|sort|form|subtype|class|categor|variet|broad|"
    r"narrow|caus|etiolog|aetiolog|due|treat|drug|therap|medicat|gene|mutat|disease|disorder|"
    r"syndrome|condition|finding)\w*"
)
# Words that say nothing of what a question is about.
_FILLERS = frozenset({
    "patient", "person", "people", "child", "adult", "show", "tell", "give", "list", "please",
    "typical", "typically", "common", "commonly", "usual", "usually", "main", "medical", "term",
    "word", "different", "another", "first", "find", "get", "know", "suffer", "happen", "occur",
})  # fmt: skip


class Asked(NamedTuple):
    """What a question asks for.

    Attributes:
        words: those that the name of a relation holds that is asked for, `KIND` among them.
        definition: what something is or is called.
        ends_there: facts whose tail is named.
    """

    words: frozenset[str]
    definition: bool
    ends_there: bool


def asked_for(text: str, words: Sequence[Word], named: Collection[int]) -> Asked:
    """Read what a question, in lower case, asks for; `named` are the numbers of words in names."""
    outside = telling(word for number, word in enumerate(words) if number not in named)
    targets = (held for pattern, held in _CUES if pattern.search(text))
    return Asked(
        outside.union(*targets), bool(_DEFINE.search(text)), bool(_ENDS_THERE.search(text))
    )


def share_about(words: Sequence[Word], named: Collection[int]) -> float:
    """Give the share of a question's telling words that are named or ask for something named."""
    if not named:
        return 0.0
    stop = language_of("en").stop_words
    n_about, n_others = len(named), 0
    for number, word in enumerate(words):
        lowered = word.written.lower().removesuffix("'s")
        passed_over = lowered in stop or word.compared in _FILLERS or len(lowered) < 2
        if number in named or passed_over:
            continue
        if _CUE_WORD_FORMS.fullmatch(lowered):
            n_about += 1
        else:
            n_others += 1
    return n_about / (n_about + n_others)


def telling(words: Iterable[Word]) -> frozenset[str]:
    """Give the words that are no stop words, in the form in which they are compared."""
    stop = language_of("en").stop_words
    return frozenset(word.compared for word in words if word.written.lower() not in stop)
