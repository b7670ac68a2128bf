"""The scores of a run as one self-contained HTML page: no script, nothing fetched."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import STATES, ArmScores, Scores
from medrag.reporting.evaluation.arms import arms_table, stage_bars
from medrag.reporting.evaluation.chosen import Example, examples
from medrag.reporting.evaluation.flow import flows, shares
from medrag.reporting.evaluation.foot import foot, part
from medrag.reporting.evaluation.groups import group_bars
from medrag.reporting.evaluation.items import item_article
from medrag.reporting.evaluation.names import (
    STATE_TOLD,
    arm_name,
    main_arm,
    words,
)
from medrag.reporting.evaluation.numbers import counted, in_percent, interval, number
from medrag.reporting.evaluation.pictures import PictureBudget
from medrag.reporting.evaluation.plots import calibration, risk_coverage
from medrag.reporting.evaluation.strip import strip
from medrag.reporting.evaluation.told import told
from medrag.reporting.evaluation.verdict import headline, verdict
from medrag.reporting.head import head
from medrag.reporting.markup import Html, element, joined

_NOTICE = "For research. Not a medical device, and not for clinical use."
_SHOWN = 20
_PICTURE_CHARACTERS = 11_000_000


def evaluation_page(
    run: Run,
    scores: Scores,
    *,
    roots: Mapping[str, Path] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Write the scores of a run, and the items to look at, as one HTML page.

    The answers of the run are read once, and only those shown are kept. Whatever is taken from
    the run is escaped.

    Args:
        roots: folder of each corpus on this machine. Where one, or a file in it, is missing, the
            evidence is shown as text, and says so.
        notes: what to know of the protocol, such as the defects that its faithful mode repeats.

    Returns:
        HTML in UTF-8 without lone surrogates, of less than 15 MB for ordinary texts.

    Raises:
        EvaluationError: if the answers of the run cannot be read.
    """
    style = "".join(
        (files("medrag.reporting") / name).read_text(encoding="utf-8")
        for name in ("style.css", "evaluation/evaluation.css")
    )
    sections = [(name, about, body) for name, about, body in _sections(run, scores, roots) if body]
    body = element(
        "body",
        element("header", element("h1", "medrag: evaluation"), element("p", _NOTICE), class_="top"),
        _hero(run, scores),
        _problems(scores),
        _jumps(sections),
        element("main", *(element("section", element("h2", about), content, id=name)
                          for name, about, content in sections)),
        element("footer", foot(run, scores, notes), element("p", _NOTICE), class_="foot"),
        class_="evaluation",
    )  # fmt: skip
    return f'<!doctype html>\n<html lang="en">{head(_title(run, scores), style)}{body}</html>\n'


def _title(run: Run, scores: Scores) -> str:
    return f"{scores.benchmark}, {scores.split}: {_system(run)}"


def _system(run: Run) -> str:
    return part(run.manifest, "pipeline")


def _hero(run: Run, scores: Scores) -> Html:
    """Head the page: what was asked, the number that counts, and what it means."""
    created = str(run.manifest.get("created", ""))[:10]
    eyebrow = " · ".join(each for each in (scores.benchmark, scores.split, created) if each)
    asked = [
        ("pipeline", _system(run)),
        ("model", part(run.manifest, "model")),
        ("index", part(run.manifest, "index")),
        ("items", f"{scores.n_items:,} in {counted(scores.n_clusters, 'cluster')}"),
        ("protocol", f"{scores.protocol}, {scores.mode}"),
    ]
    protocol = told(scores)
    facts = [element("div", element("dt", name), element("dd", value)) for name, value in asked]
    return element(
        "section",
        element("p", eyebrow, class_="label"),
        element("div", _big(scores), element("p", verdict(run, scores), class_="says"),
                class_="lead"),
        strip(scores),
        element("dl", *facts, class_="facts-of-run"),
        element("p", protocol.counts, " ", protocol.mode, class_="told"),
        class_="hero",
    )  # fmt: skip


def _big(scores: Scores) -> Html:
    main = main_arm(scores)
    if main is None or not scores.headline:
        return Html("")
    measure = scores.headline[0]
    found = headline(main, scores)
    unit = "%" if in_percent(measure) and found.value == found.value else ""
    return element(
        "div",
        element("p", number(found.value, measure), element("small", unit) if unit else "",
                class_="big"),
        element("p", interval(found, measure), class_="range"),
        element("p", f"{words(measure)}, {arm_name(main.arm)}, n = {found.n:,}", class_="told"),
    )  # fmt: skip


def _problems(scores: Scores) -> Html:
    """Say what a reader must know before the numbers."""
    known = list(scores.problems)
    main = main_arm(scores)
    if main is not None:
        known += _unread(main)
        known += [
            f"The arm “{arm_name(arm.arm)}” covers {arm.n_items:,} of {scores.n_items:,} items."
            for arm in scores.arms
            if arm.n_items < scores.n_items
        ]
    if not known:
        return Html("")
    return element(
        "section", element("h2", "Before you read the numbers"),
        element("ul", *(element("li", each) for each in known)), class_="problems",
    )  # fmt: skip


def _unread(arm: ArmScores) -> list[str]:
    return [
        f"{arm_name(arm.arm).capitalize()}: {counted(n, 'item')} of {arm.n_items:,} {state} "
        f"({STATE_TOLD[state]})."
        for state in STATES[2:]
        if (n := arm.states.get(state, 0))
    ]


def _jumps(sections: Sequence[tuple[str, str, Html]]) -> Html:
    links = [element("a", about, href=f"#{name}") for name, about, _ in sections]
    return element("nav", *links, class_="jumps", aria_label="Parts of this page")


def _sections(
    run: Run, scores: Scores, roots: Mapping[str, Path] | None
) -> list[tuple[str, str, Html]]:
    """Give id, heading and content of each part; a part without content is empty."""
    main = main_arm(scores)
    arms = arms_table(scores) if scores.arms else Html("")
    sections = [
        ("arms", "Arms and floors", arms),
        ("types", "By type", group_bars(scores)),
        ("confidence", "Confidence", _confidence(scores)),
        ("context", "What context changes", _context(scores)),
        ("time", "Time and memory", stage_bars(scores)),
    ]
    if main is None:
        return sections
    found = examples(run, scores, main.arm, n=_SHOWN)
    budget = PictureBudget(n_characters=_PICTURE_CHARACTERS)
    # The budget is spent in the order of the page.
    worst = _items(found.worst, run, roots or {}, budget, "worst")
    best = _items(found.best, run, roots or {}, budget, "best")
    return [
        *sections,
        ("worst", "Worst items", _under("Wrong, the most confident first.", worst)),
        ("best", "Best items",
         _under("Right: what context fixed first, then the most confident.", best)),
    ]  # fmt: skip


def _under(about: str, content: Html) -> Html:
    return joined(element("p", about, class_="told"), content) if content else content


def _confidence(scores: Scores) -> Html:
    if scores.curves is None:
        return Html("")
    parts = [
        (risk_coverage(scores.curves), "Risk and coverage",
         "If only the most confident answers are given, how many of them are wrong. A confidence "
         "that knows right from wrong gives a curve that rises from low on the left."),
        (calibration(scores.curves), "Calibration",
         "Whether answers with 70% confidence are right 70% of the time. The larger a dot, the "
         "more items; on the dashed line, confidence can be taken at its word."),
    ]  # fmt: skip
    drawn = [
        element("figure", element("figcaption", element("b", name)), plot,
                element("figcaption", about), class_="panel")
        for plot, name, about in parts
        if plot
    ]  # fmt: skip
    return element("div", *drawn, class_="pair") if drawn else Html("")


def _context(scores: Scores) -> Html:
    return joined(flows(scores.diagnostics), shares(scores.diagnostics))


def _items(
    found: Sequence[Example],
    run: Run,
    roots: Mapping[str, Path],
    budget: PictureBudget,
    anchor: str,
) -> Html:
    return joined(
        *(
            item_article(each, run.items[each.row.item], roots, budget, anchor=f"{anchor}{n}-")
            for n, each in enumerate(found, start=1)
            if each.row.item in run.items
        )
    )
