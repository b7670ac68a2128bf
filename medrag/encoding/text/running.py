"""Texts through a model: each different one once, tokenised ahead, in batches of like length."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from medrag.checkpoints.batching import Halving
from medrag.checkpoints.numerics import chosen_device
from medrag.encoding.ahead import ahead
from medrag.encoding.rows import Rows, different, repeated, unit
from medrag.encoding.text.reading import Window
from medrag.encoding.text.texts import Text
from medrag.records import Embeddings

# Texts that are tokenised together, and sorted by length among each other.
_CHUNK = 2048
# Tokens in one pass. On a CPU the activations of a batch should stay in its caches; a GPU needs
# work for thousands of threads. Indexing gives 128 passages at once: as several batches, so that
# a short passage is not padded to the longest of all.
_BUDGETS = {"cpu": 2048, "cuda": 16384}

_Result = TypeVar("_Result")


class TextModel(Protocol):
    """A model of texts, at one end of a search: of questions or of passages.

    Attributes:
        batches: how many tokens go through the model at once.
    """

    batches: Halving

    @property
    def d(self) -> int:
        """Numbers in a vector."""
        ...

    def read(self, texts: Sequence[Text]) -> list[list[Window]]:
        """Give the windows of each text, at least one."""
        ...

    def run(self, batch: list[Window]) -> Any:
        """Give the vectors of windows: a tensor (n, d) of float32 on the model's device."""
        ...


class Chunk(NamedTuple, Generic[_Result]):
    """What became of some texts.

    Attributes:
        lengths: windows of each text.
        batches: places of windows, counted through the chunk, and what the model gave for them.
    """

    lengths: list[int]
    batches: list[tuple[list[int], _Result]]


def text_batches(tokens: int | None, device: str | None, *, share: int = 1) -> Halving:
    """Give the batches of texts: of so many tokens, or of a share of what suits a device."""
    kind = chosen_device(device).partition(":")[0]
    return Halving(budget=tokens or _BUDGETS.get(kind, _BUDGETS["cpu"]) // share)


def text_vectors(model: TextModel, texts: Sequence[Text], *, normalised: bool) -> Embeddings:
    """Encode texts: a vector for each window, in the order of the texts; equal ones only once."""
    once, order = different(texts)
    values, lengths = [np.zeros((0, model.d), dtype=np.float32)], list[int]()
    for chunk in through(model, once, model.run):
        rows = np.empty((sum(chunk.lengths), model.d), dtype=np.float32)
        # Only here is a GPU waited for: batches queue behind each other until then.
        for places, tensor in chunk.batches:
            rows[places] = tensor.cpu().numpy()
        values.append(rows)
        lengths += chunk.lengths
    found: Rows = np.concatenate(values)
    # Anew in float32: a unit row in bfloat16 is off by up to half a percent.
    found = unit(found) if normalised else found
    return repeated(Embeddings(found, np.array(lengths, dtype=np.int32)), order)


def through(
    model: TextModel, texts: Sequence[Text], run: Callable[[list[Window]], _Result]
) -> Iterator[Chunk[_Result]]:
    """Read texts, in a thread, and run a model on their windows, a chunk of texts after the other.

    Args:
        run: takes a batch of windows.
    """
    for _, found in ahead(model.read, _chunks(texts)):
        flat = [window for several in found for window in several]
        batches = model.batches.run(
            lambda batch, flat=flat: run([flat[i] for i in batch]),  # type: ignore[misc]
            [window.n for window in flat],
        )
        yield Chunk([len(several) for several in found], list(batches))


def _chunks(texts: Sequence[Text]) -> Iterator[list[Text]]:
    left = iter(texts)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
