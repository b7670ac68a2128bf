"""One measure of all variants on one axis: dots with whiskers, one row each."""

import math

from medrag.alignment.comparing import AlignmentComparison, VariantScores, is_control
from medrag.evaluation.scores import Estimate
from medrag.reporting.alignment.names import measure_name, measure_told, variant_told
from medrag.reporting.evaluation.numbers import interval, number
from medrag.reporting.evaluation.scale import Scale, at, scale_of
from medrag.reporting.evaluation.strip import axis_of, drawing, whisker
from medrag.reporting.markup import Html, element, joined

_ROW = 30


def variant_strip(found: AlignmentComparison, measure: str, *, n_ticks: int = 6) -> Html:
    """Draw a measure of each variant with its interval; empty where none has a value."""
    known = [
        (each, each.measures[measure])
        for each in found.variants
        if measure in each.measures and math.isfinite(each.measures[measure].value)
    ]
    if not known:
        return Html("")
    ends = [end for _, one in known for end in (one.value, one.low, one.high)]
    scale = scale_of(ends, measure, n_ticks=n_ticks)
    rows = [_row(each, one, scale, measure) for each, one in known]
    axis = element("tr", element("td"), element("td", axis_of(scale, measure)), element("td"))
    return element("table", *rows, element("tfoot", axis, aria_hidden="true"), class_="strip")


def measure_panel(found: AlignmentComparison, measure: str) -> Html:
    """Draw a measure of each variant as a card with what it means."""
    drawn = variant_strip(found, measure, n_ticks=4)
    if not drawn:
        return drawn
    told = element("p", measure_told(measure), class_="told")
    return element(
        "section", element("h3", measure_name(measure)), told, drawn, class_="panel measure"
    )


def _row(variant: VariantScores, found: Estimate, scale: Scale, measure: str) -> Html:
    grid = [
        element("line", x1=at(scale, t), x2=at(scale, t), y1=0, y2=_ROW, class_="grid")
        for t in scale.ticks
    ]
    leading = not is_control(variant.name)
    dot = element("circle", cx=at(scale, found.value), cy=_ROW // 2, r=6 if leading else 4)
    mark = joined(whisker(scale, found, _ROW // 2), dot)
    return element(
        "tr",
        element("th", variant.name, scope="row", title=variant_told(variant.name) or None),
        element("td", drawing([*grid, mark], height=_ROW, name="track")),
        element("td", element("b", number(found.value, measure)), " ",
                element("span", interval(found, measure)), class_="value"),
        class_="main" if leading else "arm",
    )  # fmt: skip
