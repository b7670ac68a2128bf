"""Corrupt pictures as a noise says, one by one or for a whole run."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from medrag.alignment.corruption.diffusion import EVERYWHERE, diffused, diffusion, lesion_mask
from medrag.alignment.corruption.drawing import Levels, Picture, check_picture, generator_for
from medrag.alignment.corruption.files import write_picture
from medrag.alignment.corruption.gaussian import (
    DEFAULT_STD,
    add_gaussian,
    added,
    blank,
    replace_gaussian,
)
from medrag.alignment.corruption.heat_maps import heat_of_box, read_heat_map
from medrag.alignment.corruption.swapping import swap_unrelated
from medrag.alignment.noise import Noise, check_noise
from medrag.codec import to_json
from medrag.evaluation.arms import Corruption
from medrag.images import read_image
from medrag.records import ImageRef, Question


def corrupted(picture: Picture, noise: Noise) -> Picture:
    """Do to a picture what a noise says: equal pictures and noises give equal bytes.

    Args:
        picture: (h, w, 3) RGB; not changed.

    Returns:
        (h, w, 3) RGB of the same size.

    Raises:
        ValueError: if the noise lacks what its kind needs, its box lies outside of the picture, or
            its other picture is this one.
        InputFileError: if its heat map or its other picture cannot be read.
    """
    check_noise(noise)
    check_picture(picture)
    match noise.kind:
        case "replace_gaussian":
            return replace_gaussian(picture, seed=noise.seed)
        case "add_gaussian":
            return add_gaussian(picture, std=noise.std or DEFAULT_STD, seed=noise.seed)
        case "diffusion":
            return diffusion(picture, step=noise.step or 0, seed=noise.seed)
        case "lesion_mask":
            heat = _heat(noise, picture)
            return lesion_mask(picture, heat, step=noise.step or 0, seed=noise.seed)
        case "swap_unrelated":
            return _swapped(picture, noise)
        case "blank":
            return blank(picture)


def write_corrupted(
    pictures: Sequence[ImageRef], noise: Noise | Sequence[Noise], folder: Path
) -> list[ImageRef]:
    """Write corrupted pictures as PNG files that their content names; one that is there stays.

    Args:
        pictures: with absolute paths.
        noise: for all of them, or one for each.
        folder: made where it is missing.

    Returns:
        For each picture its corrupted one, with an absolute path and the hashes of its pixels.

    Raises:
        ValueError: if there are not as many noises as pictures; else as `corrupted`.
        InputFileError: if a picture cannot be read, or a file in its place holds another one.
        MedragError: if a picture cannot be written.
    """
    noises = [noise] * len(pictures) if isinstance(noise, Noise) else list(noise)
    if len(noises) != len(pictures):
        raise ValueError(f"{len(noises)} noises for {len(pictures)} pictures; give one for each")
    known: dict[tuple[ImageRef, Noise], ImageRef] = {}
    for key in zip(pictures, noises, strict=True):
        if key not in known:
            known[key] = write_picture(corrupted(read_image(key[0]), key[1]), folder)
    return [known[key] for key in zip(pictures, noises, strict=True)]


def corrupted_questions(
    questions: Sequence[Question], noise: Noise, folder: Path
) -> list[Question]:
    """Ask questions of corrupted pictures; all else of them stays, regions included.

    Args:
        questions: prepared: their pictures are references with absolute paths.
        folder: for the pictures; see `write_corrupted`.

    Raises:
        ValueError: if a picture of a question is a bare path; else as `write_corrupted`.
        InputFileError, MedragError: as `write_corrupted`.
    """
    pictures = [_reference(image) for question in questions for image in question.images]
    made = iter(write_corrupted(pictures, noise, folder))
    return [
        replace(question, images=tuple(next(made) for _ in question.images))
        for question in questions
    ]


def as_corruption(noise: Noise) -> Corruption:
    """Give a noise as the arms of an evaluation take it; their run then tells it to the miner.

    Raises:
        ValueError: if the noise lacks what its kind needs.
    """
    check_noise(noise)
    return Corruption(to_json(noise), partial(corrupted, noise=noise))


def _heat(noise: Noise, picture: Picture) -> Levels:
    size = (picture.shape[0], picture.shape[1])
    if noise.heat_map is not None:
        return read_heat_map(Path(noise.heat_map), size)
    if noise.box is None:
        raise ValueError("box is needed by lesion_mask where there is no heat_map")
    return heat_of_box(noise.box, size)


def _swapped(picture: Picture, noise: Noise) -> Picture:
    """Put the other picture in; noise is drawn as for the first, so that it differs by picture."""
    swapped = swap_unrelated(picture, read_image(ImageRef(noise.other or "")))
    generator = generator_for(picture, noise.seed)
    if noise.step is not None:
        return diffused(swapped, EVERYWHERE, noise.step, generator)
    return swapped if noise.std is None else added(swapped, noise.std, generator)


def _reference(image: ImageRef | str | Path) -> ImageRef:
    if isinstance(image, ImageRef):
        return image
    raise ValueError(f"picture {image} is a bare path; prepare the questions first")
