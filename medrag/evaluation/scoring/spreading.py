"""Statistics of some items as statistics of all, of which the others do not count."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medrag.evaluation.statistics import Statistic, WeightedStatistic


def spread(statistic: Statistic, places: Sequence[int], n: int) -> Statistic:
    """Put the items of a statistic at their places among n."""
    sums = np.full((n, statistic.sums.shape[1]), np.nan)
    sums[list(places)] = statistic.sums
    return replace(statistic, sums=sums)


def over_all(statistic: WeightedStatistic, places: Sequence[int], n: int) -> WeightedStatistic:
    """Likewise for a measure of weights."""
    chosen = np.array(places, dtype=np.int64)
    counted = np.zeros(n, dtype=bool)
    counted[chosen] = True
    return WeightedStatistic(lambda weights: statistic.value(weights[:, chosen]), counted)
