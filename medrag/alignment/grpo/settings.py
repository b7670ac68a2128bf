"""What learning by rewards needs to be told beside what all training does."""

from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

GrpoLoss = Literal["grpo", "dapo", "bnpo", "dr_grpo"]
Scale = Literal["group", "batch", "none"]


@dataclass(frozen=True, slots=True)
class GrpoSettings:
    """How replies are drawn, compared within their group, and learned from.

    One step of the optimiser is of batch x accumulation replies on each device, where batch and
    accumulation are those of the training settings; with n devices that is
    n x batch x accumulation / `replies` prompts, which must be a whole number.

    Attributes:
        replies: that are drawn of each prompt, the group; at least 2.
        beta: weight of the divergence from the reference; 0 keeps no reference.
        epsilon: how far the ratio to the policy that drew the replies may go before it is clipped.
        epsilon_high: the same upwards; None for `epsilon`.
        max_tokens: of a reply.
        temperature, top_p: replies are drawn with; also the log-probabilities are those of the
            temperature.
        iterations: steps that learn from the same replies.
        loss: how token losses are averaged: "grpo" within each reply first, "bnpo" over the tokens
            of a pass, "dapo" over those of a step, "dr_grpo" by the longest reply.
        scale: advantages are divided by the deviation of the "group", of the "batch", or "none".
        mask_cut: learn nothing from replies that were cut at `max_tokens`.
        entropy: strength at which advantages are scaled by how unsure the policy is of the prompt,
            see `entropy_scales`; 0 for plain GRPO.
        entropy_limit: such a scale is from 1 / entropy_limit to entropy_limit, before the strength.

    Source:
        Shao et al., DeepSeekMath, arXiv 2402.03300 (beta 0.04); the other losses: Yu et al., DAPO,
        arXiv 2503.14476, and Liu et al., Dr. GRPO, arXiv 2503.20783.
    """

    replies: int = 8
    beta: float = 0.04
    epsilon: float = 0.2
    epsilon_high: float | None = None
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    iterations: int = 1
    loss: GrpoLoss = "grpo"
    scale: Scale = "group"
    mask_cut: bool = False
    entropy: float = 0.0
    entropy_limit: float = 2.0


def check_grpo(grpo: GrpoSettings) -> None:
    """Refuse what nothing can be learned by.

    Raises:
        ValueError: naming the setting.
    """
    if grpo.replies < 2:
        raise ValueError(f"replies must be at least 2, for they are compared, got {grpo.replies}")
    high = 1.0 if grpo.epsilon_high is None else grpo.epsilon_high
    bounds = {
        "max_tokens": (grpo.max_tokens >= 1, "at least 1"),
        "iterations": (grpo.iterations >= 1, "at least 1"),
        "beta": (0 <= grpo.beta < inf, "at least 0"),
        "entropy": (0 <= grpo.entropy < inf, "at least 0"),
        "epsilon": (0 < grpo.epsilon < 1, "above 0 and below 1"),
        "epsilon_high": (0 < high < inf, "above 0"),
        "temperature": (0 < grpo.temperature < inf, "above 0"),
        "top_p": (0 < grpo.top_p <= 1, "above 0 and at most 1"),
        "entropy_limit": (1 <= grpo.entropy_limit < inf, "at least 1"),
        "loss": (grpo.loss in get_args(GrpoLoss), f"one of {', '.join(get_args(GrpoLoss))}"),
        "scale": (grpo.scale in get_args(Scale), f"one of {', '.join(get_args(Scale))}"),
    }
    for name, (fits, expected) in bounds.items():
        if not fits:
            raise ValueError(f"{name} must be {expected}, got {getattr(grpo, name)!r}")


def check_sizes(grpo: GrpoSettings, *, per_step: int, save_every: int | None) -> None:
    """Refuse steps that part a group, and checkpoints between two uses of the same replies.

    Args:
        per_step: replies of one step, on all devices.
        save_every: steps between checkpoints.

    Raises:
        ValueError: naming both numbers.
    """
    if per_step % grpo.replies:
        raise ValueError(
            f"a step is of {per_step} replies (devices x batch x accumulation), which groups of "
            f"{grpo.replies} do not fill; make it a multiple of replies"
        )
    if save_every is not None and save_every % grpo.iterations:
        raise ValueError(
            f"save_every is {save_every}, and the same replies serve {grpo.iterations} steps; make "
            "it a multiple, or training could not go on from a checkpoint as it was"
        )
