"""Where the answer stands in a model's reply, beside what the model thought aloud.

Every pattern is one literal tag, found once from left to right, so that a reply of any length and
form takes linear time.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags by which a model sets thoughts and answer apart, as (opening, closing).

    None for a model that writes none. Capitals do not matter.

    Raises:
        ValueError: if a tag is blank, or an opening one equals its closing one.
    """

    think: tuple[str, str] | None = None
    answer: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        for name, pair in (("think", self.think), ("answer", self.answer)):
            if pair is not None and (len(pair) != 2 or not all(tag.strip() for tag in pair)):
                raise ValueError(f"{name} must be an opening and a closing tag, got {pair!r}")
            if pair is not None and pair[0].lower() == pair[1].lower():
                raise ValueError(f"{name} opens and closes with the same tag, {pair[0]!r}")


class Span(NamedTuple):
    """Where the answer stands.

    Attributes:
        start, end: of the answer in the reply, without blanks about it; equal where there is none.
        thoughts: what stands outside of the answer, without tags.
        closed: False where thoughts began and neither ended nor gave way to an answer in tags. The
            span is then empty: half a thought is no answer.
    """

    start: int
    end: int
    thoughts: str
    closed: bool


class _Zone(NamedTuple):
    start: int
    end: int


class _Visible(NamedTuple):
    """Stretches outside of thoughts, in order; where thoughts that were left open begin."""

    zones: list[_Zone]
    open_at: int | None


def answer_span(text: str, tags: Tags, *, thinking: bool = False) -> Span:
    r"""Find the answer in a reply.

    What stands before a closing tag of thoughts is thought, also where the opening tag belongs to
    the prompt. The answer is the last stretch outside of thoughts that is not blank. In it the last
    answer tag that is not empty holds the answer, also one left open; without such tags all of it
    does. Thoughts that were left open are ended by nothing but an answer in whole tags with which
    the reply ends. Nothing else is taken off: \boxed{} stays.

    Args:
        thinking: whether the prompt ended inside thoughts, so that a reply without a closing tag
            is all thought.
    """
    seen = _visible(text, tags.think, thinking=thinking)
    if seen.open_at is not None:
        held = _at_the_end(text, seen.open_at, tags.answer)
        if held is None:
            nowhere = _Zone(seen.open_at, seen.open_at)
            return Span(*nowhere, _outside(text, nowhere, tags), closed=False)
    else:
        zone = next((z for z in reversed(seen.zones) if text[z.start : z.end].strip()), None)
        zone = zone or _Zone(len(text), len(text))
        held = _in_tags(text, zone, tags.answer) or zone
    span = _trimmed(text, held)
    return Span(*span, _outside(text, span, tags), closed=True)


def _places(text: str, tag: str, zone: _Zone) -> list[_Zone]:
    pattern = re.compile(re.escape(tag), re.IGNORECASE)
    return [_Zone(*match.span()) for match in pattern.finditer(text, zone.start, zone.end)]


def _visible(text: str, pair: tuple[str, str] | None, *, thinking: bool) -> _Visible:
    whole = _Zone(0, len(text))
    if pair is None:
        return _Visible([whole], None)
    events = [(zone, True) for zone in _places(text, pair[0], whole)]
    events += [(zone, False) for zone in _places(text, pair[1], whole)]
    zones, start, open_at = [], 0, 0 if thinking else None
    for tag, opens in sorted(events):
        if opens and open_at is None:
            zones.append(_Zone(start, tag.start))
            open_at = tag.end
        elif not opens:
            # Without an opening tag of its own, it makes a thought of all since the last one.
            open_at, start = None, tag.end
    return _Visible(zones if open_at is not None else [*zones, _Zone(start, len(text))], open_at)


def _in_tags(text: str, zone: _Zone, pair: tuple[str, str] | None) -> _Zone | None:
    """Find what the last answer tags hold that are not empty; None without any tags."""
    if pair is None:
        return None
    opens, closing = _places(text, pair[0], zone), re.compile(re.escape(pair[1]), re.IGNORECASE)
    if not opens:
        # The prompt opened it.
        close = closing.search(text, zone.start, zone.end)
        return _Zone(zone.start, close.start()) if close else None
    ends = [*(tag.start for tag in opens[1:]), zone.end]
    held = _Zone(zone.end, zone.end)
    for tag, end in zip(reversed(opens), reversed(ends), strict=True):
        close = closing.search(text, tag.end, end)
        held = _Zone(tag.end, close.start() if close else end)
        if text[held.start : held.end].strip():
            break
    return held


def _at_the_end(text: str, start: int, pair: tuple[str, str] | None) -> _Zone | None:
    """Find an answer in whole tags with which a reply ends, for it alone ends open thoughts."""
    if pair is None:
        return None
    end = len(text.rstrip())
    closes = _places(text, pair[1], _Zone(start, end))
    opens = _places(text, pair[0], _Zone(start, end))
    if not opens or not closes or closes[-1].end != end:
        return None
    held = _Zone(opens[-1].end, closes[-1].start)
    return held if text[held.start : held.end].strip() else None


def _trimmed(text: str, zone: _Zone) -> _Zone:
    inside = text[zone.start : zone.end]
    start = zone.start + len(inside) - len(inside.lstrip())
    return _Zone(start, max(start, zone.start + len(inside.rstrip())))


def _outside(text: str, span: _Zone, tags: Tags) -> str:
    """Join what stands before and behind a span, without tags and blank lines about them."""
    pieces = [text[: span.start], text[span.end :]]
    for tag in (*(tags.think or ()), *(tags.answer or ())):
        pattern = re.compile(re.escape(tag), re.IGNORECASE)
        pieces = [part for piece in pieces for part in pattern.split(piece)]
    return "\n\n".join(filter(None, map(str.strip, pieces)))
