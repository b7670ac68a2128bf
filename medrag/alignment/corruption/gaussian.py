"""Pictures of noise, pictures with noise, and pictures of nothing."""

import math

import numpy as np

from medrag.alignment.corruption.drawing import (
    Picture,
    check_picture,
    generator_for,
    in_bytes,
    normal,
)

DEFAULT_STD = 0.1
# As the arm blank_image of an evaluation has it.
GREY = 128


def replace_gaussian(picture: Picture, *, seed: int = 0) -> Picture:
    """Replace a picture by noise: nothing of it is left but its size.

    Each channel of each pixel is drawn from N(0, 1) and cut to [0, 1], so that about half of them
    are 0 and 16% are full.

    Args:
        picture: (h, w, 3) RGB; not changed.

    Returns:
        (h, w, 3) RGB.

    Source:
        The trainer released with MMed-RAG, arXiv 2410.13085, whose paper has diffusion noise.
    """
    check_picture(picture)
    return in_bytes(normal(generator_for(picture, seed), picture))


def add_gaussian(picture: Picture, *, std: float = DEFAULT_STD, seed: int = 0) -> Picture:
    """Add N(0, std^2) to each channel of each pixel, and cut the sum to the range of a picture.

    Args:
        picture: (h, w, 3) RGB; not changed.
        std: in shares of the full range, so that 0.1 is 25.5 of 255 levels.

    Returns:
        (h, w, 3) RGB.

    Raises:
        ValueError: if `std` is not positive and finite.
    """
    check_picture(picture)
    if not 0 < std < math.inf:
        raise ValueError(f"std must be positive and finite, got {std}")
    return added(picture, std, generator_for(picture, seed))


def added(picture: Picture, std: float, generator: np.random.Generator) -> Picture:
    """Add noise from a generator; see `add_gaussian`."""
    levels = normal(generator, picture)
    levels *= np.float32(std)
    levels += picture.astype(np.float32) / np.float32(255)
    return in_bytes(levels)


def blank(picture: Picture) -> Picture:
    """Replace a picture by one grey, 128, of its size."""
    check_picture(picture)
    return np.full_like(picture, GREY)
