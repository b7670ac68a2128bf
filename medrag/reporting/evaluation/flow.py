"""What context does to the items: which it sets right, which it turns wrong; and other checks."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from medrag.evaluation.scores import Diagnostics, Flow
from medrag.reporting.evaluation.names import arm_name, share_name, share_told, words
from medrag.reporting.evaluation.numbers import interval, number
from medrag.reporting.evaluation.strip import drawing
from medrag.reporting.markup import Html, element, joined

_HEIGHT, _GAP, _TOP = 172, 18, 4
_LEFT, _RIGHT = 24, 76  # percent: where the ribbons begin and end
_APART = 17


class _Ribbon(NamedTuple):
    kind: str
    n: int
    told: str
    right_before: bool
    right_after: bool


def flows(diagnostics: Diagnostics) -> Html:
    """Draw how items go from right or wrong in one arm to right or wrong in another."""
    drawn = [_flow(each) for each in diagnostics.flows if _total(each)]
    return element("div", *drawn, class_="pair") if drawn else Html("")


def shares(diagnostics: Diagnostics) -> Html:
    """List the shares and counts with what each means; empty if there are none."""
    told = [
        element(
            "div",
            element("dt", share_name(name)),
            element("dd", element("b", number(found.value, name)), " ",
                    element("span", interval(found, name), class_="interval")),
            element("dd", share_told(name), element("small", f"n = {found.n:,}"),
                    class_="why"),
        )
        for name, found in diagnostics.shares.items()
    ]  # fmt: skip
    counts = [
        element("div", element("dt", words(name)), element("dd", element("b", f"{count:,}")))
        for name, count in diagnostics.counts.items()
    ]
    return joined(
        element("dl", *told, class_="shares") if told else "",
        element("h3", "Counts over all items") if counts else "",
        element("dl", *counts, class_="shares counts") if counts else "",
    )


def _total(flow: Flow) -> int:
    return sum(map(len, (flow.fixed, flow.broken, flow.both_right, flow.both_wrong)))


def _flow(flow: Flow) -> Html:
    ribbons = (
        _Ribbon("kept", len(flow.both_right), "right in both", True, True),
        _Ribbon("broken", len(flow.broken), "broken", True, False),
        _Ribbon("fixed", len(flow.fixed), "fixed", False, True),
        _Ribbon("lost", len(flow.both_wrong), "wrong in both", False, False),
    )
    head = element(
        "p", element("span", arm_name(flow.before)), element("span", "→", class_="arrow"),
        element("span", arm_name(flow.after)), class_="ends",
    )  # fmt: skip
    more = len(flow.fixed) - len(flow.broken)
    told = f"{len(flow.fixed):,} of {_total(flow):,} items fixed, {len(flow.broken):,} broken: "
    told += f"{abs(more):,} {'more' if more >= 0 else 'fewer'} right."
    return element(
        "section", head, drawing(_shapes(ribbons), height=_HEIGHT, name="flow"),
        element("p", told, class_="told"), class_="panel",
    )  # fmt: skip


def _shapes(ribbons: Sequence[_Ribbon]) -> list[Html]:
    scale = (_HEIGHT - _GAP - 2 * _TOP) / sum(ribbon.n for ribbon in ribbons)
    before = _stacked(ribbons, scale, [r.right_before for r in ribbons])
    # On the right, what is right after comes first: fixed items cross broken ones.
    order = sorted(range(len(ribbons)), key=lambda i: not ribbons[i].right_after)
    sorted_after = _stacked(
        [ribbons[i] for i in order], scale, [ribbons[i].right_after for i in order]
    )
    after = dict(zip(order, sorted_after, strict=True))
    paths = [
        _path(ribbon, before[i], after[i], ribbon.n * scale)
        for i, ribbon in enumerate(ribbons)
        if ribbon.n
    ]
    inner = element(
        "svg", *paths, x=f"{_LEFT}%", y=0, width=f"{_RIGHT - _LEFT}%", height=_HEIGHT,
        viewBox=f"0 0 100 {_HEIGHT}", preserveAspectRatio="none",
    )  # fmt: skip
    ends = [*_ends(ribbons, scale, before=True), *_ends(ribbons, scale, before=False)]
    middles = [after[i] + ribbons[i].n * scale / 2 for i in order]
    labels = [
        element("text", f"{ribbons[i].n:,} {ribbons[i].told}", x="74%", y=f"{y + 4:.1f}",
                text_anchor="end", class_=f"label-{ribbons[i].kind}")
        for i, y in zip(order, _spread(middles), strict=True)
        if ribbons[i].n
    ]  # fmt: skip
    return [inner, *ends, *labels]


def _stacked(ribbons: Sequence[_Ribbon], scale: float, right: Sequence[bool]) -> list[float]:
    """Give the top of each ribbon at one end: the right ones, a gap, the wrong ones."""
    tops, top = [], float(_TOP)
    for place, ribbon in enumerate(ribbons):
        if not right[place] and (place == 0 or right[place - 1]):
            top += _GAP
        tops.append(top)
        top += ribbon.n * scale
    return tops


def _path(ribbon: _Ribbon, start: float, end: float, thick: float) -> Html:
    line = (
        f"M0 {start:.2f} C50 {start:.2f} 50 {end:.2f} 100 {end:.2f} "
        f"L100 {end + thick:.2f} C50 {end + thick:.2f} 50 {start + thick:.2f} "
        f"0 {start + thick:.2f} Z"
    )
    return element("path", d=line, class_=f"ribbon-{ribbon.kind}")


def _ends(ribbons: Sequence[_Ribbon], scale: float, *, before: bool) -> list[Html]:
    """Draw the two blocks of one side, with their counts beside them."""
    right = sum(r.n for r in ribbons if (r.right_before if before else r.right_after))
    wrong = sum(r.n for r in ribbons) - right
    tops = (float(_TOP), _TOP + _GAP + right * scale)
    shapes: list[Html] = []
    middles = _spread([tops[0] + right * scale / 2, tops[1] + wrong * scale / 2], apart=34)
    edge, beside = (_LEFT, _LEFT - 3) if before else (_RIGHT, _RIGHT + 3)
    anchor = "end" if before else "start"
    for name, n, top, y in zip(("right", "wrong"), (right, wrong), tops, middles, strict=True):
        shapes.append(
            element("rect", x=f"{edge - (1 if before else 0)}%", width="1%", y=f"{top:.2f}",
                    height=f"{n * scale:.2f}", class_=f"end-{name}")
        )  # fmt: skip
        shapes.append(element("text", f"{n:,}", x=f"{beside}%", y=f"{y - 1:.1f}",
                              text_anchor=anchor, class_="count"))  # fmt: skip
        shapes.append(element("text", name, x=f"{beside}%", y=f"{y + 13:.1f}", text_anchor=anchor))
    return shapes


def _spread(places: Sequence[float], apart: float = _APART) -> list[float]:
    """Move labels from top to bottom so far apart that they can be read, and keep them inside."""
    half = apart / 2
    moved: list[float] = []
    for y in places:
        moved.append(max(y, moved[-1] + apart if moved else half))
    limit = float(_HEIGHT) - half
    for place in reversed(range(len(moved))):
        moved[place] = min(moved[place], limit)
        limit = moved[place] - apart
    return [y if math.isfinite(y) else half for y in moved]
