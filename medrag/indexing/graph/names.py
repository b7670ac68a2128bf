"""How a concept's name is compared with the words of a question."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from medrag.language import language_of

LONGEST_NAME = 12
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_QUALIFIER = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_SHORTEST_NAME = 3
_SHORTEST_LOWERED_ABBREVIATION = 4
# Abbreviations of diseases and organs that are also words: never recognised in lower case.
_WORDS_TOO = frozenset({
    "aids", "arms", "ards", "bars", "cats", "caps", "cups", "dots", "fast", "fits", "gist",
    "glad", "hits", "ends", "lams", "maps", "mass", "meds", "mild", "nods", "nash", "pain",
    "pans", "paps", "pens", "pets", "rash", "sars", "scar", "scan", "self", "site", "stat",
    "tics", "trap",
})  # fmt: skip
# Latin and English plurals, tried in order; the first that fits is applied, once.
_ENDINGS = (
    ("sses", "ss"), ("ies", "y"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("uses", "us"),
    ("sis", "se"), ("ses", "se"), ("ae", "a"), ("ss", "ss"), ("us", "us"), ("is", "is"),
    ("omata", "oma"), ("s", ""),
)  # fmt: skip


class Word(NamedTuple):
    """A word as written and in the form in which names are compared."""

    written: str
    compared: str


def words_of(text: str) -> list[Word]:
    """Split a text into words: no accents or case, hyphens part words, plural and 's are off."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    return [Word(word, _compared(word)) for word in _WORD.findall(plain)]


def name_keys(name: str) -> Iterator[int]:
    """Give the keys under which a concept is found by this name; none for a name too common.

    An abbreviation is found as written, or in lower case if it is long and no other word. A
    qualifier in brackets at the end may be missing, and "carcinoma, squamous cell" is found as
    "squamous cell carcinoma" too.
    """
    forms = {name, _QUALIFIER.sub("", name)}
    forms |= {
        f"{last.strip()} {first}"
        for first, comma, last in (form.partition(",") for form in list(forms))
        if comma and "," not in last
    }
    for form in sorted(forms):
        words = words_of(form)
        if not 0 < len(words) <= LONGEST_NAME:
            continue
        if _is_abbreviation(form):
            yield _written_key(words)
            if _may_be_lowered(words):
                yield _lowered_key(words)
        elif not _is_common(words):
            yield _compared_key(words)


def question_keys(words: Sequence[Word], *, lowered: bool) -> list[int]:
    """Give the keys that a run of words in a question could stand for.

    Args:
        lowered: the question has no capitals at all, so that abbreviations may lack theirs.
    """
    keys = [_compared_key(words), _written_key(words)]
    return [*keys, _lowered_key(words)] if lowered else keys


def plain_name(name: str) -> str:
    """Give the form of a name by which concepts without an id are told apart."""
    return " ".join(word.compared for word in words_of(name))


@lru_cache(maxsize=1 << 16)
def _compared(word: str) -> str:
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", word.lower())
        if not unicodedata.combining(letter)
    )
    bare = bare.removesuffix("'s").replace("'", "")
    if len(bare) > 3:
        for ending, singular in _ENDINGS:
            if bare.endswith(ending):
                return bare.removesuffix(ending) + singular
    return bare


def _compared_key(words: Sequence[Word]) -> int:
    return _key("~", (word.compared for word in words))


def _written_key(words: Sequence[Word]) -> int:
    return _key("=", (word.written for word in words))


def _lowered_key(words: Sequence[Word]) -> int:
    return _key("-", (word.written.lower() for word in words))


def _key(form: str, words: Iterable[str]) -> int:
    text = form + " ".join(words)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _is_abbreviation(name: str) -> bool:
    letters = [letter for letter in name if letter.isalpha()]
    capitals = sum(letter.isupper() for letter in letters)
    return len(name) <= 8 and " " not in name and capitals >= 2 and 2 * capitals >= len(letters)


def _may_be_lowered(words: Sequence[Word]) -> bool:
    text = " ".join(word.written.lower() for word in words)
    return (
        len(text) >= _SHORTEST_LOWERED_ABBREVIATION
        and text not in _WORDS_TOO
        and text not in language_of("en").stop_words
    )


def _is_common(words: Sequence[Word]) -> bool:
    stop = language_of("en").stop_words
    if all(word.written.lower() in stop or word.compared in stop for word in words):
        return True
    return len(words) == 1 and len(words[0].compared) < _SHORTEST_NAME
