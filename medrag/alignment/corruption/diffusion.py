"""Noise of diffusion, over a whole picture or where something lies."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.corruption.drawing import (
    Levels,
    Picture,
    check_picture,
    generator_for,
    in_bytes,
    normal,
)
from medrag.alignment.noise import STEPS, check_step

# A heat map of what is warm all over.
EVERYWHERE: Levels = np.ones((1, 1), np.float32)


def signal(step: int) -> float:
    """Give the share of a picture's variance that is left after some steps of noise.

    It is the product of 1 - beta over the first `step` of 1000 steps, with beta =
    sigmoid(linspace(-6, 6)) * (0.5e-2 - 1e-5) + 1e-5: 1 after none, and 0.081 after all of them,
    which leave a shadow of the picture.

    Args:
        step: from 0 to 1000. Step n is the index n - 1 of the released code.

    Raises:
        ValueError: if there is no such step.

    Source:
        The noise functions released with MMed-RAG, arXiv 2410.13085; the schedule is that of
        VCD, arXiv 2311.16922.
    """
    check_step(step)
    return float(_signals()[step])


def diffusion(picture: Picture, *, step: int, seed: int = 0) -> Picture:
    """Mix a picture with noise: sqrt(a) x + sqrt(1 - a) N(0, 1), where a is `signal(step)`.

    x counts levels from -1 (0) to 1 (255), as is usual for diffusion: the picture fades to middle
    grey. (In [0, 1] it would fade to black, and half of the noise would be cut off.) The released
    code mixes what a model's own preprocessing gives, which is no property of the picture; CLIP's
    has twice the spread of [-1, 1], so that the noise of a step weighs about twice as much here.
    The mixture is cut to [-1, 1].

    Args:
        picture: (h, w, 3) RGB; not changed.
        step: from 0, which changes nothing, to 1000.

    Returns:
        (h, w, 3) RGB.

    Raises:
        ValueError: if there is no such step.
    """
    check_picture(picture)
    return diffused(picture, EVERYWHERE, step, generator_for(picture, seed))


def lesion_mask(picture: Picture, heat: Levels, *, step: int, seed: int = 0) -> Picture:
    """Noise a picture where a heat map is warm, and leave it as it is everywhere else.

    With the heat h and a = `signal(step)` it is sqrt(a) x h + sqrt(1 - a) N(0, 1) h + x (1 - h),
    x in [-1, 1] as in `diffusion`. Where h is 0, every byte stays.

    Args:
        picture: (h, w, 3) RGB; not changed.
        heat: (h, w) in [0, 1].
        step: from 0, which changes nothing, to 1000.

    Returns:
        (h, w, 3) RGB.

    Raises:
        ValueError: if there is no such step, or the heat map is not as said.

    Source:
        MMedPO, arXiv 2412.06141. Its released script instead writes N(0, 10) into bytes, over
        nearly all of the picture.
    """
    check_picture(picture)
    if heat.shape != picture.shape[:2]:
        raise ValueError(
            f"heat must have the shape of the picture {picture.shape[:2]}, got {heat.shape}"
        )
    # A nan is neither.
    if not (heat.min() >= 0 and heat.max() <= 1):
        raise ValueError(f"heat must lie in [0, 1], got {heat.min()} to {heat.max()}")
    return diffused(picture, heat.astype(np.float32), step, generator_for(picture, seed))


def diffused(picture: Picture, heat: Levels, step: int, generator: np.random.Generator) -> Picture:
    """Mix in noise from a generator where it is warm; see `lesion_mask`.

    Args:
        heat: in [0, 1], (h, w) or (1, 1).
    """
    left = signal(step)
    share = heat[:, :, None]
    mixed = normal(generator, picture)
    mixed *= share * np.float32(np.sqrt(1 - left))
    levels = picture.astype(np.float32)
    levels /= np.float32(127.5)
    levels -= 1
    levels *= 1 - share * np.float32(1 - np.sqrt(left))
    mixed += levels
    mixed += 1
    mixed /= 2
    return in_bytes(mixed)


@cache
def _signals() -> NDArray[np.float64]:
    """What is left after 0 to 1000 steps; (1001,)."""
    sigmoid = 1 / (1 + np.exp(-np.linspace(-6, 6, STEPS)))
    betas = sigmoid * (0.5e-2 - 1e-5) + 1e-5
    return np.concatenate(([1.0], np.cumprod(1 - betas)))
