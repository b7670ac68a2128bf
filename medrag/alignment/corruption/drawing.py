"""What every corruption needs: pictures checked, numbers drawn, levels brought back to bytes."""

import numpy as np
from numpy.typing import NDArray

from medrag.images import pixel_sha256

Picture = NDArray[np.uint8]
Levels = NDArray[np.float32]


def check_picture(picture: Picture) -> None:
    """Refuse what is no picture in RGB.

    Raises:
        ValueError: if it is not of whole bytes, (h, w, 3), with a pixel at least.
    """
    shape = picture.shape
    if picture.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or not picture.size:
        raise ValueError(
            f"a picture must be uint8 of shape (h, w, 3) with at least one pixel, got "
            f"{picture.dtype} of shape {shape}"
        )


def generator_for(picture: Picture, seed: int) -> np.random.Generator:
    """Make a generator that a seed and the content of a picture decide, shape included.

    Two pictures under one seed get other numbers, so that a model cannot learn the noise by heart;
    nothing depends on the order in which pictures come.

    Args:
        seed: at least 0.
    """
    content = np.frombuffer(bytes.fromhex(pixel_sha256(picture)), dtype="<u4")
    sequence = np.random.SeedSequence([seed, *content.tolist()])
    return np.random.Generator(np.random.PCG64(sequence))


def normal(generator: np.random.Generator, picture: Picture) -> Levels:
    """Draw from N(0, 1) for each channel of each pixel; (h, w, 3)."""
    return generator.standard_normal(picture.shape, dtype=np.float32)


def in_bytes(levels: Levels) -> Picture:
    """Cut levels to [0, 1] and round them to bytes; `levels` is overwritten."""
    np.clip(levels, 0.0, 1.0, out=levels)
    levels *= 255
    return np.rint(levels, out=levels).astype(np.uint8)
