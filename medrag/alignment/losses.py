"""Losses of tuning on log-probabilities: of preferences, of references, and what keeps them apart.

All take and give (n,) tensors of torch, one number for each row, natural logarithms. A
log-probability is that of a whole answer, summed over its tokens, the token that ends it included.
`ratio` stands for log policy(answer) - log reference(answer).
"""

from typing import TYPE_CHECKING

from medrag.extras import require

if TYPE_CHECKING:
    from torch import Tensor


def sigmoid_loss(chosen_ratio: "Tensor", rejected_ratio: "Tensor", *, beta: float) -> "Tensor":
    """Give -log sigmoid(beta (chosen ratio - rejected ratio)), which is log 2 where they are equal.

    Where both answers are the same, and the rejected one is said of another picture, it is the
    conditional term of mDPO.

    Source:
        Rafailov et al., NeurIPS 2023, equation 7; Wang et al., EMNLP 2024 (mDPO), equation 5.
    """
    loss: Tensor = -_log_sigmoid(beta * (chosen_ratio - rejected_ratio))
    return loss


def hinge_loss(chosen_ratio: "Tensor", rejected_ratio: "Tensor", *, beta: float) -> "Tensor":
    """Give max(0, 1 - beta (chosen ratio - rejected ratio)).

    Source:
        Zhao et al., 2023, arXiv:2305.10425 (SLiC-HF), on ratios as Liu et al., ICLR 2024 (RSO).
    """
    loss: Tensor = require("torch").relu(1 - beta * (chosen_ratio - rejected_ratio))
    return loss


def ipo_loss(chosen_ratio: "Tensor", rejected_ratio: "Tensor", *, beta: float) -> "Tensor":
    """Give (chosen ratio - rejected ratio - 1 / (2 beta))^2: the margin has a target, not a side.

    The ratios are of sums over tokens, as in the article. TRL takes means over tokens, so its beta
    is another, and the two agree only for answers of equal length.

    Source:
        Azar et al., AISTATS 2024, equation 17 (beta is its tau).
    """
    loss: Tensor = (chosen_ratio - rejected_ratio - 1 / (2 * beta)) ** 2
    return loss


def anchor_loss(chosen_ratio: "Tensor", *, beta: float) -> "Tensor":
    """Give -log sigmoid(beta chosen ratio): it grows as the chosen answer gets less likely.

    Source:
        Wang et al., EMNLP 2024 (mDPO), equation 6, with its delta at 0.
    """
    loss: Tensor = -_log_sigmoid(beta * chosen_ratio)
    return loss


def supervised_loss(chosen: "Tensor", n_tokens: "Tensor") -> "Tensor":
    """Give the negative log-probability of an answer for each of its tokens.

    Args:
        chosen: log-probability of each answer under the policy.
        n_tokens: of each answer, at least 1; the token that ends it counts.

    Source:
        Pang et al., NeurIPS 2024 (as a term beside preferences).
    """
    loss: Tensor = -chosen / n_tokens
    return loss


def weighted(losses: "Tensor", weights: "Tensor") -> "Tensor":
    """Give weight x loss of each row; the loss of a step is the mean of these over its rows.

    A row of weight 0 adds neither loss nor gradient, but is counted in the mean.

    Args:
        weights: at least 0.

    Source:
        Zhu et al., ICML 2025 (MMedPO), equation 5.
    """
    loss: Tensor = losses * weights
    return loss


def _log_sigmoid(margins: "Tensor") -> "Tensor":
    logs: Tensor = require("torch").nn.functional.logsigmoid(margins)
    return logs
