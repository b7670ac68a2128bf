r"""GRPO in numbers: what TRL's trainer computes with our settings, stated in NumPy.

With ratio = exp(log p - log p_old), the loss of token t of reply i is

    - min(ratio * A_i, clip(ratio, 1 - epsilon, 1 + epsilon_high) * A_i) + beta * kl
    kl = exp(log p_ref - log p) - (log p_ref - log p) - 1

and the loss of a pass is the mean over its replies of the mean over the tokens of each. The
trainer is held against these functions in the tests.

Source:
    Shao et al., DeepSeekMath, arXiv 2402.03300, equations 3 and 4.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What TRL adds to the deviation.
ETA = 1e-4


def group_advantages(rewards: Floats, *, replies: int, eta: float = ETA) -> Floats:
    """Give the advantages (r - mean) / (std + eta) within each group.

    Args:
        rewards: (n_prompts * replies,), a group's replies side by side; nan where none applies.
        eta: keeps a group of equal rewards at 0.

    Returns:
        (n_prompts * replies,); 0 where the reward is nan, and in a group with one reward or none.
        The deviation is that of a sample, with one less than n below.

    Raises:
        ValueError: if the rewards do not make whole groups.
    """
    groups = _grouped(rewards, replies)
    known = ~np.isnan(groups)
    n = known.sum(axis=1, keepdims=True)
    mean = np.where(known, groups, 0.0).sum(axis=1, keepdims=True) / np.maximum(n, 1)
    off = np.where(known, groups - mean, 0.0)
    std = np.sqrt((off**2).sum(axis=1, keepdims=True) / np.maximum(n - 1, 1))
    advantages: Floats = np.where(n > 1, off / (std + eta), 0.0).ravel()
    return advantages


def entropy_scales(entropies: Floats, *, replies: int, strength: float, limit: float) -> Floats:
    """Give what the advantages of each prompt are multiplied by: more where the policy is unsure.

    The uncertainty of a prompt is the mean entropy of the tokens of its replies; normalised by its
    mean over the prompts of the step it is around 1, and

        scale = clip(H_prompt / mean(H), 1 / limit, limit) ** strength

    so that a strength of 0 is plain GRPO, and all prompts alike unsure are left as they are.

    Args:
        entropies: (n_prompts * replies,), the mean entropy of the tokens of each reply, in nats;
            nan for a reply without tokens that count.

    Returns:
        (n_prompts * replies,), above 0, equal within each group.

    Raises:
        ValueError: if the entropies do not make whole groups.

    Source:
        Our reading of uncertainty-aware dynamic thinking (OphthaReason, arXiv 2508.16129), which
        says that sample-level entropy shapes the advantage; its training code is not released, and
        its formula may be another.
    """
    groups = _grouped(entropies, replies)
    known = ~np.isnan(groups)
    n = known.sum(axis=1)
    means = np.where(known, groups, 0.0).sum(axis=1) / np.maximum(n, 1)
    overall = means[n > 0].mean() if (n > 0).any() else 0.0
    # A policy that is sure of everything leaves nothing to tell prompts apart by.
    shares = np.where(n > 0, means, overall) / overall if overall > 0 else np.ones(len(means))
    scales: Floats = np.repeat(np.clip(shares, 1 / limit, limit) ** strength, replies)
    return scales


def clipped_loss(
    log_p: Floats, log_old: Floats, advantages: Floats, *, low: float, high: float
) -> Floats:
    """Give the policy's part of the loss of each token.

    Args:
        log_p, log_old: (n_replies, n_tokens) log-probabilities, now and when the replies were
            drawn.
        advantages: (n_replies,).
        low, high: how far below and above 1 the ratio is clipped.
    """
    ratio = np.exp(log_p - log_old)
    clipped = np.clip(ratio, 1 - low, 1 + high)
    loss: Floats = -np.minimum(ratio * advantages[:, None], clipped * advantages[:, None])
    return loss


def divergence(log_p: Floats, log_reference: Floats) -> Floats:
    """Estimate the divergence from the reference at each token; at least 0, and 0 where equal.

    Source:
        Schulman, "Approximating KL divergence", 2020 (k3).
    """
    difference = log_reference - log_p
    estimate: Floats = np.exp(difference) - difference - 1
    return estimate


def _grouped(values: Floats, replies: int) -> Floats:
    if values.ndim != 1 or replies < 1 or len(values) % replies:
        raise ValueError(f"{values.shape} values do not make groups of {replies}")
    return np.asarray(values, dtype=np.float64).reshape(-1, replies)
