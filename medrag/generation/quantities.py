"""Numbers that an answer gives: measures with their units, and counts of things."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from medrag.generation.loose_json import Json, Keyed, Listed, loose_json
from medrag.language.markers import MARKER
from medrag.language.numerals import with_point
from medrag.records import Quantity

# How a unit is shown, and how it is written. A lone "s" needs a blank before it: "in her 80s".
_UNITS = {
    "mmHg": "mmHg|mm Hg",
    "mm²": "mm²|mm2|mm\\^2|sq mm|square millimet(?:er|re)s?",
    "mm³": "mm³|mm3|mm\\^3|cubic millimet(?:er|re)s?",
    "cm²": "cm²|cm2|cm\\^2|sq cm|square centimet(?:er|re)s?",
    "cm³": "cm³|cm3|cm\\^3|cc|ccm|cubic centimet(?:er|re)s?",
    "m²": "m²|m2",
    "µm": "[µμ]m|um|microns?|micromet(?:er|re)s?",
    "mm": "mm|MM|millimet(?:er|re)s?|毫米|مم",
    "cm": "cm|CM|centimet(?:er|re)s?|厘米|سم",
    "mg/dL": "mg/d[lL]", "g/dL": "g/d[lL]", "mmol/L": "mmol/[lL]", "ng/mL": "ng/m[lL]",
    "mL": "m[lL]|millilit(?:er|re)s?|毫升", "µL": "[µμ][lL]|microlit(?:er|re)s?",
    "dL": "d[lL]|decilit(?:er|re)s?", "L": "L|lit(?:er|re)s?",
    "µg": "[µμ]g|mcg|micrograms?", "mg": "mg|milligrams?", "kg": "kg|kilograms?|公斤",
    "g": "g|grams?",
    "HU": "HU|Hounsfield units?", "SUV": "SUV(?:max|mean|peak)?",
    "%": "%|％|percent|per cent|pct",
    "°C": "° ?C", "°F": "° ?F", "°": "°|degrees?|deg",
    "bpm": "bpm|beats per minute|beats/min",
    "ms": "ms|msec|milliseconds?", "min": "min|mins|minutes?",
    "s": "(?<=[ \u00a0\u202f])s|sec|secs|seconds?",
    "h": "h|hrs?|hours?", "day": "days?", "week": "weeks?|wks?", "month": "months?|mos",
    "year": "years?|yrs?|岁",
    "mSv": "mSv", "Gy": "Gy", "kVp": "kVp?", "mAs": "mAs", "kPa": "kPa", "MHz": "MHz",
    "px": "px|pixels?", "dB": "dB", "in": "inch(?:es)?", "ft": "f(?:ee|oo)t",
    "m": "m|met(?:er|re)s?",
}  # fmt: skip
_SPELLED = [(symbol, re.compile(forms)) for symbol, forms in _UNITS.items()]
_ANY_UNIT = "|".join(f"(?:{forms})" for forms in _UNITS.values())
_UNIT = re.compile(rf"[ \u00a0\u202f]?-?(?P<unit>{_ANY_UNIT})(?![^\W_])")
_NUMBER = re.compile(
    r"(?<![\w.,/^])(?P<sign>[-+−]?)"
    r"(?P<digits>\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d.,])|\d+(?:[.,]\d+)*)"
)
_SIZES = re.compile(r"\s?(?:x|×|X|\*|by)\s?")
_RANGE = re.compile(r"\s?(?:-|–|—|~|to|until|and|bis|至|到)\s?")
_SPREAD = re.compile(r"\s?(?:±|\+/-|\+-)\s?")
_POWER = re.compile(r"\s?[x×*]\s?10\s?(?:\^|[⁰¹²³⁴⁵⁶⁷⁸⁹])|\^\d|\s?[/⁄]\s?\d")
_BELOW = re.compile(r"(?:[<≤]|\b(?:less|smaller|shorter) than|\b(?:under|below|up to|at most))\s?$")
_ABOVE = re.compile(r"(?:[>≥]|\b(?:more|greater|larger|longer) than|\b(?:over|above|at least))\s?$")
_BETWEEN = re.compile(r"\bbetween\s?$", re.IGNORECASE)
_SUV = re.compile(r"\b(SUV(?: ?(?:max|mean|peak))?)(?: (?:of|is|was)| ?[:=])? ?$")
_PRESSURE = re.compile(r"(?<![\w.,/])(\d{2,3}) ?/ ?(\d{2,3}) ?mm ?Hg\b")

_ORDER = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_WORDS = {word: float(n) for n, word in enumerate(_ORDER.split())} | {"single": 1.0}
_SAID = rf"\d{{1,6}}|{'|'.join(_WORDS)}"
# What is counted in pictures and reports, by one and by many. A closed list: of "3 months" and
# "two options" none is a finding.
_COUNTED = (
    "abscess|abscesses adenoma|adenomas aneurysm|aneurysms band|bands bleed|bleeds cavity|cavities "
    "calcification|calcifications catheter|catheters cell|cells clip|clips cluster|clusters "
    "cyst|cysts defect|defects density|densities device|devices drain|drains "
    "effusion|effusions electrode|electrodes erosion|erosions exudate|exudates fibroid|fibroids "
    "finding|findings focus|foci fracture|fractures gallstone|gallstones hemorrhage|hemorrhages "
    "haemorrhage|haemorrhages implant|implants infarct|infarcts instrument|instruments "
    "island|islands lead|leads lesion|lesions lobe|lobes lucency|lucencies lump|lumps mass|masses "
    "metastasis|metastases microaneurysm|microaneurysms mitosis|mitoses node|nodes nodule|nodules "
    "nucleus|nuclei object|objects opacity|opacities papule|papules plaque|plaques plate|plates "
    "polyp|polyps pustule|pustules rib|ribs root|roots screw|screws sperm|sperms spot|spots "
    "stent|stents stone|stones tear|tears thrombus|thrombi tooth|teeth tube|tubes tumor|tumors "
    "tumour|tumours ulcer|ulcers valve|valves vertebra|vertebrae vessel|vessels wire|wires"
)
_ONE = {pair.split("|")[0] for pair in _COUNTED.split()}
_MANY = {pair.split("|")[1] for pair in _COUNTED.split()} | {"sperm"}
_COUNT = re.compile(
    rf"(?<![\w.,/^])(?P<n>{_SAID})(?P<kind>(?:[ -][^\W\d_]{{2,20}}){{0,3}}?)"
    rf"[ -](?P<noun>{'|'.join(sorted(_ONE | _MANY))})\b",
    re.IGNORECASE,
)
_BEFORE_COUNT = re.compile(rf"(?<![\w.,/^])({_SAID}) ?(?:-|–|to|or) ?$", re.IGNORECASE)
# "Grade 3 lesions" counts nothing, nor does "two of the lesions" or "1 and other lesions".
_LABELLED = re.compile(
    r"\b(?:stage|grade|type|segment|level|figure|fig\.?|image|picture|page|category|class|zone|"
    r"option|question|case|table|phase|score|number|no\.|slice|group|rads|segments|levels) ?-?$",
    re.IGNORECASE,
)
_LINKS = (
    "of the and or in on to at by with a an is are was were no not from for as that than other "
    "this these those which its their"
)
_NO_KIND = frozenset(_LINKS.split())
_ONLY = re.compile(rf"(?:(?:answer|count|total)\s?[:=]\s?)?({_SAID})\s?[.!]?", re.IGNORECASE)
_COUNT_KEYS = ("count", "counts", "total_count", "total", "number", "n")
_LABEL_KEYS = ("label", "name", "object", "finding", "measure", "measurement")
_SUFFIX = re.compile(r"(?P<name>.+?)_(?P<unit>mm|cm|mm2|cm2|mm3|cm3|ml|hu|percent|deg)")
_SUFFIXES = {"ml": "mL", "hu": "HU"}


@dataclass(frozen=True, slots=True)
class _Number:
    """A number of a text, and the unit behind it; empty without one."""

    start: int
    end: int
    value: float
    unit: str
    unit_end: int


def quantities_of(text: str, *, language: str = "en") -> tuple[Quantity, ...]:
    """Read the measures and counts that an answer gives, in the order written.

    A measure is a number with a unit; in "2.3 x 1.5 cm" both are of the unit. A count is a number
    before what is counted ("three small nodules"), the "count" of JSON, or the only word of a text.
    Of a range both ends are given, named "at least" and "at most"; "< 5 mm" is named "less than".
    Citation markers, fractions and powers of ten are passed over; so is a spread ("± 0.4").

    Args:
        language: ISO 639-1; tells whether a single comma before three digits is a decimal one.

    Returns:
        Measures with a symbol as their unit ("cm", "mm²", "HU"), counts with the empty unit and
        what is counted as their name. The same count of the same thing is given once.
    """
    plain = MARKER.sub(lambda match: " " * len(match.group()), text)
    found = [*_measures(plain, language), *_counts(plain), *_keyed(text)]
    if not found and (only := _ONLY.fullmatch(plain.strip())):
        found = [(0, Quantity(_said(only.group(1))))]
    ordered = [quantity for _, quantity in sorted(found, key=lambda each: each[0])]
    counts: set[Quantity] = set()
    kept = []
    for quantity in ordered:
        if quantity.unit or quantity not in counts:
            kept.append(quantity)
            counts |= set() if quantity.unit else {quantity}
    return tuple(kept)


def _measures(text: str, language: str) -> Iterator[tuple[int, Quantity]]:
    for match in _PRESSURE.finditer(text):
        yield match.start(), Quantity(float(match.group(1)), "mmHg", "systolic")
        yield match.start() + 1, Quantity(float(match.group(2)), "mmHg", "diastolic")
    numbers = _joined(text, list(_numbers(text, language)))
    for place, (number, name) in enumerate(numbers):
        spread = place and _SPREAD.fullmatch(text, numbers[place - 1][0].unit_end, number.start)
        if number.unit and not spread:
            yield number.start, Quantity(number.value, number.unit, name)


def _numbers(text: str, language: str) -> Iterator[_Number]:
    for match in _NUMBER.finditer(text):
        end = match.end()
        if _POWER.match(text, end):
            continue
        value = float(with_point(match["digits"], language))
        if value == float("inf"):
            continue
        unit, unit_end = "", end
        if behind := _UNIT.match(text, end):
            unit, unit_end = _symbol(behind["unit"]), behind.end()
        elif _SUV.search(text, max(0, match.start() - 20), match.start()):
            unit = "SUV"
        yield _Number(match.start(), end, -value if match["sign"] in ("-", "−") else value, unit,
                      unit_end)  # fmt: skip


def _joined(text: str, numbers: Sequence[_Number]) -> list[tuple[_Number, str]]:
    """Give a number the unit of the next one where both are sizes of one thing or a range.

    Returns:
        Each number with its name: which end of a range it is, or on which side of it things lie.
    """
    joined: list[tuple[_Number, str]] = []
    after = ""
    for place in range(len(numbers) - 1, -1, -1):
        number = numbers[place]
        name, after = after or _bound(text, number), ""
        if joined:
            following = joined[-1][0]
            between = (number.unit_end, following.start)
            ranged = _RANGE.fullmatch(text, *between)
            alike = ranged or _SIZES.fullmatch(text, *between) or _SPREAD.fullmatch(text, *between)
            if ranged and "and" in ranged.group() and not _says_between(text, number):
                ranged, alike = None, None if _is_labelled(text, number.start) else ranged
            if alike and not number.unit:
                number = replace(number, unit=following.unit)
            if ranged and number.unit == following.unit:
                joined[-1] = (following, "at most")
                name = "at least"
        joined.append((number, name))
    return joined[::-1]


def _says_between(text: str, number: _Number) -> bool:
    return _BETWEEN.search(text, max(0, number.start - 9), number.start) is not None


def _bound(text: str, number: _Number) -> str:
    before = text[max(0, number.start - 14) : number.start].lower()
    if suv := _SUV.search(text, max(0, number.start - 20), number.start):
        return suv.group(1)
    if _BELOW.search(before):
        return "less than"
    return "more than" if _ABOVE.search(before) else ""


def _symbol(written: str) -> str:
    return next(symbol for symbol, forms in _SPELLED if forms.fullmatch(written))


def _counts(text: str) -> Iterator[tuple[int, Quantity]]:
    for match in _COUNT.finditer(text):
        value, noun = _said(match["n"]), match["noun"].lower()
        kind = re.findall(r"[^\W\d_]+", match["kind"])
        alike = noun in _MANY if value != 1 else noun in _ONE
        low = _BEFORE_COUNT.search(text, max(0, match.start() - 14), match.start())
        start = low.start() if low else match.start()
        if not alike or _is_labelled(text, start) or any(_is_no_kind(word) for word in kind):
            continue
        name = " ".join([*kind, noun]).lower()
        if low:
            yield start, Quantity(_said(low.group(1)), "", f"{name}, at least")
            name += ", at most"
        yield match.start(), Quantity(value, "", name)


def _is_labelled(text: str, start: int) -> bool:
    return _LABELLED.search(text, max(0, start - 12), start) is not None


def _is_no_kind(word: str) -> bool:
    return word.lower() in _NO_KIND or any(forms.fullmatch(word) for _, forms in _SPELLED)


def _said(word: str) -> float:
    return float(word) if word.isdigit() else _WORDS[word.lower()]


def _keyed(text: str) -> Iterator[tuple[int, Quantity]]:
    """Read counts and measures of JSON."""
    stack: list[Json] = list(reversed(loose_json(text)))
    while stack:
        value = stack.pop()
        if isinstance(value, Listed):
            stack += reversed(value.values)
        elif isinstance(value, Keyed):
            yield from ((value.start, each) for each in _of_keys(value))
            stack += reversed(list(value.values.values()))


def _of_keys(keyed: Keyed) -> Iterator[Quantity]:
    lower = {key.lower(): value for key, value in keyed.values.items()}
    label = next((str(v) for k in _LABEL_KEYS if isinstance(v := lower.get(k), str)), "")
    value, unit = _plain(lower.get("value")), lower.get("unit")
    if value is not None and isinstance(unit, str) and _UNIT.fullmatch(unit):
        yield Quantity(value, _symbol(unit.strip()), label)
    for key, each in lower.items():
        number = _plain(each)
        suffix = _SUFFIX.fullmatch(key)
        if number is not None and key in _COUNT_KEYS:
            yield Quantity(number, "", label)
        elif number is not None and suffix:
            written = suffix["unit"]
            unit_name = _SUFFIXES.get(written) or _symbol(written)
            yield Quantity(number, unit_name, suffix["name"].replace("_", " "))


def _plain(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None
