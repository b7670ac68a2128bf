"""Which passages are right for a query, which are wrong, and of which nobody can say."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.retriever.pair import RetrieverPair, Side
from medrag.records import ImageRef

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Relations:
    """What pairs share, by numbers: equal numbers for equal queries, passages, people, groups.

    Attributes:
        queries, passages: (n,).
        studies, subjects: (n,); one that is not known has a number of its own.
        clusters: (n,); pairs of one cluster must stand on one side of a split: they share a
            subject, a study, a group or a picture, or are joined by others that do.
        facts: by row, further rows whose passages state the same as its own.
    """

    queries: Codes
    passages: Codes
    studies: Codes
    subjects: Codes
    clusters: Codes
    facts: Mapping[int, frozenset[int]] = field(default_factory=dict, hash=False)


def relations(
    pairs: Sequence[RetrieverPair], *, facts: Mapping[int, frozenset[int]] | None = None
) -> Relations:
    """Number what pairs share; see `factual_positives` for facts."""
    queries = [_key(pair.query) for pair in pairs]
    passages = [_key(pair.passage) for pair in pairs]
    studies = [("study", pair.study) if pair.study else None for pair in pairs]
    subjects = [("subject", pair.subject) if pair.subject else None for pair in pairs]
    groups = [("group", pair.group) if pair.group else None for pair in pairs]
    pictures = [
        [key for key, side in zip(keys, sides, strict=True) if isinstance(side, ImageRef)]
        for keys, sides in (
            ([_key(pair.query), _key(pair.passage)], [pair.query, pair.passage]) for pair in pairs
        )
    ]
    shared = [
        [key for key in (study, subject, group, *shown) if key is not None]
        for study, subject, group, shown in zip(studies, subjects, groups, pictures, strict=True)
    ]
    return Relations(
        queries=_codes(queries),
        passages=_codes(passages),
        studies=_codes(studies),
        subjects=_codes(subjects),
        clusters=_joined(shared),
        facts=facts or {},
    )


def masks(known: Relations, rows: Codes, columns: Codes) -> tuple[Mask, Mask]:
    """Tell what the passages of some rows are for the queries of others.

    Args:
        rows: (n,) whose queries ask.
        columns: (m,) whose passages are looked at.

    Returns:
        (n, m) positives: the same pair, an equal query, an equal passage, or an equal statement;
        and (n, m) ignored: others of the same study or subject.
    """
    across, down = rows[:, None], columns[None, :]
    positives = (known.passages[across] == known.passages[down]) | (
        known.queries[across] == known.queries[down]
    )
    if known.facts:
        positives |= np.array(
            [[column in known.facts.get(row, ()) for column in columns.tolist()]
             for row in rows.tolist()], dtype=bool,
        ).reshape(positives.shape)  # fmt: skip
    same = (known.studies[across] == known.studies[down]) | (
        known.subjects[across] == known.subjects[down]
    )
    return positives, same & ~positives


def part(known: Relations, rows: Codes) -> Relations:
    """Give the relations of some rows, numbered from 0 in the order given."""
    place = {int(row): number for number, row in enumerate(rows)}
    facts = {
        place[row]: frozenset(place[other] for other in others if other in place)
        for row, others in known.facts.items()
        if row in place
    }
    return replace(
        known,
        queries=known.queries[rows],
        passages=known.passages[rows],
        studies=known.studies[rows],
        subjects=known.subjects[rows],
        clusters=known.clusters[rows],
        facts={row: others for row, others in facts.items() if others},
    )


def _key(side: Side) -> Hashable:
    if isinstance(side, str):
        return " ".join(side.split())
    # Equal pixels are one picture wherever they lie.
    return side.sha256 or replace(side, phash=None)


def _codes(keys: Sequence[Hashable | None]) -> Codes:
    """Number keys from 0 as they come; each None gets a number of its own."""
    numbers: dict[Hashable, int] = {}
    own = [("alone", place) if key is None else key for place, key in enumerate(keys)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in own], dtype=np.int64)


def _joined(shared: Sequence[Sequence[Hashable]]) -> Codes:
    """Number rows so that those that share a key, directly or by others, have one number."""
    above = list(range(len(shared)))

    def root(row: int) -> int:
        while above[row] != row:
            above[row] = above[above[row]]
            row = above[row]
        return row

    first: dict[Hashable, int] = {}
    for row, keys in enumerate(shared):
        for key in keys:
            # The lower number stays, so that the order of keys does not matter.
            low, high = sorted((root(row), root(first.setdefault(key, row))))
            above[high] = low
    return _codes([root(row) for row in range(len(shared))])
