"""The pictures of a prompt as a model is shown them: as many pixels as it is to look at."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.images import read_image
from medrag.images.pointing import unmarked
from medrag.records import ImageRef, Prompt


def images_of(prompt: Prompt) -> list[ImageRef]:
    """List the images of a prompt, in the order in which they are shown."""
    told = [*prompt.parts, *(part for turn in prompt.turns for part in turn.parts)]
    return [part for part in told if isinstance(part, ImageRef)]


def pixel_caps(prompt: Prompt, most: int | None) -> list[int | None]:
    """Say of how many pixels each image of a prompt may be, in the order of `images_of`.

    Args:
        most: of an image that is not the evidence's; None for as many as it has.
    """
    # Outlines of what a question points at make another picture of its own.
    asked = {unmarked(each) for each in prompt.question.images if isinstance(each, ImageRef)}
    bounds = [each for each in (most, prompt.context_pixels) if each is not None]
    caps = []
    for part in prompt.parts:
        if isinstance(part, ImageRef):
            caps.append(most if unmarked(part) in asked else min(bounds, default=None))
    return caps + [most] * (len(images_of(prompt)) - len(caps))


def shown_picture(image: ImageRef, most: int | None) -> NDArray[np.uint8]:
    """Read a picture, and make it smaller where it has more pixels than it may.

    Args:
        image: its path is absolute.
        most: pixels; None for no bound.

    Returns:
        (h, w, 3) RGB of the same proportions, each side at least one pixel.

    Raises:
        InputFileError: if the picture cannot be read.
    """
    pixels = read_image(image)
    height, width = pixels.shape[:2]
    if most is None or height * width <= most:
        return pixels
    scale = sqrt(most / (height * width))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    library = require("PIL.Image")
    picture = library.fromarray(pixels).resize(size, library.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.uint8)
