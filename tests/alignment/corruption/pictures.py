"""Pictures that tests make up."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def plain(height: int, width: int, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Make a picture of one colour."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


def random(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Make a picture of random pixels."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(path: Path, pixels: NDArray[np.uint8]) -> str:
    """Write a picture as PNG and give its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return str(path)
