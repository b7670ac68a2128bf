"""What a set of items can show: the smallest difference that it would find, and how many it needs.

Two-sided throughout: alpha is the share of equal pairs taken for different, power that of different
pairs found.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from medrag.evaluation.statistics.clustered import cluster_codes, cluster_sums


def minimum_detectable_difference(
    n: int,
    discordant: float,
    *,
    design_effect: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Give the smallest difference of two shares of right answers that a paired test would find.

    Args:
        n: items that both runs answer.
        discordant: share of items that only one of the runs has right, in [0, 1].
        design_effect: see `design_effect`; n is divided by it.

    Returns:
        In (0, discordant]: shares cannot differ by more than the runs disagree. nan if not even
        that much would be found, as with too few items or too little disagreement.

    Source:
        Connor, Biometrics 43, 1987: n d^2 = (z_a sqrt(psi) + z_b sqrt(psi - d^2))^2, solved for d;
        the form goes back to Miettinen, Biometrics 24, 1968.
    """
    _check(n, discordant, design_effect)
    z_a, z_b = _quantiles(alpha, power)
    effective = n / design_effect
    inside = effective + z_b**2 - z_a**2
    if inside < 0 or discordant == 0:
        return float("nan")
    steps = (math.sqrt(effective) * z_a + z_b * math.sqrt(inside)) / (effective + z_b**2)
    difference = math.sqrt(discordant) * steps
    return difference if 0 < difference <= discordant else float("nan")


def sample_size(
    difference: float,
    discordant: float,
    *,
    design_effect: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Give how many items a paired test of two shares needs to find a difference.

    Raises:
        ValueError: if the difference is 0 or larger than the share of discordant items.

    Source:
        Connor, Biometrics 43, 1987.
    """
    _check(1, discordant, design_effect)
    d = abs(difference)
    if not 0 < d <= discordant:
        raise ValueError(
            f"difference must be between 0 and the share of discordant items, {discordant}; "
            f"got {difference}"
        )
    z_a, z_b = _quantiles(alpha, power)
    root = z_a * math.sqrt(discordant) + z_b * math.sqrt(discordant - d**2)
    # Less than a millionth of an item is rounding.
    return math.ceil(design_effect * (root / d) ** 2 - 1e-6)


def detectable_mean_difference(
    standard_error: float, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Give the smallest difference of two means that would be found: (z_a + z_b) standard errors.

    Args:
        standard_error: of the difference, such as `PairedDifference.standard_error`, which holds
            the effect of clusters already; nan gives nan.

    Raises:
        ValueError: if it is negative.

    Source:
        Bloom, Evaluation Review 19, 1995.
    """
    if standard_error < 0:
        raise ValueError(f"standard_error must not be negative, got {standard_error}")
    z_a, z_b = _quantiles(alpha, power)
    return (z_a + z_b) * standard_error


def design_effect(values: ArrayLike, clusters: Sequence[str | None]) -> float:
    """Tell how much less a clustered item says than one of its own.

    Args:
        values: (n_items,), of one run, or differences of two; nan does not count.
        clusters: of each item; None where an item stands alone.

    Returns:
        The variance of the mean with clusters over that without: 1 if every item stands alone, the
        size of the clusters if all within one are alike, below 1 if items of a cluster make up for
        each other. nan below two clusters, or if all values are equal.

    Raises:
        ValueError: if values and clusters differ in length.

    Source:
        Kish, Survey Sampling, 1965; the variance of the mean of clusters of unequal size is that of
        a ratio (Cochran, Sampling Techniques, 1977).
    """
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (len(clusters),):
        raise ValueError(f"{given.shape} values do not fit {len(clusters)} clusters")
    known = ~np.isnan(given)
    codes = cluster_codes([one for one, counts in zip(clusters, known, strict=True) if counts])
    n, n_clusters = len(codes), len(np.unique(codes))
    if n_clusters < 2 or np.ptp(given[known]) == 0:
        return float("nan")
    apart = given[known] - given[known].mean()
    simple = np.sum(apart**2) / (n - 1) / n
    by_cluster = cluster_sums(apart[:, None], codes)
    clustered = np.sum(by_cluster**2) * n_clusters / (n_clusters - 1) / n**2
    return float(clustered / simple)


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power must lie between 0 and 1, got {alpha} and {power}")
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2), normal.inv_cdf(power)


def _check(n: int, discordant: float, design_effect: float) -> None:
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if not 0 <= discordant <= 1:
        raise ValueError(f"discordant must be a share in [0, 1], got {discordant}")
    if not design_effect > 0:
        raise ValueError(f"design_effect must be positive, got {design_effect}")
