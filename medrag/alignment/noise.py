"""How the picture of a rejected side is made from that of the chosen one: said, not done."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from medrag.records import Box

NoiseKind = Literal[
    "replace_gaussian", "add_gaussian", "diffusion", "lesion_mask", "swap_unrelated", "blank"
]
NOISE_KINDS: tuple[NoiseKind, ...] = get_args(NoiseKind)
# Of diffusion; the released code counts them from 0 to 999.
STEPS = 1000
_OPTIONS = ("std", "step", "box", "heat_map", "other")
_ALLOWED: Mapping[str, frozenset[str]] = {
    "replace_gaussian": frozenset(),
    "add_gaussian": frozenset({"std"}),
    "diffusion": frozenset({"step"}),
    "lesion_mask": frozenset({"step", "box", "heat_map"}),
    "swap_unrelated": frozenset({"other", "step", "std"}),
    "blank": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Noise:
    """What was done, or is to be done, to a picture; it decides every pixel.

    Attributes:
        kind: of `NOISE_KINDS`.
        seed: of what is drawn, at least 0; the picture's own content is mixed into it.
        std: of `add_gaussian`, in shares of the full range; None for 0.1. Of `swap_unrelated`, to
            be added to the other picture.
        step: of `diffusion` and `lesion_mask`, from 0 to 1000; the more, the less is left. Of
            `swap_unrelated`, to be done to the other picture.
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


def check_noise(noise: Noise) -> None:
    """Refuse a noise that cannot be done, or that says what its kind has no use for.

    Raises:
        ValueError: if it lacks what its kind needs, if a number is out of range, or if it says
            something that would change nothing; names the field.
    """
    if noise.kind not in NOISE_KINDS:
        raise ValueError(f"kind must be one of {', '.join(NOISE_KINDS)}; got {noise.kind!r}")
    if not isinstance(noise.seed, int) or noise.seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {noise.seed!r}")
    given = frozenset(name for name in _OPTIONS if getattr(noise, name) is not None)
    if useless := sorted(given - _ALLOWED[noise.kind]):
        raise ValueError(f"{useless[0]} means nothing to {noise.kind}; leave it out")
    _check_needed(noise, given)
    _check_ranges(noise)


def _check_needed(noise: Noise, given: frozenset[str]) -> None:
    if noise.kind in ("diffusion", "lesion_mask") and "step" not in given:
        raise ValueError(f"step is needed by {noise.kind}, a whole number from 0 to {STEPS}")
    if noise.kind == "lesion_mask" and len(given & {"box", "heat_map"}) != 1:
        n = "both" if "box" in given else "neither"
        raise ValueError(f"lesion_mask needs either box or heat_map, got {n}")
    if noise.kind == "swap_unrelated" and "other" not in given:
        raise ValueError("other is needed by swap_unrelated, the file of another picture")
    if noise.kind == "swap_unrelated" and given >= {"step", "std"}:
        raise ValueError("swap_unrelated takes step or std, got both")


def _check_ranges(noise: Noise) -> None:
    if noise.std is not None and not 0 < noise.std < math.inf:
        raise ValueError(f"std must be positive and finite, got {noise.std}")
    if noise.step is not None:
        check_step(noise.step)
    if noise.box is None:
        return
    left, top, right, bottom = noise.box
    if not (all(map(math.isfinite, noise.box)) and left < right and top < bottom):
        raise ValueError(f"box must have left < right and top < bottom, got {noise.box}")


def check_step(step: int) -> None:
    """Refuse what is no step of diffusion.

    Raises:
        ValueError: if it is no whole number from 0 to 1000.
    """
    if not isinstance(step, int) or not 0 <= step <= STEPS:
        raise ValueError(f"step must be a whole number from 0 to {STEPS}, got {step!r}")
