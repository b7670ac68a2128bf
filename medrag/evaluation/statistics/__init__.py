"""How sure a measure is, and whether two runs differ."""

from medrag.evaluation.statistics.clustered import (
    Resamples,
    Statistic,
    WeightedStatistic,
    estimate,
    mean_of,
    ratio_of,
)
from medrag.evaluation.statistics.comparing import McNemar, PairedDifference, mcnemar, paired
from medrag.evaluation.statistics.corrections import benjamini_hochberg, holm
from medrag.evaluation.statistics.means import (
    Difference,
    Interval,
    bootstrap_interval,
    paired_bootstrap,
)
from medrag.evaluation.statistics.power import (
    design_effect,
    detectable_mean_difference,
    minimum_detectable_difference,
    sample_size,
)

__all__ = [
    "Difference",
    "Interval",
    "McNemar",
    "PairedDifference",
    "Resamples",
    "Statistic",
    "WeightedStatistic",
    "benjamini_hochberg",
    "bootstrap_interval",
    "design_effect",
    "detectable_mean_difference",
    "estimate",
    "holm",
    "mcnemar",
    "mean_of",
    "minimum_detectable_difference",
    "paired",
    "paired_bootstrap",
    "ratio_of",
    "sample_size",
]
