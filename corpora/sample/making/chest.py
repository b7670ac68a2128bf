"""A frontal chest radiograph, as a phantom: soft shapes that add up to an attenuation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from making.raster import Plane, ellipse, grid, halve, noise, polyline, smoothstep, to_bytes

SIZE = 512


@dataclass(frozen=True)
class Chest:
    """What a phantom shows. Sides are the patient's: the right lung lies at the left edge.

    Attributes:
        seed: of the noise and of the small differences between bodies.
        heart: cardiothoracic ratio.
        fluid_right, fluid_left: height of pleural fluid, as a fraction of the lung.
        air_right, air_left: width of a pneumothorax, as a fraction of the lung's width.
        patch_right, patch_left: density of a consolidation in the lower zone, 0 to 1.
        congestion: 0 to 1, upper-zone vessels and haze about the hila.
    """

    seed: int
    heart: float = 0.45
    fluid_right: float = 0.0
    fluid_left: float = 0.0
    air_right: float = 0.0
    air_left: float = 0.0
    patch_right: float = 0.0
    patch_left: float = 0.0
    congestion: float = 0.0


def radiograph(chest: Chest, size: int = SIZE) -> NDArray[np.uint8]:
    """Draw a radiograph, (size, size) uint8, dense things bright."""
    generator = np.random.default_rng(chest.seed)
    x, y = grid(2 * size, 2 * size)
    body = _Body(generator)
    lungs = [_lung(x, y, side, body) for side in (-1, 1)]
    density = _soft_tissue(x, y, body)
    density = _with_lungs(density, x, y, lungs, chest, generator)
    density = _with_heart(density, x, y, chest, body)
    density += _bones(x, y)
    density = _with_pleura(density, x, y, lungs, chest)
    density += 0.008 * noise(generator, x.shape, 40) + 0.011 * generator.normal(size=x.shape)
    shade = 1.0 - 0.10 * (x**2 + 0.4 * y**2)
    pixels = np.clip((density - 0.03) / 0.74, 0.0, 1.0) ** 0.98 * shade
    return to_bytes(np.clip(halve(pixels), 0.0, 1.0))


class _Body:
    """The small differences between one body and the next."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.width = 0.80 + 0.03 * generator.normal()
        self.dome = 0.50 + 0.025 * generator.normal()
        self.tilt = 0.3 * generator.normal()


def _soft_tissue(x: Plane, y: Plane, body: _Body) -> Plane:
    trunk = smoothstep(ellipse(x, y, (0, 0.35), (body.width + 0.13, 1.35)), 0.03)
    neck = smoothstep(ellipse(x, y, (0, -1.05), (0.27, 0.42)), 0.04)
    slope = -0.93 + 0.30 * np.abs(x) ** 1.5 - y
    shoulders = smoothstep(np.maximum(slope, ellipse(x, y, (0, -0.30), (1.25, 0.62))), 0.04)
    cover = np.maximum(np.maximum(trunk, neck), shoulders)
    thickness = 0.50 + 0.10 * np.clip(y, -0.6, 1) - 0.10 * x**2
    return cover * thickness


def _lung(x: Plane, y: Plane, side: int, body: _Body) -> Plane:
    """Give the coverage of one lung field; side -1 is the patient's right."""
    centre = side * 0.40
    outer = ellipse(x, y, (centre - side * 0.02, 0.06), (0.37, 0.86), side * 4)
    inner = 0.13 - side * x + 0.03 * np.sin(3 * y)
    dome_y = body.dome + (0.05 if side < 0 else 0.09) - 0.02 * side * body.tilt
    reach = (x - side * 0.36) / 0.40
    dome = y - (dome_y + 0.20 * reach**2 - 0.09)
    return smoothstep(np.maximum(np.maximum(outer, inner), dome * 0.9), 0.018)


def _with_lungs(
    density: Plane,
    x: Plane,
    y: Plane,
    lungs: list[Plane],
    chest: Chest,
    generator: np.random.Generator,
) -> Plane:
    air = [chest.air_right, chest.air_left]
    patches = [chest.patch_right, chest.patch_left]
    for side, lung, width, patch in zip((-1, 1), lungs, air, patches, strict=True):
        aerated = 0.335 + 0.05 * np.clip(-y, -1, 1) * 0.6
        density = density - lung * aerated
        markings = _vessels(x, y, side, generator, chest.congestion)
        haze = (
            0.10
            * chest.congestion
            * np.exp(-((x - side * 0.26) ** 2 / 0.05 + (y - 0.02) ** 2 / 0.09))
        )
        if width:
            markings = markings * _inside_edge(x, y, side, width)[0]
        density = density + lung * (0.115 * markings + haze)
        if patch:
            blob = ellipse(x, y, (side * 0.44, 0.30), (0.21, 0.17), side * -20)
            texture = 1 + 0.22 * noise(generator, x.shape, 26)
            density = density + lung * 0.24 * patch * smoothstep(blob, 0.10) * texture
    return density


def _vessels(
    x: Plane, y: Plane, side: int, generator: np.random.Generator, congestion: float
) -> Plane:
    near = np.full(x.shape, np.inf)
    for _ in range(24):
        angle = np.radians(generator.uniform(-78, 78))
        if generator.uniform() > 0.55 + 0.4 * congestion and angle < 0:
            angle = -angle
        point = np.array([side * 0.17, -0.02 + 0.10 * np.sin(angle)])
        line, widths = [point], [0.013]
        length = generator.uniform(0.32, 0.60)
        for step in range(9):
            angle += generator.normal() * 0.10
            heading = np.array([side * np.cos(angle), np.sin(angle)])
            point = point + heading * length / 9
            line.append(point)
            widths.append(0.013 * (1 - (step + 1) / 9.5) + 0.0014)
        scale = 1 + 0.5 * congestion
        near = np.minimum(near, polyline(x, y, np.array(line), np.array(widths) * scale))
    hilum = ellipse(x, y, (side * 0.18, 0.0), (0.06, 0.13), side * 12)
    soft = smoothstep(near, 0.009) * np.exp(-np.maximum(np.abs(x) - 0.17, 0) / 0.42)
    return np.maximum(soft, 0.85 * smoothstep(hilum, 0.07))


def _with_heart(density: Plane, x: Plane, y: Plane, chest: Chest, body: _Body) -> Plane:
    # The ratio is heart width over thoracic width; the lungs' outer edges lie at about 0.77.
    width = 2 * 0.765 * chest.heart
    right, left = 0.30 * width, 0.70 * width
    apex = 0.40 + 0.12 * (chest.heart - 0.45)
    ventricle = ellipse(x, y, (left - 0.27, apex - 0.06), (0.33, 0.235 + 0.1 * chest.heart), 38)
    atrium = ellipse(x, y, (0.21 - right, 0.27), (0.21, 0.25), -8)
    bridge = ellipse(x, y, (0.05, 0.22), (0.17, 0.38), 8)
    vessels = ellipse(x, y, (0.0, -0.30), (0.125, 0.62))
    knob = ellipse(x, y, (0.105, -0.28), (0.080, 0.088))
    shadow = np.maximum.reduce(
        [
            smoothstep(_blend(_blend(ventricle, bridge), atrium), 0.030),
            0.86 * smoothstep(vessels, 0.07),
            0.93 * smoothstep(knob, 0.030),
        ]
    )
    shadow *= np.clip(1.9 - 1.4 * (y - body.dome), 0.0, 1.0)
    filled = np.maximum(density, shadow * (0.52 + 0.07 * y - 0.05 * np.abs(x)))
    dome = body.dome - 0.04 + 0.30 * np.abs(np.abs(x) - 0.36) ** 1.6
    abdomen = smoothstep(dome - y, 0.05)
    bubble = smoothstep(ellipse(x, y, (0.40, body.dome + 0.19), (0.13, 0.050), 8), 0.04)
    trachea = smoothstep(polyline(x, y, _TRACHEA, np.full(len(_TRACHEA), 0.030)), 0.03)
    drawn: Plane = filled + 0.05 * abdomen - 0.08 * bubble * abdomen - 0.10 * trachea
    return drawn


def _blend(a: Plane, b: Plane, width: float = 0.14) -> Plane:
    """Give a minimum of two distances without a corner where they meet."""
    t = np.clip(0.5 + 0.5 * (b - a) / width, 0.0, 1.0)
    blended: Plane = b + (a - b) * t - width * t * (1 - t)
    return blended


_TRACHEA = np.array([[0.0, -1.0], [0.005, -0.6], [0.0, -0.28], [-0.01, -0.16]])


def _bones(x: Plane, y: Plane) -> Plane:
    bones = np.zeros_like(x)
    # Ribs fade where the spine and the heart lie before them.
    seen = 0.30 + 0.70 * smoothstep(0.20 - np.abs(x), 0.10)
    for number in range(9):
        for side in (-1, 1):
            line, widths = _rib(side, number)
            edge = polyline(x, y, line, widths)
            cortex = smoothstep(np.abs(edge + 0.006) - 0.004, 0.007)
            bones += seen * (0.058 * smoothstep(edge, 0.012) + 0.026 * cortex)
            if number < 6:
                front = _front_rib(side, number)
                edge = polyline(x, y, front, np.full(len(front), 0.022))
                bones += 0.024 * smoothstep(edge, 0.020)
    for side in (-1, 1):
        clavicle = np.array(
            [
                [side * 0.07, -0.60],
                [side * 0.26, -0.665],
                [side * 0.48, -0.71],
                [side * 0.70, -0.70],
            ]
        )
        edge = polyline(x, y, clavicle, np.array([0.036, 0.026, 0.026, 0.034]))
        bones += 0.11 * smoothstep(edge, 0.014)
        scapula = ellipse(x, y, (side * 0.90, -0.30), (0.11, 0.33), side * 14)
        bones += 0.06 * smoothstep(scapula, 0.05)
        head = ellipse(x, y, (side * 0.93, -0.50), (0.12, 0.13))
        bones += 0.08 * smoothstep(head, 0.03)
    return bones + _spine(x, y)


def _edge_of_chest(y: float) -> float:
    """Give how far the lung's outer edge lies from the middle at a height."""
    return 0.38 + 0.385 * float(np.sqrt(max(0.0, 1 - ((y - 0.10) / 0.90) ** 2)))


def _rib(side: int, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Trace a posterior rib: up and out from the spine, then down along the chest wall."""
    top = -0.76 + 0.135 * number
    t = np.linspace(0, 1, 24)
    ys = top - 0.055 * np.sin(t * np.pi) + (0.13 + 0.022 * number) * t**2.6
    reach = min(_edge_of_chest(float(ys[-1])) + 0.015, 0.79)
    xs = side * (0.075 + (reach - 0.075) * np.sin(t * np.pi / 2) ** 0.92)
    return np.column_stack([xs, ys]), 0.021 - 0.004 * t


def _front_rib(side: int, number: int) -> NDArray[np.float64]:
    top = -0.56 + 0.135 * number
    reach = min(_edge_of_chest(top), 0.78)
    t = np.linspace(0, 1, 18)
    xs = side * (reach - (reach - 0.26 - 0.015 * number) * t)
    ys = top + (0.22 + 0.012 * number) * t**1.2
    return np.column_stack([xs, ys])


def _spine(x: Plane, y: Plane) -> Plane:
    column = smoothstep(np.abs(x) - 0.075, 0.02)
    discs = 0.5 + 0.5 * np.cos(2 * np.pi * (y + 0.03) / 0.135)
    process = smoothstep(np.hypot(x, ((y + 0.06) % 0.135) - 0.0675) - 0.020, 0.012)
    fade = 0.35 + 0.65 * np.clip(-y + 0.1, 0, 1)
    return column * (0.06 + 0.030 * discs) * fade + 0.035 * process * fade


def _with_pleura(density: Plane, x: Plane, y: Plane, lungs: list[Plane], chest: Chest) -> Plane:
    fluids = (chest.fluid_right, chest.fluid_left)
    airs = (chest.air_right, chest.air_left)
    for side, lung, fluid, air in zip((-1, 1), lungs, fluids, airs, strict=True):
        if fluid:
            # The meniscus: higher along the chest wall than in the middle of the lung.
            lateral = np.clip(side * x / 0.76, 0, 1.1)
            level = 0.62 - 1.25 * fluid - 0.30 * lateral**5 + 0.10 * (1 - lateral)
            cover = smoothstep(level - y, 0.035) * np.maximum(lung, _base(x, y, side))
            density = density * (1 - cover) + cover * np.maximum(density, 0.555)
        if air:
            inside, line = _inside_edge(x, y, side, air)
            density = density - lung * (1 - inside) * 0.045 + lung * inside * 0.035 * air
            density = density + lung * 0.115 * line
    return density


def _base(x: Plane, y: Plane, side: int) -> Plane:
    """Cover the costophrenic angle, where the lung field ends in a point."""
    return smoothstep(ellipse(x, y, (side * 0.50, 0.62), (0.27, 0.26)), 0.09)


def _inside_edge(x: Plane, y: Plane, side: int, air: float) -> tuple[Plane, Plane]:
    """Give what lies inside the collapsed lung, and the thin line of the visceral pleura."""
    centre = (side * (0.36 - 0.16 * air), 0.10 + 0.10 * air)
    radii = (0.37 * (1 - 0.62 * air), 0.84 * (1 - 0.40 * air))
    edge = ellipse(x, y, centre, radii, side * 4)
    return smoothstep(edge, 0.012), smoothstep(np.abs(edge) - 0.004, 0.005)
