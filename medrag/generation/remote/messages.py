"""A prompt as the messages of a chat, with its pictures inside."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.generation.pictures import pixel_caps, shown_picture
from medrag.generation.regions import Shown
from medrag.images import read_image
from medrag.images.pointing import unmarked
from medrag.records import ImageRef, Prompt

ImageFormat = Literal["png", "jpeg"]


@dataclass(frozen=True, slots=True)
class Pictures:
    """How pictures are sent.

    Attributes:
        most: pixels of one; None for as many as it has.
        format: PNG loses nothing; JPEG is a fifth of the size, and blurs what is finest.
        quality: of JPEG, 1 to 95.
    """

    most: int | None
    format: ImageFormat
    quality: int


@dataclass(frozen=True, slots=True)
class Chat:
    """What is sent of a prompt.

    Attributes:
        messages: of user and assistant in turn.
        shown: sizes of the question's images that are shown, by their place in the question.
    """

    messages: list[dict[str, Any]]
    shown: dict[int, Shown]


def chat(prompt: Prompt, pictures: Pictures, *, suffix: str = "") -> Chat:
    """Write a prompt as messages.

    A message with pictures is a list of parts, texts and data URLs as they stand; one without is a
    single text, as servers of models that only read take no other.

    Args:
        suffix: words that end the first message.

    Raises:
        ValueError: if there is nothing to say.
        InputFileError: if a picture cannot be read.
    """
    caps = iter(pixel_caps(prompt, pictures.most))
    asked = (each for each in prompt.question.images if isinstance(each, ImageRef))
    places = {unmarked(image): n for n, image in enumerate(asked)}
    shown: dict[int, Shown] = {}

    def part(each: str | ImageRef) -> str | dict[str, Any]:
        if isinstance(each, str):
            return each
        most = next(caps)
        pixels = shown_picture(each, most)
        if unmarked(each) in places:
            shown[places[unmarked(each)]] = _sizes(each, pixels, most)
        return {"type": "image_url", "image_url": {"url": data_url(pixels, pictures)}}

    first = [part(each) for each in prompt.parts]
    if suffix and first and isinstance(first[-1], str):
        first[-1] = f"{first[-1]}\n\n{suffix}"
    elif suffix:
        first.append(suffix)
    messages = [_said("user", first)]
    for turn in prompt.turns:
        messages.append(_said("assistant", [turn.reply]))
        messages.append(_said("user", [part(each) for each in turn.parts]))
    return Chat(messages, shown)


def data_url(pixels: NDArray[np.uint8], pictures: Pictures) -> str:
    """Write a picture as a data URL."""
    stream = io.BytesIO()
    image = require("PIL.Image").fromarray(pixels)
    if pictures.format == "jpeg":
        image.save(stream, format="JPEG", quality=pictures.quality, subsampling=0)
    else:
        # Level 1 is nearly as small as level 9, and several times faster.
        image.save(stream, format="PNG", compress_level=1)
    return f"data:image/{pictures.format};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _said(role: str, parts: Sequence[str | dict[str, Any]]) -> dict[str, Any]:
    if not parts:
        raise ValueError(f"a message of the {role} says nothing; a prompt needs its parts")
    texts = [each for each in parts if isinstance(each, str)]
    if len(texts) == len(parts):
        return {"role": role, "content": "\n\n".join(texts)}
    content = [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]
    return {"role": role, "content": content}


def _sizes(image: ImageRef, pixels: NDArray[np.uint8], most: int | None) -> Shown:
    height, width = pixels.shape[:2]
    whole = pixels
    # Whatever was made smaller has nearly as many pixels as it may, but for thin strips.
    if most is not None and (height + 1) * (width + 1) > most:
        whole = read_image(image)
    return Shown(whole.shape[1], whole.shape[0], width, height)
