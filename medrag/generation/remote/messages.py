"""A prompt as the messages of a chat, with its pictures inside."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medrag.generation.pictures import pixel_caps
from medrag.generation.regions import Shown
from medrag.images import read_image
from medrag.images.given import at_most, jpeg, png
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
        whole = read_image(each)
        pixels = at_most(whole, most)
        if unmarked(each) in places:
            shown[places[unmarked(each)]] = Shown(
                whole.shape[1], whole.shape[0], pixels.shape[1], pixels.shape[0]
            )
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
    written = jpeg(pixels, pictures.quality) if pictures.format == "jpeg" else png(pixels)
    return f"data:image/{pictures.format};base64,{base64.b64encode(written).decode()}"


def _said(role: str, parts: Sequence[str | dict[str, Any]]) -> dict[str, Any]:
    if not parts:
        raise ValueError(f"a message of the {role} says nothing; a prompt needs its parts")
    texts = [each for each in parts if isinstance(each, str)]
    if len(texts) == len(parts):
        return {"role": role, "content": "\n\n".join(texts)}
    content = [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]
    return {"role": role, "content": content}
