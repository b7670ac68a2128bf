"""What the agent wants next: to search, to look closer, or to sum up.

A reply is an action only where all of it is one, behind what the model thought aloud. What stands
in a page or in a question is never read as one, and is shown to the model without such tags.
"""

import re
from dataclasses import dataclass
from typing import Literal

from medrag.language import printable, without_markers
from medrag.language.markers import markers
from medrag.records import Box
from medrag.retrieval.asking.showing import is_query

_NUMBER = r"\s*(-?\d{1,7}(?:\.\d{1,6})?)\s*"
_SEARCH = re.compile(r"<search>([^<>]*)</search>")
_BBOX = re.compile(rf"<bbox>\s*\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]\s*</bbox>", re.ASCII)
_ACTION = re.compile(r"</?(?:search|bbox|tool_call)\b", re.IGNORECASE)
_SUMMARY = re.compile(r"\A<summary>(.*)</summary>\Z", re.DOTALL)
_TAG = re.compile(r"</?(?:summary|answer|think)>", re.IGNORECASE)
_NONE = re.compile(r"\W*NONE\W*", re.ASCII)
_LONGEST, _LONGEST_SUMMARY, _LONGEST_NONE = 20_000, 6000, 40
_ALONE = "an action must stand alone, without words around it, and one at a time"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a reply asks for.

    Attributes:
        action: "" for a reply that is none, for which `trouble` says why.
        query: of a search.
        box: of a closer look, as written.
        summary: "" where the pages are of no use.
    """

    action: Literal["search", "bbox", "summary", ""]
    query: str = ""
    box: Box | None = None
    summary: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A summary by the page that each fact is from.

    Attributes:
        by_page: of pages 1 to n in order; "" for one that nothing is from.
        unmarked: facts that named no page; they stand with the first.
    """

    by_page: tuple[str, ...]
    unmarked: int = 0


def read_turn(reply: str) -> Turn:
    """Tell what a reply asks for.

    Args:
        reply: may begin with what the model thought aloud.
    """
    if len(reply) > _LONGEST:
        return Turn("", trouble="the reply is too long")
    _, ended, rest = reply.rpartition("</think>")
    text = (rest if ended else reply).strip()
    if "<think>" in text:
        return Turn("", trouble="the thought was not closed")
    if search := _SEARCH.fullmatch(text):
        query = search.group(1).strip()
        if is_query(query):
            return Turn("search", query=query)
        return Turn("", trouble="a search takes one line of plain words")
    if found := _BBOX.fullmatch(text):
        left, top, right, bottom = map(float, found.groups())
        return Turn("bbox", box=(left, top, right, bottom))
    if _ACTION.search(text):
        return Turn("", trouble=_ALONE)
    return _summing_up(text)


def facts_of(summary: str, n_pages: int) -> Facts:
    """Give each line of a summary to the pages that its markers name, such as [2].

    A line without a marker that means a page is given to the first.

    Args:
        n_pages: at least 1; marker [n] means page n.
    """
    by_page: list[list[str]] = [[] for _ in range(n_pages)]
    unmarked = 0
    for line in summary.split("\n"):
        bare = printable(without_markers(line)).strip()
        if not any(character.isalnum() for character in bare):
            continue
        named = markers(line, n_pages).numbers
        unmarked += not named
        for number in named or (1,):
            by_page[number - 1].append(bare)
    return Facts(tuple("\n".join(lines) for lines in by_page), unmarked)


def _summing_up(text: str) -> Turn:
    whole = _SUMMARY.match(text)
    bare = _TAG.sub("", whole.group(1) if whole else text).strip()
    if not bare:
        return Turn("", trouble="the reply is empty")
    if len(bare) < _LONGEST_NONE and _NONE.fullmatch(bare):
        return Turn("summary")
    return Turn("summary", summary=bare[:_LONGEST_SUMMARY])
