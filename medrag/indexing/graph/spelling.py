"""Forms in which words of names are compared: number, spelling, and the stem of an adjective.

Rules of English inflection only; that "renal" is of the kidney is for an ontology to say.
"""

import re
import unicodedata
from functools import lru_cache

# Latin and English plurals, tried in order; the first that fits is applied, once.
_ENDINGS = (
    ("sses", "ss"), ("ies", "y"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("uses", "us"),
    ("sis", "se"), ("ses", "se"), ("ae", "a"), ("ss", "ss"), ("us", "us"), ("is", "is"),
    ("omata", "oma"), ("s", ""),
)  # fmt: skip
# British spellings and the American ones, of words in the singular.
_SPELLINGS = tuple(
    (re.compile(pattern), american)
    for pattern, american in (
        (r"[ao]e", "e"),
        (r"(?<=[a-z]{2})our\b", "or"),
        (r"(?<=[a-z]{2})oured\b", "ored"),
        (r"(?<=[a-z]{3})is(?=(?:e|ed|er|ing|ation)\b)", "iz"),
        (r"(?<=[a-z]{2}l)ys(?=(?:e|ed|er|ing)\b)", "yz"),
        (r"(?<=[bt])re\b", "er"),
        (r"sulph", "sulf"),
        (r"\bleuc(?=[oe])", "leuk"),
        (r"ogue\b", "og"),
    )
)
# Endings of adjectives and of the nouns that they are made of, and what stands for both.
_SUFFIXES = (
    ("otic", "ose"), ("ose", "ose"), ("ase", "ase"), ("ical", ""), ("atic", ""), ("ious", ""),
    ("eous", ""), ("ial", ""), ("eal", ""), ("ian", ""), ("ous", ""), ("ive", ""), ("ion", ""),
    ("ed", ""), ("al", ""), ("ic", ""), ("ia", ""), ("is", ""), ("us", ""), ("um", ""), ("a", ""),
    ("e", ""), ("i", ""), ("y", ""),
)  # fmt: skip
_SHORTEST_STEM = 4


def plain_letters(word: str) -> str:
    """Give a word without accents, case and apostrophe."""
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", word.lower())
        if not unicodedata.combining(letter)
    )
    return bare.replace("’", "'").removesuffix("'s").replace("'", "")


@lru_cache(maxsize=1 << 16)
def compared(word: str) -> str:
    """Give a word without accents, case, apostrophe and plural, in its American spelling."""
    bare = plain_letters(word)
    if len(bare) > 3:
        for ending, singular in _ENDINGS:
            if bare.endswith(ending):
                bare = bare.removesuffix(ending) + singular
                break
    if len(bare) > 4:
        for pattern, american in _SPELLINGS:
            bare = pattern.sub(american, bare)
    return bare


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Cut the ending of an adjective or its noun off a compared word: "asthmatic" to "asthm"."""
    for suffix, common in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            return word.removesuffix(suffix) + common
    return word
