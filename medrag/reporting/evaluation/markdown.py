"""Scores as a Markdown table, for a paper."""

import re
from collections.abc import Sequence

from medrag.evaluation.scores import Estimate, Scores
from medrag.reporting.evaluation.names import arm_name, is_floor, main_arm, words
from medrag.reporting.evaluation.numbers import in_percent, with_interval
from medrag.reporting.evaluation.told import told

# What ends a cell, begins markup or hides in Markdown.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def markdown_table(scores: Sequence[Scores]) -> str:
    """Write arms and floors as rows, headline measures as columns: "54.2 [48.1, 60.3]".

    Shares are in percent. Several scores of a benchmark's split stand in one table, one group of
    columns for each; other benchmarks follow in tables of their own.

    Returns:
        Markdown that ends with a line feed; empty without scores.
    """
    sets: dict[tuple[str, str], list[Scores]] = {}
    for each in scores:
        sets.setdefault((each.benchmark, each.split), []).append(each)
    return "\n".join(_table(group) for group in sets.values())


def _table(group: Sequence[Scores]) -> str:
    arms = list(dict.fromkeys(arm.arm for each in group for arm in each.arms))
    arms.sort(key=is_floor)
    columns = [(each, measure) for each in group for measure in each.headline]
    several = len(group) > 1
    head = ["", *(_column(each, measure, several) for each, measure in columns)]
    lines = [
        f"**{_plain(group[0].benchmark)}**, {_plain(group[0].split)}",
        "",
        _line(head),
        _line([":---", *["---:"] * len(columns)]),
        *(_line([_row_name(arm), *(_cell(s, arm, m) for s, m in columns)]) for arm in arms),
        "",
        *(_footnote(each) for each in group),
    ]
    return "\n".join(lines) + "\n"


def _column(scores: Scores, measure: str, several: bool) -> str:
    unit = " (%)" if in_percent(measure) else ""
    protocol = f"{_plain(scores.protocol)}, {scores.mode}: " if several else ""
    return f"{protocol}{_plain(words(measure))}{unit}"


def _row_name(arm: str) -> str:
    return f"floor: {_plain(arm_name(arm))}" if is_floor(arm) else _plain(arm_name(arm))


def _cell(scores: Scores, arm: str, measure: str) -> str:
    found = next((each for each in scores.arms if each.arm == arm), None)
    nothing = Estimate(float("nan"))
    # Brackets need no escape here: no link can follow them.
    return with_interval(found.measures.get(measure, nothing) if found else nothing, measure)


def _footnote(scores: Scores) -> str:
    clusters = f"{scores.n_clusters:,} clusters of image or patient{_counts(scores)}"
    mode = "defects of the released scorer " + (
        "included" if scores.mode == "faithful" else "left out"
    )
    source = told(scores).source
    cited = f" ({_plain(source)})" if source else ""
    lines = [
        f"Protocol `{_code(scores.protocol)}`{cited}, {scores.mode} mode: {mode}. "
        f"n = {scores.n_items:,} items in {clusters}; in brackets, 95% intervals by bootstrap over "
        "clusters."
    ]
    lines += [f"{_plain(problem)}" for problem in scores.problems]
    return "  \n".join(lines)


def _counts(scores: Scores) -> str:
    """Say over how many items each measure is, where it is not all of them."""
    main = main_arm(scores)
    if main is None:
        return ""
    known = [(name, main.measures[name].n) for name in scores.headline if name in main.measures]
    parts = [f"{_plain(words(name))}: {n:,}" for name, n in known if n != scores.n_items]
    return f" ({', '.join(parts)})" if parts else ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(name: str) -> str:
    """Escape a name, and put it on one line."""
    return _SPECIAL.sub(r"\\\1", _UNSEEN.sub(" ", name))


def _code(name: str) -> str:
    """Put a name between backticks, which escapes do not work in."""
    return _UNSEEN.sub(" ", name).replace("`", "'").replace("|", "¦")
