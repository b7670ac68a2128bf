"""What a training borrows of the process: random numbers, and memory."""

import contextlib
import random
from collections.abc import Iterator

import numpy as np

from medrag.checkpoints.batching import out_of_memory
from medrag.errors import MedragError
from medrag.extras import require


@contextlib.contextmanager
def generators_kept(seed: int) -> Iterator[None]:
    """Seed the generators of the process, and leave them in the end as they were.

    Dropout and the trainers of transformers draw from them.
    """
    torch = require("torch")
    plain, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(arrays)  # noqa: NPY002


@contextlib.contextmanager
def memory_told(batch: int) -> Iterator[None]:
    """Say what to do where memory runs out.

    Raises:
        MedragError: in place of the library's own error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise MedragError(
            f"out of memory with {batch} pairs in a step; take a smaller batch, or train fewer "
            "layers"
        ) from error
