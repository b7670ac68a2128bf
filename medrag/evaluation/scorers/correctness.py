"""Whether an answer, as it was read, is right: the rule of all corrected modes."""

import re

from medrag.evaluation.numbers import converted
from medrag.evaluation.parsed import Abstained, Boxes, Letters, Number, Text, Unparsed, YesNo
from medrag.evaluation.parsing.letters import plain
from medrag.evaluation.parsing.numerals import read_number
from medrag.evaluation.parsing.polarity import read_polarity
from medrag.evaluation.scorers.protocol import Case
from medrag.evaluation.scorers.words import answer_words
from medrag.records import Box, Item

# Numbers that differ by less than this share are one number, written with other digits.
_SAME = 1e-9
_YES_NO = re.compile(r"\s*(yes|no)\s*[.!]?\s*", re.IGNORECASE)
_EITHER = re.compile(r"\b(\w+)\W+or\W+(?:the |a |an |in |on )*(\w+)", re.IGNORECASE)


def is_right(case: Case) -> float:
    """Tell whether an answer is right: 1.0 or 0.0.

    - yes or no: the reference read in the same way, see `reference_polarity`;
    - options: the same option, or exactly the same options;
    - a number: equal, see `in_unit`;
    - text: the same words, without articles and with number words as digits;
    - boxes: the same boxes in any order, of which there may be none; how far boxes overlap is
      another measure.

    What could not be read and what abstains is not right. A yes or no item whose answer was read
    as text is read again as yes or no.
    """
    parsed, item = case.parsed, case.item
    if isinstance(parsed, Unparsed | Abstained):
        return 0.0
    if is_yes_no(item):
        said = said_yes(case)
        return float(said is not None and said is reference_polarity(item))
    match parsed:
        case Letters(options):
            return float(_chosen(item, options))
        case Number():
            wanted = (reference_number(each, item) for each in item.references)
            return float(any(each and _same_number(parsed, each) for each in wanted))
        case Text(text):
            words = answer_words(text)
            return float(any(words == answer_words(each) for each in item.references))
        case Boxes(boxes):
            return float(asks_for_boxes(item) and sorted(boxes) == sorted(reference_boxes(item)))
        case _:
            return 0.0


def is_right_closed(case: Case) -> float:
    """Tell whether a closed answer is right, also where the reference is not yes or no.

    Such a reference ("left") is right if its words stand in the answer in order, as whole words
    ("on the left side"), unless the question offers another word for it ("left or right?") that
    stands there as well.
    """
    right = is_right(case)
    if right or not isinstance(case.parsed, Text) or is_yes_no(case.item):
        return right
    given = f" {' '.join(answer_words(case.parsed.text))} "
    offered = {each for pair in _EITHER.findall(case.item.question.text.lower()) for each in pair}
    for reference in case.item.references:
        words = answer_words(reference)
        others = offered - set(words) if offered & set(words) else set()
        if words and f" {' '.join(words)} " in given and not others & set(given.split()):
            return 1.0
    return 0.0


def said_yes(case: Case) -> bool | None:
    """Tell whether an answer says yes or no; None if neither."""
    parsed = case.parsed
    if isinstance(parsed, Text):
        item = case.item
        parsed = read_polarity(parsed.text, language=item.language, question=item.question.text)
    return parsed.value if isinstance(parsed, YesNo) else None


def is_yes_no(item: Item) -> bool:
    """Tell whether an item asks for yes or no, by its kind or by its references."""
    if item.kind in ("yes_no", "choice", "choices"):
        return item.kind == "yes_no"
    return bool(item.references) and all(_YES_NO.fullmatch(each) for each in item.references)


def reference_polarity(item: Item) -> bool | None:
    """Read yes or no from the references; None without any.

    A reference that says neither is taken as CARES takes it: no if its first sentence holds "no"
    or "not" as a word, else yes.
    """
    for reference in item.references:
        said = read_polarity(reference, language=item.language)
        if isinstance(said, YesNo):
            return said.value
    if not item.references:
        return None
    words = item.references[0].split(".")[0].replace(",", " ").lower().split()
    return {"no", "not"}.isdisjoint(words)


def reference_number(reference: str, item: Item) -> Number | None:
    """Read a reference with its unit, or with that of the field "unit"; None if it is no number."""
    wanted = read_number(reference, language=item.language)
    if not isinstance(wanted, Number):
        return None
    return Number(wanted.value, wanted.unit or str(item.fields.get("unit") or ""))


def in_unit(given: Number, unit: str) -> float | None:
    """Give the value of a number in a unit; None if it cannot be converted.

    A number without a unit is taken as it stands, and so is every number if `unit` is empty. A
    unit that `numbers` does not know ("HU") converts into itself alone.
    """
    if _bare(given.unit) == _bare(unit):
        return given.value
    try:
        return converted(given.value, given.unit, unit)
    except ValueError:
        return None


def reference_boxes(item: Item) -> list[Box]:
    """Give the boxes of the right answer; none where nothing is there."""
    return [region.box for region in item.regions if region.box is not None]


def asks_for_boxes(item: Item) -> bool:
    """Tell whether an answer can be compared with boxes: there are some, or there is no region.

    Without any region nothing is there, and an empty list is the right answer. Points, masks and
    names alone are no boxes, and no benchmark here says how near a point must be.
    """
    return item.kind == "boxes" and (bool(reference_boxes(item)) or not item.regions)


def _chosen(item: Item, options: tuple[int, ...]) -> bool:
    right = {plain(each) for each in item.references}
    chosen = {plain(item.question.options[each]) for each in options}
    return chosen == right if item.kind == "choices" else bool(chosen) and chosen <= right


def _same_number(given: Number, wanted: Number) -> bool:
    value, target = in_unit(given, wanted.unit), wanted.value
    if value is None:
        return False
    return abs(value - target) <= _SAME * max(abs(value), abs(target), 1.0)


def _bare(unit: str) -> str:
    return unit.casefold().replace(" ", "").removesuffix("s")
