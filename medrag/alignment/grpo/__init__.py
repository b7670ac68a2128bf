"""Learning by rewards that can be checked (GRPO), of answers and of a router's decisions."""

from medrag.alignment.grpo.filtering import filter_by_pass_rate, pass_rates
from medrag.alignment.grpo.formula import (
    clipped_loss,
    divergence,
    entropy_scales,
    group_advantages,
)
from medrag.alignment.grpo.running import train_grpo
from medrag.alignment.grpo.settings import GrpoSettings

__all__ = [
    "GrpoSettings",
    "clipped_loss",
    "divergence",
    "entropy_scales",
    "filter_by_pass_rate",
    "group_advantages",
    "pass_rates",
    "train_grpo",
]
