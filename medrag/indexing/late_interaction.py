"""Late interaction: each vector of a question meets its best match among those of a passage."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.backends import backend_options, check_questions
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.maxsim.batches import batches, taken
from medrag.indexing.maxsim.device import DeviceCopy
from medrag.indexing.maxsim.options import FirstPass, Options, Plan, Scan, plan_of
from medrag.indexing.maxsim.packed import Ints, Packed, packed
from medrag.indexing.maxsim.parts import Part, keep_copy, keep_planes, parts_of
from medrag.indexing.maxsim.scoring import (
    Doubles,
    Estimates,
    Read,
    Scored,
    asked,
    best,
    estimated,
    rescored,
)
from medrag.indexing.maxsim.signs import Signs, sign_scores
from medrag.indexing.segment import file_sums
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow

# What a derived folder holds: the sums of its files, and the parts of each channel.
_CONTENTS = "contents.json"


class LateInteractionSearch:
    """Search packed multi-vectors by MaxSim.

    The passages that a filter allows are estimated with a copy of their vectors; whatever could be
    among the best is scored again in double precision, so that rankings and scores are those of a
    plain double loop over the vectors. Other passages are not read.

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
        device: of torch, such as "cuda:0", or several with commas, which share the passages of an
            exact search. None takes every GPU there is, or the processor.

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
    def _on_devices(self) -> list[DeviceCopy]:
        plan = self._plan
        return [
            DeviceCopy(source=part.source, kind=plan.half, devices=plan.devices)
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
        guesses = self._guesses(questions, wanted, k)
        found = self._estimates(questions, wanted, k) if guesses is None else None
        rankings = []
        for number, mask in enumerate(masks):
            question = taken(questions, [number])
            mine = np.flatnonzero(mask[rows])
            if guesses is not None:
                mine = mine[_likeliest(guesses[mine, number], self._n_candidates(k))]
            known = None
            if found is not None:
                one = slice(number, number + 1)
                known = Estimates(found.scores[mine, one], found.errors[mine, one])
            scored = self._best(question, wanted, mine, k, known)
            here = rows[mine[scored.places]]
            order = np.lexsort((here, -scored.scores))[:k]
            rankings.append([ScoredRow(int(here[i]), float(scored.scores[i])) for i in order])
        return rankings

    def _n_candidates(self, k: int) -> int:
        return max(k, self.options.candidates)

    def _guesses(self, questions: Packed, wanted: Sequence[Ints], k: int) -> Doubles | None:
        """Estimate passages in a first pass, (passages, questions); None if there need be none."""
        first = self._plan.first
        if first == "exact" or sum(map(len, wanted)) <= self._n_candidates(k):
            return None
        pairs = list(zip(self._parts, wanted, strict=True))
        if first == "bits":
            signs = [Signs(part.planes, part.source.starts, places) for part, places in pairs]
            return sign_scores(signs, questions)
        size, kind = self.options.pool, self._plan.kind
        means = [Read(part.pooled(size, kind), part.source.values, each) for part, each in pairs]
        return estimated(means, questions).scores

    def _estimates(self, questions: Packed, wanted: Sequence[Ints], k: int) -> Estimates | None:
        """Estimate all passages, with bounds on the errors; None if all are scored anyway."""
        if sum(map(len, wanted)) <= k:
            return None
        if not self._plan.devices:
            return estimated(self._reads(wanted), questions)
        codes = asked(questions, self._plan.half)
        pairs = zip(self._on_devices, wanted, strict=True)
        found = [device.estimated(places, codes) for device, places in pairs]
        return Estimates(*(np.concatenate(each) for each in zip(*found, strict=True)))

    def _best(
        self,
        question: Packed,
        wanted: Sequence[Ints],
        mine: Ints,
        k: int,
        known: Estimates | None,
    ) -> Scored:
        """Score what may be of the best k of `mine`, which counts through what is wanted."""
        if known is None and len(mine) > k:
            known = estimated(self._reads(_chosen(wanted, mine)), question)

        def score(places: Ints) -> Doubles:
            return rescored(self._reads(_chosen(wanted, mine[places])), question)

        if known is None:
            places = np.arange(len(mine))
            return Scored(places, score(places))
        return best(known.scores[:, 0], known.errors[:, 0], k, score)

    def _reads(self, wanted: Sequence[Ints]) -> list[Read]:
        return [
            Read(part.copy(self._plan.kind), part.source.values, places)
            for part, places in zip(self._parts, wanted, strict=True)
            if len(places)
        ]


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    """Keep the copies, signs and means that a search on this machine reads.

    Small channels, and those that GPUs hold, need none.
    """
    kept: dict[str, list[str]] = {}
    for name, entry in channels.items():
        options = _options(entry)
        parts = parts_of(store, name, None)
        plan = plan_of(options, sum(part.source.values.size for part in parts))
        for part in parts:
            if plan.kind != "float32":
                keep_copy(part, plan.kind, folder, previous)
            if plan.kind != "float32" and plan.first == "pooled":
                keep_copy(part, plan.kind, folder, previous, size=options.pool)
            if plan.first == "bits":
                keep_planes(part, folder, previous)
        if plan.kind != "float32" or plan.first == "bits":
            kept[name] = [part.key for part in parts]
    if not any(kept.values()):
        return False
    sums = {name: asdict(each) for name, each in file_sums(folder).items()}
    contents = json.dumps({"files": sums, "parts": kept})
    (folder / _CONTENTS).write_text(contents, encoding="utf-8")
    return True


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    """Say what is wrong with what was kept; reads its files whole."""
    try:
        contents = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        expected, kept = contents["files"], contents["parts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{_CONTENTS} cannot be read ({error}); the same build again makes it"
    found = {name: asdict(each) for name, each in file_sums(folder).items() if name != _CONTENTS}
    wrong = sorted(name for name in {*expected, *found} if found.get(name) != expected.get(name))
    if wrong:
        return f"missing, new or other than written: {', '.join(wrong)}"
    for name in set(channels) & set(kept):
        lacking = [part.key for part in parts_of(store, name, None) if part.key not in kept[name]]
        if lacking:
            return f"channel {name!r} lacks {len(lacking)} segments; the same build again adds them"
    return None


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


def _options(entry: ChannelEntry) -> Options:
    return Options(**backend_options(entry)).checked()
