"""Which prompts are worth learning from: those that the policy sometimes gets right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.rewards import Example, Reward
from medrag.protocols import Sampling

Floats = NDArray[np.float64]


def pass_rates(
    generator: Sampling,
    examples: Sequence[Example],
    reward: Reward,
    *,
    draws: int = 16,
    least: float = 1.0,
) -> Floats:
    """Draw replies to each prompt, and give the share that is good enough.

    Args:
        generator: the policy before training. Its thoughts are not part of what it gives; a reward
            of the form cannot be asked for here.
        draws: replies to each prompt.
        least: reward from which a reply passes.

    Returns:
        (n_examples,) in [0, 1]; nan where the reward applies to no reply.

    Raises:
        ValueError: if draws is below 1.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    drawn = generator.sample([each.prompt for each in examples], draws)
    replies = [one.text for several in drawn for one in several]
    asked = [example for example, several in zip(examples, drawn, strict=True) for _ in several]
    table = reward.reward(replies, asked).reshape(len(examples), draws)
    known = ~np.isnan(table)
    n = known.sum(axis=1)
    passed = (np.where(known, table, -np.inf) >= least).sum(axis=1)
    return np.where(n > 0, passed / np.maximum(n, 1), np.nan)


def filter_by_pass_rate(
    examples: Sequence[Example],
    rates: Sequence[float] | Floats,
    *,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> list[Example]:
    """Keep the examples whose pass rate lies between two bounds, the bounds themselves left out.

    A prompt that always passes, or never does, has equal rewards in its group and teaches nothing.
    One whose rate is nan is left out.

    Args:
        rates: (n_examples,) in [0, 1].

    Raises:
        ValueError: if examples and rates differ in number, or the bounds hold nothing.

    Source:
        Huang et al., MedVLThinker, 2025: questions are kept by how many of 16 replies pass.
    """
    if len(examples) != len(rates):
        raise ValueError(f"{len(examples)} examples need as many rates, got {len(rates)}")
    if not lowest < highest:
        raise ValueError(f"lowest must be below highest, got {lowest} and {highest}")
    return [
        example
        for example, rate in zip(examples, rates, strict=True)
        if lowest < float(rate) < highest
    ]
