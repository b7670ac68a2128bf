"""What trainers change beyond the model: shared generators and bars of progress, put back after."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from medrag.extras import require


@contextmanager
def contained(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and torch, and restore them in the end.

    Trainers, and layers when they are made, draw from no others. Meanwhile no bars are drawn.
    """
    torch, drawing = require("torch"), require("transformers.utils.logging")
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002
    shown = drawing.is_progress_bar_enabled()
    drawing.disable_progress_bar()
    with torch.random.fork_rng(devices=list(devices)):
        try:
            require("transformers").set_seed(seed)
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)  # noqa: NPY002
            if shown:
                drawing.enable_progress_bar()
