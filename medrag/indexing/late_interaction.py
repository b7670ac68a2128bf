"""Late interaction: each vector of a question meets its best match among those of a passage."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.backends import check_questions
from medrag.indexing.machine import present_devices
from medrag.indexing.maxsim.batches import batches, taken
from medrag.indexing.maxsim.device import DeviceCopy
from medrag.indexing.maxsim.options import FirstPass, Options, Plan, Scan, plan_of
from medrag.indexing.maxsim.packed import CopyKind, Ints, Packed, packed
from medrag.indexing.maxsim.parts import Part, kind_with_room, parts_of
from medrag.indexing.maxsim.scoring import (
    Doubles,
    Estimates,
    Read,
    Scored,
    asked,
    best,
    estimated,
    rescored,
    single,
)
from medrag.indexing.maxsim.signs import Signs, sign_scores
from medrag.indexing.ranking import top
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow


class LateInteractionSearch:
    """Search packed multi-vectors by MaxSim.

    The passages that a filter allows are estimated with a copy of their vectors; whatever could be
    among the best is scored again in double precision, so that rankings and scores are those of a
    plain double loop over the vectors, rounded to single precision. Other passages are not read.

    Args:
        first_pass: "exact", or what picks `candidates` passages for that: "bits" (the signs of the
            vectors, 16 bytes for 128 numbers) or "pooled" (means of `pool` vectors that follow one
            another). Those two are approximate: a passage they miss is not found, while the scores
            of what is found are exact. "auto" is exact up to 4 billion numbers (44,000 pages of 747
            vectors of 128), then bits.
        candidates: passages that a first pass keeps for each question, or k if that is more.
        scan: numbers of the copy. Each gives the same ranking. "auto" is float16 on a GPU, int8 on
            a processor that multiplies such numbers at once (VNNI, AMX), and float32, the vectors
            themselves, on others and for small channels.
        device: "cpu", "cuda" (all GPUs that this process sees), "cuda:1", or several by commas,
            which share the passages of an exact search. None: the GPUs, if there is room on them.

    Raises:
        ValueError: if an option is none of these.
    """

    def __init__(
        self,
        *,
        store: Store,
        name: str,
        first_pass: FirstPass = "exact",  # noqa: S107 (no password)
        candidates: int = 200,
        scan: Scan = "auto",
        device: str | None = None,
        pool: int = 8,
    ) -> None:
        self.store = store
        self.name = name
        self.options = Options(first_pass, candidates, scan, device, pool).checked()

    def search(
        self, questions: Embeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        check_questions(questions, k, self.store.channel(self.name).d, self.name)
        if len(questions.lengths) and questions.lengths.min() < 1:
            raise ValueError("a question has no vector; its encoder is broken")
        rankings: list[list[ScoredRow]] = [[] for _ in filters]
        if not self._parts or not filters:
            return rankings
        together = packed(np.asarray(questions.values, dtype=np.float32), questions.lengths)
        known = {wanted: self.store.row_mask(wanted) for wanted in set(filters)}
        masks = [known[wanted] for wanted in filters]
        for numbers in batches(masks, questions.lengths):
            group = taken(together, numbers)
            found = self._ranked(group, k, [masks[number] for number in numbers])
            for number, ranking in zip(numbers, found, strict=True):
                rankings[number] = ranking
        return rankings

    @cached_property
    def _parts(self) -> list[Part]:
        kept = self.store.channel(self.name).derived.get("folder")
        return parts_of(self.store, self.name, self.store.folder / str(kept) if kept else None)

    @cached_property
    def _plan(self) -> Plan:
        return plan_of(self.options, sum(part.source.values.size for part in self._parts))

    @cached_property
    def _kind(self) -> CopyKind:
        return kind_with_room(self._parts, self._plan.kind)

    @cached_property
    def _on_devices(self) -> list[DeviceCopy]:
        devices = present_devices(self._plan.devices)
        return [
            DeviceCopy(source=part.source, kind=self._plan.half, devices=devices)
            for part in self._parts
        ]

    def _ranked(
        self, questions: Packed, k: int, masks: Sequence[NDArray[np.bool_]]
    ) -> list[list[ScoredRow]]:
        """Rank for questions that are looked at together, each with its own rows."""
        some = np.logical_or.reduce(masks) if len(masks) > 1 else masks[0]
        wanted = [np.flatnonzero(some[part.rows]) for part in self._parts]
        rows = np.concatenate(
            [part.rows[places] for part, places in zip(self._parts, wanted, strict=True)]
        )
        n_kept = max(k, self.options.candidates)
        guessed = self._plan.first != "exact" and len(rows) > n_kept
        if guessed:
            found = self._guesses(questions, wanted)
        elif len(rows) > k:
            found = self._estimates(questions, wanted)
        else:
            found = Estimates(*np.zeros((2, len(rows), len(masks))))
        rankings = []
        for number, mask in enumerate(masks):
            mine = np.flatnonzero(mask[rows])
            if guessed:
                mine = mine[_likeliest(found.scores[mine, number], n_kept)]
            known = Estimates(*(each[mine, number] for each in found))
            scored = self._best(taken(questions, [number]), wanted, mine, known, k)
            rankings.append(top(rows[mine[scored.places]], single(scored.scores), k))
        return rankings

    def _guesses(self, questions: Packed, wanted: Sequence[Ints]) -> Estimates:
        """Estimate passages in a first pass, whose errors nobody knows."""
        pairs = list(zip(self._parts, wanted, strict=True))
        if self._plan.first == "bits":
            signs = [Signs(part.planes, part.source.starts, places) for part, places in pairs]
            scores = sign_scores(signs, questions)
        else:
            size, kind = self.options.pool, self._kind
            means = [Read(part.copy(kind, size), part.source.values, each) for part, each in pairs]
            scores = estimated(means, asked(questions, kind)).scores
        return Estimates(scores, np.full_like(scores, np.inf))

    def _estimates(self, questions: Packed, wanted: Sequence[Ints]) -> Estimates:
        """Estimate passages with copies of all their vectors."""
        if not self._plan.devices:
            return estimated(self._reads(wanted), asked(questions, self._kind))
        codes = asked(questions, self._plan.half)
        pairs = zip(self._on_devices, wanted, strict=True)
        found = [device.estimated(places, codes) for device, places in pairs]
        return Estimates(*(np.concatenate(each) for each in zip(*found, strict=True)))

    def _best(
        self, question: Packed, wanted: Sequence[Ints], mine: Ints, known: Estimates, k: int
    ) -> Scored:
        """Score what may be of the best k of `mine`, which counts through what is wanted."""
        codes = asked(question, self._kind)

        def score(places: Ints, bar: float) -> Doubles:
            return rescored(self._reads(_chosen(wanted, mine[places])), codes, bar)

        return best(known, k, score)

    def _reads(self, wanted: Sequence[Ints]) -> list[Read]:
        return [
            Read(part.copy(self._kind), part.source.values, places)
            for part, places in zip(self._parts, wanted, strict=True)
            if len(places)
        ]


def _chosen(wanted: Sequence[Ints], chosen: Ints) -> list[Ints]:
    """Give the places of each part that ascending numbers stand for, which count through all."""
    starts = np.cumsum([0, *(len(places) for places in wanted)])
    parts = np.split(chosen, np.searchsorted(chosen, starts[1:-1]))
    return [
        places[each - start] for places, each, start in zip(wanted, parts, starts, strict=False)
    ]


def _likeliest(guesses: Doubles, n: int) -> Ints:
    """Give the places of the n highest, ascending; of equal ones the first."""
    return np.sort(np.argsort(-guesses, kind="stable")[:n])
