"""The four runs that pairs are mined from, and which of their answers are right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medrag.alignment.pairs.outcomes import WHICH, Outcome, Which
from medrag.errors import EvaluationError
from medrag.evaluation.compare import Side, check_same_items
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import STATES, State
from medrag.evaluation.scoring.columns import Columns, gather

ARM_OF: Mapping[Which, str] = {
    "clean_context": "context",
    "clean_plain": "no_context",
    "noised_context": "noise_image",
    "noised_plain": "noise_image_no_context",
}
Sides = Mapping[Which, Side]


@dataclass(frozen=True, slots=True)
class FourRuns:
    """The answers of one model to the same items in four ways; see `Outcome`. None: not run."""

    clean_context: Side | None = None
    clean_plain: Side | None = None
    noised_context: Side | None = None
    noised_plain: Side | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Which answers of one side are right.

    Attributes:
        right: by item; items of which that is not known are left out.
        unknown: by item, why it is not known.
    """

    right: Mapping[str, bool]
    unknown: Mapping[str, str]


def four_runs(runs: Sequence[Run]) -> FourRuns:
    """Find the four among the arms of one run, or of several; see `ARM_OF` for their names.

    Raises:
        EvaluationError: if two runs have the same of these arms, or none has any.
    """
    found: dict[str, Side] = {}
    for which, arm in ARM_OF.items():
        having = [run for run in runs if arm in run.arms]
        if len(having) > 1:
            raise EvaluationError(
                f"{having[0].folder} and {having[1].folder} both have the arm {arm}; give one of "
                "them, or name the sides: FourRuns(...)"
            )
        if having:
            found[which] = Side(having[0], arm, arm)
    if not found:
        raise EvaluationError(
            f"no run has any of the arms {', '.join(ARM_OF.values())}; run them: "
            "medrag eval run PIPELINE BENCHMARK --data DIR --out RUN --arm context --arm no_context"
        )
    return FourRuns(**found)


def sides_of(runs: FourRuns) -> Sides:
    """Give the sides that are there.

    Raises:
        EvaluationError: if there is none, a run has no such arm, or two are not of the same items
            or of two models.
    """
    sides = {which: side for which in WHICH if (side := getattr(runs, which)) is not None}
    if not sides:
        raise EvaluationError("there is no run to mine pairs from; give one: medrag eval run")
    first, *others = sides.values()
    for side in (first, *others):
        if side.arm not in side.run.arms:
            raise EvaluationError(
                f"{side.run.folder} has no arm {side.arm!r}; it has {', '.join(side.run.arms)}"
            )
    for other in others:
        check_same_items(first, other)
        one, two = (each.run.manifest.get("model") for each in (first, other))
        if one != two:
            raise EvaluationError(
                f"{first.run.folder} has answers of {one}, and {other.run.folder} of {two}; pairs "
                "are mined from what one model answers"
            )
    return sides


def verdicts(
    sides: Sides, protocol: ScoringProtocol, *, threshold: float | None, unparsed_is_wrong: bool
) -> dict[Which, Verdicts]:
    """Tell right from wrong answers by the headline of a protocol.

    Args:
        threshold: the share of the measure from which on an answer is right; None for the mean of
            all answers that are counted, which suits reports.
        unparsed_is_wrong: whether an answer that cannot be read is wrong; if not, nobody knows.
    """
    columns = _scored(sides, protocol)
    unknown = {
        which: {
            item: why
            for place, item in enumerate(sides[which].run.items)
            if (why := _why_unknown(each, place, unparsed_is_wrong=unparsed_is_wrong))
        }
        for which, each in columns.items()
    }
    shares = {
        which: {
            item: float(each.right[place])
            for place, item in enumerate(sides[which].run.items)
            if item not in unknown[which]
        }
        for which, each in columns.items()
    }
    counted = [share for each in shares.values() for share in each.values()]
    mean = sum(counted) / len(counted) if counted else 0.0
    least = mean if threshold is None else threshold
    return {
        which: Verdicts({item: share >= least for item, share in each.items()}, unknown[which])
        for which, each in shares.items()
    }


def outcome_of(item: str, verdicts: Mapping[Which, Verdicts]) -> Outcome:
    """Read the outcome of one item."""
    return Outcome(**{which: each.right.get(item) for which, each in verdicts.items()})


def _scored(sides: Sides, protocol: ScoringProtocol) -> dict[Which, Columns]:
    """Score the answers of each side, each run in one go."""
    columns: dict[Which, Columns] = {}
    for run in {side.run.folder: side.run for side in sides.values()}.values():
        here = {which: side for which, side in sides.items() if side.run.folder == run.folder}
        arms = list(dict.fromkeys(side.arm for side in here.values()))
        gathered = gather(run, protocol, arms=arms)
        columns |= {which: gathered.columns[side.arm] for which, side in here.items()}
    return columns


def _why_unknown(columns: Columns, place: int, *, unparsed_is_wrong: bool) -> str:
    """Say why an answer is neither right nor wrong; empty where it is one of the two."""
    state: State = STATES[columns.states[place]]
    if state in ("missing", "failed") or (state == "unparsed" and not unparsed_is_wrong):
        return state
    return "not counted by the protocol" if np.isnan(columns.right[place]) else ""
