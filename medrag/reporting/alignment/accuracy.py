"""How many answers are right: by arm, by what context gives, and by group."""

import math

from medrag.alignment.comparing import AlignmentComparison, Difference, VariantScores, is_control
from medrag.evaluation.scores import Estimate
from medrag.reporting.alignment.names import variant_told
from medrag.reporting.evaluation.names import arm_name, words
from medrag.reporting.evaluation.numbers import MISSING, counted, interval, number, points
from medrag.reporting.markup import Html, element, joined

_START = "accuracy ("
_NOTHING = Estimate(float("nan"))


def accuracy_table(found: AlignmentComparison) -> Html:
    """Set the accuracy of each variant in each arm, and what context adds to it."""
    arms = [
        name.removeprefix(_START).removesuffix(")")
        for name in found.variants[0].measures
        if name.startswith(_START)
    ]
    columns = ["", *map(arm_name, arms), "context adds"]
    head = element("tr", *(element("th", each, scope="col") for each in columns))
    rows = [_row(each, arms) for each in found.variants]
    table = element("table", element("thead", head), element("tbody", *rows), class_="arms")
    return element("div", table, class_="scroll")


def group_tables(found: AlignmentComparison) -> Html:
    """Set accuracy with and without context by group, a table for each column of the items."""
    columns = list(dict.fromkeys(name for each in found.variants for name in each.groups))
    return joined(*(_group_table(found, column) for column in columns))


def _row(variant: VariantScores, arms: list[str]) -> Html:
    cells = [_cell(variant.measures[f"{_START}{arm})"], arm_name(arm)) for arm in arms]
    told = [variant_told(variant.name), counted(variant.n_seeds, "seed")]
    about = "; ".join(each for each in told if each)
    return element(
        "tr",
        element("th", variant.name, element("small", about), scope="row"),
        *cells,
        element("td", _gain(variant.from_context), data_label="context adds", class_="n"),
        class_="arm" if is_control(variant.name) else "main",
    )


def _cell(found: Estimate, label: str) -> Html:
    shown = element("span", interval(found, ""), class_="interval")
    value = element("b", number(found.value, ""))
    return element("td", value, " ", shown, data_label=label, class_="n")


def _gain(found: Difference | None) -> Html:
    if found is None or not math.isfinite(found.value.value):
        return Html(MISSING)
    sign = "+" if found.value.value > 0 else ""
    return joined(
        element("b", f"{sign}{number(found.value.value, '')}"), " ",
        element("span", interval(found.value, ""), class_="interval"),
    )  # fmt: skip


def _group_table(found: AlignmentComparison, column: str) -> Html:
    values = list(dict.fromkeys(v for each in found.variants for v in each.groups.get(column, {})))
    head = element(
        "tr",
        element("th", "", scope="col"),
        *(element("th", words(value), scope="col") for value in values),
    )
    rows = [
        element(
            "tr",
            element("th", each.name, scope="row"),
            *(_group_cell(each, column, value) for value in values),
        )
        for each in found.variants
    ]
    table = element("table", element("thead", head), element("tbody", *rows), class_="wide")
    return joined(element("h3", words(column)), element("div", table, class_="scroll"))


def _group_cell(variant: VariantScores, column: str, value: str) -> Html:
    arms = variant.groups.get(column, {}).get(value, {})
    context, bare = arms.get("context", _NOTHING), arms.get("no_context", _NOTHING)
    gain = variant.gains.get(column, {}).get(value)
    told = ""
    if gain is not None and math.isfinite(gain.value.value):
        told = f"{number(bare.value, '')} without; context: {points(gain.value, signed=True)}"
    return element(
        "td", element("b", number(context.value, "")), " ",
        element("span", interval(context, ""), class_="interval"), element("small", told),
    )  # fmt: skip
