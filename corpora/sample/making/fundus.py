"""A colour photograph of the fundus, as a phantom."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from making.raster import Plane, around, ellipse, grid, halve, noise, polyline, smoothstep, to_bytes

SIZE = 480
Colour = tuple[float, float, float]
_DISC = (0.40, -0.02)
_FOVEA = (-0.18, 0.05)


@dataclass(frozen=True)
class Fundus:
    """What a phantom shows; the optic disc lies to the right, so it is a right eye.

    Attributes:
        seed: of the vessels' small turns, the texture and the lesions' places.
        cup: vertical cup-to-disc ratio.
        aneurysms, blots, flames, exudates, spots: how many microaneurysms, dot-blot haemorrhages,
            flame haemorrhages, hard exudates and cotton wool spots are drawn.
        new_vessels: whether a net of new vessels lies on the disc.
        swollen: 0 to 1, blur and elevation of the disc margin.
    """

    seed: int
    cup: float = 0.35
    aneurysms: int = 0
    blots: int = 0
    flames: int = 0
    exudates: int = 0
    spots: int = 0
    new_vessels: bool = False
    swollen: float = 0.0


def photograph(fundus: Fundus, size: int = SIZE) -> NDArray[np.uint8]:
    """Draw a photograph, (size, size, 3) uint8, a round field on black."""
    generator = np.random.default_rng(fundus.seed)
    x, y = grid(2 * size, 2 * size)
    colour = _background(x, y, generator)
    colour = _with_disc(colour, x, y, fundus)
    colour = _with_vessels(colour, x, y, generator, fundus)
    colour = _with_lesions(colour, x, y, generator, fundus)
    field = smoothstep(np.hypot(x, y) - 0.955, 0.012)
    vignette = 1.04 - 0.36 * (x**2 + y**2) ** 1.4
    grain = 0.006 * generator.normal(size=x.shape)
    pixels = (colour * vignette[..., None] + grain[..., None]) * field[..., None]
    return to_bytes(np.clip(halve(pixels), 0.0, 1.0))


def _paint(colour: Plane, cover: Plane, paint: Colour) -> Plane:
    return colour + cover[..., None] * (np.array(paint) - colour)


def _tint(colour: Plane, cover: Plane, factor: Colour) -> Plane:
    tinted: Plane = colour * (1 + cover[..., None] * (np.array(factor) - 1))
    return tinted


def _background(x: Plane, y: Plane, generator: np.random.Generator) -> Plane:
    colour = np.ones((*x.shape, 3)) * np.array([0.80, 0.385, 0.175])
    choroid = noise(generator, x.shape, 70) + 0.5 * noise(generator, x.shape, 22)
    colour *= 1 + 0.035 * choroid[..., None] * np.array([0.5, 1.0, 1.1])
    distance = np.hypot(x - _FOVEA[0], y - _FOVEA[1])
    colour = _tint(colour, np.exp(-((distance / 0.23) ** 2)), (0.80, 0.66, 0.60))
    return _tint(colour, np.exp(-((distance / 0.06) ** 2)), (0.80, 0.70, 0.70))


def _with_disc(colour: Plane, x: Plane, y: Plane, fundus: Fundus) -> Plane:
    radii = (0.142 * (1 + 0.16 * fundus.swollen), 0.160 * (1 + 0.16 * fundus.swollen))
    disc = ellipse(x, y, _DISC, radii)
    colour = _paint(colour, 0.35 * np.exp(-((np.maximum(disc, 0) / 0.05) ** 2)), (0.93, 0.58, 0.30))
    edge = 0.012 + 0.075 * fundus.swollen
    colour = _paint(colour, smoothstep(disc, edge), (0.97, 0.76, 0.47))
    if fundus.swollen:
        return _paint(colour, 0.35 * fundus.swollen * smoothstep(disc, 0.05), (0.93, 0.55, 0.36))
    cup = ellipse(
        x, y, (_DISC[0] - 0.006, _DISC[1]), (radii[0] * fundus.cup * 0.95, radii[1] * fundus.cup)
    )
    return _paint(colour, 0.9 * smoothstep(cup, 0.016), (1.0, 0.92, 0.72))


def _with_vessels(
    colour: Plane, x: Plane, y: Plane, generator: np.random.Generator, fundus: Fundus
) -> Plane:
    veil = 1 - 0.55 * fundus.swollen * smoothstep(ellipse(x, y, _DISC, (0.15, 0.17)), 0.04)
    for vein in (True, False):
        near = np.full(x.shape, np.inf)
        for branch in _tree(generator, vein):
            near = np.minimum(near, polyline(x, y, *branch))
        shade = (0.60, 0.40, 0.42) if vein else (0.80, 0.56, 0.52)
        colour = _tint(colour, 0.92 * veil * smoothstep(near, 0.006), shade)
        if not vein:  # the light reflex along arteries
            reflex = smoothstep(near + 0.006, 0.004) * 0.25 * veil
            colour = _paint(colour, reflex, (0.93, 0.60, 0.40))
    if fundus.new_vessels:
        net = np.full(x.shape, np.inf)
        for _ in range(26):
            angle = generator.uniform(0, 2 * np.pi)
            net = np.minimum(net, polyline(x, y, *_twig(generator, _DISC, angle, 0.22, 0.004)))
        colour = _tint(colour, 0.85 * smoothstep(net, 0.005), (0.75, 0.36, 0.36))
    return colour


Branch = tuple[NDArray[np.float64], NDArray[np.float64]]


def _tree(generator: np.random.Generator, vein: bool) -> list[Branch]:
    """Trace the four main vessels of one kind and their branches."""
    branches: list[Branch] = []
    shift = 0.035 if vein else -0.03
    thick = 0.0125 if vein else 0.0088
    for up in (-1, 1):
        for temporal in (True, False):
            line = _arcade(generator, up, temporal, shift)
            half = np.linspace(thick if temporal else 0.75 * thick, 0.0025, len(line))
            branches.append((line, half))
            for start in range(4, len(line) - 3, 3):
                heading = line[start + 1] - line[start - 1]
                angle = float(np.arctan2(heading[1], heading[0]))
                turn = generator.uniform(0.45, 0.95) * (1 if start % 2 else -1) * up
                twig = _twig(
                    generator, tuple(line[start]), angle + turn,
                    generator.uniform(0.22, 0.42), 0.6 * float(half[start]),
                )  # fmt: skip
                branches.append(twig)
    return branches


def _arcade(
    generator: np.random.Generator, up: int, temporal: bool, shift: float
) -> NDArray[np.float64]:
    t = np.linspace(0, 1, 22)
    if temporal:
        xs = _DISC[0] + 0.01 - 1.25 * t**1.25 + 0.25 * np.sin(np.pi * t) * 0.3
        ys = up * ((0.62 + shift) * np.sin(np.minimum(t * 1.25, 1) * np.pi * 0.62) ** 0.8)
    else:
        xs = _DISC[0] + 0.46 * t
        ys = up * (0.60 + 1.2 * shift) * t**0.8
    wobble = np.cumsum(generator.normal(size=(22, 2)), axis=0) * 0.0045
    line: Plane = np.column_stack([xs, _DISC[1] + ys]) + wobble - wobble[0]
    return line


def _twig(
    generator: np.random.Generator,
    start: tuple[float, ...],
    angle: float,
    length: float,
    half: float,
) -> Branch:
    points = [np.array(start, dtype=np.float64)]
    bend = generator.normal() * 0.08
    for _ in range(9):
        angle += bend + generator.normal() * 0.13
        points.append(points[-1] + np.array([np.cos(angle), np.sin(angle)]) * length / 9)
    return np.array(points), np.linspace(half, 0.0012, 10)


def _with_lesions(
    colour: Plane, x: Plane, y: Plane, generator: np.random.Generator, fundus: Fundus
) -> Plane:
    for _ in range(fundus.spots):
        spot = _Lesion(colour, x, y, _place(generator, 0.42, 0.68))
        spot.paint((0.050, 0.034), generator.uniform(0, 180), 0.035, 0.85, (0.97, 0.88, 0.70))
    for _ in range(fundus.exudates):
        spot = _Lesion(colour, x, y, _around_fovea(generator))
        radius = generator.uniform(0.006, 0.017)
        spot.paint(
            (radius, radius * generator.uniform(0.6, 1.0)), 0, 0.006, 0.95, (0.99, 0.90, 0.45)
        )
    for _ in range(fundus.blots):
        spot = _Lesion(colour, x, y, _place(generator, 0.22, 0.70))
        radius, turn = generator.uniform(0.014, 0.030), generator.uniform(0, 180)
        radii = (radius, radius * generator.uniform(0.6, 1.0))
        spot.tint(radii, turn, 0.008, 0.95, (0.52, 0.24, 0.28))
    for _ in range(fundus.flames):
        spot = _Lesion(colour, x, y, _place(generator, 0.30, 0.62))
        turn = np.degrees(np.arctan2(spot.centre[1] - _DISC[1], spot.centre[0] - _DISC[0]))
        spot.tint((0.060, 0.014), float(turn), 0.012, 0.9, (0.62, 0.28, 0.30))
    for _ in range(fundus.aneurysms):
        spot = _Lesion(colour, x, y, _place(generator, 0.12, 0.66))
        radius = generator.uniform(0.005, 0.009)
        spot.tint((radius, radius), 0, 0.004, 0.95, (0.62, 0.28, 0.28))
    return colour


class _Lesion:
    """A soft ellipse at one place, drawn into the picture there."""

    def __init__(self, colour: Plane, x: Plane, y: Plane, centre: tuple[float, float]) -> None:
        here = around(x, y, centre, 0.14)
        self.centre = centre
        self.colour, self.x, self.y = colour[here], x[here], y[here]

    def paint(
        self, radii: tuple[float, float], turn: float, edge: float, share: float, paint: Colour
    ) -> None:
        self.colour[:] = _paint(self.colour, share * self._cover(radii, turn, edge), paint)

    def tint(
        self, radii: tuple[float, float], turn: float, edge: float, share: float, factor: Colour
    ) -> None:
        self.colour[:] = _tint(self.colour, share * self._cover(radii, turn, edge), factor)

    def _cover(self, radii: tuple[float, float], turn: float, edge: float) -> Plane:
        return smoothstep(ellipse(self.x, self.y, self.centre, radii, turn), edge)


def _place(generator: np.random.Generator, near: float, far: float) -> tuple[float, float]:
    """Choose a place between two distances from the fovea, inside the field and off the disc."""
    while True:
        angle, radius = generator.uniform(0, 2 * np.pi), generator.uniform(near, far)
        px, py = _FOVEA[0] + radius * np.cos(angle), _FOVEA[1] + radius * np.sin(angle)
        if np.hypot(px, py) < 0.86 and np.hypot(px - _DISC[0], py - _DISC[1]) > 0.24:
            return float(px), float(py)


def _around_fovea(generator: np.random.Generator) -> tuple[float, float]:
    """Choose a place on a ring around a leaking point, beside the fovea."""
    angle = generator.normal(0.4, 1.1)
    radius = generator.normal(0.17, 0.025)
    return _FOVEA[0] - 0.12 + radius * np.cos(angle), _FOVEA[1] - 0.16 + radius * np.sin(angle)
