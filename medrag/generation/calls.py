"""What a model's reply asks for: tools by name, written as JSON.

Read are one line of JSON, {"tool": "crop", "arguments": {...}}, and what models write that were
trained to call tools: <tool_call>{"name": ..., "arguments": ...}</tool_call> (Qwen, Hermes), once
or several times in a row. A reply is a call only where all of it is: a call that stands among words
may have been quoted from what the model read, and is never made.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TAG, _END = "<tool_call>", "</tool_call>"
_FENCE = re.compile(r"\A```(?:json|tool_call)?[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
# How a call begins, so that one with broken JSON is told from an answer.
_BEGUN = re.compile(r'\A\{\s*"(?:tool|name)"\s*:')
_NAMES, _ARGUMENTS = ("tool", "name"), ("arguments", "parameters")
_BESIDE = frozenset({"id", "type"})
_ALONE = "a call must stand alone, without words around it"
_BROKEN = "the call is no valid JSON"
_SHAPE = 'a call must be {"tool": name, "arguments": {...}}'
# A call takes a line or two; what is longer is read by no one as one.
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Call:
    """A tool and what it is given, as the model wrote them: JSON values, all numbers finite."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply asks for.

    Attributes:
        calls: in order; empty for an answer.
        trouble: why what looks like a call is none, in words for the model; "" for a call or an
            answer.
    """

    calls: tuple[Call, ...] = ()
    trouble: str = ""


def read_calls(reply: str) -> Reading:
    """Tell whether a reply calls tools.

    Args:
        reply: without what the model thought aloud.
    """
    text = reply.strip()
    if len(text) > _LONGEST:
        return Reading()
    fenced = _FENCE.match(text)
    text = fenced.group(1).strip() if fenced else text
    if text.startswith(_TAG):
        return _tagged(text)
    if text.startswith(("{", "[")):
        return _bare(text)
    return Reading(trouble=_ALONE) if _holds_call(text) else Reading()


def may_become_call(begun: str) -> bool:
    """Tell whether a reply that has only begun to come may turn out to be a call."""
    text = begun.lstrip()
    return text.startswith(("{", "[", "`", _TAG)) or _TAG.startswith(text)


def _tagged(text: str) -> Reading:
    """Read calls in tags, one behind the other; the closing tag of the last may be missing."""
    calls: list[Call] = []
    place = 0
    while place < len(text):
        if not text.startswith(_TAG, place):
            return Reading(trouble=_ALONE)
        try:
            value, place = _DECODER.raw_decode(text, _behind_blanks(text, place + len(_TAG)))
        except (ValueError, RecursionError):
            return Reading(trouble=_BROKEN)
        found = _calls(value if isinstance(value, list) else [value])
        if not found:
            return Reading(trouble=_SHAPE)
        calls += found
        place = _behind_blanks(text, place)
        if text.startswith(_END, place):
            place = _behind_blanks(text, place + len(_END))
    return Reading(tuple(calls))


def _bare(text: str) -> Reading:
    """Read a text that begins as JSON does; one that holds no call is an answer."""
    values = _values(text)
    if values is not None:
        return Reading(_calls(values))
    if _BEGUN.match(text):
        first = text.splitlines()[0]
        whole = _values(first)
        # A call, and then the model went on, perhaps with a result that it made up.
        alone = whole is not None and bool(_calls(whole))
        return Reading(trouble=_ALONE if alone else _BROKEN)
    return Reading(trouble=_ALONE) if _holds_call(text) else Reading()


def _holds_call(text: str) -> bool:
    """Tell whether a reply ends with a call after other words."""
    fence = text.rfind("\n```", 0, -3) if text.endswith("```") else -1
    if fence >= 0:
        # The line of the fence names a language.
        text = "\n" + text[fence + 1 : -3].partition("\n")[2].strip()
    place = text.rfind(f"\n{_TAG}")
    if place >= 0:
        return bool(_tagged(text[place + 1 :]).calls)
    values = _values(text[text.rfind("\n{") + 1 :])
    return values is not None and bool(_calls(values))


def _values(text: str) -> Sequence[Any] | None:
    """Read JSON values that follow each other; None where there is anything else."""
    values, place = [], 0
    text = text.strip()
    try:
        while place < len(text):
            value, place = _DECODER.raw_decode(text, place)
            values += value if isinstance(value, list) else [value]
            place = _behind_blanks(text, place)
    # Brackets within brackets, thousands deep, exhaust the reader.
    except (ValueError, RecursionError):
        return None
    return values


def _behind_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _calls(values: Sequence[Any]) -> tuple[Call, ...]:
    """Give the calls where every value is one."""
    found = [_call(value) for value in values]
    return tuple(each for each in found if each is not None) if all(found) else ()


def _call(value: Any) -> Call | None:
    if not isinstance(value, dict) or not {*value} <= {*_NAMES, *_ARGUMENTS, *_BESIDE}:
        return None
    name = next((value[key] for key in _NAMES if key in value), None)
    given = next((value[key] for key in _ARGUMENTS if key in value), None)
    if given is None and "tool" in value:
        given = {}
    if isinstance(given, str):
        inner = _values(given)
        given = inner[0] if inner is not None and len(inner) == 1 else None
    if not isinstance(name, str) or not name.strip() or not isinstance(given, dict):
        return None
    return Call(name.strip(), given)


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(f"{written} is too large")
    return value


def _no_number(written: str) -> float:
    raise ValueError(f"{written} is no number of JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_number)
