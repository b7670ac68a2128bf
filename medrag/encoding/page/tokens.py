"""Inputs of a late-interaction model, and its vectors token by token.

Inputs of equal shape stand in one batch and others never do, so that nothing is ever padded: a
page's vectors are the same whatever it is encoded with, and no vector is one of padding.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import Halving
from medrag.extras import require

# Pages of many sizes wait for others of theirs: so many batches of them at most.
_WAITING_BATCHES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One input as a model takes it: tensors on the CPU, each with a first dimension of batches."""

    features: Mapping[str, Any]

    @property
    def n_tokens(self) -> int:
        return int(self.features["input_ids"].shape[1])

    @property
    def shape(self) -> tuple[Any, ...]:
        """Tell inputs apart that cannot stand in one batch."""
        return tuple((name, tuple(each.shape)) for name, each in sorted(self.features.items()))


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """The vectors of one input.

    Attributes:
        values: (n_tokens, d) unit rows.
        identities: (n_tokens,) of the tokens, in the tokenizer's vocabulary; empty where the model
            pools by itself, so that a vector is of no token.
    """

    values: NDArray[np.float32]
    identities: NDArray[np.int64]


def encoded(
    vectors: Callable[[Sequence[Prepared]], list[TokenVectors]],
    inputs: Iterable[Prepared],
    halving: Halving,
) -> list[TokenVectors]:
    """Encode inputs as they come, those of one shape together; in the order of the inputs.

    An input waits for others of its shape until they fill a batch, but no more than a few batches
    wait at a time.

    Args:
        vectors: takes inputs of one shape.
        inputs: read as the model gets on.
        halving: the budget of a batch, in tokens.
    """
    found: dict[int, TokenVectors] = {}
    waiting: dict[tuple[Any, ...], list[tuple[int, Prepared]]] = {}

    def encode(group: Sequence[tuple[int, Prepared]]) -> None:
        def together(batch: list[int]) -> list[TokenVectors]:
            return vectors([group[place][1] for place in batch])

        for batch, rows in halving.run(together, [each.n_tokens for _, each in group]):
            found.update(zip([group[place][0] for place in batch], rows, strict=True))

    for at, each in enumerate(inputs):
        group = waiting.setdefault(each.shape, [])
        group.append((at, each))
        if (len(group) + 1) * each.n_tokens > halving.budget:
            encode(waiting.pop(each.shape))
        elif _n_waiting(waiting) > _WAITING_BATCHES * halving.budget:
            encode(waiting.pop(max(waiting, key=lambda shape: len(waiting[shape]))))
    for group in waiting.values():
        encode(group)
    return [found[at] for at in range(len(found))]


def prepared(features: Mapping[str, Any]) -> Prepared:
    """Keep what a model takes: tensors, without the labels that processors add for training."""
    torch = require("torch")
    kept = {name: each for name, each in features.items() if torch.is_tensor(each)}
    kept.pop("labels", None)
    return Prepared(kept)


def stacked(batch: Sequence[Prepared], device: str) -> dict[str, Any]:
    """Put inputs of one shape into one batch on a device."""
    torch = require("torch")
    first = batch[0].features
    return {name: torch.cat([one.features[name] for one in batch]).to(device) for name in first}


def token_vectors(embeddings: Any, mask: Any, identities: Any) -> list[TokenVectors]:
    """Take the scored tokens of each input, as unit rows of float32."""
    torch = require("torch")
    masks = mask.bool()
    values = torch.nn.functional.normalize(embeddings.float(), dim=-1).cpu()
    of_tokens = masks.shape == identities.shape
    masks, identities = masks.cpu(), identities.cpu()
    return [
        TokenVectors(
            one[kept].numpy(),
            names[kept].numpy() if of_tokens else np.zeros(0, dtype=np.int64),
        )
        for one, kept, names in zip(values, masks, identities, strict=True)
    ]


def _n_waiting(waiting: Mapping[tuple[Any, ...], Sequence[tuple[int, Prepared]]]) -> int:
    return sum(each.n_tokens for group in waiting.values() for _, each in group)
