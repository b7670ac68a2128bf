"""Phantom pictures: small grids of patches, some of which hold a sign."""

import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

# Pixels of a patch, and patches along a side: a vision tower of that patch size sees one sign each.
PATCH, GRID = 8, 4
SIDE = PATCH * GRID
NOTE = "Synthetic phantom: no picture of a patient, not evidence about medicine"
_GLYPHS = {
    "ring": ("..####..", ".######.", "##....##", "##....##", "##....##", "##....##", ".######.",
             "..####.."),
    "cross": ("...##...", "...##...", "...##...", "########", "########", "...##...", "...##...",
              "...##..."),
    "bar": ("........", "........", "########", "########", "########", "########", "........",
            "........"),
    "wave": ("##....##", ".##..##.", "..####..", "...##...", "##....##", ".##..##.", "..####..",
             "...##..."),
    "star": ("#..##..#", ".#.##.#.", "..####..", "########", "########", "..####..", ".#.##.#.",
             "#..##..#"),
    "grid": ("#.#.#.#.", ".#.#.#.#", "#.#.#.#.", ".#.#.#.#", "#.#.#.#.", ".#.#.#.#", "#.#.#.#.",
             ".#.#.#.#"),
}  # fmt: skip
# Any sign may have any colour: it is told by its form.
_COLOURS = (
    (230, 60, 60), (60, 200, 80), (70, 110, 240), (220, 80, 220), (240, 220, 60), (245, 245, 245),
)  # fmt: skip
# Grey levels of the ground, spread of the noise on top, and how strong a sign may be at least: some
# signs are hard to see, and a reader learns to rely on what is written beside them.
_GROUND, _NOISE, _FAINT = (20, 110), 30.0, 0.12
Pixels = NDArray[np.uint8]


def drawn(sign: str, places: tuple[int, ...], *, tint: int, seed: int) -> Pixels:
    """Draw a sign at some places of the grid, uint8 (32, 32, 3).

    Args:
        places: patches from 0, row by row.
        tint: of ground and signs, which a patient's picture and one that is like it share.
        seed: of the noise, which no two pictures share.
    """
    draw = np.random.default_rng([tint, 0])
    colour = np.array(_COLOURS[draw.integers(len(_COLOURS))])
    strength = draw.uniform(_FAINT, 1.0)
    ground = draw.integers(*_GROUND, size=(GRID, GRID, 3))
    pixels = ground.repeat(PATCH, 0).repeat(PATCH, 1).astype(np.float64)
    glyph = np.array([[mark == "#" for mark in row] for row in _GLYPHS[sign]])
    for place in places:
        top, left = PATCH * (place // GRID), PATCH * (place % GRID)
        patch = pixels[top : top + PATCH, left : left + PATCH]
        patch[glyph] += strength * (colour - patch[glyph])
    noise = np.random.default_rng([seed, 1]).normal(0, _NOISE, pixels.shape)
    return np.clip(pixels + noise, 0, 255).round().astype(np.uint8)


def places_of(count: int, draw: random.Random) -> tuple[int, ...]:
    """Draw patches for so many signs, ascending."""
    return tuple(sorted(draw.sample(range(GRID * GRID), count)))


def save(pixels: Pixels, path: Path) -> None:
    """Write a picture, which says what it is."""
    note = PngInfo()
    note.add_text("Description", NOTE)
    Image.fromarray(pixels).save(path, pnginfo=note)
