"""All arms and floors on one axis: dots with whiskers, one row each."""

import math
from collections.abc import Sequence

from medrag.evaluation.scores import ArmScores, Estimate, Scores
from medrag.reporting.evaluation.names import arm_name, arm_told, is_floor, main_arm
from medrag.reporting.evaluation.numbers import interval, number
from medrag.reporting.evaluation.scale import Scale, at, scale_of, span
from medrag.reporting.evaluation.verdict import headline
from medrag.reporting.markup import Html, element, joined

_ROW = 30


def strip(scores: Scores) -> Html:
    """Draw the headline measure of each arm with its interval, the floors below as ticks.

    Returns:
        Empty if no arm has a value to draw.
    """
    if not scores.headline:
        return Html("")
    measure = scores.headline[0]
    found = [(arm, headline(arm, scores)) for arm in scores.arms]
    known = [(arm, each) for arm, each in found if math.isfinite(each.value)]
    if not known:
        return Html("")
    scale = scale_of(_ends([each for _, each in known]), measure)
    under = [each.value for arm, each in known if is_floor(arm.arm)]
    ordered = sorted(known, key=lambda pair: is_floor(pair[0].arm))
    rows = [_row(arm, each, scale, under, scores) for arm, each in ordered]
    axis = element("tr", element("td"), element("td", axis_of(scale, measure)), element("td"))
    return element("table", *rows, element("tfoot", axis, aria_hidden="true"), class_="strip")


def axis_of(scale: Scale, measure: str) -> Html:
    """Write the ticks of an axis below its rows."""
    labels = [
        element(
            "text", number(tick, measure).removesuffix(".0"), x=at(scale, tick), y=13,
            text_anchor="middle",
        )
        for tick in scale.ticks
    ]  # fmt: skip
    return drawing(labels, height=18, name="axis")


def drawing(shapes: Sequence[Html], *, height: int, name: str) -> Html:
    """Put shapes that are placed by percent into a drawing as wide as its place."""
    return element("svg", *shapes, class_=name, width="100%", height=height, aria_hidden="true")


def whisker(scale: Scale, found: Estimate, y: int) -> Html:
    """Draw an interval as a line; empty where there is none."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return Html("")
    low, high = at(scale, found.low), at(scale, found.high)
    return joined(
        element("line", x1=low, x2=high, y1=y, y2=y, class_="whisker"),
        element("line", x1=low, x2=low, y1=y - 4, y2=y + 4, class_="whisker"),
        element("line", x1=high, x2=high, y1=y - 4, y2=y + 4, class_="whisker"),
    )


def _ends(found: Sequence[Estimate]) -> list[float]:
    return [end for each in found for end in (each.value, each.low, each.high)]


def _row(
    arm: ArmScores, found: Estimate, scale: Scale, under: Sequence[float], scores: Scores
) -> Html:
    measure, leading = scores.headline[0], arm is main_arm(scores)
    grid = [
        element("line", x1=at(scale, t), x2=at(scale, t), y1=0, y2=_ROW, class_="grid")
        for t in scale.ticks
    ]
    lines = [
        element("line", x1=at(scale, v), x2=at(scale, v), y1=0, y2=_ROW, class_="under")
        for v in under
    ]
    floor = is_floor(arm.arm)
    mark = _tick(scale, found) if floor else _dot(scale, found, leading)
    kind = "floor" if floor else "main" if leading else "arm"
    return element(
        "tr",
        element("th", arm_name(arm.arm), scope="row", title=arm_told(arm.arm) or None),
        element("td", drawing([*grid, *lines, mark], height=_ROW, name="track")),
        element("td", element("b", number(found.value, measure)), " ",
                element("span", interval(found, measure)), class_="value"),
        class_=kind,
    )  # fmt: skip


def _dot(scale: Scale, found: Estimate, leading: bool) -> Html:
    dot = element("circle", cx=at(scale, found.value), cy=_ROW // 2, r=6 if leading else 4)
    return joined(whisker(scale, found, _ROW // 2), dot)


def _tick(scale: Scale, found: Estimate) -> Html:
    place = at(scale, found.value)
    band = ""
    if math.isfinite(found.low) and math.isfinite(found.high):
        band = element(
            "rect", x=at(scale, found.low), width=span(scale, found.low, found.high),
            y=_ROW // 2 - 4, height=8, class_="band",
        )  # fmt: skip
    return joined(band, element("line", x1=place, x2=place, y1=5, y2=_ROW - 5, class_="tick"))
