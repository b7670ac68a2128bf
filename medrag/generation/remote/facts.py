"""What is known of the model behind an address: from its recipe, its preset, or by guess."""

from dataclasses import dataclass

from medrag.generation.presets import find, near
from medrag.generation.regions import Convention
from medrag.generation.reply import Tags

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
    think: tuple[str, str] | None,
    answer: tuple[str, str] | None,
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
        meant = near(preset)
        hint = f"; did you mean {', '.join(meant)}?" if meant else ""
        raise ValueError(f"there is no preset {preset!r} of a generator{hint}")
    if found is None:
        return Facts(
            max_images, trained_multi_image is not False, max_pixels or _MAX_PIXELS, context_pixels,
            Tags(think or _THINK, answer), coordinates, "",
        )  # fmt: skip
    trained = found.trained_multi_image if trained_multi_image is None else trained_multi_image
    return Facts(
        max_images=found.max_images if max_images is None else max_images,
        trained_multi_image=trained,
        max_pixels=max_pixels or found.max_pixels or _MAX_PIXELS,
        context_pixels=context_pixels or found.context_pixels,
        tags=Tags(think or found.think or _THINK, answer or found.answer),
        coordinates=coordinates or found.coordinates,
        suffix=found.suffix,
    )
