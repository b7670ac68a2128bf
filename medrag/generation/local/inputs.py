"""A prompt as a model's tensors: token ids, and pictures of as many pixels as they may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError, RecipeError
from medrag.extras import require
from medrag.generation.local.loading import Loaded
from medrag.generation.local.messages import conversation
from medrag.generation.local.pixels import (
    THINNEST,
    bounds,
    by_patches,
    seen,
    squared,
    within,
)
from medrag.generation.pictures import images_of, pixel_caps
from medrag.generation.regions import Shown
from medrag.images import read_image
from medrag.images.given import resized
from medrag.images.pointing import unmarked
from medrag.records import ImageRef, Prompt

if TYPE_CHECKING:
    from torch import Tensor

# Pictures whose tokens are remembered, of one model.
_REMEMBERED = 4096
# No place lies in it, and nothing is divided by zero.
_NOT_SHOWN = Shown(0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class PromptInputs:
    """One prompt as a model reads it. Tensors are on the CPU.

    Attributes:
        ids: int64 (n,).
        pictures: the processor's tensors of all images of the prompt, by the names that the model
            knows; empty without images. Their first axis is images or patches, for Idefics3 and
            SmolVLM 1.
        token_types: what else the processor says of each token, (n,) each: "token_type_ids",
            "mm_token_type_ids".
        n_images: how many images it shows.
        shown: of each image of the question, in its order; 0 x 0 for one that is not shown.
        text: what the ids are of, with one placeholder for each image; ends with what begins the
            reply.
    """

    ids: "Tensor"
    pictures: Mapping[str, "Tensor"]
    token_types: Mapping[str, "Tensor"]
    n_images: int
    shown: tuple[Shown, ...]
    text: str


class GivenPicture(NamedTuple):
    """A picture as the processor gets it; `size` is its (h, w) before."""

    pixels: NDArray[np.uint8]
    size: tuple[int, ...]


def encode(loaded: Loaded, prompt: Prompt) -> PromptInputs:
    """Turn a prompt into tensors: what one prompt gives does not depend on any other.

    Raises:
        InputFileError: if an image cannot be read, or is thinner than the model takes.
        RecipeError: if the model takes no images and the prompt has some, or its chat template
            refuses the conversation.
    """
    text, images, given = prompt_text(loaded, prompt), images_of(prompt), pictures(loaded, prompt)
    shown = [each.pixels for each in given]
    made = _processed(loaded, text, shown)
    ids = made.pop("input_ids")[0]
    made.pop("attention_mask", None)
    types = {name: each[0] for name, each in made.items() if name.endswith("token_type_ids")}
    tensors = {name: each for name, each in made.items() if name not in types}
    sizes = []
    if shown:
        sizes = seen(loaded.processor.image_processor, shown, tensors, _told(loaded))
    before = [each.size for each in given]
    return PromptInputs(
        ids, tensors, types, len(images), _shown(prompt, images, before, sizes), text
    )


def count_tokens(loaded: Loaded, prompt: Prompt) -> int:
    """Count the tokens of a prompt as `encode` makes them, without the pixels of its images.

    Raises:
        InputFileError, RecipeError: as `encode`.
    """
    text = prompt_text(loaded, prompt)
    pieces = text.split(loaded.template.placeholder) if loaded.template.placeholder else [text]
    told = pieces[0]
    caps = pixel_caps(prompt, loaded.max_pixels)
    for image, cap, piece in zip(images_of(prompt), caps, pieces[1:], strict=True):
        expanded = _expanded(loaded, image, cap)
        if expanded is None:
            return len(encode(loaded, prompt).ids)
        told += expanded + piece
    return len(loaded.tokenizer(told, add_special_tokens=_adds_special(loaded, text))["input_ids"])


def prompt_text(loaded: Loaded, prompt: Prompt) -> str:
    """Write what a model reads of a prompt: pictures as placeholders, up to where it replies.

    Raises:
        RecipeError: as `encode`.
    """
    n = len(images_of(prompt))
    if n and not loaded.template.placeholder:
        raise RecipeError(
            f"{loaded.name} reads no pictures, and the prompt shows {n}; name a model of pictures "
            "and texts, or a prompt that tells them in words"
        )
    suffix = loaded.preset.suffix if loaded.preset is not None else ""
    return conversation(loaded.processor, loaded.template, prompt, suffix=suffix)


def pictures(loaded: Loaded, prompt: Prompt) -> list[GivenPicture]:
    """Read the pictures of a prompt, each of the size at which the processor gets it.

    Raises:
        InputFileError: as `encode`.
    """
    found = []
    for image, cap in zip(images_of(prompt), pixel_caps(prompt, loaded.max_pixels), strict=True):
        pixels = read_image(image)
        size = pixels.shape[:2]
        if loaded.preset is not None and loaded.preset.square:
            pixels = squared(pixels, loaded.processor.image_processor)
        found.append(GivenPicture(resized(pixels, _size(loaded, image, pixels.shape, cap)), size))
    return found


def _processed(
    loaded: Loaded, text: str, pictures: Sequence[NDArray[np.uint8]]
) -> dict[str, "Tensor"]:
    """Let the processor, or the tokenizer of a model of texts, make tensors of one prompt."""
    given: dict[str, Any] = {
        "return_tensors": "pt", "add_special_tokens": _adds_special(loaded, text),
    }  # fmt: skip
    if pictures:
        library = require("PIL.Image")
        given["images"] = [library.fromarray(each) for each in pictures]
        if told := _told(loaded):
            given["images_kwargs"] = {"size": told}
    return dict(loaded.processor(text=[text], **given))


def _adds_special(loaded: Loaded, text: str) -> bool:
    """Tell whether the tokenizer is to add its first token: a template has often written it."""
    first = loaded.tokenizer.bos_token
    templated = loaded.template.asks != "plain"
    # A tokenizer's own templates write all of it; a processor's only if the text begins so.
    return not (
        templated and (not loaded.template.placeholder or (first and text.startswith(first)))
    )


def _told(loaded: Loaded) -> dict[str, int]:
    return bounds(loaded.processor.image_processor, loaded.min_pixels, loaded.max_pixels)


def _expanded(loaded: Loaded, image: ImageRef, cap: int | None) -> str | None:
    """Give the text that the processor puts for one picture; None if it cannot be told."""
    if (image, cap) in loaded.remembered:
        return loaded.remembered[image, cap]
    height, width = read_image(image).shape[:2]
    if loaded.preset is not None and loaded.preset.square:
        height = width = max(height, width)
    text = _expansion(loaded, *_size(loaded, image, (height, width), cap))
    if len(loaded.remembered) >= _REMEMBERED:
        loaded.remembered.clear()
    loaded.remembered[image, cap] = text
    return text


def _expansion(loaded: Loaded, height: int, width: int) -> str | None:
    """Give what stands for a picture of a size: it does not depend on what it shows."""
    blank = np.zeros((height, width, 3), dtype=np.uint8)
    mark = loaded.template.placeholder
    ids = _processed(loaded, mark, [blank])["input_ids"][0].tolist()
    text: str = loaded.tokenizer.decode(ids, skip_special_tokens=False)
    first = loaded.tokenizer.bos_token
    if _adds_special(loaded, mark) and first and text.startswith(first):
        text, ids = text[len(first) :], ids[1:]
    # Some tokenizers put blanks into what they decode.
    same = loaded.tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    return text if same else None


def _size(
    loaded: Loaded, image: ImageRef, size: tuple[int, ...], cap: int | None
) -> tuple[int, int]:
    """Say how high and wide a picture is given to the processor.

    By patches, pictures that are bounded by no more than all are, are left to the processor.
    """
    height, width = size[:2]
    images = loaded.processor.image_processor
    if not by_patches(images):
        return within(images, (height, width), cap)
    if max(height, width) > THINNEST * min(height, width):
        raise InputFileError(
            Path(image.path),
            f"the picture is {width} x {height} pixels, and the model takes at most "
            f"{THINNEST} times as long as wide; crop it",
        )
    if cap is None or cap == loaded.max_pixels:
        return height, width
    return within(images, (height, width), max(cap, loaded.min_pixels or 0))


def _shown(
    prompt: Prompt,
    images: Sequence[ImageRef],
    originals: Sequence[tuple[int, ...]],
    sizes: Sequence[tuple[int, int]],
) -> tuple[Shown, ...]:
    shown: dict[object, Shown] = {}
    for image, original, size in zip(images, originals, sizes, strict=True):
        shown.setdefault(unmarked(image), Shown(original[1], original[0], size[1], size[0]))
    # Outlines of what a question points at make another picture of its own.
    asked = (each for each in prompt.question.images if isinstance(each, ImageRef))
    return tuple(shown.get(unmarked(each), _NOT_SHOWN) for each in asked)
