"""The main arm by type of question: a bar for each, with its interval and the floor there."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from medrag.evaluation.scores import ArmScores, Estimate, Scores
from medrag.reporting.evaluation.names import arm_name, main_arm, words
from medrag.reporting.evaluation.numbers import counted, interval, number
from medrag.reporting.evaluation.scale import Scale, at, scale_of, span
from medrag.reporting.evaluation.strip import axis_of, drawing, whisker
from medrag.reporting.evaluation.verdict import strongest_floor
from medrag.reporting.markup import Html, element, joined

_ROW = 26
_MOST = 12

Group = Mapping[str, Mapping[str, Estimate]]


class _Bar(NamedTuple):
    """One group: its value in the column, what is shown of it, and the floor's value (or nan)."""

    value: str
    measure: str
    found: Estimate
    floor: float


def group_bars(scores: Scores) -> Html:
    """Draw each column of groups as a card of bars; empty if the main arm has no groups."""
    main = main_arm(scores)
    if main is None:
        return Html("")
    floor = strongest_floor(scores)
    cards = [_card(column, group, floor, scores) for column, group in main.groups.items()]
    drawn = [card for card in cards if card]
    if not drawn:
        return Html("")
    told = f" The tick is the strongest floor, “{arm_name(floor.arm)}”." if floor else ""
    about = element("p", "Bars with 95% intervals, largest groups first.", told, class_="told")
    return joined(about, element("div", *drawn, class_="pair"))


def _card(column: str, group: Group, floor: ArmScores | None, scores: Scores) -> Html:
    """Draw one column, the largest groups first; more than a dozen are folded away."""
    under = floor.groups.get(column, {}) if floor else {}
    bars = [_known(value, found, under, scores.headline) for value, found in group.items()]
    known = sorted((bar for bar in bars if bar), key=lambda bar: -bar.found.n)
    if not known:
        return Html("")
    measure = known[0].measure
    ends = [end for bar in known for end in (*_three(bar.found), bar.floor)]
    scale = scale_of(ends, measure, zero=True, n_ticks=3)
    rows = [_row(bar, scale, measure) for bar in known]
    axis = element("tr", element("td"), element("td", axis_of(scale, measure)), element("td"))
    foot = element("tfoot", axis, aria_hidden="true")
    parts = [
        element("h3", words(column), element("small", _measured(measure))),
        element("table", *rows[:_MOST], foot, class_="bars"),
    ]
    if rest := rows[_MOST:]:
        about = element("summary", counted(len(rest), "smaller group"))
        parts.append(element("details", about, element("table", *rest, class_="bars")))
    return element("section", *parts, class_="panel")


def _known(
    value: str, found: Mapping[str, Estimate], under: Group, headline: tuple[str, ...]
) -> _Bar | None:
    """Give the first headline measure that a group has, else the share right, and the floor's."""
    for measure in dict.fromkeys((*headline, "right", *found)):
        each = found.get(measure)
        if each is not None and math.isfinite(each.value):
            floor = under.get(value, {}).get(measure, Estimate(float("nan")))
            return _Bar(value, measure, each, floor.value)
    return None


def _measured(measure: str) -> str:
    return "share right" if measure == "right" else words(measure)


def _three(found: Estimate) -> tuple[float, float, float]:
    return found.value, found.low, found.high


def _row(bar: _Bar, scale: Scale, usual: str) -> Html:
    value, measure, found, floor = bar
    middle = _ROW // 2
    start, end = min(found.value, 0.0), max(found.value, 0.0)
    block = element("rect", x=at(scale, start), width=span(scale, start, end), y=4, height=_ROW - 8,
                  rx=2)  # fmt: skip
    place = at(scale, floor) if math.isfinite(floor) else ""
    tick = element("line", x1=place, x2=place, y1=1, y2=_ROW - 1, class_="tick") if place else ""
    other = "" if measure == usual else f"{_measured(measure)}, "
    about = element("small", f"{other}n = {found.n:,}")
    shapes = [each for each in (block, whisker(scale, found, middle), tick) if each]
    return element(
        "tr",
        element("th", value or "(empty)", about, scope="row"),
        element("td", drawing([Html(each) for each in shapes], height=_ROW, name="bar")),
        element("td", element("b", number(found.value, measure)), " ",
                element("span", interval(found, measure)), class_="value"),
    )  # fmt: skip
