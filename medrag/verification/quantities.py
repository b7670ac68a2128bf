"""Numbers of a text with their units, so that 23 mm and 2.3 cm are one length.

Units stand with their English names and their symbols; a unit that is not known leaves a number
without one. A number without a unit is a count, a year of the calendar, or the number of a class
("grade 2", "segment IV").
"""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

# Relative: a conversion rounds (1 lb is 0.4536 kg). Whole numbers are told apart by themselves.
_TOLERANCE = 0.002
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
_TENS = ("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_DAY = 86_400.0
# By dimension: each name of a unit and its size.
_UNITS: Mapping[str, str] = {
    "length": "m metre meter 1, km kilometre kilometer 1000, cm centimetre centimeter 0.01, "
    "mm millimetre millimeter 0.001, µm um micrometre micrometer micron 1e-6, nm nanometre "
    "nanometer 1e-9, inch inches 0.0254",
    "mass": "g gram gramme 1, kg kilogram kilo 1000, mg milligram 0.001, µg ug mcg microgram 1e-6, "
    "ng nanogram 1e-9, pg picogram 1e-12, lb pound 453.6",
    "volume": "l litre liter 1, dl decilitre deciliter 0.1, ml millilitre milliliter cc cm3 cm³ "
    "0.001, µl ul microlitre microliter mm3 mm³ 1e-6, fl femtolitre 1e-15",
    "area": "m2 m² 1, cm2 cm² 1e-4, mm2 mm² 1e-6",
    "time": f"s sec second 1, ms millisecond 0.001, min minute 60, h hr hour 3600, d day {_DAY}, "
    f"wk week {7 * _DAY}, fortnight {14 * _DAY}, month {30.4375 * _DAY}, yr year {365.25 * _DAY}, "
    f"decade {3652.5 * _DAY}",
    "share": "% percent cent 0.01, ‰ 0.001",
    "amount": "mol mole 1, mmol millimole 0.001, µmol umol micromole 1e-6, nmol 1e-9, pmol 1e-12",
    "charge": "meq milliequivalent 1",
    "activity": "u iu unit 1, mu miu 0.001",
    "pressure": "mmhg 1, kpa 7.50062, cmh2o 0.735559",
    "temperature": "°c ºc celsius 1, °f ºf fahrenheit 1",
    "energy": "kcal kilocalorie 1, kj kilojoule 0.239006",
    "dose": "gy gray 1, mgy 0.001, cgy 0.01",
    "equivalent dose": "sv sievert 1, msv 0.001, µsv usv 1e-6",
    "current": "ma 1, a ampere 1000",
    "voltage": "kv kvp 1, mv 1e-6",
    "frequency": "hz hertz 1, khz 1000, mhz 1e6, bpm 0.016666666667",
    "density": "hu hounsfield 1",
    "beats": "beat breath 1",
}
# What a number names a class of.
_LABELS = (
    "grade", "stage", "type", "segment", "level", "zone", "class", "phase", "group", "degree",
    "hepatitis", "vitamin", "influenza", "factor", "lead", "category", "tier", "chapter", "figure",
    "table", "cycle", "clark", "gleason", "birads", "bi-rads", "lirads", "pirads",
)  # fmt: skip
# What is counted or named, not measured: no conversion rounds it.
_EXACT = frozenset({"count", "date", "times", "value", *_LABELS})
_MORE = (
    r"no(?:t)?\s+(?:less|fewer|smaller)\s+than|more\s+than|greater\s+than|larger\s+than|"
    r"(?:long|old|high|tall|heavi|lat|deep|wid|thick)er\s+than|over|above|at\s+least|exceed\w*|"
    r">=|>|≥"
)
_LESS = (
    r"(?:no|not)\s+(?:more|larger|greater|longer)\s+than|less\s+than|"
    r"(?:small|young|short|low|earli|narrow|thinn?|light)er\s+than|fewer\s+than|under|below|"
    r"at\s+most|up\s+to|<=|<|≤"
)
_PARTS = {
    "half": 0.5, "one half": 0.5, "a third": 1 / 3, "one third": 1 / 3, "two thirds": 2 / 3,
    "a quarter": 0.25, "one quarter": 0.25, "three quarters": 0.75, "a fifth": 0.2,
    "one fifth": 0.2,
}  # fmt: skip
_LARGE = {"dozen": 12.0, "hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_OFTEN = {"once": 1, "twice": 2, "thrice": 3}


class Measure(NamedTuple):
    """A number or a range, in the base unit of its dimension.

    Attributes:
        low, high: equal where one number is given; infinite where only a bound is.
        dimension: such as "length", "mass/volume", "age", "count", "date" or "grade".
        start, end: characters that it takes.
        between: whether any number of the range will do ("between 5 and 6 cm").
    """

    low: float
    high: float
    dimension: str
    start: int
    end: int
    between: bool = False

    def holds(self, other: "Measure") -> bool:
        """Tell whether what the other says, this one says as well: a claim's and its evidence's."""
        if not _comparable(self.dimension, other.dimension):
            return False
        bounded = math.isinf(self.low) or math.isinf(self.high) or self.between
        if self.low == self.high or not bounded:
            return self._same(self.low, other.low) and self._same(self.high, other.high)
        above = other.low >= self.low or self._same(other.low, self.low)
        return above and (other.high <= self.high or self._same(other.high, self.high))

    def opposes(self, other: "Measure") -> bool:
        """Tell whether both cannot be numbers of one thing."""
        return (
            self.dimension == other.dimension or {self.dimension, other.dimension} in _ALIKE[:3]
        ) and (
            (self.low > other.high and not self._same(self.low, other.high))
            or (self.high < other.low and not self._same(self.high, other.low))
            or (_proper(self) and _proper(other) and not self.holds(other))
        )

    def _same(self, one: float, other: float) -> bool:
        if one == other or self.dimension in _EXACT:
            return one == other
        return math.isclose(one, other, rel_tol=_TOLERANCE)


@lru_cache(maxsize=1 << 13)
def measures(text: str) -> tuple[Measure, ...]:
    """Find the numbers of a text, in order."""
    if _MAY.search(text) is None:
        return ()
    lowered = text.lower()
    if len(lowered) != len(text):  # lower-casing may change lengths ("İ")
        lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    # The letter and the sign.
    lowered = lowered.replace("μ", "µ")
    found: list[Measure] = []
    taken = 0
    for match in _pattern().finditer(lowered):
        letter = match["label"] and match["class"].isalpha() and match["class"] not in _ROMAN
        if letter and not text[match.start("class")].isupper():
            continue  # "type a", "a stage b"
        if match.start() >= taken:
            several = list(_read(match, lowered))
            if found and several and _goes_on(found[-1], several[0], lowered):
                last = found.pop()
                several[0] = several[0]._replace(
                    low=last.low + several[0].low, high=last.high + several[0].high,
                    dimension=last.dimension, start=last.start,
                )  # fmt: skip
            found += several
            taken = max([taken, *(each.end for each in several)])
    return tuple(found)


def _goes_on(one: Measure, other: Measure, text: str) -> bool:
    """Tell whether two numbers are one: "1 hour 15 minutes"."""
    return (
        _comparable(one.dimension, other.dimension)
        and one.dimension in ("time", "lapse", "age", "mass")
        and 0 < other.low < one.low
        and text[one.end : other.start] in (" ", " and ")
    )


def _read(match: re.Match[str], text: str) -> Iterator[Measure]:
    start, end = match.span()
    if match["among"]:
        share = 1 / max(_value(match["among"]), 1.0)
        yield _exactly(share, "share", start, end)
    elif match["part"]:
        value = _PARTS[" ".join(match["part"].replace("-", " ").split())]
        low = -math.inf if match["partless"] else value
        yield Measure(low, math.inf if match["partmore"] else value, "share", start, end)
    elif match["bare"]:
        yield _exactly(1 / _unit(match["bare"])[1], "frequency", start, end)
    elif match["often"]:
        rate = _OFTEN[match["often"]] if match["often"] in _OFTEN else _value(match["times"])
        yield _exactly(rate / _unit(match["each"])[1], "frequency", start, end)
    elif match["again"]:
        times = _OFTEN[match["again"]] if match["again"] in _OFTEN else _value(match["often_n"])
        yield _exactly(float(times), "times", start, end)
    elif match["every"]:
        rate = 1 / (_value(match["every"]) * _unit(match["span"])[1])
        yield Measure(rate, rate, "frequency", start, end)
    elif match["label"]:
        number, start = match["class"], match.start("class")
        if number in _ROMAN:
            value = float(_ROMAN.index(number) + 1)
        else:
            # Group A, hepatitis B: letters stand behind all numbers.
            value = _value(number) if number.isdigit() else 1000.0 + ord(number[0]) + len(number)
        value += 0.1 * ("abcd".index(match["letter"]) + 1) if match["letter"] else 0.0
        yield Measure(value, value, match["label"], start, end)
    else:
        yield from _sized(match, text)


def _sized(match: re.Match[str], text: str) -> Iterator[Measure]:
    start, end = match.span()
    low = _value(match["low"])
    low += 0.5 if match["half"] or match["halves"] else 0.0
    high = _value(match["high"]) if match["high"] else low
    unit, per = match["unit"], match["per"]
    if (
        unit is None
        and match["low"] == "one"
        and not _JUST.search(text, 0, start)
        and (_NO_COUNT.match(text, end) or _STANDS_FOR.search(text, 0, start))
    ):
        return
    dimension, size, shift = _dimension(unit, per, match["old"], match, text)
    daily = bool(per) and _unit(per)[0] == "time" and _unit(per)[1] >= _DAY
    daily = daily and dimension.partition("/")[0] in _DOSES
    if daily:
        # "100 mg per day" is what "100 mg daily" and "100 mg once a day" are.
        dimension, size, _ = _dimension(unit, None, None, match, text)
    values = [each * size + shift for each in (low, high)]
    if match["more"] and not (match["more"] == "over" and dimension in ("time", "lapse")):
        values[1] = math.inf
    elif match["less"]:
        values[0] = -math.inf
    if unit is None and match["times3"] and "/" in match["times3"]:
        # 20/200: a share of its own, not two counts.
        over = _value(match["times3"].strip(" /x×"))
        ratio = over / low if low else math.inf
        yield _exactly(ratio, "ratio", start, end)
        return
    if match["times3"]:
        # 2 x 3 x 4 cm: three lengths.
        for each in re.split("[x×/]|by", match["times3"]):
            if each.strip():
                yield _exactly(_value(each.strip()) * size, dimension, start, end)
    yield Measure(min(values), max(values), dimension, start, end, bool(match["between"]))
    if daily:
        yield _exactly(1 / _unit(per)[1], "frequency", start, end)


def _dimension(
    unit: str | None, per: str | None, old: str | None, match: re.Match[str], text: str
) -> tuple[str, float, float]:
    if unit is None:
        value = match["low"]
        told = _IN_YEAR.search(text[max(0, match.start() - 30) : match.start()])
        is_year = (
            value.isdigit() and len(value) == 4 and (1500 if told else 1900) <= int(value) < 2100
        )
        if _AT_AGE.search(text[max(0, match.start() - 30) : match.start()]):
            return "age", 365.25 * _DAY, 0.0
        if not float(_value(value)).is_integer():
            return "value", 1.0, 0.0
        return ("date" if is_year and not match["high"] else "count"), 1.0, 0.0
    dimension, size = _unit(unit)
    if dimension == "temperature" and unit[-1] in "ft" and unit != "celsius":
        return dimension, 5 / 9, -160 / 9
    if per:
        below, share = _unit(per)
        if (dimension, below) == ("beats", "time"):
            dimension, below = "frequency", ""
        return f"{dimension}/{below}".rstrip("/"), size / share, 0.0
    if dimension == "time" and (
        old or _AGE.search(text[max(0, match.start() - 30) : match.start()])
    ):
        return "age", size, 0.0
    return (_span(match, text) if dimension == "time" else dimension), size, 0.0


def _span(match: re.Match[str], text: str) -> str:
    """Tell "for ten days" from "ten days after": they are no times of one thing."""
    if _FOR.search(text[max(0, match.start() - 12) : match.start()]):
        return "lapse"
    return "moment" if _AFTER.match(text, match.end()) else "time"


_DOSES = ("mass", "volume", "activity", "amount")
_NO_COUNT = re.compile(r"\s+(?:of|or|another|should|can|may|must)\b")
_JUST = re.compile(r"\b(?:only|just)\s+\Z")
_STANDS_FOR = re.compile(r"\b(?:the|left|right|other|this|that|each|which|no|has|have|an?)\s+\Z")
_FOR = re.compile(r"\b(?:for|lasted|lasting|lasts)\s+(?:the\s+)?\Z")
_AFTER = re.compile(r"\s+(?:after|before|later|earlier|ago|following|previously|prior)\b")
_IN_YEAR = re.compile(r"\b(?:in|since|before|after|until|by|of)\s+\Z")
_AT_AGE = re.compile(r"\b(?:aged|ages?\s+(?:of\s+)?|age\s+(?:is|was)\s+)\s*\Z")
_AGE = re.compile(r"\b(?:aged?|ages)\b[^.;]*\Z")


def _value(text: str) -> float:
    first, _, last = text.rpartition(" ")
    if last in _LARGE:
        return (_value(first) if first.strip() not in ("", "a") else 1.0) * _LARGE[last]
    if text.startswith("half"):
        return 0.5
    if text in ("a", "an"):
        return 1.0
    if text in _WORDS:
        return float(_WORDS.index(text))
    first, _, last = text.partition("-")
    if first in ("twenty", *_TENS):
        tens = 20 if first == "twenty" else 10 * (_TENS.index(first) + 3)
        return float(tens + (_WORDS.index(last) if last in _WORDS else 0))
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        return float(text.replace(",", ""))
    return float(text.replace(",", "."))


def _unit(name: str) -> tuple[str, float]:
    name = name.strip().removeprefix("per ")
    if name.startswith(("x", "×", "*")):
        power = name.split("10", 1)[1].translate(_RAISED)
        return "number", 10.0 ** int(re.sub(r"\D", "", power) or 1)
    known = _units()
    for each in (name, name.removesuffix("s"), name.removesuffix("es")):
        if each in known:
            return known[each]
    return name, 1.0


@cache
def _units() -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for dimension, listed in _UNITS.items():
        for entry in listed.split(","):
            *names, size = entry.split()
            found.update(dict.fromkeys(names, (dimension, float(size))))
    found["daily"] = ("time", _DAY)
    found["weekly"] = ("time", 7 * _DAY)
    found["monthly"] = ("time", 30.4375 * _DAY)
    return found


@cache
def _pattern() -> re.Pattern[str]:
    words = "|".join([*reversed(_WORDS)])
    tens = "|".join(("twenty", *_TENS))
    ones = "|".join(_WORDS[1:10])
    large = "|".join(_LARGE)
    number = (
        rf"(?:(?:{_NUMBER}|(?:{tens})(?:-(?:{ones}))?|{words})(?:\s(?:{large})(?!\w))?"
        rf"|a\s(?:{large})(?!\w))"
    )
    one = r"minute|hour|day|week|fortnight|month|year|decade|lit(?:re|er)|gram"
    article = rf"(?:half\s)?an?(?=\s(?:{one})\b)"
    symbols = sorted(_units(), key=len, reverse=True)
    plural = [each for each in symbols if len(each) > 2 and each.isalpha()]
    long = "|".join(rf"{re.escape(each)}(?:e?s)?" for each in plural)
    short = "|".join(re.escape(each) for each in symbols if each not in plural)
    unit = rf"(?:(?:{long}|{short}|per\s?cent)(?![^\W_])|%)"
    power = r"(?:[x×*]\s?10\s?\^?\s?(?:\d{1,2}|[⁰¹²³⁴-⁹]+))"
    spans = r"day|daily|week|weekly|month|monthly|hour|year"
    labels = "|".join(_LABELS)
    roman = "|".join(sorted(_ROMAN, key=len, reverse=True))
    parts = "|".join(each.replace(" ", r"[\s-]") for each in _PARTS)
    return re.compile(
        rf"(?<![\w.,^])(?<![a-z]-)(?:"
        rf"(?P<often>once|twice|thrice|(?P<times>{number})\s+times)\s+"
        rf"(?:an?\s+|per\s+|each\s+|every\s+)?(?P<each>{spans})(?!\w)"
        rf"|(?:one|1)\s(?:in|out\sof)\s(?:every\s)?(?P<among>{number})(?!\w)(?!\s?(?:{unit}))"
        rf"|(?:(?P<partless>{_LESS})\s+|(?P<partmore>{_MORE})\s+)?(?P<part>{parts})(?=\s+(?:of|"
        rf"the)\b)"
        rf"|(?P<bare>daily|weekly|monthly)(?!\w)"
        rf"|every\s+(?P<every>{number})[\s-](?P<span>hours?|days?|weeks?|months?|years?)(?!\w)"
        rf"|(?P<again>twice|thrice|(?P<often_n>{number})\s+times)"
        rf"(?!\s+(?:as|more|higher|larger|greater|the|less|lower)\b|\w)"
        rf"|(?P<label>{labels})s?[\s-](?:(?:is|was)\s)?"
        rf"(?P<class>{roman}|\d+|ab|[a-z])(?P<letter>[a-d])?(?![.]?\w)(?!\s?{unit})"
        rf"|(?:(?P<less>{_LESS})\s*|(?P<more>{_MORE})\s*)?(?P<between>between\s+)?"
        rf"(?P<times3>(?:{_NUMBER})(?:\s?[x×/]\s?|"
        rf"\sby\s)(?!10\s?[\^⁰¹²³⁴-⁹])(?:(?:{_NUMBER})\s?[x×]\s?)?)?"
        rf"(?P<low>{number}|{article})(?!\w)(?P<half>\sand\sa\shalf\b)?"
        rf"(?:\s?(?:{unit})?(?:\s?[-–—]\s?|\s+to\s+|(?(between)\s+and\s+|(?!)))"
        rf"(?P<high>{number})(?!\w))?"
        rf"(?:[\s-]?(?P<unit>{power}|{unit})(?P<old>[\s-]old(?!\w)|\sof\sage(?!\w))?"
        rf"(?:\s?(?:/|per\s+|an?\s+(?=hour|minute|day))\s?(?P<per>{unit}|"
        rf"[a-z]+))?(?P<halves>\sand\sa\shalf\b)?)?)"
    )


def _proper(measure: Measure) -> bool:
    return measure.low < measure.high and not math.isinf(measure.low + measure.high)


def _exactly(value: float, dimension: str, start: int, end: int) -> Measure:
    return Measure(value, value, dimension, start, end)


# Most sentences hold no number: a digit, the word of one, or what stands for one.
_MAY = re.compile(
    rf"\d|\b(?:{'|'.join((*_WORDS, *_TENS, *_OFTEN))}|half|thirds?|quarters?|fifth|"
    rf"an?\s+(?:minute|hour|day|week|fortnight|month|year|decade|lit(?:re|er)|gram)|"
    rf"hundred|thousand|million|dozen|daily|weekly|monthly|(?:{'|'.join(_LABELS)})s?[\s-](?:(?:is|"
    rf"was)\s)?[a-z](?:\W|b\b|[ivx]|\Z))",
    re.IGNORECASE,
)


# An age is told as a time, how often as how many, and a count may not be whole.
_ALIKE = (
    {"times", "count"},
    {"value", "count"},
    {"lapse", "time"},
    {"age", "time"},
    {"moment", "time"},
)


def _comparable(one: str, other: str) -> bool:
    return one == other or {one, other} in _ALIKE
