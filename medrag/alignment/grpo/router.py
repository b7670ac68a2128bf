"""What a router is trained on: questions with the decision that is right for each.

The supervised start learns whole replies, the rewards only what the reply decides.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.rewards import Example
from medrag.errors import InputFileError
from medrag.protocols import Generator
from medrag.records import Generation, ImageRef, Prompt, Question
from medrag.retrieval.agentic import DecisionPath, path_of, read_route
from medrag.retrieval.agentic.routing import RoutedQuery
from medrag.retrieval.asking.showing import Asked, written
from medrag.retrieval.asking.wording import filled, wording

_PACKAGE = "medrag.retrieval.agentic"
# What reading a line may fail with, if a program or a person wrote something else.
_BROKEN = (ValueError, TypeError, KeyError, RecursionError)
_KEYS = frozenset({"id", "question", "options", "images", "path", "queries", "thought"})


@dataclass(frozen=True, slots=True)
class RouterRow:
    """A question, and the decision that is right for it.

    Attributes:
        queries: as a reply writes them; empty where only the path is known, or nothing is searched.
        thought: before the decision; "" for none.
    """

    question: Question
    path: DecisionPath
    queries: tuple[RoutedQuery, ...] = ()
    thought: str = ""


def router_prompt(
    question: Question,
    *,
    partitions: Collection[str] = (),
    max_queries: int = 4,
    generator: Generator | None = None,
) -> Prompt:
    """Write the prompt that `AgenticRetriever` gives its router.

    Args:
        generator: the router, where it bounds what it reads.

    Raises:
        ValueError: if the question does not fit.
    """
    words = wording(_PACKAGE, "router")
    texts = words.texts
    calls = [texts["rag"], texts["classifier"]] if partitions else [texts["rag"]]
    named = filled(texts["partitions"], {"names": "; ".join(partitions)})
    values = {
        "calls": "\n".join(calls),
        "max_queries": max_queries,
        "partitions": named if partitions else texts["no_partitions"],
    }
    return written(Asked(question, (), (), values), words, generator or _Unbounded())


def router_examples(
    rows: Sequence[RouterRow],
    *,
    partitions: Collection[str] = (),
    max_queries: int = 4,
    generator: Generator | None = None,
) -> list[Example]:
    """Make examples for `RouterReward` of rows.

    Raises:
        ValueError: if a row names a partition that there is not, or asks more than `max_queries`.
    """
    found = []
    for place, row in enumerate(rows):
        _check(row, partitions, max_queries)
        prompt = router_prompt(
            row.question, partitions=partitions, max_queries=max_queries, generator=generator
        )
        found.append(Example(row.question.id or f"router-{place}", prompt, path=row.path))
    return found


def router_pairs(
    rows: Sequence[RouterRow],
    *,
    partitions: Collection[str] = (),
    max_queries: int = 4,
    generator: Generator | None = None,
) -> list[PreferencePair]:
    """Make the pairs of the supervised start: the right reply, and one that decides otherwise.

    Rows that search and of which only the path is known are left out: no reply can be written.

    Raises:
        ValueError: as `router_examples`.
    """
    examples = router_examples(
        rows, partitions=partitions, max_queries=max_queries, generator=generator
    )
    return [
        PreferencePair(
            id=example.id,
            prompt=example.prompt.parts,
            chosen=router_reply(row.queries, thought=row.thought),
            rejected=router_reply(() if row.path.rag else _itself(row.question)),
            family="written",
            subject=row.question.subject,
            study=row.question.study,
            source_ids=(example.id,),
        )
        for row, example in zip(rows, examples, strict=True)
        if row.queries or not row.path.rag
    ]


def router_reply(queries: Sequence[RoutedQuery], *, thought: str = "") -> str:
    """Write a decision as a router writes it."""
    lines = []
    for query in queries:
        lines.append(_call("rag", "query", query.text))
        if query.partition is not None:
            lines.append(_call("classifier", "partition", query.partition))
    begun = f"<think>{thought}</think>\n" if thought else ""
    return begun + "\n".join(["<tool_call>", *lines, "</tool_call>"])


def read_router_rows(path: Path) -> list[RouterRow]:
    """Read rows from JSON lines; blank lines do not count.

    A line holds "question", and "queries" (a list of {"text", "partition"}, the second optional),
    or "path" ({"rag", "rewrite_count", "classifier", "partition"}) where no queries are known;
    also "id", "options", "images" (paths that begin at the file's folder) and "thought".

    Raises:
        InputFileError: if the file cannot be read, or a line is no row; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(path, f"cannot be read ({error}); give JSON lines in UTF-8") from error
    return list(_rows(path, lines))


class _Unbounded:
    """Stands for a router that reads whatever it gets."""

    name = "router"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [Generation("") for _ in prompts]


def _check(row: RouterRow, partitions: Collection[str], max_queries: int) -> None:
    called = row.question.id or row.question.text
    if row.path.rewrite_count > max_queries:
        raise ValueError(
            f"the right decision on {called!r} has {row.path.rewrite_count} queries, more than "
            f"max_queries {max_queries}"
        )
    if not row.queries:
        named = row.path.partition.split(" | ") if row.path.partition else []
        if unknown := [each for each in named if each not in partitions]:
            raise ValueError(f"the right decision on {called!r} names no partition: {unknown[0]!r}")
        return
    route = read_route(
        router_reply(row.queries, thought=row.thought), partitions, max_queries=max_queries
    )
    if path_of(route) != row.path:
        said = route.problem or "they decide otherwise than its path"
        raise ValueError(f"the queries of {called!r} are no right decision: {said}")


def _itself(question: Question) -> tuple[RoutedQuery, ...]:
    return (RoutedQuery(" ".join(question.text.split()) or "the picture"),)


def _call(name: str, key: str, value: str) -> str:
    return json.dumps({"name": name, "parameters": {key: value}}, ensure_ascii=False)


def _rows(path: Path, lines: Sequence[str]) -> Iterator[RouterRow]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _row(path.parent, json.loads(line))
        except _BROKEN as error:
            problem = f"no row of a router: {error}"
            raise InputFileError(path, problem, place=f"line {number}") from error


def _row(folder: Path, held: Any) -> RouterRow:
    if not isinstance(held, Mapping) or not isinstance(held.get("question"), str):
        raise ValueError('expected an object with "question"')
    if unknown := sorted(set(held) - _KEYS):
        raise ValueError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    images = tuple(
        ImageRef(str((folder / _text(each)).resolve())) for each in _list(held, "images")
    )
    question = Question(
        held["question"],
        images,
        _text(held.get("id", "")),
        tuple(_text(each) for each in _list(held, "options")),
    )
    queries = tuple(map(_query, _list(held, "queries")))
    path = _path(held["path"]) if "path" in held else _path_of_queries(queries)
    return RouterRow(question, path, queries, _text(held.get("thought", "")))


def _query(held: Any) -> RoutedQuery:
    text, partition = _text(held["text"]), held.get("partition")
    return RoutedQuery(text, None if partition is None else _text(partition))


def _path(held: Any) -> DecisionPath:
    rag, count = held["rag"], held.get("rewrite_count", 0)
    classifier, partition = held.get("classifier", False), held.get("partition")
    if not isinstance(rag, bool) or not isinstance(classifier, bool) or not isinstance(count, int):
        raise ValueError(f"rag and classifier must be true or false, and a count a number: {held}")
    if partition is not None:
        _text(partition)
    searches = (count > 0) == rag and (rag or not classifier)
    if not searches or (partition is not None) != classifier:
        raise ValueError(f"the path contradicts itself: {held}")
    return DecisionPath(rag, count, classifier, partition)


def _path_of_queries(queries: Sequence[RoutedQuery]) -> DecisionPath:
    named = {each.partition for each in queries if each.partition is not None}
    path = path_of(read_route(router_reply(queries), named, max_queries=max(1, len(queries))))
    if path is None:
        raise ValueError("the queries cannot be written as a router's reply")
    return path


def _list(held: Mapping[str, Any], key: str) -> list[Any]:
    value = held.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f'"{key}" must be a list, got {value!r}')
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, got {value!r}")
    return value
