"""How well a router tells domains apart, and how well it knows when it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.heads import CalibratedHead
from medrag.evaluation.calibration import ece
from medrag.evaluation.class_measures import UNPARSED, class_measures
from medrag.evaluation.routing.judging import Judged
from medrag.evaluation.routing.labelled import LabelledPicture
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Resamples, Statistic, WeightedStatistic, mean_of


@dataclass(frozen=True, slots=True)
class Rejected:
    """Pictures of no domain, and what became of them.

    Attributes:
        n: pictures.
        unlike: called unlike every domain.
        unsure: not that, but of no known domain either.
        taken: called a known domain, by domain.
    """

    n: int
    unlike: int
    unsure: int
    taken: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def rate(self) -> float:
        """The share that is sent to no single domain; nan without pictures."""
        return (self.unlike + self.unsure) / self.n if self.n else float("nan")


@dataclass(frozen=True, slots=True)
class RouterScores:
    """Measures of a router.

    Attributes:
        domains: rows of the table.
        routed: (n_domains, n_columns) pictures, by the known domain; the last column is "unknown".
        likeliest: the same by the likeliest domain, known or not; the last column is none.
        columns: domains that the router may name, before the last column.
        measures: "balanced_accuracy" and "accuracy" of the likeliest domain, "known" the share of
            known domains, "accuracy_known" among these, "in_two" the share of right domains among
            the likeliest two, "rejected" the share called unlike, "ece_before" and "ece_after" the
            temperature, and "recall: NAME" of each domain; intervals by group.
        n_groups: of the pictures.
    """

    domains: tuple[str, ...]
    columns: tuple[str, ...]
    routed: NDArray[np.int64]
    likeliest: NDArray[np.int64]
    measures: Mapping[str, Estimate]
    n: int
    n_groups: int


def score_router(
    judged: Judged, pictures: Sequence[LabelledPicture], *, seed: int = 0
) -> RouterScores:
    """Hold what a router said against the labels of the pictures."""
    labels = [each.domain for each in pictures]
    told = judged.likeliest
    domains = tuple(sorted(set(labels)))
    columns = tuple(sorted({*domains, *judged.names}))
    known = [name if sure else None for name, sure in zip(told, judged.known, strict=True)]
    resamples = Resamples([each.group for each in pictures], seed=seed)
    return RouterScores(
        domains=domains,
        columns=columns,
        routed=_counts(labels, known, domains, columns),
        likeliest=_counts(labels, told, domains, columns),
        measures=resamples.estimates(_measures(judged, labels, told)),
        n=len(labels),
        n_groups=len({each.group for each in pictures}),
    )


def rejected(judged: Judged) -> Rejected:
    """Count what became of pictures of no domain."""
    taken: dict[str, int] = {}
    for name, known in zip(judged.likeliest, judged.known.tolist(), strict=True):
        if known and name is not None:
            taken[name] = taken.get(name, 0) + 1
    n, unlike = len(judged.known), int(judged.unlike.sum())
    return Rejected(n, unlike, n - unlike - sum(taken.values()), dict(sorted(taken.items())))


def router_json(
    scores: RouterScores,
    *,
    head: CalibratedHead | None = None,
    temperature: float | None = None,
    unknown: Mapping[str, Rejected] | None = None,
    tested: RouterScores | None = None,
    problems: Sequence[str] = (),
) -> dict[str, Any]:
    """Give all that was measured as JSON values.

    Returns:
        {"n", "n_groups", "domains", "columns", "confusion": [[n]], "likeliest": [[n]], "measures":
        {name: {"value", "low", "high", "n"}}, "thresholds": {"temperature", "least", "margin",
        "furthest"}, "unknown": {folder: {"n", "unlike", "unsure", "taken", "rate"}}, "tested":
        the first seven again or null, "problems": [text]}. The columns of "confusion" are
        "columns" and then unknown; what is not known is null.
    """
    found = {"temperature": temperature, "least": None, "margin": None, "furthest": None}
    if head is not None:
        found = {
            "temperature": head.temperature,
            "least": head.least,
            "margin": head.margin,
            "furthest": head.neighbours.furthest if head.neighbours else None,
        }
    return {
        **_scores_json(scores),
        "thresholds": found,
        "unknown": {name: _rejected_json(each) for name, each in (unknown or {}).items()},
        "tested": None if tested is None else _scores_json(tested),
        "problems": list(problems),
    }


def _counts(
    labels: Sequence[str], told: Sequence[str | None], rows: Sequence[str], columns: Sequence[str]
) -> NDArray[np.int64]:
    counts = np.zeros((len(rows), len(columns) + 1), dtype=np.int64)
    for label, name in zip(labels, told, strict=True):
        counts[rows.index(label), len(columns) if name is None else columns.index(name)] += 1
    return counts


def _measures(
    judged: Judged, labels: Sequence[str], told: Sequence[str | None]
) -> dict[str, Statistic | WeightedStatistic]:
    right = np.array([a == b for a, b in zip(told, labels, strict=True)], dtype=np.float64)
    classes = class_measures([name or UNPARSED for name in told], list(labels))
    kept = {
        name: each
        for name, each in classes.items()
        if name in ("balanced_accuracy", "accuracy") or name.startswith("recall: ")
    }
    return {
        **kept,
        "known": mean_of(judged.known.astype(np.float64)),
        "accuracy_known": mean_of(np.where(judged.known, right, np.nan)),
        "in_two": mean_of(_in_two(judged, labels)),
        "rejected": mean_of(judged.unlike.astype(np.float64)),
        "ece_before": ece(_confidence(judged.before), right),
        "ece_after": ece(_confidence(judged.after), right),
    }


def _in_two(judged: Judged, labels: Sequence[str]) -> NDArray[np.float64]:
    places = {name: at for at, name in enumerate(judged.names)}
    order = np.argsort(-np.nan_to_num(judged.after), axis=1, kind="stable")
    found = np.zeros(len(labels))
    for row, label in enumerate(labels):
        given = not np.isnan(judged.after[row]).any()
        found[row] = given and places.get(label, -1) in order[row, :2].tolist()
    return found


def _confidence(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    if not probabilities.shape[1]:
        return np.full(len(probabilities), np.nan)
    # Shares may pass 1 by rounding.
    highest: NDArray[np.float64] = np.minimum(probabilities.max(axis=1), 1.0)
    return highest


def _scores_json(scores: RouterScores) -> dict[str, Any]:
    return {
        "n": scores.n,
        "n_groups": scores.n_groups,
        "domains": list(scores.domains),
        "columns": list(scores.columns),
        "confusion": scores.routed.tolist(),
        "likeliest": scores.likeliest.tolist(),
        "measures": {
            name: {
                "value": _finite(each.value),
                "low": _finite(each.low),
                "high": _finite(each.high),
                "n": each.n,
            }
            for name, each in scores.measures.items()
        },
    }


def _rejected_json(each: Rejected) -> dict[str, Any]:
    return {
        "n": each.n,
        "unlike": each.unlike,
        "unsure": each.unsure,
        "taken": dict(each.taken),
        "rate": _finite(each.rate),
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
