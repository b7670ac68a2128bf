"""What a report says as triples of head, relation and tail: graphs of RadGraph, and strings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from medrag.ingestion.decoding import printable
from medrag.ingestion.lines import BadRecordError

Status = Literal["present", "uncertain", "absent"]
Relation = Literal["suggestive_of", "located_at", "modify", "is"]
RELATIONS: tuple[Relation, ...] = ("suggestive_of", "located_at", "modify", "is")
# Begins the relation of a triple that a report denies, so that a reader of head, relation and tail
# alone takes it for no finding.
NOT = "not_"

_STATUSES: Mapping[str, Status] = {
    "dp": "present", "definitely present": "present", "u": "uncertain", "uncertain": "uncertain",
    "da": "absent", "definitely absent": "absent",
}  # fmt: skip
_QUANTIFIERS: Mapping[Status, str] = {"present": "", "uncertain": "possible ", "absent": "no "}
_TAILS: Mapping[Status, str] = {"present": "present", "uncertain": "possible", "absent": "absent"}
_GROUP = re.compile(r"\(([^()]*)\)")
# What stands before and after is cut, not matched: a long run of blanks would be tried from each.
_RELATION = re.compile(r"(?<=[\s,])(?:suggestive_of|located_at|modify)(?=[\s,])")
_DENIED = re.compile(r"(?:no|without|absent)\s+", re.IGNORECASE)
_STATED = 60  # words of a report that are kept beside a fact


@dataclass(frozen=True, slots=True)
class End:
    """One end of a triple: its words, how sure the report is, and the longer name it goes by.

    `kind` is "observation", "anatomy" or "change"; "" where a string does not tell.
    """

    words: str
    status: Status = "present"
    name: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Triple:
    """What a report says. `place` is of its record, where it differs; `stated` is its sentence."""

    head: End
    relation: str
    tail: End
    stated: str = ""
    place: str = ""


def polarity(triple: Triple) -> Status:
    """Tell whether a triple is denied: "absent", or "uncertain", where one of its ends is."""
    statuses = {triple.head.status, triple.tail.status}
    both: tuple[Status, ...] = ("absent", "uncertain")
    return next((each for each in both if each in statuses), "present")


def told(triple: Triple) -> str:
    """Say a triple as a sentence of a report: "There is no left pleural effusion."."""
    head, tail = triple.head.name or triple.head.words, triple.tail.name or triple.tail.words
    relation = triple.relation.removeprefix(NOT)
    if relation == "suggestive_of":
        if triple.head.status == "absent":
            return f"There is no {head} suggestive of {tail}."
        is_not = "not " if polarity(triple) == "absent" else ""
        unsure = "possibly " if polarity(triple) == "uncertain" else ""
        return f"{head[:1].upper()}{head[1:]} is {is_not}{unsure}suggestive of {tail}."
    if relation == "modify":
        if triple.head.kind == "anatomy":
            return f"The report speaks of the {tail if _holds(tail, head) else f'{head} {tail}'}."
        named = tail if _holds(tail, triple.head.words) else f"{head} {tail}"
        return f"There is {_QUANTIFIERS[polarity(triple)]}{named}."
    place = f" at the {tail}" if relation == "located_at" and not _holds(head, tail) else ""
    return f"There is {_QUANTIFIERS[triple.head.status]}{head}{place}."


def graph_triples(report: Mapping[str, Any]) -> list[Triple]:
    """List the triples of one report of RadGraph, in the order of its entities.

    Raises:
        BadRecordError: if it has no entities, or one that cannot be read.
    """
    entities = _entities(report)
    words = printable(str(report.get("text") or "")).split()
    into: dict[str, list[_Entity]] = {}
    for entity in entities.values():
        for relation, other in entity.links:
            if relation == "modify":
                into.setdefault(other, []).append(entity)
    ends = {number: _end(number, entities, into, words) for number, entity in entities.items()}
    triples = []
    for number, entity in entities.items():
        for relation, other in entity.links:
            stated = _sentence(words, entity, entities[other])
            triples.append(_denied(Triple(ends[number], relation, ends[other], stated)))
        if entity.kind == "observation" and not entity.links:
            tail = End(_TAILS[entity.status])
            triples.append(Triple(ends[number], "is", tail, _sentence(words, entity, entity)))
    return triples


def string_triples(triplets: str) -> tuple[list[Triple], int]:
    """Read a string of triples such as "(opacity, suggestive_of, pneumonia); (...)".

    Returns:
        The triples, and how many pieces of the string are none.
    """
    groups = _GROUP.findall(triplets)
    outside = _GROUP.sub("", triplets)
    pieces = groups if groups else re.split(r"[;|\n]", triplets)
    found, n_bad = [], sum(c.isalnum() for c in outside) > 0 if groups else 0
    for piece in filter(str.strip, pieces):
        text = printable(piece).strip(" ,")
        match = _RELATION.search(text)
        if match is None:
            n_bad += 1
            continue
        head, tail = _written(text[: match.start()]), _written(text[match.end() :])
        if head.words and tail.words:
            found.append(_denied(Triple(head, match[0], tail)))
        else:
            n_bad += 1
    return found, n_bad


def labelled(report: Mapping[str, Any]) -> Any:
    """Give what the first labeller of a report says; None where no labeller is named."""
    return next((v for k, v in report.items() if k.startswith("labeler") and v), None)


@dataclass(frozen=True, slots=True)
class _Entity:
    words: str
    kind: str
    status: Status
    first: int
    last: int
    links: tuple[tuple[str, str], ...]


def _entities(report: Mapping[str, Any]) -> dict[str, _Entity]:
    given = report.get("entities")
    if given is None:
        first = labelled(report)
        given = first.get("entities") if isinstance(first, dict) else None
    if not isinstance(given, dict):
        raise BadRecordError("no object of 'entities'")
    entities = {str(number): _entity(str(number), value) for number, value in given.items()}
    for number, entity in entities.items():
        for _, other in entity.links:
            if other not in entities:
                raise BadRecordError(f"entity {number[:20]!r} has a relation to none: {other[:20]}")
    return entities


def _entity(number: str, value: object) -> _Entity:
    named = f"entity {number[:20]!r}"
    if not isinstance(value, dict) or not isinstance(value.get("tokens"), str):
        raise BadRecordError(f"{named} has no 'tokens'")
    words = " ".join(printable(value["tokens"]).lower().split())
    kind, status = _label(named, value.get("label"))
    first, last = value.get("start_ix", -1), value.get("end_ix", -1)
    if not words or type(first) is not int or type(last) is not int:
        raise BadRecordError(f"{named} has blank 'tokens', or 'start_ix' or 'end_ix' is no number")
    links = value.get("relations") or []
    if not isinstance(links, list) or not all(
        isinstance(each, list) and len(each) == 2 and each[0] in RELATIONS[:3] for each in links
    ):
        raise BadRecordError(f"{named} has 'relations' that are not [relation, entity]")
    return _Entity(words, kind, status, first, last, tuple((r, str(o)) for r, o in links))


def _label(named: str, label: object) -> tuple[str, Status]:
    """Read "OBS-DA" or "Observation::definitely absent"; a change (CHAN-NC) is present."""
    parts = re.split(r"::|-", str(label).lower())
    kind = {"obs": "observation", "anat": "anatomy", "chan": "change"}.get(parts[0], parts[0])
    if kind == "change" and len(parts) > 1:
        return kind, "present"
    if kind not in ("observation", "anatomy") or parts[-1] not in _STATUSES:
        raise BadRecordError(f"{named} has the label {str(label)[:40]!r}, expected one as OBS-DP")
    return kind, _STATUSES[parts[-1]]


def _end(
    number: str,
    entities: Mapping[str, _Entity],
    into: Mapping[str, Sequence[_Entity]],
    words: Sequence[str],
) -> End:
    """Name an entity with the words before it that modify it or say where it is."""
    entity = entities[number]
    related = list(into.get(number, ()))
    for relation, other in entity.links:
        if relation == "located_at":
            related += [entities[other], *into.get(other, ())]
    start = entity.first
    while near := [each for each in related if each.last == start - 1 and each.first < start]:
        start = near[0].first
    named = range(max(start, 0), entity.last + 1)
    whole = 0 <= start < entity.first and entity.last < len(words)
    name = " ".join(words[at] for at in named).lower() if whole else ""
    return End(entity.words, entity.status, name, entity.kind)


def _denied(triple: Triple) -> Triple:
    """Put "not_" before the relation of a triple that is denied."""
    if polarity(triple) != "absent":
        return triple
    return replace(triple, relation=f"{NOT}{triple.relation}")


def _written(words: str) -> End:
    plain = " ".join(words.strip(" ,\"'").lower().split())
    match = _DENIED.match(plain)
    return End(plain[match.end() :], "absent") if match else End(plain)


def _sentence(words: Sequence[str], one: _Entity, other: _Entity) -> str:
    """Cut the sentence out of a report's words that holds two entities; "" where they are not."""
    first, last = min(one.first, other.first), max(one.last, other.last)
    if not 0 <= first <= last < len(words):
        return ""
    start = next((at for at in range(first, 0, -1) if words[at - 1] in (".", ":")), 0)
    end = next((at for at in range(last, len(words)) if words[at] == "."), len(words) - 1)
    start = max(start, end + 1 - _STATED)
    return " ".join(words[min(start, first) : end + 1][:_STATED])


def _holds(name: str, words: str) -> bool:
    return f" {words} " in f" {name} "
