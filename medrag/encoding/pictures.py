"""Pictures through a model: each different one decoded once, ahead of the forward pass."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.ahead import ahead
from medrag.encoding.batching import Halving
from medrag.encoding.numerics import chosen_device
from medrag.encoding.pixels import Inputs
from medrag.encoding.rows import Rows, different
from medrag.images import read_image
from medrag.records import PICTURED, ImageRef, Passage, Question

# Of a page or a figure in a PDF; a part of the encoder's name.
DPI = 144
# More threads than this do not speed up decoding: they wait for memory and for each other.
_THREADS = 16
# Pictures in one pass: the matrix unit of a CPU is busy with few, a GPU needs more. Indexing gives
# 128 passages at once: as several batches, so that the next is decoded beside the forward pass.
_BATCHES = {"cpu": 32, "cuda": 64}


def picture_batches(size: int | None, device: str | None) -> Halving:
    """Give the batches of pictures: of a size, or of what suits a device of torch."""
    kind = chosen_device(device).partition(":")[0]
    return Halving(budget=size or _BATCHES.get(kind, _BATCHES["cpu"]), unit="pictures")


def encodes_pictures(passage: Passage) -> bool:
    """Tell whether a passage is about its pictures. Whole pages are not: text fills them."""
    return bool(passage.images) and passage.kind in PICTURED


def pictures_of(passage: Passage) -> tuple[ImageRef, ...]:
    """Give the pictures of a passage.

    Raises:
        ValueError: if it has none.
    """
    if not passage.images:
        raise ValueError(f"passage {passage.id} has no picture to encode")
    return passage.images


def asked_pictures(question: Question) -> tuple[ImageRef, ...]:
    """Give the pictures of a question, as references.

    Raises:
        ValueError: if it has none.
    """
    if not question.images:
        raise ValueError(f"question {question.id or question.text!r} has no picture")
    return tuple(
        each if isinstance(each, ImageRef) else ImageRef(str(Path(each)))
        for each in question.images
    )


def different_pictures(refs: Sequence[ImageRef]) -> tuple[list[ImageRef], list[int]]:
    """Give each different picture once, and the place of each reference among them.

    Pictures are equal whose pixels are: by their hash, or because they are read from one place.
    """
    shown = [replace(ref, phash=None) if ref.sha256 is None else ref.sha256 for ref in refs]
    _, order = different(shown)
    first = dict(zip(reversed(order), reversed(refs), strict=True))
    return [first[place] for place in range(len(first))], order


def picture_vectors(
    refs: Sequence[ImageRef],
    *,
    prepared: Callable[[NDArray[np.uint8]], Inputs],
    encoded: Callable[[Inputs], Rows],
    halving: Halving,
) -> Rows:
    """Encode pictures, equal ones only once.

    Args:
        refs: at least one.
        prepared: from (h, w, 3) RGB to what the model wants of one picture; called in threads.
        encoded: from a batch of these to (n, d).
        halving: how many pictures go through the model at once.

    Returns:
        (len(refs), d) in the order of `refs`.

    Raises:
        InputFileError: naming the first picture that cannot be read.
    """
    once, order = different_pictures(refs)
    return np.concatenate([*_batches(once, prepared, encoded, halving)])[order]


def _batches(
    refs: Sequence[ImageRef],
    prepared: Callable[[NDArray[np.uint8]], Inputs],
    encoded: Callable[[Inputs], Rows],
    halving: Halving,
) -> Iterator[Rows]:
    threads = min(os.cpu_count() or 1, _THREADS, len(refs))
    with ThreadPoolExecutor(threads, thread_name_prefix="pictures") as pool:

        def stacked(batch: Sequence[ImageRef]) -> Inputs:
            each = list(pool.map(lambda ref: prepared(read_image(ref, dpi=DPI)), batch))
            return {key: np.stack([one[key] for one in each]) for key in each[0]}

        size = halving.budget
        batches = (refs[start : start + size] for start in range(0, len(refs), size))
        for batch, inputs in ahead(stacked, batches):
            # Equal costs keep their order.
            for _, rows in halving.run(_part(inputs, encoded), [1] * len(batch)):
                yield rows


def _part(inputs: Inputs, encoded: Callable[[Inputs], Rows]) -> Callable[[list[int]], Rows]:
    def run(places: list[int]) -> Rows:
        whole = len(places) == len(next(iter(inputs.values())))
        return encoded(inputs if whole else {key: each[places] for key, each in inputs.items()})

    return run
