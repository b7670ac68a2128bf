"""Numbers in an answer: digits, words and Chinese numerals, with sign and unit.

A number at the beginning decides; otherwise the one number of the text does, and several different
ones are none. Digits come before words, so that "the largest one is 3 cm" is 3. A range, a fraction
and a power of ten are not read as one of their parts. "None", "zero" and a leading "no" are 0.

A comma before groups of three digits parts thousands; any other comma is a decimal comma, and so is
every single one where the language writes decimals so. Number words are English, Chinese and
Arabic. Letters and digits of one word ("T2", "2nd") are no number.

The unit is what stands behind the number, as it was written: a symbol of the list here, or any
word of two letters or more that `numbers.unit_of` knows, capitals or not ("centimeters", "MM").
"In" is an inch only at the end ("2 in."), for "3 in the left lung" is a count.
"""

import re

from medrag.evaluation.numbers import unit_of
from medrag.evaluation.parsed import Number, Unparsed
from medrag.language.numerals import with_point

NOTHING = Unparsed("no number")
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫٬−", "01234567890123456789.,-")
_UNIT = (
    r"mm ?Hg|mm[23²³]?|cm[23²³]?|[µμ]m|um|nm|km|m[23²³]?|dl|dL|ml|mL|cc|l|L|"
    r"mg/d[lL]|g/d[lL]|mmol/[lL]|[µμ]g|mcg|ng|mg|kg|g|%|percent|°C|°F|°|degrees?|"
    r"bpm|HU|kHz|MHz|Hz|msec|ms|seconds?|secs?|s|minutes?|min|hours?|h|days?|weeks?|months?|years?|"
    r"mSv|Gy|kVp?|mAs?|pixels?|px|kPa|Pa|T|"
    r"毫米|厘米|米|毫升|公斤|克|岁|天|周|月|年|مم|سم"
)
_NUMBER = re.compile(
    r"(?<![\w.,/])(?P<sign>[-+]?)(?P<digits>\d{1,3}(?:[  ]\d{3})+(?![\d.,])|\d+(?:[.,]\d+)*)"
    # A digit further on in the word makes it a name, but that of "5mm2".
    r"(?P<power>[eE][-+]?\d{1,3})?(?!(?!(?:mm|cm|m)[23]\b)\w*\d)(?P<rest>[^\W\d_]*)"
)
_LISTED = re.compile(rf" ?-?({_UNIT})(?![^\W_])")
_SPELLED = re.compile(r" ?-?([^\W\d_]{2,}[23]?)(?![^\W_])")
_PART = re.compile(
    r"\d ?(?:-|–|—|~|to|or|through|until|bis|a|à|至|到|±) ?-?\d"
    r"|\bbetween [^.]{0,30}\d[^.]{0,20} and \d"
)

_FRACTION = re.compile(r"\d ?[/⁄] ?\d|\b(?:half|third|quarter|halves|thirds|quarters)\b")
_POWER = re.compile(r"\d ?[x×*] ?10|\d\^\d")
_ORDINAL = frozenset({"st", "nd", "rd", "th"})
_WORD = re.compile(r"[^\W\d_]+")
_ORDER = {
    "english": (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen"
    ),
    "tens": "- - twenty thirty forty fifty sixty seventy eighty ninety",
    "arabic": "صفر واحد اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة",
}
_SMALL = {word: i for i, word in enumerate(_ORDER["english"].split())}
_SMALL |= {word: 10 * i for i, word in enumerate(_ORDER["tens"].split()) if word != "-"}
_ARABIC_WORDS = {word: i for i, word in enumerate(_ORDER["arabic"].split())} | {
    "واحدة": 1,
    "اثنين": 2,
}
_HAN_ONES = {char: i for i, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN = re.compile(r"[零〇一二两三四五六七八九十百]+")
_HAN_OTHER = re.compile(r"一些|一般|一样|一侧|一致|统一|十分|百分|第[一二三四五六七八九十]+")
_NONE = frozenset({"none", "nil", "zero"})
_WORD_PART = re.compile(
    rf"\b(?:{'|'.join(_SMALL)}) (?:or|to) (?:{'|'.join(_SMALL)})\b", re.IGNORECASE
)


def read_number(text: str, *, language: str = "en") -> Number | Unparsed:
    """Read the one number that an answer gives, and the unit behind it; see the module."""
    text = text.translate(_DIGITS)
    if reason := _not_one_number(text):
        return Unparsed(reason)
    found = [
        (match.start(), number)
        for match in _NUMBER.finditer(text)
        if (number := _digits(match, language)) is not None
    ]
    if not found and _WORD_PART.search(text):
        return Unparsed("a range")
    found = found or _words(text) or _chinese(text)
    if not found:
        return _none(text)
    start, first = found[0]
    distinct = list(dict.fromkeys(number for _, number in found))
    if len(distinct) == 1 or not text[:start].strip(" \"'(~≈<>="):
        return first
    return Unparsed("several numbers: " + ", ".join(f"{n.value:g}" for n in distinct[:5]))


def _not_one_number(text: str) -> str:
    """Say why the first number of a text is not meant by itself; empty if it is."""
    for pattern, reason in ((_POWER, "a power of ten"), (_PART, "a range")):
        if pattern.search(text):
            return reason
    return "a fraction" if _FRACTION.search(text.lower()) else ""


def _digits(match: re.Match[str], language: str) -> Number | None:
    if match["rest"] in _ORDINAL:
        return None
    value = float(with_point(match["digits"], language) + (match["power"] or ""))
    if value == float("inf"):
        return None
    unit = _unit_behind(match.string, match.start("rest"))
    return Number(-value if match["sign"] == "-" else value, unit)


def _unit_behind(text: str, end: int) -> str:
    """Find the unit that follows the end of a number; empty without one."""
    if listed := _LISTED.match(text, end):
        return listed.group(1)
    spelled = _SPELLED.match(text, end)
    if spelled is None:
        return ""
    word = spelled.group(1)
    if word.lower() == "in" and text[spelled.end() : spelled.end() + 2].strip(" ."):
        return ""
    try:
        unit_of(word)
    except ValueError:
        return ""
    return word


def _words(text: str) -> list[tuple[int, Number]]:
    """Find numbers written as words, up to hundreds: "twenty-one", "two hundred and five"."""
    found: list[tuple[int, Number]] = []
    value, start, end, previous = 0, -1, -1, 0
    for match in _WORD.finditer(text.lower()):
        word = match.group()
        joined = start >= 0 and not text[end : match.start()].strip(" -")
        if joined and word in ("hundred", "hundreds") and 0 < value < 10:
            value, previous = 100 * value, 100
        elif joined and word == "and" and previous == 100:
            pass
        elif word in _SMALL or word in _ARABIC_WORDS:
            small = _SMALL.get(word, _ARABIC_WORDS.get(word, 0))
            if joined and (previous == 100 or (previous >= 20 and 0 < small < 10)):
                value += small
            else:
                found += [(start, Number(float(value)))] if start >= 0 else []
                value, start = small, match.start()
            previous = small
        else:
            found += [(start, Number(float(value), _unit_behind(text, end)))] if start >= 0 else []
            value, start, previous = 0, -1, 0
            continue
        end = match.end()
    return found + ([(start, Number(float(value), _unit_behind(text, end)))] if start >= 0 else [])


def _chinese(text: str) -> list[tuple[int, Number]]:
    kept = _HAN_OTHER.sub(" ", text)
    return [(m.start(), Number(float(_han_value(m.group())))) for m in _HAN.finditer(kept)]


def _han_value(numeral: str) -> int:
    total, ones = 0, 0
    for char in numeral:
        if char in _HAN_ONES:
            ones = _HAN_ONES[char]
        else:
            total += (ones or 1) * (10 if char == "十" else 100)
            ones = 0
    return total + ones


def _none(text: str) -> Number | Unparsed:
    words = _WORD.findall(text.lower())
    says_none = not _NONE.isdisjoint(words) or words[:1] == ["no"] or "没有" in text
    return Number(0.0) if says_none else NOTHING
