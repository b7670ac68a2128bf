"""The pictures of a prompt, and how many pixels of each a model is to look at."""

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
