"""Reports that are asked as a tree of questions, as Rad-ReStruct has them: what a report adds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.hierarchy import AnswerTree, vector_statistics
from medrag.evaluation.scores import STATES
from medrag.evaluation.scoring.columns import Columns
from medrag.evaluation.scoring.spreading import over_all, spread
from medrag.evaluation.statistics import Statistic, WeightedStatistic
from medrag.prompting.templates import letter
from medrag.records import Item

_NAMES = {
    "report_accuracy": "report_accuracy",
    "precision": "report_macro_precision",
    "recall": "report_macro_recall",
    "f1": "report_macro_f1",
}
_ANSWERED = STATES.index("answered")
# Sums of a report that are put among those of all items; more are kept by report.
_FEW = 8


def hierarchy_measures(
    columns: Columns, items: Sequence[Item]
) -> dict[str, Statistic | WeightedStatistic]:
    """Score the reports of a run; nothing if its items are no questions of reports.

    Items of a report have the fields "report", "node" (the question's place in the tree) and, below
    another question, "parent". A report counts at its first item, if an answer to each of its
    questions is on disk and the question above each was asked. "report_accuracy" and
    "report_macro_precision", "_recall" and "_f1" are of the answers once a denied question denies
    those below it; with "raw_" before them, of the answers as given.

    A column is an option of a question. What was not asked in a report, because what is above it
    is denied there, is answered by no and by none of the other options on both sides, as the
    released scorer fills it in.

    Source:
        Pellegrini et al., "Rad-ReStruct", MICCAI 2023 (ChantalMP/Rad-ReStruct).
    """
    reports = _reports(columns, items)
    if not reports:
        return {}
    tree = _tree(items)
    firsts = [min(places.values()) for places in reports]
    predicted, reference = _vectors(reports, tree, columns, items)
    made = vector_statistics(predicted, reference, tree.answers)
    return {
        f"{before}{name}": _over_items(made[f"{before}{field}"], firsts, len(items))
        for before in ("", "raw_")
        for field, name in _NAMES.items()
    }


@dataclass(frozen=True, slots=True)
class _Tree:
    """The columns of all reports; `places` are those of each question by its options."""

    answers: AnswerTree
    places: Mapping[str, Mapping[str, int]]


def _reports(columns: Columns, items: Sequence[Item]) -> list[dict[str, int]]:
    """Give the reports that count: the place of the item of each of their questions."""
    found: dict[str, dict[str, int]] = {}
    for place, item in enumerate(items):
        if item.question.options and "report" in item.fields and "node" in item.fields:
            nodes = found.setdefault(str(item.fields["report"]), {})
            nodes[str(item.fields["node"])] = place
    missing = columns.missing
    return [
        nodes
        for nodes in found.values()
        if not any(missing[place] for place in nodes.values())
        and all(_parent(items[place]) in {None, *nodes} for place in nodes.values())
    ]


def _tree(items: Sequence[Item]) -> _Tree:
    names: dict[str, dict[str, str]] = {}
    above: dict[str, str] = {}
    for item in items:
        if not item.question.options or "node" not in item.fields:
            continue
        node, parent = str(item.fields["node"]), _parent(item)
        names.setdefault(node, {}).update({each: f"{node}: {each}" for each in _options(item)})
        if parent is not None:
            above[node] = parent
    yes = {node: options["yes"] for node, options in names.items() if "yes" in options}
    columns = tuple(name for options in names.values() for name in options.values())
    denials = {names[node]["no"]: name for node, name in yes.items() if "no" in names[node]}
    parents = {
        name: yes[above[node]]
        for node, options in names.items()
        if above.get(node) in yes
        for name in options.values()
        if name not in denials
    }
    numbers = {name: number for number, name in enumerate(columns)}
    places = {
        node: {option: numbers[name] for option, name in options.items()}
        for node, options in names.items()
    }
    return _Tree(AnswerTree(columns, parents, denials), places)


def _parent(item: Item) -> str | None:
    parent = item.fields.get("parent")
    return None if parent is None else str(parent)


def _options(item: Item) -> Iterator[str]:
    return (option.strip().lower() for option in item.question.options)


def _vectors(
    reports: Sequence[Mapping[str, int]], tree: _Tree, columns: Columns, items: Sequence[Item]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill in (n_reports, n_columns) of what was answered and of what is right."""
    unasked = np.array([float(name in tree.answers.denials) for name in tree.answers.columns])
    predicted = np.tile(unasked, (len(reports), 1))
    reference = predicted.copy()
    for row, nodes in enumerate(reports):
        for node, place in nodes.items():
            item, numbers = items[place], tree.places[node]
            own = [numbers[option] for option in _options(item)]
            right = {text.strip().lower() for text in item.references}
            reference[row, own] = [float(option in right) for option in _options(item)]
            chosen = _chosen(columns, place, len(own))
            predicted[row, own] = (
                np.nan
                if chosen is None
                else [float(number in chosen) for number in range(len(own))]
            )
    return predicted, reference


def _chosen(columns: Columns, place: int, n_options: int) -> set[int] | None:
    """Give the options that were chosen, from 0, as they are shown ("A, C"); None without any."""
    if columns.states[place] != _ANSWERED:
        return None
    said = set(columns.parsed[place].split(", "))
    return {number for number in range(n_options) if letter(number) in said} or None


def _over_items(
    statistic: Statistic, places: Sequence[int], n: int
) -> Statistic | WeightedStatistic:
    """Put the reports of a statistic at their places among n items.

    Thousands of sums by report would be as many by item, nearly all of them nan: those stay where
    they are, and are weighed.
    """
    if statistic.sums.shape[1] <= _FEW:
        return spread(statistic, places, n)
    weighted = WeightedStatistic(lambda weights: statistic.value(weights @ statistic.sums))
    return over_all(weighted, places, n)
