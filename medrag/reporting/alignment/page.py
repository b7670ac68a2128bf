"""A comparison of trained models as one self-contained HTML page: no script, nothing fetched."""

from collections.abc import Sequence
from importlib.resources import files

from medrag.alignment.comparing import BASE, SFT, AlignmentComparison
from medrag.reporting.alignment.accuracy import accuracy_table, group_tables
from medrag.reporting.alignment.beside import beside_tables, changed_items, control_tables
from medrag.reporting.alignment.claims import claims_list, sentence
from medrag.reporting.alignment.dots import measure_panel, variant_strip
from medrag.reporting.alignment.foot import foot
from medrag.reporting.alignment.names import shown_measures
from medrag.reporting.evaluation.numbers import counted
from medrag.reporting.head import head
from medrag.reporting.markup import Html, element, joined

_NOTICE = "For research. Not a medical device, and not for clinical use."
_STYLES = ("style.css", "evaluation/evaluation.css", "alignment/alignment.css")
_HEADLINE = "accuracy (context)"


def alignment_page(found: AlignmentComparison) -> str:
    """Write a comparison as one HTML page; whatever is taken from a run is escaped.

    The notes of the comparison stand before everything else.

    Returns:
        HTML in UTF-8 without lone surrogates.
    """
    style = "".join((files("medrag.reporting") / name).read_text("utf-8") for name in _STYLES)
    sections = [(name, about, body) for name, about, body in _sections(found) if body]
    body = element(
        "body",
        element("header", element("h1", "medrag: alignment"), element("p", _NOTICE), class_="top"),
        _notes(found.notes),
        _hero(found),
        _problems(found.problems),
        _jumps(sections),
        element("main", *(element("section", element("h2", about), content, id=name)
                          for name, about, content in sections)),
        element("footer", foot(found), element("p", _NOTICE), class_="foot"),
        class_="evaluation alignment",
    )  # fmt: skip
    title = f"{found.benchmark}, {found.split}: {', '.join(each.name for each in found.variants)}"
    return f'<!doctype html>\n<html lang="en">{head(title, style)}{body}</html>\n'


def _notes(notes: Sequence[str]) -> Html:
    if not notes:
        return Html("")
    return element("section", *(element("p", each) for each in notes), class_="first-of-all")


def _hero(found: AlignmentComparison) -> Html:
    """Head the page: what may be claimed, and how many answers of each variant are right."""
    n_seeds = sum(each.n_seeds for each in found.variants)
    asked = [
        ("variants", f"{len(found.variants)} in {counted(n_seeds, 'run')}"),
        ("items", f"{found.n_items:,} in {counted(found.n_clusters, 'cluster')}"),
        ("protocol", f"{found.protocol}, {found.mode}"),
    ]
    facts = [element("div", element("dt", name), element("dd", value)) for name, value in asked]
    drawn = variant_strip(found, _HEADLINE)
    about = element("p", "Right answers with context (%)", class_="label")
    return element(
        "section",
        element("p", f"{found.benchmark} · {found.split}", class_="label"),
        element("p", _verdict(found), class_="says"),
        joined(about, drawn) if drawn else "",
        element("dl", *facts, class_="facts-of-run"),
        class_="hero",
    )


def _verdict(found: AlignmentComparison) -> str:
    """Say the first claim and how many more there are, or why there is none."""
    if not found.claims:
        return found.claims_note
    rest = len(found.claims) - 1
    more = f" {counted(rest, 'more gain')} over it below." if rest else ""
    return f"Beside the SFT control: {sentence(found.claims[0])}.{more}"


def _problems(problems: Sequence[str]) -> Html:
    if not problems:
        return Html("")
    listed = [element("li", f"{each[:1].upper()}{each[1:]}") for each in problems]
    return element(
        "section", element("h2", "Before you read the numbers"), element("ul", *listed),
        class_="problems",
    )  # fmt: skip


def _jumps(sections: Sequence[tuple[str, str, Html]]) -> Html:
    links = [element("a", about, href=f"#{name}") for name, about, _ in sections]
    return element("nav", *links, class_="jumps", aria_label="Parts of this page")


def _sections(found: AlignmentComparison) -> list[tuple[str, str, Html]]:
    """Give id, heading and content of each part; a part without content is empty."""
    return [
        ("claims", "What may be claimed", claims_list(found)),
        ("accuracy", "Accuracy (%)", accuracy_table(found)),
        ("reliance", "What the answers rest on (%)", _reliance(found)),
        ("sft", "Beside the SFT control", beside_tables(found, SFT)),
        ("controls", "Beside further controls", control_tables(found)),
        ("base", "Beside the model before training", beside_tables(found, BASE)),
        ("changes", "Fixed and broken", changed_items(found)),
        ("groups", "By group, with context (%)", group_tables(found)),
    ]


def _reliance(found: AlignmentComparison) -> Html:
    names = [name for name in shown_measures(found) if not name.startswith("accuracy")]
    panels = [panel for name in names if (panel := measure_panel(found, name))]
    return element("div", *panels, class_="pair") if panels else Html("")
