"""Pictures through a model: each different one decoded once, ahead of the forward pass."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import Halving
from medrag.checkpoints.numerics import chosen_device
from medrag.encoding.ahead import ahead
from medrag.encoding.rows import Rows, different, unit
from medrag.images import read_image
from medrag.records import PICTURED, Embeddings, ImageRef, Passage, Question

# Named arrays of one picture, as a model wants them; those of a batch have one more axis in front.
Inputs = Mapping[str, NDArray[Any]]

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


def prepared_by(processor: Any, pixels: NDArray[np.uint8]) -> Inputs:
    """Run a picture preparation of transformers on one (h, w, 3) RGB picture."""
    # Said, not guessed: a picture of three rows looks as if its channels came first.
    found = processor(images=[pixels], return_tensors="pt", input_data_format="channels_last")
    return {key: np.asarray(each[0]) for key, each in found.items()}


def picture_vectors(
    inputs: Sequence[Sequence[ImageRef]],
    *,
    prepared: Callable[[NDArray[np.uint8]], Inputs],
    encoded: Callable[[Inputs], Rows],
    halving: Halving,
) -> Embeddings:
    """Encode the pictures of each input as unit rows, equal pictures only once.

    Args:
        inputs: the pictures of a passage or a question, at least one for each.
        prepared: from (h, w, 3) RGB to what the model wants of one picture; called in threads.
        encoded: from a batch of these to (n, d).
        halving: how many pictures go through the model at once.

    Raises:
        InputFileError: naming the first picture that cannot be read.
    """
    refs = [ref for several in inputs for ref in several]
    lengths = np.array([len(several) for several in inputs], dtype=np.int32)
    if not refs:
        # The model itself tells the dimension: configurations name it differently.
        blank = prepared(np.zeros((32, 32, 3), dtype=np.uint8))
        return Embeddings(encoded({key: each[None] for key, each in blank.items()})[:0], lengths)
    once, order = different_pictures(refs)
    rows = np.concatenate([*_batches(once, prepared, encoded, halving)])[order]
    return Embeddings(unit(rows), lengths)


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
