"""Mining of preference pairs from what a model answered, with and without context and picture."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from medrag.alignment.noise import Noise, check_noise
from medrag.alignment.pairs.making import Chosen, Given, Rules, Unfit, made
from medrag.alignment.pairs.outcomes import Which, choice_of, outcome_name
from medrag.alignment.pairs.pair import Family, PreferencePair
from medrag.alignment.pairs.runs import (
    ARM_OF,
    FourRuns,
    Sides,
    Verdicts,
    outcome_of,
    sides_of,
    verdicts,
)
from medrag.codec import record_from_json
from medrag.errors import EvaluationError
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import RIGHT
from medrag.records import Item, Passage
from medrag.shapes import ShapeError

Unparsed = Literal["leave_out", "wrong"]
# The runs that decide a family.
NEEDS: Mapping[Family, tuple[Which, Which]] = {
    "cross_modality": ("clean_context", "noised_context"),
    "use_context": ("clean_context", "clean_plain"),
    "not_misled": ("clean_context", "clean_plain"),
    "conditional": ("clean_plain", "noised_plain"),
}
RAG_PT: tuple[Family, ...] = ("cross_modality", "use_context", "not_misled")


@dataclass(frozen=True, slots=True)
class Mined:
    """Pairs, and how they came about.

    Attributes:
        pairs: in the order of the items, the families of an item in the order of the mining.
        counts: pairs by family, those with none included.
        outcomes: items by what the runs answered; see `outcome_name`.
        left_out: pairs that were not made or not kept, by "FAMILY: REASON".
    """

    pairs: tuple[PreferencePair, ...]
    counts: Mapping[str, int] = field(hash=False)
    outcomes: Mapping[str, int] = field(hash=False)
    left_out: Mapping[str, int] = field(hash=False)


def mine_pairs(
    runs: FourRuns,
    *,
    protocol: ScoringProtocol,
    families: Sequence[Family] = RAG_PT,
    chosen: Chosen = "reference",
    threshold: float | None = RIGHT,
    unparsed: Unparsed = "leave_out",
    noise: Noise | None = None,
    limit: int | None = None,
    balance: bool = False,
    seed: int = 0,
    resolve: Callable[[Passage], Passage] | None = None,
) -> Mined:
    """Make pairs of the items whose answers changed with context or picture, or should have.

    Which families an item gives is told by `medrag.alignment.pairs.outcomes.families`, and what
    each takes from which answer by its table; prompts are those that the model read. Where a run
    that decides is missing for an item, failed, or cannot be read, and the family hangs on it, the
    item is left out of the family and counted.

    Args:
        runs: see `four_runs`.
        protocol: tells right answers, by its headline.
        families: of `NEEDS`.
        chosen: "reference" for the benchmark's right answer, its options with letters; markers are
            then taken out of the rejected answer. "answer" for the model's own right answer.
        threshold: the share of the headline from which on an answer is right; None for the mean of
            all answers, which suits reports.
        unparsed: whether what cannot be read is left out, or wrong.
        noise: makes the pictures of the rejected side when the pair is read; None for the pictures
            that the model really saw.
        limit: pairs of a family at most.
        balance: as many pairs of each family as of the smallest that has any.
        seed: of the choice where there are too many.
        resolve: `Pipeline.resolve`, for evidence with pictures.

    Raises:
        ValueError: if an argument is out of range.
        EvaluationError: if a run that a family needs is missing, runs are of other items or of
            another model, or a line of one is broken.
    """
    _check(families, chosen, unparsed, noise, limit)
    sides = sides_of(runs)
    _check_needs(families, sides)
    found = verdicts(sides, protocol, threshold=threshold, unparsed_is_wrong=unparsed == "wrong")
    items = next(iter(sides.values())).run.items
    left_out: Counter[str] = Counter()
    sure = _sure(items.values(), families, found, left_out)
    every = _made(sure, sides, Rules(chosen, noise, resolve), left_out)
    kept = _kept(every, limit, balance=balance, seed=seed)
    pairs = [pair for pair in every if pair.id in kept]
    left_out.update(
        f"{each.family}: more than were asked for" for each in every if each.id not in kept
    )
    return Mined(
        tuple(pairs),
        {family: sum(pair.family == family for pair in pairs) for family in families},
        dict(Counter(outcome_name(outcome_of(name, found)) for name in items).most_common()),
        dict(sorted(left_out.items())),
    )


class _Chance(NamedTuple):
    """An item that gives a family of pairs."""

    item: Item
    family: Family


def _check(
    families: Sequence[Family],
    chosen: Chosen,
    unparsed: Unparsed,
    noise: Noise | None,
    limit: int | None,
) -> None:
    if not families or len(set(families)) < len(families):
        raise ValueError(f"families must name each family once, got {list(families)}")
    if unknown := [family for family in families if family not in NEEDS]:
        raise ValueError(f"families holds {unknown[0]!r}; mined are {', '.join(NEEDS)}")
    if chosen not in get_args(Chosen):
        raise ValueError(f"chosen must be reference or answer, got {chosen!r}")
    if unparsed not in get_args(Unparsed):
        raise ValueError(f"unparsed must be leave_out or wrong, got {unparsed!r}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    if noise is not None:
        check_noise(noise)


def _check_needs(families: Sequence[Family], sides: Sides) -> None:
    for family in families:
        for which in NEEDS[family]:
            if which not in sides:
                arm = ARM_OF[which]
                raise EvaluationError(
                    f"pairs of {family} need the arm {arm}, which no run has; add it to the run: "
                    f"medrag eval run PIPELINE BENCHMARK --data DIR --out RUN --arm {arm}"
                )


def _sure(
    items: Iterable[Item],
    families: Sequence[Family],
    found: Mapping[Which, Verdicts],
    left_out: Counter[str],
) -> list[_Chance]:
    """Give the families of items, and count those that would be theirs if more were known."""
    sure = []
    for item in items:
        choice = choice_of(outcome_of(item.id, found))
        for family in families:
            if family in choice.sure:
                sure.append(_Chance(item, family))
            elif family in choice.possible:
                left_out[f"{family}: {_why_unknown(item, family, found)}"] += 1
    return sure


def _why_unknown(item: Item, family: Family, found: Mapping[Which, Verdicts]) -> str:
    """Say which answer is neither right nor wrong, and why: "no_context unparsed"."""
    return next(
        f"{ARM_OF[which]} {found[which].unknown[item.id]}"
        for which in NEEDS[family]
        if item.id in found[which].unknown
    )


def _made(
    chances: Sequence[_Chance], sides: Sides, rules: Rules, left_out: Counter[str]
) -> list[PreferencePair]:
    """Make the pairs that can be made, and count why others cannot."""
    given = _given(sides, {each.item.id for each in chances})
    manifest = next(iter(sides.values())).run.manifest["benchmark"]
    benchmark = f"{manifest['name']}/{manifest['split']}"
    pairs = []
    for item, family in chances:
        pair = made(family, item, given[item.id], rules, benchmark=benchmark)
        if isinstance(pair, Unfit):
            left_out[f"{family}: {pair.reason}"] += 1
        else:
            pairs.append(pair)
    return pairs


def _given(sides: Sides, items: Collection[str]) -> dict[str, dict[Which, Given]]:
    """Read the answers to some items, with the prompts."""
    given: dict[str, dict[Which, Given]] = {item: {} for item in items}
    for run in {side.run.folder: side.run for side in sides.values()}.values():
        here = {s.arm: which for which, s in sides.items() if s.run.folder == run.folder}
        noise = _told_noise(run)
        for item, arm, answer in run.answers(prompts=True):
            if item in given and arm in here:
                given[item][here[arm]] = Given(answer, run.folder, noise)
    return given


def _told_noise(run: Run) -> Noise | None:
    """Read how a run corrupted its pictures; None where it was not by one of our noises."""
    told = run.manifest.get("corruption")
    try:
        return record_from_json(Noise, told) if told else None
    except ShapeError:
        return None


def _kept(
    pairs: Sequence[PreferencePair], limit: int | None, *, balance: bool, seed: int
) -> frozenset[str]:
    """Choose the ids of the pairs to keep."""
    by_family: dict[Family, list[str]] = {}
    for pair in pairs:
        by_family.setdefault(pair.family, []).append(pair.id)
    counts = [len(ids) for ids in by_family.values()]
    most = min([*(counts if balance else ()), *(() if limit is None else (limit,))], default=None)
    kept: set[str] = set()
    for family, ids in by_family.items():
        n = len(ids) if most is None else min(most, len(ids))
        kept.update(random.Random(f"{seed} {family}").sample(ids, n))
    return frozenset(kept)
