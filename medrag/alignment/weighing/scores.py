"""Scores in the words of a judge, read as shares of the best."""

import json
import re
from math import isclose, nan

_NUMBER = r"(?P<number>[0-9]{1,3}(?:[.,][0-9]{1,6})?)"
_UNIT = r"(?:\s*(?:/|out\s+of|of)\s*(?P<best>[0-9]{1,3})|\s*(?P<percent>%|percent\b))"
# What would make it a part of something else: more digits, a date, a range.
_END = r"(?![0-9/%]|[.,][0-9]|\s*(?:[-–—]|to)\s*[0-9]|\s*(?:/|out\s+of|of)\s*[0-9])"
_WHOLE = re.compile(rf"\s*{_NUMBER}{_UNIT}?{_END}\s*[.!]?\s*", re.IGNORECASE)
_LABELLED = re.compile(
    r"\b(?:(?:score|rating)\b[\"'\s]*(?:is|of|[:=])|relevance\b[\"'\s]*(?:is|[:=]))[\"'\s(\[]*"
    rf"{_NUMBER}{_UNIT}?{_END}",
    re.IGNORECASE,
)
# In prose only the scale that was asked for: "60% of the lung" and "3 of 5 signs" are findings.
_IN_PROSE = re.compile(
    rf"(?<![0-9./,-]){_NUMBER}\s*(?:/|out\s+of)\s*(?P<best>10)(?P<percent>){_END}", re.IGNORECASE
)
_OBJECT = re.compile(r"\{[^{}]*\}")
_EMPHASIS = re.compile(r"[*_`]+")
_SCALES = frozenset({1, 5, 10, 100})


def read_score(reply: str) -> float:
    """Read a score that was asked for as a whole number from 0 to 10.

    It is looked for as "score" of a JSON object, then behind a word such as "Score:", then as all
    of the reply, then as "8/10" or "8 out of 10" in prose. Read are whole numbers from
    0 to 10, fractions below 1 as shares, others up to 10 as parts of 10, "x/n", "x of n" and
    "x out of n" for an n of 1, 5, 10 or 100, and percents.

    Returns:
        In [0, 1]; nan where there is no score, where several differ, where it lies beyond its
        scale, and for "1.0", which is the best of one scale and nearly the worst of another.
    """
    text = _EMPHASIS.sub("", reply)
    said = _of_objects(text)
    if not said:
        said = [_value(found) for found in _LABELLED.finditer(text)]
    if not said and (found := _WHOLE.fullmatch(text)):
        said = [_value(found)]
    if not said:
        said = [_value(found) for found in _IN_PROSE.finditer(text)]
    agreed = bool(said) and all(isclose(each, said[0], abs_tol=1e-9) for each in said)
    return said[0] if agreed else nan


def _of_objects(text: str) -> list[float]:
    """Read what JSON objects call their score, numbers as they are written."""
    said = []
    for found in _OBJECT.findall(text):
        try:
            value = json.loads(found, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and "score" in value:
            score = value["score"]
            match = _WHOLE.fullmatch(score) if isinstance(score, str) else None
            said.append(_value(match) if match else nan)
    return said


def _value(found: re.Match[str]) -> float:
    written = found["number"].replace(",", ".")
    number = float(written)
    best = found["best"]
    if found["percent"]:
        return number / 100 if number <= 100 else nan
    if best is not None:
        return number / int(best) if int(best) in _SCALES and number <= int(best) else nan
    if "." not in written or number > 1:
        return number / 10 if number <= 10 else nan
    return nan if number == 1 else number
