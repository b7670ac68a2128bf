"""Curves of confidence against right and wrong, as SVG that takes its colours from the page."""

import io
import re
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.scores import Curves
from medrag.extras import Library, require
from medrag.reporting.markup import Html, text

_SIZE = (4.3, 3.3)  # inches of 72 units: the drawing is scaled to its place
_FONT = 9.5
_MOST_POINTS = 400
_KEPT = 0.8
# Colours that stand for classes of the style sheet, so that light and dark pages share one drawing.
_INK, _QUIET, _LINE, _ACCENT, _SOFT = "#010101", "#020202", "#030303", "#040404", "#050505"
_CLASSES = {_INK: "ink", _QUIET: "quiet", _LINE: "line", _ACCENT: "accent", _SOFT: "soft"}
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "medrag", "path.simplify": False}
# How text and ids are written is a setting of the process, which is changed while a plot is saved.
_LOCK = threading.Lock()


def risk_coverage(curves: Curves) -> Html:
    """Draw the share wrong among the most confident answers against the share that is answered.

    Returns:
        Empty without a point.
    """
    coverage, risk = _known(curves.coverage, curves.risk)
    if not coverage.size:
        return Html("")
    figure, axes = _axes("answered, most confident first (%)", "wrong among these (%)")
    kept = _thinned(coverage.size)
    axes.plot(100 * coverage[kept], 100 * risk[kept], color=_ACCENT, linewidth=1.8)
    axes.axhline(100 * risk[-1], color=_QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    highest = min(105.0, max(10.0, 120 * float(risk.max())))
    axes.set(xlim=(0, 101), ylim=(0, highest))
    axes.annotate(
        f"all: {100 * risk[-1]:.1f}", (0, 100 * risk[-1]), (4, 4), textcoords="offset points",
        color=_QUIET, fontsize=_FONT,
    )  # fmt: skip
    _mark_kept(axes, coverage, risk)
    return _svg(figure, "rc", f"Risk-coverage curve: {100 * risk[-1]:.1f}% wrong if all count")


def calibration(curves: Curves) -> Html:
    """Draw the share right against the mean confidence in bins; the wider a dot, the more items.

    Returns:
        Empty without a bin.
    """
    bins = [each for each in curves.bins if np.isfinite(each[:2]).all() and each[2] > 0]
    if not bins:
        return Html("")
    sure, right, n = (np.array(column, dtype=np.float64) for column in zip(*bins, strict=True))
    sure, right = np.clip(sure, 0.0, 1.0), np.clip(right, 0.0, 1.0)
    figure, axes = _axes("confidence (%)", "right (%)")
    axes.plot([0, 100], [0, 100], color=_QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.vlines(100 * sure, 100 * sure, 100 * right, color=_SOFT, linewidth=3)
    axes.plot(100 * sure, 100 * right, color=_ACCENT, linewidth=1.2, alpha=0.55)
    areas = 14 + 190 * n / n.max()
    axes.scatter(100 * sure, 100 * right, s=areas, color=_ACCENT, linewidths=0, zorder=3)
    axes.set(xlim=(-3, 103), ylim=(-3, 103))
    axes.text(3, 95, "less sure than right", color=_QUIET, fontsize=_FONT)
    axes.text(99, 2, "surer than right", color=_QUIET, fontsize=_FONT, ha="right")
    told = "; ".join(f"{100 * s:.0f}% sure, {100 * r:.0f}% right, {k} items" for s, r, k in bins)
    return _svg(figure, "cal", f"Calibration: {told}")


def _known(
    coverage: Sequence[float], risk: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    both = np.array([coverage, risk], dtype=np.float64).reshape(2, -1)
    both = np.clip(both[:, np.isfinite(both).all(axis=0)], 0.0, 1.0)
    return both[0], both[1]


def _thinned(n: int) -> NDArray[np.int64]:
    """Choose points of a long curve; its ends stay."""
    return np.unique(np.linspace(0, n - 1, min(n, _MOST_POINTS)).round().astype(np.int64))


def _mark_kept(axes: Library, coverage: NDArray[np.float64], risk: NDArray[np.float64]) -> None:
    """Write the risk at the usual coverage beside the curve."""
    place = int(np.searchsorted(coverage, _KEPT))
    if not 0 < place < coverage.size - 1:
        return
    x, y = 100 * coverage[place], 100 * risk[place]
    axes.vlines([x], 0, [y], color=_ACCENT, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.scatter([x], [y], s=34, color=_ACCENT, linewidths=0, zorder=3)
    axes.annotate(
        f"{x:.0f}% answered: {y:.1f}", (x, 0), (-5, 6), textcoords="offset points", ha="right",
        color=_INK, fontsize=_FONT,
    )  # fmt: skip


def _axes(across: str, up: str) -> tuple[Library, Library]:
    """Give a figure of its own: pyplot would keep it for the whole process."""
    figure = require("matplotlib.figure").Figure(figsize=_SIZE, layout=None)
    require("matplotlib.backends.backend_svg").FigureCanvasSVG(figure)
    axes = figure.add_axes((0.115, 0.145, 0.87, 0.84))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    axes.set_xlabel(across, color=_QUIET, fontsize=_FONT)
    axes.set_ylabel(up, color=_QUIET, fontsize=_FONT)
    axes.tick_params(colors=_QUIET, labelsize=_FONT, length=0, pad=5)
    axes.grid(color=_LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_QUIET)
    axes.spines["bottom"].set_linewidth(0.8)
    return figure, axes


def _svg(figure: Library, anchor: str, told: str) -> Html:
    """Save a figure as an element of the page: without styles, dates and ids of others."""
    written = io.StringIO()
    with _LOCK, require("matplotlib").rc_context(_SETTINGS):
        figure.savefig(written, format="svg", transparent=True)
    drawn = re.sub(r"^.*?(?=<svg)", "", written.getvalue(), flags=re.DOTALL)
    drawn = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", drawn, flags=re.S)
    drawn = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", drawn)
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\1plot-{anchor}-", drawn)
    drawn = re.sub(r'\sstyle="([^"]*)"', lambda found: _attributes(found.group(1)), drawn)
    box = re.search(r'viewBox="[^"]*"', drawn)
    head = f'<svg class="plot" role="img" aria-label="{text(told)}" {box.group() if box else ""}>'
    return Html(head + drawn[drawn.index(">") + 1 :].strip())


def _attributes(style: str) -> str:
    """Turn a style into attributes, which a page that forbids inline styles lets in."""
    classes: list[str] = []
    kept: list[str] = []
    for name, value in re.findall(r"([\w-]+):\s*([^;]+)", style):
        if value.strip() in _CLASSES:
            classes.append(f"{name}-{_CLASSES[value.strip()]}")
        elif name == "font":
            kept += [f' font-size="{found}"' for found in re.findall(r"[\d.]+px", value)[:1]]
        else:
            kept.append(f' {name}="{value.strip()}"')
    return (f' class="{" ".join(classes)}"' if classes else "") + "".join(kept)
