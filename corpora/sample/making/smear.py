"""A stained blood smear under the microscope, as a phantom."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from making.raster import Plane, around, ellipse, grid, halve, noise, polyline, smoothstep, to_bytes

HEIGHT, WIDTH = 384, 512
RedCell = Literal["normal", "pale", "sickle", "spherocyte"]
WhiteCell = Literal["neutrophil", "lymphocyte", "eosinophil", "smudge"]


@dataclass(frozen=True)
class Smear:
    """What a phantom shows.

    Attributes:
        seed: of the cells' places and small differences.
        red: the shape of the red cells that are not normal.
        share: how many of the red cells have that shape, 0 to 1.
        white: white cells, drawn well apart.
        platelets: how many platelets are drawn.
    """

    seed: int
    red: RedCell = "normal"
    share: float = 0.0
    white: tuple[WhiteCell, ...] = ()
    platelets: int = 10


def micrograph(smear: Smear, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Draw a field of view, (height, width, 3) uint8."""
    generator = np.random.default_rng(smear.seed)
    x, y = grid(2 * height, 2 * width)
    colour = np.ones((*x.shape, 3)) * np.array([0.955, 0.925, 0.930])
    colour *= 1 + 0.006 * noise(generator, x.shape, 120)[..., None]
    taken: list[tuple[float, float, float]] = []
    aspect = width / height
    for kind in smear.white:
        place = _free(generator, taken, 0.27, aspect - 0.30, 0.68)
        if place is not None:
            here = around(x, y, place, 0.45)
            colour[here] = _white_cell(colour[here], x[here], y[here], place, kind, generator)
    for _ in range(62):
        place = _free(generator, taken, 0.142, aspect + 0.05, 1.05, tries=60)
        if place is not None:
            shape: RedCell = smear.red if generator.uniform() < smear.share else "normal"
            here = around(x, y, place, 0.25)
            colour[here] = _red_cell(colour[here], x[here], y[here], place, shape, generator)
    for _ in range(smear.platelets):
        place = _free(generator, taken, 0.045, aspect - 0.05, 0.94)
        if place is not None:
            here = around(x, y, place, 0.10)
            colour[here] = _platelet(colour[here], x[here], y[here], place, generator)
    colour += 0.008 * generator.normal(size=x.shape)[..., None]
    shade = 1.015 - 0.045 * ((x / aspect) ** 2 + y**2)
    return to_bytes(np.clip(halve(colour * shade[..., None]), 0.0, 1.0))


def _free(
    generator: np.random.Generator,
    taken: list[tuple[float, float, float]],
    radius: float,
    far_x: float,
    far_y: float,
    tries: int = 2000,
) -> tuple[float, float] | None:
    """Choose a place that no cell takes, and take it; None if there is none in so many tries."""
    for _ in range(tries):
        cx, cy = generator.uniform(-far_x, far_x), generator.uniform(-far_y, far_y)
        if all(np.hypot(cx - a, cy - b) > 0.94 * (radius + r) for a, b, r in taken):
            taken.append((cx, cy, radius))
            return float(cx), float(cy)
    return None


def _paint(colour: Plane, cover: Plane, paint: tuple[float, float, float]) -> Plane:
    return colour + cover[..., None] * (np.array(paint) - colour)


def _red_cell(
    colour: Plane,
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    shape: RedCell,
    generator: np.random.Generator,
) -> Plane:
    turn, stain = generator.uniform(0, 180), 1 + 0.04 * generator.normal()
    if shape == "sickle":
        return _sickle(colour, x, y, centre, turn)
    radius = 0.133 * {"normal": 1.0, "pale": 0.80, "spherocyte": 0.78}[shape]
    radius *= 1 + 0.035 * generator.normal()
    cell = ellipse(x, y, centre, (radius, radius * generator.uniform(0.92, 1.0)), turn)
    paint = (0.86 * stain, 0.56 * stain, 0.57 * stain)
    if shape == "spherocyte":
        return _paint(colour, 0.96 * smoothstep(cell, 0.008), (0.78, 0.43, 0.46))
    colour = _paint(colour, 0.92 * smoothstep(cell, 0.008), paint)
    pallor = np.hypot(x - centre[0], y - centre[1]) / radius
    reach, depth = (0.74, 0.94) if shape == "pale" else (0.42, 0.62)
    cover = depth * smoothstep(pallor - reach, 0.16 if shape == "pale" else 0.26)
    return _paint(colour, cover, (0.955, 0.86, 0.865))


def _sickle(colour: Plane, x: Plane, y: Plane, centre: tuple[float, float], turn: float) -> Plane:
    t = np.linspace(-1, 1, 13)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    u, v = 0.155 * t, 0.075 * (t**2 - 0.4)
    points = np.column_stack([centre[0] + c * u - s * v, centre[1] + s * u + c * v])
    widths = 0.004 + 0.036 * np.sqrt(np.clip(1 - t**2, 0, 1))
    return _paint(
        colour, 0.95 * smoothstep(polyline(x, y, points, widths), 0.008), (0.76, 0.42, 0.46)
    )


def _white_cell(
    colour: Plane,
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    kind: WhiteCell,
    generator: np.random.Generator,
) -> Plane:
    size = {"neutrophil": 0.225, "lymphocyte": 0.165, "eosinophil": 0.225, "smudge": 0.20}[kind]
    ripple = 1 + 0.03 * np.sin(5 * np.arctan2(y - centre[1], x - centre[0]))
    cell = np.hypot(x - centre[0], y - centre[1]) - size * ripple
    plasm = {"neutrophil": (0.90, 0.83, 0.88), "lymphocyte": (0.70, 0.74, 0.90),
             "eosinophil": (0.93, 0.82, 0.82), "smudge": (0.80, 0.74, 0.84)}[kind]  # fmt: skip
    if kind == "smudge":
        smear = ellipse(x, y, centre, (size * 1.25, size * 0.9), 25)
        grain = 0.75 + 0.25 * noise(generator, x.shape, 14)
        return _paint(
            colour, 0.8 * np.clip(grain, 0, 1) * smoothstep(smear, 0.13), (0.52, 0.38, 0.62)
        )
    colour = _paint(colour, smoothstep(cell, 0.012), plasm)
    if kind != "lymphocyte":
        colour = _granules(colour, x, y, centre, size, kind, generator)
    return _nucleus(colour, x, y, centre, kind, generator)


def _granules(
    colour: Plane,
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    size: float,
    kind: WhiteCell,
    generator: np.random.Generator,
) -> Plane:
    large = kind == "eosinophil"
    paint = (0.90, 0.47, 0.36) if large else (0.80, 0.66, 0.78)
    near = np.full(x.shape, np.inf)
    for _ in range(150 if large else 90):
        angle, radius = generator.uniform(0, 2 * np.pi), size * 0.9 * np.sqrt(generator.uniform())
        point = (centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle))
        near = np.minimum(near, np.hypot(x - point[0], y - point[1]) - (0.012 if large else 0.005))
    return _paint(colour, (0.9 if large else 0.6) * smoothstep(near, 0.005), paint)


def _nucleus(
    colour: Plane,
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    kind: WhiteCell,
    generator: np.random.Generator,
) -> Plane:
    if kind == "lymphocyte":
        shape = ellipse(x, y, (centre[0] + 0.008, centre[1] - 0.006), (0.132, 0.126))
    else:
        lobes = 4 if kind == "neutrophil" else 2
        spread = np.linspace(-1.0, 1.0, lobes) * (1.9 if kind == "neutrophil" else 1.0)
        angles = generator.uniform(0, 2 * np.pi) + spread
        ring = 0.105 if kind == "neutrophil" else 0.098
        places = np.column_stack(
            [centre[0] + ring * np.cos(angles), centre[1] + ring * np.sin(angles)]
        )
        radius = 0.062 if kind == "neutrophil" else 0.082
        shape = polyline(x, y, places, np.full(lobes, 0.016))
        for place, angle in zip(places, angles, strict=True):
            lobe = ellipse(x, y, tuple(place), (radius * 1.1, radius * 0.92), np.degrees(angle))
            shape = np.minimum(shape, lobe)
    chromatin = np.clip(0.90 + 0.10 * noise(generator, x.shape, 12), 0.6, 1.0)
    return _paint(colour, chromatin * smoothstep(shape, 0.012), (0.36, 0.20, 0.50))


def _platelet(
    colour: Plane,
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    generator: np.random.Generator,
) -> Plane:
    radius = generator.uniform(0.024, 0.036)
    body = ellipse(x, y, centre, (radius, radius * 0.8), generator.uniform(0, 180))
    colour = _paint(colour, 0.85 * smoothstep(body, 0.016), (0.72, 0.62, 0.80))
    core = np.hypot(x - centre[0], y - centre[1]) - 0.4 * radius
    return _paint(colour, 0.7 * smoothstep(core, 0.014), (0.50, 0.34, 0.62))
