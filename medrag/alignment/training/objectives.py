"""What is made as small as it gets: from a batch to the loss of each of its pairs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.losses import (
    anchor_loss,
    hinge_loss,
    ipo_loss,
    sigmoid_loss,
    supervised_loss,
    weighted,
)
from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.training.batches import Batch, log_probabilities, n_tokens
from medrag.alignment.training.settings import PreferenceSettings
from medrag.alignment.weighing import shuffled_pairs
from medrag.errors import RecipeError
from medrag.extras import require

if TYPE_CHECKING:
    from torch import Tensor

_LOSSES = {"sigmoid": sigmoid_loss, "hinge": hinge_loss, "ipo": ipo_loss}
# What of a model is tuned and can be switched off: factors, and copies of whole layers.
_SWITCHED = ("lora_", "modules_to_save")


@dataclass(frozen=True, slots=True)
class Terms:
    """The losses of a batch.

    Attributes:
        losses: (n,) of each pair, weights included.
        told: (n,) numbers of each pair that the log gives the mean of, without gradient.
    """

    losses: "Tensor"
    told: Mapping[str, "Tensor"]


Objective = Callable[[Any, Batch], Terms]


def supervised(model: Any, batch: Batch) -> Terms:
    """Give the negative log-probability of each chosen answer, by its tokens."""
    passes = batch["passes"]
    return Terms(supervised_loss(log_probabilities(model, passes), n_tokens(passes)), {})


class PreferenceObjective:
    """The loss of pairs of chosen and rejected rows against a reference.

    Args:
        preference: checked settings.
        pairs: all that are trained on.
        seed: of shuffled weights.
    """

    def __init__(
        self, *, preference: PreferenceSettings, pairs: Sequence[PreferencePair], seed: int
    ) -> None:
        torch = require("torch")
        self.preference = preference
        self.weights = torch.from_numpy(row_weights(pairs, preference, seed))
        self.conditional = torch.tensor([pair.chosen == pair.rejected for pair in pairs])
        # (pairs, 2) of chosen and rejected, where the reference is computed before.
        self.reference: Tensor | None = None

    def __call__(self, model: Any, batch: Batch) -> Terms:
        # Before the policy's pass: switching the adapter touches weights that a gradient needs.
        reference = self._reference(model, batch)
        told = log_probabilities(model, batch["passes"])
        ratios = told - reference.to(told.device)
        chosen, rejected = ratios.chunk(2)
        weights = self.weights[batch["places"].cpu()].to(told.device)
        losses = weighted(self._losses(batch, told, ratios), weights)
        margins = (self.preference.beta * (chosen - rejected)).detach()
        return Terms(losses, {"margin": margins, "accuracy": (margins > 0).float()})

    def _losses(self, batch: Batch, told: "Tensor", ratios: "Tensor") -> "Tensor":
        torch, settings = require("torch"), self.preference
        chosen, rejected = ratios.chunk(2)
        losses = _LOSSES[settings.loss](chosen, rejected, beta=settings.beta)
        conditional = self.conditional[batch["places"].cpu()].to(told.device)
        losses = torch.where(conditional, settings.conditional_weight * losses, losses)
        if settings.anchor_weight:
            losses = losses + settings.anchor_weight * anchor_loss(chosen, beta=settings.beta)
        if settings.sft_weight:
            counts = n_tokens(batch["passes"])
            likely = supervised_loss(told.chunk(2)[0], counts.chunk(2)[0])
            losses = losses + settings.sft_weight * likely
        return losses

    def _reference(self, model: Any, batch: Batch) -> "Tensor":
        if self.reference is None:
            with switched_off(model) as base:
                return log_probabilities(base, batch["passes"])
        both: Tensor = self.reference[batch["places"].cpu()]
        return both.T.flatten()


@contextmanager
def switched_off(model: Any) -> Iterator[Any]:
    """Give a model as it was before its adapter, without dropout and without gradients.

    Raises:
        RecipeError: if it has no adapter that can be switched off.
    """
    torch, inner = require("torch"), getattr(model, "module", model)
    if not hasattr(inner, "disable_adapter"):
        raise RecipeError(
            f"{type(inner).__name__} has no adapter that can be switched off, which the reference "
            "needs; set precompute: true"
        )
    was = inner.training
    inner.eval()
    try:
        with torch.no_grad(), inner.disable_adapter():
            yield inner
    finally:
        inner.train(was)


def check_switched_off(model: Any) -> None:
    """Refuse a model that is not its old self with its adapter switched off.

    Raises:
        RecipeError: naming what would stay.
    """
    peft = require("peft.tuners.tuners_utils", extra="align")
    with switched_off(model) as base:
        layers = [each for each in base.modules() if isinstance(each, peft.BaseTunerLayer)]
        on = sum(not each.disable_adapters for each in layers)
    stays = [
        name
        for name, weights in model.named_parameters()
        if weights.requires_grad and not any(part in name for part in _SWITCHED)
    ]
    if on or stays or not layers:
        told = f"weights such as {stays[0]}" if stays else f"{on} of its {len(layers)} layers"
        raise RecipeError(
            f"the adapter of {type(model).__name__} cannot be switched off ({told}), so the "
            "reference would be the model that is tuned; set precompute: true"
        )


def row_weights(
    pairs: Sequence[PreferencePair], preference: PreferenceSettings, seed: int
) -> NDArray[np.float32]:
    """Give the weight of each pair in the loss: (n,)."""
    if preference.weights == "none":
        return np.ones(len(pairs), dtype=np.float32)
    given = shuffled_pairs(pairs, seed=seed) if preference.weights == "shuffled" else pairs
    return np.asarray([pair.weight for pair in given], dtype=np.float32)
