"""Read the follow-up queries that a model wrote."""

import re
from dataclasses import dataclass

from medrag.retrieval.asking.showing import is_query

_LINE = re.compile(r"[ \t]{0,8}(?:[-*•]|\d{1,2}[.)])[ \t]+(\S.*)")
_DONE = re.compile(r"\W*DONE\W*", re.ASCII)
_LONGEST_REPLY, _LONGEST_DONE = 20_000, 40


@dataclass(frozen=True, slots=True)
class Queries:
    """What a reply asks for.

    Attributes:
        queries: in order, each once; empty where nothing more is asked.
        done: whether the reply says that nothing more is needed.
        refused: lines that are no query one may search for, such as one that is too long.
    """

    queries: tuple[str, ...] = ()
    done: bool = False
    refused: int = 0


def read_queries(reply: str, n: int) -> Queries:
    """Read at most n queries, one on each line that begins as one of a list does.

    Args:
        reply: without what the model thought aloud. All other lines say nothing.
    """
    text = reply.strip()
    if len(text) <= _LONGEST_DONE and _DONE.fullmatch(text):
        return Queries(done=True)
    found = [_LINE.fullmatch(line) for line in text[:_LONGEST_REPLY].split("\n")]
    lines = [match.group(1).strip() for match in found if match]
    queries: list[str] = []
    for line in filter(is_query, lines):
        if not any(same_query(line, other) for other in queries[:n]):
            queries.append(line)
    return Queries(tuple(queries[:n]), refused=sum(not is_query(line) for line in lines))


def same_query(one: str, other: str) -> bool:
    """Tell whether two queries differ in blanks and capitals at most."""
    return one.casefold().split() == other.casefold().split()
