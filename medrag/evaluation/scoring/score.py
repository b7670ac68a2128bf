"""Score a run: every answer read once, every measure with its interval, arms beside each other."""

from collections.abc import Sequence

from medrag.errors import EvaluationError
from medrag.evaluation.arms import CONTEXT
from medrag.evaluation.run import FLOOR
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import Scores, State
from medrag.evaluation.scoring.columns import Columns, Rows, gather
from medrag.evaluation.scoring.diagnostics import diagnose
from medrag.evaluation.scoring.summaries import confidence_curves, summarise
from medrag.evaluation.statistics import Resamples
from medrag.protocols import Progress


def score_run(
    run: Run,
    protocol: ScoringProtocol,
    *,
    group_by: Sequence[str] = (),
    seed: int = 0,
    n_resamples: int = 2000,
    progress: Progress | None = None,
) -> Scores:
    """Score the answers of a run. Nothing is answered, and nothing on disk changes.

    An item that an arm has not answered is missing and counts nowhere; one that was answered
    without text, or with what could not be read, counts as not right, and is counted apart.

    Args:
        group_by: fields of the items that the headline is broken down by, besides their kind.

    Raises:
        EvaluationError: if nothing was answered, the arm with context had none for any item, or a
            line of the run is broken.
    """
    gathered = gather(run, protocol, progress=progress)
    items = list(run.items.values())
    arms = {name: each for name, each in gathered.columns.items() if not each.missing.all()}
    if not arms:
        raise EvaluationError(f"{run.folder} holds no answer yet; run it first: medrag eval run")
    _check_context(run, arms.get(CONTEXT))
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
            memory={} if name.startswith(FLOOR) else run.manifest["memory"],
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
        problems=tuple(_problems(run, arms)),
    )


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


def _problems(run: Run, arms: dict[str, Columns]) -> list[str]:
    """Say what a reader of the numbers must know."""
    found = [str(problem) for problem in run.manifest["problems"]]
    found += [f"{arm}: {note}" for arm, note in run.manifest["notes"].items()]
    for state, told in _STATES.items():
        counts = {name: columns.n_in(state) for name, columns in arms.items()}
        listed = ", ".join(f"{n} of {name}" for name, n in counts.items() if n)
        if listed:
            found.append(f"{told}: {listed} ({len(run.items)} items each)")
    if unanswered := [name for name in run.arms if name not in arms]:
        found.append(f"not answered at all: {', '.join(unanswered)}")
    return found


_STATES: dict[State, str] = {
    "missing": "not answered yet, and counted nowhere",
    "failed": "failed, and counted as not right",
    "unparsed": "answered with what cannot be read, and counted as not right",
}
