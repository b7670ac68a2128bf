"""Score a run: every answer read once, every measure with its interval, arms beside each other."""

from collections.abc import Sequence

import numpy as np

from medrag.errors import EvaluationError
from medrag.evaluation.arms import ARMS
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import CONTEXT, FLOOR, Scores, State
from medrag.evaluation.scoring.columns import (
    STRANGE_CONFIDENCE,
    Columns,
    Gathered,
    Rows,
    gather,
)
from medrag.evaluation.scoring.diagnostics import diagnose
from medrag.evaluation.scoring.summaries import confidence_curves, summarise
from medrag.evaluation.statistics import Resamples
from medrag.protocols import Progress, Verifier
from medrag.records import Item


def score_run(
    run: Run,
    protocol: ScoringProtocol,
    *,
    group_by: Sequence[str] = (),
    seed: int = 0,
    n_resamples: int = 2000,
    verifier: Verifier | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score the answers of a run. Nothing is answered, and nothing on disk changes.

    An item that an arm has not answered is missing and counts nowhere; one that was answered
    without text, or with what could not be read, counts as not right, and is counted apart.

    Args:
        group_by: fields of the items that the headline is broken down by, besides their kind.
        verifier: says which claims of the answers their evidence supports.

    Raises:
        EvaluationError: if nothing was answered, the arm with context had none for any item, or a
            line of the run is broken.
    """
    gathered = gather(run, protocol, verifier=verifier, progress=progress)
    arms = _answered_arms(run, gathered)
    items = list(run.items.values())
    clusters = [item.cluster for item in items]
    resamples = Resamples(clusters, seed=seed, n_resamples=n_resamples)
    summaries = tuple(
        summarise(
            columns,
            items,
            resamples,
            headline=protocol.headline,
            totals=gathered.totals[name],
            group_by=group_by,
        )
        for name, columns in arms.items()
    )
    main = arms.get(CONTEXT) or next(iter(arms.values()))
    return Scores(
        benchmark=run.manifest["benchmark"]["name"],
        split=run.manifest["benchmark"]["split"],
        protocol=protocol.name,
        mode=protocol.mode,
        headline=_used(protocol.headline, arms),
        n_items=len(items),
        n_clusters=resamples.n_clusters,
        arms=summaries,
        curves=confidence_curves(main),
        diagnostics=diagnose(arms, items, resamples),
        rows=Rows(list(run.items), list(arms.values())),
        problems=(
            *_problems(run, arms, main, resamples.n_clusters),
            *_misfits(protocol.name, items),
        ),
        memory=run.manifest["memory"],
    )


def _answered_arms(run: Run, gathered: Gathered) -> dict[str, Columns]:
    """Give the arms that have answers, in the order in which they are read."""
    arms = {
        name: gathered.columns[name]
        for name in sorted(gathered.columns, key=_place)
        if not gathered.columns[name].missing.all()
    }
    if not arms:
        raise EvaluationError(f"{run.folder} holds no answer yet; run it first: medrag eval run")
    _check_context(run, arms.get(CONTEXT))
    return arms


def _place(arm: str) -> tuple[bool, int]:
    """Order arms: the pipeline first, those beside it, floors as they were asked for."""
    return arm.startswith(FLOOR), ARMS.index(arm) if arm in ARMS else len(ARMS)


def _used(headline: Sequence[str], arms: dict[str, Columns]) -> tuple[str, ...]:
    """Keep the headline measures that any arm has."""
    return tuple(name for name in headline if any(name in each.values for each in arms.values()))


def _check_context(run: Run, context: Columns | None) -> None:
    if context is None or "has_context" not in context.values:
        return
    if not (context.values["has_context"] > 0).any():
        raise EvaluationError(
            f"{run.folder}: no item of the arm {CONTEXT!r} carries any context, so that the run "
            "says nothing of retrieval; look at one question with medrag ask"
        )


def _problems(run: Run, arms: dict[str, Columns], main: Columns, n_clusters: int) -> list[str]:
    """Say what a reader of the numbers must know."""
    found = [str(problem) for problem in run.manifest["problems"]]
    found += [f"{arm}: {note}" for arm, note in run.manifest["notes"].items()]
    for state, told in _STATES.items():
        counts = {name: columns.n_in(state) for name, columns in arms.items()}
        listed = ", ".join(f"{n} of {name}" for name, n in counts.items() if n)
        if listed:
            found.append(f"{told}: {listed} ({len(run.items)} items each)")
    if n := int(np.sum(~main.missing & np.isnan(main.right))):
        found.append(
            f"answered, but not counted by the headline: {n} of {main.arm} (no reference, another "
            "kind of question, or no verdict of a judge)"
        )
    if 0 < n_clusters < _FEW_CLUSTERS:
        found.append(f"only {n_clusters} clusters: intervals by bootstrap are too narrow to trust")
    if main.n_in("abstained") == len(run.items):
        found.append(f"every answer of {main.arm} abstains: look at one with medrag ask")
    if n := main.counts[STRANGE_CONFIDENCE]:
        found.append(f"{STRANGE_CONFIDENCE}, and left out of calibration: {n} of {main.arm}")
    if unanswered := [name for name in run.arms if name not in arms]:
        found.append(f"not answered at all: {', '.join(unanswered)}")
    return found


def _misfits(protocol: str, items: Sequence[Item]) -> list[str]:
    """Say where a protocol asks more of an answer than a reader would."""
    n = sum(item.kind == "text" for item in items)
    if protocol != "exact" or not n:
        return []
    return [
        f"of {n} open answers only those count that are the reference word for word; see "
        "open_token_recall and open_token_f1, or --protocol llava_med"
    ]


# Below this many clusters percentile intervals are known to be too narrow.
_FEW_CLUSTERS = 30
_STATES: dict[State, str] = {
    "missing": "not answered yet, and counted nowhere",
    "failed": "failed, and counted as not right",
    "unparsed": "answered with what cannot be read, and counted as not right",
}
