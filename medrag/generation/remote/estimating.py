"""How many tokens a prompt takes, without the model's tokenizer.

A text counts a token for every three bytes (`medrag.language.estimating`). A picture counts a token
for every 28 x 28 pixels that are shown, as Qwen2-VL and its like read it, unless the model is known
to take a fixed number. A message counts eight more, for its role. The estimate is meant to be too
large by a fifth rather than too small.
"""

from functools import lru_cache

from medrag.generation.pictures import images_of, pixel_caps
from medrag.images import read_image
from medrag.language.estimating import text_tokens
from medrag.records import ImageRef, Prompt

_PATCH = 28 * 28
_MESSAGE = 8


def estimated_tokens(
    prompt: Prompt, *, max_pixels: int | None, image_tokens: int | None, suffix: str = ""
) -> int:
    """Estimate what a prompt takes; the module says how.

    Args:
        max_pixels: of one picture; None for as many as it has.
        image_tokens: of one picture, where it is the same for all.
        suffix: words that are added to the question.

    Raises:
        InputFileError: if a picture cannot be read.
    """
    texts = [suffix, *(part for part in prompt.parts if isinstance(part, str))]
    for turn in prompt.turns:
        texts += [turn.reply, *(part for part in turn.parts if isinstance(part, str))]
    tokens = sum(text_tokens(text) for text in texts) + _MESSAGE * (1 + 2 * len(prompt.turns))
    for image, most in zip(images_of(prompt), pixel_caps(prompt, max_pixels), strict=True):
        tokens += _picture(image, most) if image_tokens is None else image_tokens
    return tokens


def _picture(image: ImageRef, most: int | None) -> int:
    pixels = _n_pixels(image)
    return -(-min(pixels, most or pixels) // _PATCH)


@lru_cache(maxsize=4096)
def _n_pixels(image: ImageRef) -> int:
    height, width = read_image(image).shape[:2]
    return int(height * width)
