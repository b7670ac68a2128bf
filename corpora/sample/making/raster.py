"""Soft shapes on a pixel grid, and image files that say they are synthetic."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

Plane = NDArray[np.float64]
NOTE = "Synthetic phantom drawn by code. No patient. Not for clinical use. CC0-1.0."


def grid(height: int, width: int) -> tuple[Plane, Plane]:
    """Give x in [-width/height, width/height] and y in [-1, 1] of each pixel, y downwards."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return (x + 0.5 - width / 2) * 2 / height, (y + 0.5 - height / 2) * 2 / height


def smoothstep(value: Plane, width: float) -> Plane:
    """Turn a signed distance into coverage: 1 well inside (negative), 0 well outside."""
    t = np.clip(0.5 - value / (2 * width), 0.0, 1.0)
    cover: Plane = t * t * (3 - 2 * t)
    return cover


def ellipse(
    x: Plane, y: Plane, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0
) -> Plane:
    """Give an approximate signed distance to an ellipse, negative inside; `turn` in degrees."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    dx, dy = x - centre[0], y - centre[1]
    u, v = (c * dx + s * dy) / radii[0], (-s * dx + c * dy) / radii[1]
    distance: Plane = (np.hypot(u, v) - 1.0) * min(radii)
    return distance


def polyline(x: Plane, y: Plane, points: NDArray[np.float64], widths: NDArray[np.float64]) -> Plane:
    """Give the signed distance to a line of changing half-width; (n, 2) points, (n,) widths."""
    near = np.full(x.shape, np.inf)
    for (x0, y0), (x1, y1), w0, w1 in zip(
        points[:-1], points[1:], widths[:-1], widths[1:], strict=True
    ):
        reach = max(w0, w1) + 0.12
        rows, columns = _window(x, y, (x0, y0, x1, y1), reach)
        xs, ys = x[rows, columns], y[rows, columns]
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(((xs - x0) * dx + (ys - y0) * dy) / (dx * dx + dy * dy + 1e-12), 0, 1)
        distance = np.hypot(xs - x0 - t * dx, ys - y0 - t * dy) - (w0 + t * (w1 - w0))
        near[rows, columns] = np.minimum(near[rows, columns], distance)
    return near


def around(x: Plane, y: Plane, centre: tuple[float, float], reach: float) -> tuple[slice, slice]:
    """Give the rows and columns within a distance of a point, to draw there only."""
    return _window(x, y, (*centre, *centre), reach)


def noise(generator: np.random.Generator, shape: tuple[int, int], scale: int) -> Plane:
    """Give smooth noise of unit variance whose grain is about `scale` pixels."""
    small = generator.normal(size=(shape[0] // scale + 2, shape[1] // scale + 2))
    image = Image.fromarray(small.astype(np.float32)).resize(
        (shape[1], shape[0]), Image.Resampling.BICUBIC
    )
    plane = np.asarray(image, dtype=np.float64)
    result: Plane = (plane - plane.mean()) / (plane.std() + 1e-9)
    return result


def halve(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average 2 x 2 pixels: shapes are drawn at twice the size for clean edges."""
    h, w = pixels.shape[0] // 2, pixels.shape[1] // 2
    result: NDArray[np.float64] = pixels.reshape(h, 2, w, 2, *pixels.shape[2:]).mean(axis=(1, 3))
    return result


def to_bytes(pixels: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)


def save(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG or JPEG whose metadata carry the note."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        text = PngImagePlugin.PngInfo()
        text.add_text("Description", NOTE)
        image.save(path, pnginfo=text, optimize=True)
        return
    exif = Image.Exif()
    exif[0x010E] = NOTE  # ImageDescription
    image.save(path, quality=86, optimize=True, comment=NOTE, exif=exif)


def _window(
    x: Plane, y: Plane, ends: tuple[float, float, float, float], reach: float
) -> tuple[slice, slice]:
    x0, y0, x1, y1 = ends
    columns = np.searchsorted(x[0], [min(x0, x1) - reach, max(x0, x1) + reach])
    rows = np.searchsorted(y[:, 0], [min(y0, y1) - reach, max(y0, y1) + reach])
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))
