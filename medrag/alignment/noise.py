"""How the picture of a rejected side is made from that of the chosen one: said, not done."""

from dataclasses import dataclass
from typing import Literal, get_args

from medrag.records import Box

NoiseKind = Literal[
    "replace_gaussian", "add_gaussian", "diffusion", "lesion_mask", "swap_unrelated", "blank"
]
NOISE_KINDS: tuple[NoiseKind, ...] = get_args(NoiseKind)


@dataclass(frozen=True, slots=True)
class Noise:
    """What was done, or is to be done, to a picture; it decides every pixel.

    Attributes:
        kind: of `NOISE_KINDS`.
        seed: of what is drawn; the picture's own content is mixed into it.
        std: of `add_gaussian`, in shares of the full range.
        step: of `diffusion` and `lesion_mask`, from 0 to 1000.
        box: of `lesion_mask`, in pixels of the picture, where there is no heat map.
        heat_map: file of a heat map of `lesion_mask`: grey levels from 0 to 1 over the picture.
        other: file that `swap_unrelated` puts in the picture's place.
    """

    kind: NoiseKind
    seed: int = 0
    std: float | None = None
    step: int | None = None
    box: Box | None = None
    heat_map: str | None = None
    other: str | None = None
