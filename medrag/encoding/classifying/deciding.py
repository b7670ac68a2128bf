"""From probabilities of domains to where a question is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.records import Routing


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a domain is known: its probability is `least` or more, and leads by `margin` or more."""

    least: float = 0.5
    margin: float = 0.1


def check_thresholds(
    *, least: float | None = None, margin: float | None = None, temperature: float | None = None
) -> None:
    """Refuse numbers that cannot be thresholds; None counts as right.

    Raises:
        ValueError: naming the first that is out of range.
    """
    for name, value in (("least", least), ("margin", margin)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {value}")
    if temperature is not None and not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be above 0 and finite, got {temperature}")


def decided(
    names: Sequence[str], probabilities: NDArray[np.float64], thresholds: Thresholds
) -> Routing:
    """Route by probabilities: all domains, likeliest first, and whether the first is known.

    Args:
        names: at least one.
        probabilities: (n_names,), which sum to 1.
    """
    told = {name: float(share) for name, share in zip(names, probabilities, strict=True)}
    order = sorted(told, key=lambda name: (-told[name], name))
    first = told[order[0]]
    lead = first - told[order[1]] if len(order) > 1 else first
    known = first >= thresholds.least and lead >= thresholds.margin
    reason = f"{order[0]} at {first:.2f}, {lead:.2f} before the next"
    if first < thresholds.least:
        reason += f"; below {thresholds.least:g}"
    elif not known:
        reason += f"; less than {thresholds.margin:g}"
    return Routing(tuple(order), known, told, reason)


def voted(
    names: Sequence[str],
    probabilities: NDArray[np.float64],
    unlike: NDArray[np.bool_],
    thresholds: Thresholds,
) -> Routing:
    """Route a question by its pictures, each of which has one vote.

    Pictures that are unlike any domain do not vote. Where all are, no domain is named.

    Args:
        probabilities: (n_pictures, n_names), rows that sum to 1; at least one.
        unlike: (n_pictures,).
    """
    if unlike.all():
        told = probabilities.mean(axis=0)
        shares = {name: float(share) for name, share in zip(names, told, strict=True)}
        return Routing((), False, shares, "unlike every domain that is known")
    routing = decided(names, probabilities[~unlike].mean(axis=0), thresholds)
    n, n_voted = len(unlike), int((~unlike).sum())
    if n == 1:
        return routing
    votes = f"{n_voted} of {n} pictures vote: {routing.reason}"
    return Routing(routing.domains, routing.known, routing.probabilities, votes)
