"""Losses of tuning a retriever: rows of tensors in, one number out. Natural logarithms.

Rows are of unit length, so that a product of two is their cosine.
"""

from math import log
from typing import TYPE_CHECKING

from medrag.extras import require

if TYPE_CHECKING:
    from torch import Tensor

# A cosine is multiplied by 1 at least and by 100 at most.
LARGEST_LOG_SCALE = log(100)


def contrastive_loss(
    images: "Tensor",
    texts: "Tensor",
    log_scale: "Tensor",
    *,
    image_weight: float = 0.5,
    positives: "Tensor | None" = None,
    ignored: "Tensor | None" = None,
) -> "Tensor":
    """Give the loss of telling each picture's text from the others, and each text's picture.

    image_weight * L(pictures to texts) + (1 - image_weight) * L(texts to pictures), where L is the
    mean over rows of the mean over the row's positives of -log softmax(exp(log_scale) * cosines).

    Args:
        images: (n, d).
        texts: (n + m, d): row i belongs to picture i; the m further ones are hard negatives, among
            which pictures look for theirs, and which look for no picture.
        log_scale: a number: the logarithm of what cosines are multiplied by.
        image_weight: in [0, 1]; 0.75 is ConVIRT's, 0.5 that of CLIP and of MMed-RAG.
        positives: (n, n + m), true where a text is right for a picture; None for (i, i) alone.
        ignored: (n, n + m), true where nobody can say; wrong where `positives` is true.

    Raises:
        ValueError: if the weight is out of range.

    Source:
        Zhang et al., "Contrastive learning of medical visual representations from paired images
        and text" (ConVIRT), 2020, equations 2 to 4; several positives as Khosla et al., NeurIPS
        2020, equation 2.
    """
    if not 0 <= image_weight <= 1:
        raise ValueError(f"image_weight must lie in [0, 1], got {image_weight}")
    torch, n = require("torch"), len(images)
    cosines = images @ texts.T
    if positives is None:
        positives = torch.eye(n, len(texts), dtype=torch.bool, device=cosines.device)
    scores = log_scale.exp() * cosines
    if ignored is not None:
        scores = scores.masked_fill(ignored & ~positives, float("-inf"))
    by_image = _mean_over_positives(scores, positives)
    by_text = _mean_over_positives(scores[:, :n].T, positives[:, :n].T)
    return image_weight * by_image + (1 - image_weight) * by_text


def reader_loss(
    scores: "Tensor", targets: "Tensor", log_scale: "Tensor", *, shown: "Tensor | None" = None
) -> "Tensor":
    """Give the mean KL(targets || softmax(exp(log_scale) * scores)) over questions.

    Args:
        scores: (n, k) cosines of questions and passages.
        targets: (n, k), rows that sum to 1: how much each passage helped a reader; 0 where `shown`
            is false. See `reader_targets`.
        shown: (n, k), true where there is a passage; None for everywhere.

    Source:
        Izacard et al., "Atlas", JMLR 2023, section 2.2 (perplexity distillation); CLARE trains its
        retriever so on clinical passages. The targets are constants.
    """
    torch = require("torch")
    scaled = log_scale.exp() * scores
    if shown is not None:
        scaled = scaled.masked_fill(~shown, float("-inf"))
    told = torch.log_softmax(scaled, dim=1)
    # 0 log 0 is 0: what has no weight says nothing, be it shown or not.
    counted = targets > 0
    wanted = torch.where(counted, targets, torch.ones_like(targets)).log()
    apart = torch.where(counted, targets * (wanted - told), torch.zeros_like(targets))
    loss: Tensor = apart.sum(dim=1).mean()
    return loss


def clamp_scale(log_scale: "Tensor") -> None:
    """Bring the logarithm of the scale back between 0 and log 100, in place."""
    with require("torch").no_grad():
        log_scale.clamp_(0.0, LARGEST_LOG_SCALE)


def _mean_over_positives(scores: "Tensor", positives: "Tensor") -> "Tensor":
    """Give the mean over rows of the mean -log softmax of the row's positives."""
    told = require("torch").log_softmax(scores, dim=1).masked_fill(~positives, 0.0)
    loss: Tensor = -(told.sum(dim=1) / positives.sum(dim=1)).mean()
    return loss
