"""What settings of selectors are worth: how often they cut, what they keep, what is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.scores import Estimate
from medrag.evaluation.selecting.choosing import Choices, Chosen, nearest_k
from medrag.evaluation.selecting.scoring import Scored
from medrag.evaluation.statistics import (
    PairedDifference,
    Resamples,
    Statistic,
    holm,
    mean_of,
    paired,
    ratio_of,
)

Floats = NDArray[np.float64]
FIRED, KEPT, RECALL, PRECISION, ACCURACY = "fired", "kept", "recall", "precision", "accuracy"
# What a rule is compared by with the fixed number beside it.
_WORTH = (ACCURACY, RECALL, PRECISION)


@dataclass(frozen=True, slots=True)
class Beside:
    """A rule beside the fixed number of hits that is nearest to what it keeps on average.

    Attributes:
        name: of the setting of that number.
        kept: hits that it keeps on average; less than its k where fewer are found.
        differences: the rule minus the fixed number, by measure.
        adjusted_p: after Holm's correction over the rules of the report, by measure.
    """

    name: str
    kept: float
    differences: Mapping[str, PairedDifference]
    adjusted_p: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class SettingScores:
    """What one setting is worth.

    Attributes:
        k: of a fixed number of hits; None for a rule.
        measures: "fired" (share of items of which the rule cut), "kept" (hits on average), and
            "recall" (share of the gold passages that are kept), "precision" (share of all hits
            kept that are gold) and "accuracy" where they are known, with intervals by cluster.
        n_refused: items whose scores the rule cannot be applied to, which count nowhere.
        beside: None for a fixed number.
        notes: what a reader of the numbers must know.
    """

    name: str
    k: int | None
    measures: Mapping[str, Estimate]
    n_refused: int = 0
    refusal: str = ""
    beside: Beside | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectionReport:
    """All settings of one pipeline on one benchmark.

    Attributes:
        depth: hits retrieved for each item.
        settings: fixed numbers by k, then rules in the order given.
        growth: the accuracy that each doubling of k adds, by least squares over the fixed numbers
            from 1 on; None where fewer than two were answered. With models that read many hits it
            grows by the logarithm of k, up to a point (Xiong et al., MedRAG, 2024).
        protocol: that says what is right; "" where nothing was answered.
    """

    benchmark: str
    split: str
    n_items: int
    n_clusters: int
    depth: int
    settings: tuple[SettingScores, ...]
    growth: Estimate | None = None
    protocol: str = ""
    problems: tuple[str, ...] = ()


def report_on(choices: Choices, scored: Scored | None = None, *, seed: int = 0) -> SelectionReport:
    """Measure every setting, and hold each rule against the fixed number at the nearest budget.

    Args:
        scored: of `score_choices`; None for no accuracy.
        seed: of intervals and tests.
    """
    right = {} if scored is None else scored.right
    clusters = [each.item.cluster for each in choices.ranked]
    resamples = Resamples(clusters, seed=seed)
    measured = {each.setting.name: _statistics(each, right) for each in choices.all}
    settings = [_scores(each, measured, resamples) for each in _ordered(choices)]
    settings = [
        replace(each, beside=_beside(chosen, choices, measured, clusters, seed))
        for each, chosen in zip(settings, _ordered(choices), strict=True)
    ]
    return SelectionReport(
        benchmark=choices.benchmark.name,
        split=choices.benchmark.split,
        n_items=len(clusters),
        n_clusters=resamples.n_clusters,
        depth=choices.depth,
        settings=tuple(_adjusted(settings)),
        growth=_growth(choices, right, resamples),
        protocol="" if scored is None else f"{scored.protocol.name}, {scored.protocol.mode}",
        problems=choices.problems,
    )


def _ordered(choices: Choices) -> list[Chosen]:
    return [*(choices.fixed[k] for k in sorted(choices.fixed)), *choices.rules]


def _growth(choices: Choices, right: Mapping[str, Floats], resamples: Resamples) -> Estimate | None:
    ks = [k for k in sorted(choices.fixed) if k >= 1]
    names = [choices.fixed[k].setting.name for k in ks]
    if len(ks) < 2 or not all(name in right for name in names):
        return None
    doublings = np.log2(ks) - np.log2(ks).mean()
    # The slope is a weighted sum of the accuracies, so that of each item is too.
    slopes = doublings / (doublings**2).sum() @ np.stack([right[name] for name in names])
    return resamples.estimate(mean_of(slopes))


def _statistics(chosen: Chosen, right: Mapping[str, Floats]) -> dict[str, Statistic]:
    found = {FIRED: mean_of(chosen.fired), KEPT: mean_of(chosen.kept)}
    if np.isfinite(chosen.recall).any():
        # Of all hits together: the mean over items would favour whoever keeps many of some items
        # and few of others, at the same number of hits.
        found |= {RECALL: mean_of(chosen.recall), PRECISION: ratio_of(chosen.gold, chosen.kept)}
    name = chosen.setting.name
    if name in right:
        asked = np.array([each is not None for each in chosen.selections])
        found[ACCURACY] = mean_of(np.where(asked, right[name], np.nan))
    return found


def _scores(
    chosen: Chosen, statistics: Mapping[str, Mapping[str, Statistic]], resamples: Resamples
) -> SettingScores:
    return SettingScores(
        name=chosen.setting.name,
        k=chosen.setting.k,
        measures=resamples.estimates(statistics[chosen.setting.name]),
        n_refused=chosen.n_refused,
        refusal=chosen.refusal,
        notes=_notes(chosen),
    )


def _notes(chosen: Chosen) -> tuple[str, ...]:
    found = []
    n = int(np.isfinite(chosen.fired).sum())
    if chosen.n_refused:
        found.append(f"refused {chosen.n_refused} of {len(chosen.fired)} items: {chosen.refusal}")
    if chosen.setting.k is None and n and not np.nansum(chosen.fired):
        found.append(f"the rule never fired on any of {n} items: it is the fixed number k_max")
    if chosen.setting.k is None and n and np.nansum(chosen.fired) == n:
        kept = np.unique(chosen.kept[np.isfinite(chosen.kept)])
        if len(kept) == 1:
            found.append(f"the rule kept {int(kept[0])} of every item, as a fixed number does")
    return tuple(found)


def _beside(
    chosen: Chosen,
    choices: Choices,
    measured: Mapping[str, Mapping[str, Statistic]],
    clusters: Sequence[str | None],
    seed: int,
) -> Beside | None:
    k = nearest_k(chosen, choices.depth)
    if chosen.setting.k is not None or k is None:
        return None
    fixed = choices.fixed[k]
    rule, other = measured[chosen.setting.name], measured[fixed.setting.name]
    both = [name for name in _WORTH if name in rule and name in other]
    differences = {name: paired(other[name], rule[name], clusters, seed=seed) for name in both}
    return Beside(fixed.setting.name, fixed.mean_kept, differences)


def _adjusted(settings: Sequence[SettingScores]) -> list[SettingScores]:
    """Correct the p-values of each measure for the number of rules."""
    found: dict[str, dict[str, float]] = {each.name: {} for each in settings}
    for measure in _WORTH:
        p_values = {
            each.name: each.beside.differences[measure].p
            for each in settings
            if each.beside is not None and measure in each.beside.differences
        }
        if p_values:
            adjusted = holm(list(p_values.values())).tolist()
            for name, p in zip(p_values, adjusted, strict=True):
                found[name][measure] = p
    return [
        each
        if each.beside is None
        else replace(each, beside=replace(each.beside, adjusted_p=found[each.name]))
        for each in settings
    ]
