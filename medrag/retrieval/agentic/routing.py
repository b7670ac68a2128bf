"""What a router decided: whether to search, for what, and in which partition.

Its reply is a block of thought, <think>...</think>, and then a block of calls,
<tool_call>...</tool_call>, with one JSON object on each line:

    {"name": "rag", "parameters": {"query": "..."}}
    {"name": "classifier", "parameters": {"partition": "Breast"}}

Each rag may be followed by one classifier. A thought with nothing behind it, or an empty block of
calls, says that nothing need be searched for. All else is a fault, and no part of such a reply is
used.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from medrag.retrieval.asking.showing import is_query

_THINK, _THOUGHT = "<think>", "</think>"
_CALLS, _CALLED = "<tool_call>", "</tool_call>"
# What a call could smuggle into a later prompt.
_TAG = re.compile(r"</?(?:think|tool_call|search|bbox|summary)\b", re.IGNORECASE)
_KEYS: Mapping[str, str] = {"rag": "query", "classifier": "partition"}
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class RoutedQuery:
    """A query, and the partition that it is for; None for all of them."""

    text: str
    partition: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A decision. `queries` is empty where nothing is searched for, or where there is a fault.

    Attributes:
        problem: the fault, in words; "" for none.
    """

    queries: tuple[RoutedQuery, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DecisionPath:
    """A decision as training compares it.

    Attributes:
        rag: whether anything is searched for.
        rewrite_count: how many queries.
        classifier: whether a partition was named for any.
        partition: which; several are joined by " | " in the order of the queries, each once.
    """

    rag: bool
    rewrite_count: int = 0
    classifier: bool = False
    partition: str | None = None


class _FaultError(ValueError):
    """Says why a reply is no decision."""


def read_route(
    reply: str, partitions: Collection[str], *, max_queries: int = 4, thoughts: str = ""
) -> Route:
    """Read a router's reply, or say why it is none.

    Args:
        partitions: that may be named, verbatim.
        thoughts: what the generator has already told apart as thought.

    Source:
        Patho-AgenticRAG, arXiv 2508.02258. How its router says that nothing is needed is not
        published; the two forms here are ours.
    """
    try:
        if len(reply) > _LONGEST:
            raise _FaultError(f"the reply has {len(reply)} characters")
        rest, thought = _behind_thought(reply.strip())
        calls = _calls(rest, thought=thought or bool(thoughts.strip()))
        return Route(_queries(calls, partitions, max_queries))
    except _FaultError as fault:
        return Route(problem=str(fault))


def path_of(route: Route) -> DecisionPath | None:
    """Give the decision path of a route; None for a fault."""
    if route.problem:
        return None
    named = dict.fromkeys(each.partition for each in route.queries if each.partition is not None)
    return DecisionPath(
        rag=bool(route.queries),
        rewrite_count=len(route.queries),
        classifier=bool(named),
        partition=" | ".join(named) if named else None,
    )


def _behind_thought(text: str) -> tuple[str, bool]:
    """Give what follows the thought, and whether there was one."""
    n_begun, n_ended = text.count(_THINK), text.count(_THOUGHT)
    if not n_begun and not n_ended:
        return text, False
    # The opening tag may belong to the prompt.
    if n_ended != 1 or n_begun > 1 or (n_begun and not text.startswith(_THINK)):
        raise _FaultError("the thought is not one closed block at the beginning")
    return text.partition(_THOUGHT)[2].strip(), True


def _calls(text: str, *, thought: bool) -> list[tuple[str, str]]:
    if not text and not thought:
        raise _FaultError("the reply is empty")
    calls: list[tuple[str, str]] = []
    while text:
        if not text.startswith(_CALLS):
            raise _FaultError("there are words outside of the block of calls")
        block, closed, text = text[len(_CALLS) :].partition(_CALLED)
        if not closed:
            raise _FaultError("the block of calls is not closed")
        calls += [_call(line) for line in block.split("\n") if line.strip(" \t\r")]
        text = text.strip()
    return calls


def _call(line: str) -> tuple[str, str]:
    """Read one call: its name, and its one parameter."""
    try:
        value = json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
    # Brackets within brackets, thousands deep, exhaust the reader.
    except (ValueError, RecursionError) as error:
        raise _FaultError(f"a line is no JSON object: {str(error)[:80]}") from error
    if not isinstance(value, dict) or set(value) != {"name", "parameters"}:
        raise _FaultError('a line is no object with "name" and "parameters" alone')
    name, given = value["name"], value["parameters"]
    key = _KEYS.get(name) if isinstance(name, str) else None
    if key is None:
        raise _FaultError(f"there is no tool {str(name)[:40]!r}")
    if not isinstance(given, dict) or set(given) != {key} or not isinstance(given[key], str):
        raise _FaultError(f'{name} takes one text, "{key}"')
    return name, given[key]


def _queries(
    calls: list[tuple[str, str]], partitions: Collection[str], max_queries: int
) -> tuple[RoutedQuery, ...]:
    queries: list[RoutedQuery] = []
    before = ""
    for name, text in calls:
        if name == "rag":
            if not is_query(text) or _TAG.search(text):
                raise _FaultError("a query is no single line of plain words")
            queries.append(RoutedQuery(text.strip()))
        elif before != "rag":
            raise _FaultError("a classifier does not follow a rag")
        elif text not in partitions:
            raise _FaultError(f"there is no partition {text[:40]!r}")
        else:
            queries[-1] = RoutedQuery(queries[-1].text, text)
        before = name
    if len(queries) > max_queries:
        raise _FaultError(f"{len(queries)} queries are more than {max_queries}")
    return tuple(queries)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _no_number(written: str) -> Any:
    raise ValueError(f"{written} is no number of JSON")
