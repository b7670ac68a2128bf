"""Options that an answer chooses: by letter, or by their text.

Tried in this order, the first that finds something decides: the whole text is that of an option;
the text begins with a letter ("B", "(B)", "B.", "B) text"); the options are yes and no, and the
text says one (`read_polarity`); the text begins with an option; letters are named ("option B",
"(B)", "the answer is B"); options stand in the text as whole words; the text ends with a letter.
Two different ones at one step are several, which is no answer to a question with one.

"A" before another word is the English article, not a letter. A letter before the text of another
option contradicts itself. Arabic letters, Chinese stems (甲乙丙丁) and, where no option holds a
digit, numbers from 1 count as letters when they stand where a letter would.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from medrag.evaluation.parsed import Letters, Unparsed, YesNo
from medrag.evaluation.parsing.polarity import read_polarity
from medrag.prompting.templates import letter

NOTHING = Unparsed("no option is named")
_ORDERS = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "أبجدهوزحطي", "甲乙丙丁戊己庚辛壬癸")
_AR_FORMS = str.maketrans({"ا": "أ", "إ": "أ"})
_MARK = r"(?:[A-Za-z]|[أاإبجدهوزحطي]|[甲乙丙丁戊己庚辛壬癸]|\d{1,2})"
_LEADING = re.compile(
    rf"[(\[{{<«]?({_MARK})(?: ?[)\]}}>»]| ?[:：]|[.،、](?![A-Za-z\d])|,(?!\d)| (?=[-–—])"
    r"| (?=(?:because|since|as|due|is|based|but)\b)|\n|$)"
)
_SPACED = re.compile(r"([A-Z]) (.+)", re.DOTALL)
_NAMED = (
    re.compile(r"\b(?:[Oo]ption|OPTION|[Cc]hoice|[Ll]etter)s?[ :]{0,2}[(\"']?([A-Za-z])(?![\w'])"),
    re.compile(r"(?:选项?|选择|الخيار)[ :：]?\(?([A-Z]|[أابجده](?!\w)|[甲乙丙丁戊])"),
    re.compile(r"\(([A-Z])\)"),
    re.compile(r"\b(?:is|are|be|choose|select|pick)[ :]{1,2}\(?([A-Z])(?=[.,;:)!?\n]|$)"),
)
_JOINED = re.compile(
    r"\(?\b([A-Z])\)?(?: ?[,/&] ?| (?:and|or|und|oder|et|ou|y|o) | (?=\([A-Z]\)))"
    r"\(?([A-Z])\b(?!')"
)
_LAST = re.compile(r"(?:^|[ (:])([A-Z])[.)]?$")
_LIST = re.compile(r"\W*([A-Z](?:\W+(?:(?:and|or|und|et|y|e) )?\W*[A-Z])*)(?![A-Za-z'])")
_EACH = re.compile(r"(?:^|[\n;,] ?)\(?([A-Z])[.):](?![A-Za-z])")
_GLUED = re.compile(r"[A-Z]{2,}")
_NOT_WORD = re.compile(r"[\W_]+")
_QUOTES = " \"'“”‘’\n"
_NONE = frozenset({"none", "none of the above", "none of them"})


def read_letter(text: str, options: Sequence[str]) -> Letters | Unparsed:
    """Read the one option that an answer chooses; see the module."""
    if not options:
        return Unparsed("the question has no options")
    text = text.strip(_QUOTES)
    texts = [plain(option) for option in options]
    if (same := [i for i, each in enumerate(texts) if each == plain(text)]) and plain(text):
        return _one(same)
    if joined := _joined(text, len(options)):
        return _one(joined)
    named = leading_letter(text, len(options))
    if named is None:
        named = _before_its_text(text, texts)
    if named is not None:
        return _checked(named, text, texts)
    if sorted(texts) == ["no", "yes"]:
        return _polar(text, texts)
    for found in (_beginning(text, texts), _named(text), contained(text, texts), _ending(text)):
        if found:
            return _checked(found[0], "", texts) if len(set(found)) == 1 else _one(found)
    return NOTHING


def read_letters(text: str, options: Sequence[str]) -> Letters | Unparsed:
    """Read all options that an answer chooses: "A, C and D", "ACD", a list, or their texts.

    "None of the above" chooses none where no option says so.
    """
    if not options:
        return Unparsed("the question has no options")
    text = text.strip(_QUOTES)
    texts = [plain(option) for option in options]
    found: list[int] = []
    if _GLUED.fullmatch(text) and len(set(text)) == len(text):
        found = [_index(mark) for mark in text]
    elif (listed := _LIST.match(text)) and not _is_article(text, listed):
        found = [_index(mark) for mark in re.findall(r"[A-Z]", listed.group(1))]
    found += [_index(match.group(1)) for match in _EACH.finditer(text)]
    found = found or _named(text) or contained(text, texts)
    if not found:
        return Letters(()) if plain(text) in _NONE else NOTHING
    outside = next((i for i in found if i >= len(options)), None)
    return Letters(tuple(sorted(set(found)))) if outside is None else _outside(outside, texts)


def leading_letter(text: str, n: int) -> int | None:
    """Find the option that a text begins by naming with a letter, from 0; None without one.

    A small letter or a number counts only among the first `n`; a capital beyond them is given, so
    that it can be refused.
    """
    match = _LEADING.match(text.strip(_QUOTES))
    if match is None:
        return None
    mark = match.group(1)
    index = _index(mark)
    return index if index < n or mark.isupper() else None


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Write a text in small letters, its words apart by one blank, without punctuation."""
    return _NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def contained(text: str, texts: Sequence[str]) -> list[int]:
    """Find the options that stand in a text as whole words, but none that is part of another."""
    padded = f" {plain(text)} "
    found = [i for i, each in enumerate(texts) if each and _holds(padded, each)]
    return [i for i in found if not any(i != j and _part(texts[i], texts[j]) for j in found)]


def _holds(padded: str, option: str) -> bool:
    # Chinese puts no blanks between words.
    return option in padded if "\u3400" <= option[0] <= "\u9fff" else f" {option} " in padded


def _part(some: str, other: str) -> bool:
    return some != other and _holds(f" {other} ", some)


def _index(mark: str) -> int:
    if mark.isdecimal():
        return int(mark) - 1 if int(mark) > 0 else len(_ORDERS[0])
    mark = mark.upper().translate(_AR_FORMS)
    return next(order.index(mark) for order in _ORDERS if mark in order)


def _joined(text: str, n: int) -> list[int]:
    """Find "A or B" where both are options, at the start of a text or after "both"."""
    match = _JOINED.match(text.removeprefix("Both ").removeprefix("Either "))
    if match is None:
        return []
    both = [_index(mark) for mark in match.groups()]
    return both if all(index < n for index in both) and both[0] != both[1] else []


def _before_its_text(text: str, texts: Sequence[str]) -> int | None:
    """Find the letter of "B pneumonia", where option B is pneumonia."""
    match = _SPACED.match(text)
    if match is None:
        return None
    index = _index(match.group(1))
    fits = index < len(texts) and texts[index]
    return index if fits and plain(match.group(2)).startswith(texts[index]) else None


def _checked(index: int, text: str, texts: Sequence[str]) -> Letters | Unparsed:
    if index >= len(texts):
        return _outside(index, texts)
    behind = plain(text).split(" ", 1)[-1]
    for other, option in enumerate(texts):
        if other != index and option == behind and option != texts[index]:
            said = f"{letter(index)}, with the text of {letter(other)}"
            return Unparsed(f"contradictory: {said}")
    return Letters((index,))


def _outside(index: int, texts: Sequence[str]) -> Unparsed:
    name = letter(index) if index < len(_ORDERS[0]) else "a number"
    return Unparsed(f"{name} is none of the {len(texts)} options")


def _one(found: Sequence[int]) -> Letters | Unparsed:
    several = sorted(set(found))
    if len(several) == 1:
        return Letters((several[0],))
    return Unparsed("several options: " + ", ".join(map(letter, several)))


def _polar(text: str, texts: Sequence[str]) -> Letters | Unparsed:
    said = read_polarity(text)
    if isinstance(said, YesNo):
        return Letters((texts.index("yes" if said.value else "no"),))
    return said


def _beginning(text: str, texts: Sequence[str]) -> list[int]:
    """Find the longest option that a text begins with, unless "or" follows."""
    words = f"{plain(text)} "
    found = [i for i, each in enumerate(texts) if each and words.startswith(f"{each} ")]
    if not found:
        return []
    longest = max(found, key=lambda i: len(texts[i]))
    return [] if words[len(texts[longest]) :].startswith((" or ", " and ")) else [longest]


def _named(text: str) -> list[int]:
    return [_index(m.group(1)) for pattern in _NAMED for m in pattern.finditer(text)]


def _ending(text: str) -> list[int]:
    match = _LAST.search(text[-4:])
    return [_index(match.group(1))] if match else []


def _is_article(text: str, listed: re.Match[str]) -> bool:
    """Tell "A fracture" and "I see" from "A" and "A."."""
    letters = listed.group(1)
    return (
        len(letters) == 1
        and re.match(r" [a-zA-Z]", text[listed.end() : listed.end() + 2]) is not None
    )
