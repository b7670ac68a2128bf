"""What a recipe may say of a remote model."""

from collections.abc import Mapping
from typing import Any, get_args

from medrag.generation.regions import CONVENTIONS, Convention
from medrag.generation.remote.budget import Prices
from medrag.generation.remote.messages import ImageFormat

# Of the body of a request, which the other arguments decide.
_OWN = frozenset({
    "model", "messages", "temperature", "top_p", "seed", "max_tokens", "max_completion_tokens", "n",
    "logprobs", "stream", "stream_options",
})  # fmt: skip


def check_images(
    max_images: int | None, image_format: ImageFormat, quality: int, coordinates: Convention | None
) -> None:
    """Refuse what says of no picture how it is sent, or read.

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
    if coordinates is not None and coordinates not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise ValueError(f"coordinates must be one of {known}, got {coordinates!r}")


def check_drawing(temperature: float | None, sampled: float, top_p: float | None) -> None:
    """Refuse temperatures and shares that are none.

    Raises:
        ValueError: naming the setting.
    """
    if temperature is not None and not 0 <= temperature <= 10:
        raise ValueError(f"temperature must be from 0 to 10, got {temperature}")
    if not 0 < sampled <= 10:
        raise ValueError(f"sample_temperature must be above 0 and at most 10, got {sampled}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")


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
        ValueError: if one is decided elsewhere.
    """
    for key in extra or {}:
        if key in _OWN:
            raise ValueError(f"extra must not hold {key!r}, which has an argument of its own")
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
