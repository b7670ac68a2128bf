"""Texts through a model: each different one once, tokenised ahead, in batches of like length."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.batching import Halving, ahead
from medrag.encoding.reading import Text, Window

# Texts that are tokenised together, and sorted by length among each other.
_CHUNK = 2048

_Result = TypeVar("_Result")


class Chunk(NamedTuple, Generic[_Result]):
    """What became of some texts.

    Attributes:
        lengths: windows of each text.
        batches: places of windows, counted through the chunk, and what the model gave for them.
    """

    lengths: list[int]
    batches: list[tuple[list[int], _Result]]


def different(texts: Sequence[Text]) -> tuple[list[Text], list[int]]:
    """Give each different text once, in order, and the place of each text among them."""
    places: dict[Text, int] = {}
    order = [places.setdefault(text, len(places)) for text in texts]
    return list(places), order


def through(
    texts: Sequence[Text],
    *,
    read: Callable[[Sequence[Text]], list[list[Window]]],
    run: Callable[[list[Window]], _Result],
    halving: Halving,
) -> Iterator[Chunk[_Result]]:
    """Read texts and run a model on their windows, a chunk of texts after the other.

    Args:
        read: gives the windows of each text; called in a thread.
        run: takes a batch of windows.
        halving: the budget of a batch, in tokens.
    """
    for _, found in ahead(read, _chunks(texts)):
        flat = [window for several in found for window in several]
        batches = halving.run(
            lambda batch, flat=flat: run([flat[i] for i in batch]),  # type: ignore[misc]
            [window.n for window in flat],
        )
        yield Chunk([len(several) for several in found], list(batches))


def dense(chunks: Iterator[Chunk[Any]], d: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Bring rows of tensors back into the order of their texts.

    Returns:
        (windows, d), and the windows of each text.
    """
    values, lengths = [np.zeros((0, d), dtype=np.float32)], list[int]()
    for chunk in chunks:
        rows = np.empty((sum(chunk.lengths), d), dtype=np.float32)
        # Only here is a GPU waited for: batches queue behind each other until then.
        for places, tensor in chunk.batches:
            rows[places] = tensor.cpu().numpy()
        values.append(rows)
        lengths += chunk.lengths
    return np.concatenate(values), np.array(lengths, dtype=np.int64)


def repeated(
    values: NDArray[np.float32], lengths: NDArray[np.int64], order: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Give each text the rows of the one that it equals: the other half of `different`."""
    if len(order) == len(lengths):
        return values, lengths.astype(np.int32)
    starts = np.cumsum(lengths) - lengths
    rows = [np.arange(starts[place], starts[place] + lengths[place]) for place in order]
    return values[np.concatenate(rows)], lengths[order].astype(np.int32)


def _chunks(texts: Sequence[Text]) -> Iterator[list[Text]]:
    left = iter(texts)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
