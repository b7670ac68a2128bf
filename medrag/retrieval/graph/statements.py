"""What passages of kind "fact" state: read alike whoever made them, and counted by study."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from medrag.records import Filter, Hit, Passage

Polarity = Literal["present", "uncertain", "absent"]
FACT: frozenset[str] = frozenset({"fact"})
# How the relation of a denied fact begins.
_NOT = "not_"
# Ids of further passages of a statement that a hit keeps, so that each can be looked up.
_LISTED = 20


class Statement(NamedTuple):
    """A fact in the form in which facts are compared; a denied one has a relation of its own."""

    head: str
    relation: str
    tail: str


@dataclass(frozen=True, slots=True)
class Supported:
    """A statement, the passage and score that stand for it, and all passages that say it."""

    statement: Statement
    passage: Passage
    score: float
    passages: tuple[Passage, ...]


def statement(passage: Passage) -> Statement:
    """Read head, relation and tail; a fact without a head stands for itself by its text."""
    fields = passage.fields
    words = (_folded(fields.get(role)) for role in ("head", "relation", "tail"))
    read = Statement(*words)
    return read if read.head else Statement(_folded(passage.text), "", "")


def topic(passage: Passage) -> Statement:
    """Read what a fact affirms or denies: the statement without its polarity."""
    head, relation, tail = statement(passage)
    return Statement(head, relation.removeprefix(_NOT), "" if relation == "is" else tail)


def polarity(passage: Passage) -> Polarity:
    """Tell whether a fact is affirmed; one that says nothing of it is "present"."""
    told = str(passage.fields.get("polarity") or "")
    if told == "absent" or statement(passage).relation.startswith(_NOT):
        return "absent"
    return "uncertain" if told == "uncertain" else "present"


def study_of(passage: Passage) -> str:
    """Name what counts once as support: the study, or the document where there is none."""
    source = passage.source
    return source.study or f"{source.corpus}/{source.document}"


def supported(found: Iterable[tuple[Passage, float]]) -> list[Supported]:
    """Merge facts of one statement, in the order of their first; the first stands for all."""
    gathered: dict[Statement, list[tuple[Passage, float]]] = {}
    for passage, score in found:
        gathered.setdefault(statement(passage), []).append((passage, score))
    return [
        Supported(said, *several[0], tuple(passage for passage, _ in several))
        for said, several in gathered.items()
    ]


def support(passages: Collection[Passage]) -> int:
    """Count the distinct studies that passages are of."""
    return len({study_of(passage) for passage in passages})


def counted(passage: Passage, passages: Sequence[Passage]) -> Passage:
    """Write into a passage how many studies say the same, and which passages these are."""
    others = [each.id for each in passages if each.id != passage.id][:_LISTED]
    told = {"support": support(passages), **({"same_as": others} if others else {})}
    return replace(passage, fields={**passage.fields, **told})


def ranked(hits: Iterable[Hit], k: int) -> list[Hit]:
    """Number hits anew, at most k."""
    return [replace(hit, rank=rank) for rank, hit in zip(range(1, k + 1), hits, strict=False)]


def narrowed(wanted: Filter, kinds: Collection[str]) -> Filter | None:
    """Ask for some kinds only; None where the filter allows none of them."""
    both = frozenset(kinds) & wanted.kinds if wanted.kinds else frozenset(kinds)
    return replace(wanted, kinds=both) if both else None


def _folded(words: object) -> str:
    return " ".join(str(words or "").casefold().split())
