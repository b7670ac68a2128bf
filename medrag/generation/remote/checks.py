"""What a recipe may say of a remote model."""

import json
from collections.abc import Mapping
from typing import Any, get_args

from medrag.generation.pictures import images_of
from medrag.generation.remote.budget import Prices
from medrag.generation.remote.messages import ImageFormat
from medrag.records import Prompt

# Of the body of a request, which the other arguments decide.
_OWN = frozenset({
    "model", "messages", "temperature", "top_p", "seed", "max_tokens", "max_completion_tokens", "n",
    "logprobs", "stream", "stream_options",
})  # fmt: skip
_SECRET = frozenset({"api_key", "apikey", "api-key", "authorization", "password", "secret"})


def check_images(max_images: int | None, image_format: ImageFormat, quality: int) -> None:
    """Refuse what says of no picture how it is sent.

    Raises:
        ValueError: naming the setting.
    """
    if max_images is not None and max_images < 0:
        raise ValueError(f"max_images must be at least 0, got {max_images}")
    if image_format not in get_args(ImageFormat):
        known = " or ".join(get_args(ImageFormat))
        raise ValueError(f"image_format must be {known}, got {image_format!r}")
    if not 1 <= quality <= 95:
        raise ValueError(f"jpeg_quality must be from 1 to 95, got {quality}")


def check_shown(prompt: Prompt, max_images: int | None, model: str) -> None:
    """Refuse a prompt that shows more images than the model takes.

    Raises:
        ValueError: naming both numbers.
    """
    n = len(images_of(prompt))
    if max_images is not None and n > max_images:
        raise ValueError(
            f"the prompt shows {n} images, and {model} takes {max_images}; set max_images if it "
            "takes more"
        )


def check_room(room: int | None, max_tokens: int | None) -> None:
    """Refuse a context that the reply alone would fill.

    Raises:
        ValueError: naming both.
    """
    if room is not None and room <= (max_tokens or 0):
        raise ValueError(
            f"room ({room} tokens, read and written) must be more than max_tokens ({max_tokens})"
        )


def checked_extra(extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """Copy further keys of a request.

    Raises:
        ValueError: if one is decided elsewhere, is a secret, or is no JSON, such as NaN.
    """
    for key in extra or {}:
        if key in _OWN:
            raise ValueError(f"extra must not hold {key!r}, which has an argument of its own")
        if key.lower() in _SECRET:
            raise ValueError(
                f"extra must not hold {key!r}: a recipe is written down with every run; put the "
                "key into an environment variable, and name that (key_variable)"
            )
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"extra must hold values of JSON ({error})") from error
    return dict(extra or {})


def prices_of(read: float | None, written: float | None) -> Prices | None:
    """Put two prices together.

    Returns:
        None where there are none.

    Raises:
        ValueError: if one is negative, or stands alone.
    """
    if read is None and written is None:
        return None
    if read is None or written is None:
        raise ValueError("price_in and price_out go together; 0 for what costs nothing")
    if not (read >= 0 and written >= 0):
        raise ValueError(f"prices must be at least 0, got {read}, {written}")
    return Prices(read, written)
