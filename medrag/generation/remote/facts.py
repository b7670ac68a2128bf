"""What is known of the model behind an address: from its recipe, its preset, or by guess."""

from collections.abc import Sequence
from dataclasses import dataclass

from medrag.generation.presets import find, meant
from medrag.generation.regions import Convention
from medrag.generation.reply import Tags
from medrag.generation.settings import tag_pair

# What most models look at; a radiograph has up to ten times as many.
_MAX_PIXELS = 1024 * 1024
# A model that does not think aloud writes no such tags.
_THINK = ("<think>", "</think>")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a prompt must keep to, and how a reply is read; see `GeneratorPreset` for each.

    `tags` and `coordinates` are of replies. None as `max_images` or `context_pixels`: no bound.
    """

    max_images: int | None
    trained_multi_image: bool
    max_pixels: int
    context_pixels: int | None
    tags: Tags
    coordinates: Convention | None
    suffix: str


def facts(
    model: str,
    preset: str | None,
    *,
    max_images: int | None,
    trained_multi_image: bool | None,
    max_pixels: int | None,
    context_pixels: int | None,
    think: Sequence[str] | None,
    answer: Sequence[str] | None,
    coordinates: Convention | None,
) -> Facts:
    """Put together what is known of a model; what is given goes before its preset.

    Without a preset, one of the name of the model is looked for. A model that is not known is taken
    to read any number of images together, of a megapixel at most.

    Raises:
        ValueError: if there is no preset of the name, or tags are no pair.
    """
    found = find(preset if preset is not None else model)
    if preset is not None and found is None:
        raise ValueError(
            f"no preset {preset!r}; {meant(preset)}medrag models --generators lists them all"
        )
    own = (_THINK, None) if found is None else (found.think or _THINK, found.answer)
    tags = Tags(tag_pair("think", think, own[0]), tag_pair("answer", answer, own[1]))
    if found is None:
        return Facts(
            max_images, trained_multi_image is not False, max_pixels or _MAX_PIXELS, context_pixels,
            tags, coordinates, "",
        )  # fmt: skip
    trained = found.trained_multi_image if trained_multi_image is None else trained_multi_image
    return Facts(
        max_images=found.max_images if max_images is None else max_images,
        trained_multi_image=trained,
        max_pixels=max_pixels or found.max_pixels or _MAX_PIXELS,
        context_pixels=context_pixels or found.context_pixels,
        tags=tags,
        coordinates=coordinates or found.coordinates,
        suffix=found.suffix,
    )
