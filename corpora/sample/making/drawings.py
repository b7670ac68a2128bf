"""The vector figures of the textbook, drawn inside a box of the page."""

import math
from typing import Any

from making.layout import INK, QUIET, SANS, SANS_BOLD, Box, text_width

BLUE, RED, AMBER = (0.13, 0.37, 0.62), (0.72, 0.22, 0.20), (0.90, 0.64, 0.20)
PALE, PURPLE = (0.93, 0.95, 0.97), (0.42, 0.28, 0.58)


def beam(page: Any, box: Box) -> None:
    """Draw how far tube, heart and detector stand from each other in PA and AP projections."""
    x0, y0, x1, y1 = box
    page.draw_rect(box, color=None, fill=PALE)
    half = (x1 - x0) / 2
    for at, label, heart in ((x0, "PA projection", 0.80), (x0 + half, "AP projection", 0.62)):
        tube = (at + 16, (y0 + y1) / 2 + 8)
        plate = at + half - 22
        page.draw_line((plate, y0 + 26), (plate, y1 - 12), color=INK, width=2.4)
        page.draw_circle(tube, 5, color=INK, fill=AMBER, width=0.8)
        centre = tube[0] + (plate - tube[0]) * heart
        radius = 15.0
        page.draw_circle((centre, tube[1]), radius, color=RED, fill=(0.95, 0.80, 0.78), width=1.1)
        reach = radius * (plate - tube[0]) / (centre - tube[0])
        for sign in (-1, 1):
            page.draw_line(
                tube, (plate, tube[1] + sign * reach), color=QUIET, width=0.6, dashes="[3 2]"
            )
        page.draw_line(
            (plate + 6, tube[1] - reach), (plate + 6, tube[1] + reach), color=RED, width=2.0
        )
        _label(page, (at + half / 2, y0 + 16), label, bold=True)
        _label(page, (tube[0] + 4, tube[1] + 22), "tube")
        _label(page, (centre, tube[1] + 3), "heart")
        _label(page, (plate - 14, y1 - 5), "detector")


def cardiothoracic(page: Any, box: Box) -> None:
    """Draw the two widths of the cardiothoracic ratio on an outline of the lungs."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    mid, floor = x0 + w / 2, y1 - 0.20 * h
    shape = page.new_shape()
    for sign in (-1, 1):
        inner, top, outer = mid + sign * 0.07 * w, mid + sign * 0.20 * w, mid + sign * 0.5 * w
        shape.draw_bezier(
            (inner, y0 + 0.26 * h), (inner, y0 + 0.04 * h), (mid + sign * 0.12 * w, y0), (top, y0)
        )
        shape.draw_bezier(
            (top, y0), (mid + sign * 0.40 * w, y0), (outer, y0 + 0.34 * h), (outer, floor)
        )
        dome = (mid + sign * 0.40 * w, floor - 0.17 * h), (mid + sign * 0.24 * w, floor - 0.15 * h)
        shape.draw_bezier((outer, floor), *dome, (inner, floor - 0.02 * h))
        shape.draw_line((inner, y0 + 0.26 * h), (inner, floor - 0.02 * h))
    shape.finish(color=BLUE, fill=(0.92, 0.95, 0.98), width=1.3, lineJoin=1)
    shape.draw_oval((mid - 0.13 * w, y0 + 0.34 * h, mid + 0.25 * w, floor - 0.02 * h))
    shape.finish(color=RED, fill=(0.96, 0.84, 0.82), width=1.3, lineJoin=1)
    shape.commit()
    _measure(page, mid - 0.13 * w, mid + 0.25 * w, y0 + 0.56 * h, "A: heart", RED)
    _measure(page, x0, x1, y1 - 4, "B: thorax", BLUE)
    for x in (x0, x1):
        page.draw_line((x, floor), (x, y1 - 4), color=BLUE, width=0.5, dashes="[2 2]")


def cups(page: Any, box: Box) -> None:
    """Draw three optic discs with cups of growing size."""
    x0, y0, x1, y1 = box
    page.draw_rect(box, color=(0.80, 0.83, 0.87), fill=(0.99, 0.97, 0.94), width=0.8)
    third = (x1 - x0) / 3
    for i, ratio in enumerate((0.3, 0.6, 0.9)):
        centre = (x0 + third * (i + 0.5), y0 + (y1 - y0) * 0.46)
        radius = 0.36 * (y1 - y0)
        page.draw_circle(
            centre, radius, color=(0.75, 0.45, 0.20), fill=(0.97, 0.80, 0.55), width=1.2
        )
        page.draw_circle(centre, radius * ratio, color=AMBER, fill=(1.0, 0.96, 0.82), width=1.0)
        x = centre[0] + radius + 7
        page.draw_line((x, centre[1] - radius), (x, centre[1] + radius), color=INK, width=0.8)
        _label(page, (centre[0], y1 - 6), f"cup-to-disc ratio {ratio}", bold=True)


def white_cells(page: Any, box: Box) -> None:
    """Draw the five white cells side by side, with a red cell for scale."""
    x0, y0, x1, y1 = box
    step = (x1 - x0) / 6
    middle = y0 + (y1 - y0) * 0.42
    big = (y1 - y0) * 0.34
    names = ("neutrophil", "eosinophil", "basophil", "lymphocyte", "monocyte", "red cell")
    fills = (
        (0.95, 0.89, 0.93), (0.97, 0.86, 0.83), (0.88, 0.84, 0.94), (0.80, 0.86, 0.96),
        (0.86, 0.87, 0.91), (0.92, 0.68, 0.68),
    )  # fmt: skip
    sizes = (1.0, 1.0, 0.95, 0.72, 1.12, 0.58)
    for i, (name, fill, size) in enumerate(zip(names, fills, sizes, strict=True)):
        centre = (x0 + step * (i + 0.5), middle)
        page.draw_circle(centre, big * size, color=QUIET, fill=fill, width=0.7, lineJoin=1)
        _inside(page, centre, big, name)
        _label(page, (centre[0], y1 - 4), name)
    page.draw_line((x0, y0), (x1, y0), color=QUIET, width=0.5)
    page.draw_line((x0, y1), (x1, y1), color=QUIET, width=0.5)


def _inside(page: Any, centre: tuple[float, float], big: float, name: str) -> None:
    x, y = centre
    if name in ("neutrophil", "eosinophil"):
        lobes = (
            ((-0.4, -0.2), (0.05, 0.25), (0.42, -0.18))
            if name == "neutrophil"
            else ((-0.3, 0), (0.32, 0))
        )
        for dx, dy in lobes:
            page.draw_circle((x + dx * big, y + dy * big), 0.28 * big, color=None, fill=PURPLE)
        page.draw_line((x - 0.35 * big, y), (x + 0.35 * big, y), color=PURPLE, width=2)
    if name in ("eosinophil", "basophil"):
        paint = (0.88, 0.45, 0.30) if name == "eosinophil" else (0.25, 0.16, 0.45)
        for i in range(22):
            angle, radius = i * 2.4, big * (0.25 + 0.6 * ((i * 0.618) % 1))
            at = (x + radius * math.cos(angle), y + radius * math.sin(angle))
            page.draw_circle(at, 1.5, color=None, fill=paint)
    if name == "lymphocyte":
        page.draw_circle((x + 0.04 * big, y), 0.58 * big, color=None, fill=PURPLE)
    if name == "monocyte":
        page.draw_bezier(
            (x - 0.5 * big, y + 0.3 * big), (x - 0.7 * big, y - 1.0 * big),
            (x + 0.7 * big, y - 1.0 * big), (x + 0.5 * big, y + 0.3 * big),
            color=PURPLE, fill=PURPLE, width=1, lineJoin=1, closePath=True,
        )  # fmt: skip
    if name == "red cell":
        page.draw_circle((x, y), 0.24 * big, color=None, fill=(0.97, 0.86, 0.86))


def _measure(
    page: Any, x0: float, x1: float, y: float, name: str, colour: tuple[float, float, float]
) -> None:
    page.draw_line((x0, y), (x1, y), color=colour, width=1.0)
    for x in (x0, x1):
        page.draw_line((x, y - 4), (x, y + 4), color=colour, width=1.0)
    _label(page, ((x0 + x1) / 2, y - 4), name, bold=True)


def _label(page: Any, at: tuple[float, float], text: str, *, bold: bool = False) -> None:
    """Centre a few words on a point of their baseline."""
    font = SANS_BOLD if bold else SANS
    x = at[0] - text_width(text, font, 7.4) / 2
    page.insert_text((x, at[1]), text, fontname=font, fontsize=7.4, color=INK)
