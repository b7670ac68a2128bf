"""Variants held against another: differences, tests, and which items changed."""

import math
from collections.abc import Sequence

from medrag.alignment.comparing import BASE, SFT, AlignmentComparison, Beside, Difference
from medrag.evaluation.scores import Estimate
from medrag.reporting.alignment.names import measure_name, variant_told
from medrag.reporting.evaluation.numbers import MISSING, interval, number
from medrag.reporting.evaluation.scale import Scale, span
from medrag.reporting.evaluation.strip import drawing
from medrag.reporting.markup import Html, element, joined

_BAR = 14
_SHOWN = 40


def beside_tables(found: AlignmentComparison, against: str) -> Html:
    """Set each variant beside one of them, measure by measure; empty if none stands beside it."""
    own = [each for each in found.comparisons if each.a == against]
    return joined(*(_table(each) for each in own))


def control_tables(found: AlignmentComparison) -> Html:
    """Set variants beside controls of their own."""
    own = [each for each in found.comparisons if each.a not in (BASE, SFT)]
    told = [
        joined(element("p", f"{each.a}: {variant_told(each.a)}.", class_="told"), _table(each))
        for each in own
    ]
    return joined(*told)


def changed_items(found: AlignmentComparison) -> Html:
    """Draw how many items a variant sets right and turns wrong, beside base and SFT."""
    known = [each for each in found.comparisons if math.isfinite(each.n_fixed)]
    if not known:
        return Html("")
    most = max(1.0, *(end for each in known for end in (each.n_fixed, each.n_broken)))
    scale = Scale(0.0, most, ())
    return element("table", *(_changes(each, scale) for each in known), class_="bars changes")


def p_shown(p: float) -> str:
    """Write a p-value; a dash for what was not tested."""
    if not math.isfinite(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def relative(found: Difference) -> str:
    """Write a change as a share of what it changes: "−48% [−61, −33]"."""
    if not math.isfinite(found.relative.value):
        return MISSING
    one = found.relative
    shown = _whole(one.value)
    sign = "+" if one.value > 0 and shown != "0" else ""
    known = math.isfinite(one.low) and math.isfinite(one.high)
    ends = f" [{_whole(one.low)}, {_whole(one.high)}]" if known else ""
    return f"{sign}{shown}%{ends}"


def signed(found: Estimate) -> str:
    """Write a difference in points with its sign, "+10.2"."""
    if not math.isfinite(found.value):
        return MISSING
    shown = number(found.value, "")
    # What rounds to zero has no sign.
    plain = shown.lstrip("−")
    if not float(plain):
        return plain
    return f"+{shown}" if found.value > 0 else shown


def _table(beside: Beside) -> Html:
    labels = [beside.a, beside.b, "difference", "relative", "p (Holm)"]
    head = element("tr", *(element("th", each, scope="col") for each in ["", *labels]))
    rows = [_row(name, one, labels) for name, one in beside.differences.items()]
    told = _detected(beside)
    detected = element("p", told, class_="told") if told else ""
    table = element("table", element("thead", head), element("tbody", *rows), class_="arms deltas")
    return joined(
        element("h3", f"{beside.b} beside {beside.a}"),
        element("div", table, class_="scroll"),
        detected,
    )


def _row(name: str, found: Difference, labels: Sequence[str]) -> Html:
    shown = joined(
        element("b", signed(found.value)), " ",
        element("span", interval(found.value, ""), class_="interval"),
    )  # fmt: skip
    cells = [
        number(found.a, ""), number(found.b, ""), shown, relative(found), p_shown(found.adjusted_p)
    ]  # fmt: skip
    return element(
        "tr",
        element("th", measure_name(name), scope="row"),
        *(
            element("td", cell, data_label=label, class_="n")
            for label, cell in zip(labels, cells, strict=True)
        ),
    )


def _detected(beside: Beside) -> str:
    """Say how small a difference would be found; empty where nothing was compared."""
    if beside.n_fixed == 0 and beside.n_broken == 0:
        return (
            "How small a difference in accuracy with context would be found cannot be told: no "
            "item changed."
        )
    if not math.isfinite(beside.detectable):
        return ""
    return (
        f"A difference in accuracy with context of {number(beside.detectable, '')} points would "
        "be found in 8 of 10 cases."
    )


def _whole(share: float) -> str:
    """Round a share of a share to whole percents; what rounds to zero has no sign."""
    shown = f"{100 * share:.0f}"
    return "0" if shown == "-0" else shown.replace("-", "−")


def _changes(beside: Beside, scale: Scale) -> Html:
    bars = [
        element("rect", x=0, y=4, height=_BAR, width=span(scale, 0, beside.n_fixed),
                class_="fixed", rx=2),
        element("rect", x=0, y=6 + _BAR, height=_BAR, width=span(scale, 0, beside.n_broken),
                class_="broken", rx=2),
    ]  # fmt: skip
    told = f"{_count(beside.n_fixed)} fixed, {_count(beside.n_broken)} broken"
    named = [("fixed", beside.fixed), ("broken", beside.broken)]
    lists = [_names(what, ids) for what, ids in named if ids]
    return element(
        "tr",
        element("th", beside.b, element("small", f"beside {beside.a}"), scope="row"),
        element("td", drawing(bars, height=2 * _BAR + 10, name="bar"),
                element("details", element("summary", "Which items"), *lists) if lists else ""),
        element("td", told, class_="value"),
    )  # fmt: skip


def _names(what: str, ids: Sequence[str]) -> Html:
    rest = len(ids) - _SHOWN
    shown = ", ".join(ids[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
    return element("p", element("b", f"{what}: "), shown, class_="named")


def _count(n: float) -> str:
    return f"{n:,.1f}".removesuffix(".0")
