"""How many of ranked scores to keep: by a number, by a gap, by a ratio, by a floor.

Source:
    Gap and ratio: Xia et al., "MMed-RAG: versatile multimodal RAG system for medical vision
    language models", ICLR 2025. The paper cuts at the first large drop from one score to the next;
    its code keeps what is within a factor of the first score. The two agree on the second hit
    alone: the ratio to the first score is the exponential of the sum of all drops before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.selection.scales import logarithms

Floats = NDArray[np.float64]
Rule = Literal["fixed", "adjacent_log_gap", "top1_ratio", "score_floor"]
# Drops that differ by less are equal: a logarithm is rounded.
_CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Cut:
    """What a rule keeps of ranked scores, and how it came to that.

    Attributes:
        kept: places of the scores that are kept, ascending from 0: always the first ones.
        fired: whether the rule kept fewer than `k_max` alone would have.
        rule_keeps: how many the rule alone would keep, whatever k_min and k_max.
        log_gaps: u_i = log(S_i / S_(i+1)), one fewer than scores; inf where what follows is not
            above 0.
    """

    kept: tuple[int, ...]
    fired: bool
    rule_keeps: int
    log_gaps: tuple[float, ...]


def select_context(
    scores: ArrayLike,
    rule: Rule,
    *,
    k_min: int = 1,
    k_max: int = 10,
    gamma: float | None = None,
    tau: float | None = None,
    floor: float | None = None,
    empty: bool = False,
) -> Cut:
    """Choose how many of the best scores to keep.

    "fixed" keeps k_max. "adjacent_log_gap" keeps all before the first drop with u_i > gamma.
    "top1_ratio" keeps all with S_1 / S_i < tau, computed so that a score that is not above 0 never
    passes. "score_floor" keeps all with S_i >= floor. Then at least k_min and at most k_max are
    kept, as far as there are so many.

    Args:
        scores: (K,), descending. For a gap or a ratio, of a scale with a zero that means "nothing
            in common"; see `medrag.selection.scales.logarithms` for others.
        empty: whether nothing may be kept, as whoever reads the selection answers without context
            too; only then may k_min be 0.

    Raises:
        ValueError: if scores ascend, k_min or k_max makes no sense, the number that the rule needs
            is missing or out of range, or no score is above 0 where ratios are taken.
    """
    given = np.asarray(scores, dtype=np.float64)
    check_bounds(k_min, k_max, empty=empty)
    check_rule(rule, gamma=gamma, tau=tau, floor=floor)
    if given.ndim != 1 or np.isnan(given).any() or (np.diff(given) > 0).any():
        raise ValueError("scores must be one row of numbers that descends")
    logs = logarithms(given, "raw")
    if rule in ("adjacent_log_gap", "top1_ratio"):
        if len(given) and given[0] <= 0:
            raise ValueError(f"ratios need a best score above 0, got {given[0]:g}")
        return cut_logarithms(logs, rule, k_min=k_min, k_max=k_max, gamma=gamma, tau=tau)
    keeps = len(given) if floor is None else int((given >= floor).sum())
    keeps = min(keeps, k_max) if rule == "fixed" else keeps
    cut = bounded(keeps, len(given), k_min=k_min, k_max=k_max, log_gaps=log_gaps(logs))
    if rule == "fixed":
        return Cut(cut.kept, len(given) > k_max, keeps, cut.log_gaps)
    return cut


def cut_logarithms(
    logs: Floats,
    rule: Rule,
    *,
    k_min: int,
    k_max: int,
    gamma: float | None = None,
    tau: float | None = None,
) -> Cut:
    """Apply a rule of ratios to the logarithms of scores, (K,), descending.

    Raises:
        ValueError: if the rule takes no ratios, or its number is missing or out of range.
    """
    check_rule(rule, gamma=gamma, tau=tau)
    gaps = log_gaps(logs)
    if rule == "adjacent_log_gap" and gamma is not None:
        keeps = _before_gap(gaps, gamma, len(logs))
    elif rule == "top1_ratio" and tau is not None:
        # Equal to the product form S_i tau > S_1, which has no division to lose its sign.
        drops = logs[0] - logs if len(logs) else logs
        keeps = int((drops < log(tau) - _CLOSE).sum())
    else:
        raise ValueError(f"{rule!r} takes no ratios")
    return bounded(keeps, len(logs), k_min=k_min, k_max=k_max, log_gaps=gaps)


def bounded(keeps: int, n: int, *, k_min: int, k_max: int, log_gaps: Sequence[float] = ()) -> Cut:
    """Keep as many of n as a rule says, but at least k_min and at most k_max."""
    most = min(k_max, n)
    kept = min(max(keeps, k_min), most)
    return Cut(tuple(range(kept)), kept < most, keeps, tuple(log_gaps))


def log_gaps(logs: Floats) -> tuple[float, ...]:
    """Give the drops from each logarithm to the next; none between two that are -inf."""
    return tuple(
        0.0 if after == -inf == before else float(before - after)
        for before, after in pairwise(logs.tolist())
    )


def check_bounds(k_min: int, k_max: int, *, empty: bool = False) -> None:
    """Refuse numbers of hits that make no sense.

    Raises:
        ValueError: names the number.
    """
    if k_min < 0 or (k_min == 0 and not empty):
        raise ValueError(
            f"k_min must be at least 1, got {k_min}; for no context below a score, use the "
            "selector no_context_below"
        )
    if k_max < max(k_min, 1):
        raise ValueError(f"k_max must be at least k_min ({k_min}) and 1, got {k_max}")


def check_rule(
    rule: Rule,
    *,
    gamma: float | None = None,
    tau: float | None = None,
    floor: float | None = None,
) -> None:
    """Refuse a rule without its number, or with one that makes no sense.

    Raises:
        ValueError: names the number.
    """
    if rule not in get_args(Rule):
        raise ValueError(f"rule must be one of {', '.join(get_args(Rule))}, got {rule!r}")
    needed = {"adjacent_log_gap": ("gamma", gamma), "top1_ratio": ("tau", tau)}
    needed |= {"score_floor": ("floor", floor)}
    name, value = needed.get(rule, ("", 0.0))
    if value is None:
        raise ValueError(f"the rule {rule!r} needs {name}")
    if name == "gamma" and not value >= 0:
        raise ValueError(f"gamma must be at least 0, got {value}")
    if name == "tau" and not value > 1:
        raise ValueError(f"tau must be above 1, as the first hit has the ratio 1, got {value}")


def _before_gap(gaps: Sequence[float], gamma: float, n: int) -> int:
    """Count what stands before the first drop above gamma; all n if there is none."""
    return next((i for i, gap in enumerate(gaps, start=1) if gap > gamma + _CLOSE), n)
