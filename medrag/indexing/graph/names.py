"""How a concept's name is compared with the words of a question."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from medrag.indexing.graph.abbreviations import initials, is_abbreviation, named_forms
from medrag.indexing.graph.spelling import compared, stem
from medrag.language import language_of

LONGEST_NAME = 12
_WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f]|['’](?=[^\W_]))*")
_QUALIFIER = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$|,?\s+NOS$|,\s*unspecified$")
_SHORTEST_NAME = 3
# No name of a concept is so long; patterns need not be run on what is none.
_LONGEST_CHARACTERS = 400
_SHORTEST_LOWERED_ABBREVIATION = 4
# Letters of a stem below which a word alone is not taken for its adjective.
_SHORTEST_ALONE = 5
# Letters of initials from which those of a synonym count, too.
_INITIALS_OF_SYNONYM = 4
# Abbreviations of diseases and organs that are also words: never recognised in lower case.
_WORDS_TOO = frozenset({
    "aids", "arms", "ards", "bars", "cats", "caps", "cups", "dots", "fast", "fits", "gist",
    "glad", "hits", "ends", "lams", "maps", "mass", "meds", "mild", "nods", "nash", "pain",
    "pans", "paps", "pens", "pets", "rash", "sars", "scar", "scan", "self", "site", "stat",
    "tics", "trap",
})  # fmt: skip


class Word(NamedTuple):
    """A word as written, in the form in which names are compared, and its place in the text."""

    written: str
    compared: str
    start: int = 0
    stop: int = 0


def words_of(text: str) -> list[Word]:
    """Split a text into words: no accents or case, hyphens part words, plural and 's are off."""
    return [
        Word(written, compared(written), *match.span())
        for match in _WORD.finditer(text)
        for written in [unicodedata.normalize("NFKC", match.group()).replace("’", "'")]
    ]


def name_keys(name: str, *, synonym: bool = False) -> Iterator[int]:
    """Give the keys under which a concept is found by this name; none for a name too common.

    An abbreviation is found as written, or in lower case if it is long and no other word. A
    qualifier in brackets at the end may be missing, and "carcinoma, squamous cell" is found as
    "squamous cell carcinoma" too. Other names are also found by their letters without spaces, by
    the stems of their words in any order, and by their initials; those of a synonym only if they
    are four or more.
    """
    name = " ".join(name.split())
    if len(name) > _LONGEST_CHARACTERS:
        return
    for form in _forms(name):
        words = words_of(form)
        if not 0 < len(words) <= LONGEST_NAME:
            continue
        if is_abbreviation(form):
            yield written_key(words)
            if _may_be_lowered(words):
                yield lowered_key(words)
        elif not _is_common(words):
            yield compared_key([word.compared for word in words])
            yield joined_key(words)
            bag = bag_key([word.compared for word in words])
            yield from [] if bag is None else [bag]
            for short in sorted(initials(form, stop_words=not synonym)):
                if len(short) >= (_INITIALS_OF_SYNONYM if synonym else 2):
                    yield initials_key(short)


def compared_key(words: Iterable[str]) -> int:
    """Give the key of words in their compared forms, in order."""
    return _key("~", words)


def written_key(words: Sequence[Word]) -> int:
    """Give the key of an abbreviation as it is written."""
    return _key("=", (word.written for word in words))


def lowered_key(words: Sequence[Word]) -> int:
    """Give the key of an abbreviation without its capitals."""
    return _key("-", (word.written.lower() for word in words))


def joined_key(words: Iterable[Word]) -> int:
    """Give the key of the letters of words, however they are parted by spaces and hyphens."""
    return _key("+", ["".join(word.compared for word in words)])


def bag_key(words: Sequence[str]) -> int | None:
    """Give the key of the stems of compared words in any order, without stop words.

    None where nothing is left, but one short stem, or one stem twice.
    """
    stop = language_of("en").stop_words
    stems = sorted(stem(word) for word in words if word not in stop)
    if len(set(stems)) < max(1, len(stems)):
        return None
    if len(stems) == 1 and len(stems[0]) < _SHORTEST_ALONE:
        return None
    return _key("&", stems)


def initials_key(short: str) -> int:
    """Give the key of the initials of a name."""
    return _key("!", [short])


def plain_name(name: str) -> str:
    """Give the form of a name by which concepts without an id are told apart."""
    return " ".join(word.compared for word in words_of(name))


def word_key(word: str) -> int:
    """Give the key of a compared word as such, by which it is known."""
    return _key(".", [word])


def _forms(name: str) -> list[str]:
    forms = {short for form in named_forms(name) for short in (form, _QUALIFIER.sub("", form))}
    forms |= {
        f"{last.strip()} {first}"
        for first, comma, last in (form.partition(",") for form in list(forms))
        if comma and "," not in last
    }
    return sorted(forms)


def _key(form: str, words: Iterable[str]) -> int:
    text = form + " ".join(words)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


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
