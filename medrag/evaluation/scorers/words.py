"""How texts become words before they are compared: as VQA scorers do it, and as we do.

The released normaliser (`vqa_normalised`) treats a text as a whole: one "1,000" or one hyphen with
a blank beside it decides whether every mark of its kind is deleted, which glues words, or replaced
by a blank. `answer_words` looks at each word alone and knows scripts without blanks.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from medrag.evaluation.text_measures import Overlap, token_overlap, tokens

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_PERIOD = re.compile(r"\.(?!\d)")
# The released code hands a flag of `re` to the place of a count: no more full stops go than this.
_PERIODS = 32
_THOUSANDS = re.compile(r"\d,\d")
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBER_WORDS = {
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip


def _contractions() -> Mapping[str, str]:
    """Build the contractions that VQA scorers know, from words and what is joined to them."""
    denied = "ai are ca could did does do had has have is might must need sha should was were wo "
    denied += "would"
    found = {f"{word}nt": f"{word}n't" for word in denied.split()}
    joined = {
        "ve": "could i might must not should they we what where who would you",
        "d": "he how it there they where who you somebody someone something",
        "ll": "how it they what who you somebody someone something y'a",
        "s": "he how somebody someone that there what where who",
        "re": "there they what who why you",
    }
    for ending, words in joined.items():
        found |= {f"{word}{ending}": f"{word}'{ending}" for word in words.split()}
    found |= {"im": "i'm", "maam": "ma'am", "oclock": "o'clock", "twas": "'twas", "yall": "y'all"}
    # Words of their own, which the released list leaves as they are.
    return {word: long for word, long in found.items() if word not in ("id", "yad", "hell", "well")}


_CONTRACTIONS = _contractions()


def vqa_normalised(text: str) -> str:
    """Normalise a text as the released VQA scorers do.

    Marks of punctuation go, or become blanks where none of their kind has a blank beside it;
    articles go, number words up to ten become digits, contractions get their apostrophe.

    Source:
        Antol et al., "VQA: Visual Question Answering", ICCV 2015, evaluation code, as LLaVA-Med
        v1.0.0 uses it; written from its behaviour.
    """
    thousands = _THOUSANDS.search(text) is not None
    out = text
    for mark in _MARKS:
        glued = thousands or f"{mark} " in text or f" {mark}" in text
        out = out.replace(mark, "" if glued else " ")
    out = _PERIOD.sub("", out, count=_PERIODS)
    words = [_NUMBER_WORDS.get(word, word) for word in out.lower().split()]
    kept = [_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES]
    return " ".join(kept).replace(",", "")


def vqa_overlap(answer: Sequence[str], reference: Sequence[str]) -> Overlap:
    """Count shared words as LLaVA-Med does.

    True positives are counted over the words of the answer, as often as they stand there, and
    misses over those of the reference, so that repeating a right word raises recall.
    """
    given, wanted = Counter(answer), Counter(reference)
    hits = sum(n for word, n in given.items() if word in wanted)
    if not given or not wanted or not hits:
        return Overlap(0.0, 0.0, 0.0)
    missed = sum(n for word, n in wanted.items() if word not in given)
    precision, recall = hits / given.total(), hits / (hits + missed)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))


@lru_cache(maxsize=65536)
def answer_words(text: str) -> tuple[str, ...]:
    """List the words of a text: any script, no punctuation, no articles, number words as digits.

    Articles alone ("A") are kept, so that no text with words loses all of them.
    """
    words = [_NUMBER_WORDS.get(word, word) for word in tokens(text)]
    return tuple(word for word in words if word not in _ARTICLES) or tuple(words)


def closest_overlap(text: str, references: Sequence[str]) -> Overlap:
    """Compare a text with the reference that it shares most with, by F1; zeros without one."""
    words = answer_words(text)
    found = [token_overlap(words, answer_words(each)) for each in references]
    return max(found, key=lambda overlap: overlap.f1, default=Overlap(0.0, 0.0, 0.0))
