"""From columns to estimates with intervals: the measures of an arm, by group, and its curves."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.boxes import average_precision
from medrag.evaluation.calibration import (
    aurc,
    brier,
    conformal_measures,
    conformal_threshold,
    curves,
    ece,
    excess_aurc,
    option_probabilities,
    selective_accuracy,
)
from medrag.evaluation.class_measures import auroc, class_measures
from medrag.evaluation.parsed import YesNo
from medrag.evaluation.parsing import parse_answer
from medrag.evaluation.scorers.correctness import reference_boxes
from medrag.evaluation.scores import STATES, ArmScores, Curves, Estimate
from medrag.evaluation.scoring.columns import Columns
from medrag.evaluation.scoring.diagnostics import is_right
from medrag.evaluation.scoring.hierarchical import hierarchy_measures
from medrag.evaluation.scoring.pairs import pair_measures
from medrag.evaluation.scoring.spreading import over_all, spread
from medrag.evaluation.statistics import Resamples, Statistic, WeightedStatistic, mean_of
from medrag.evaluation.text_measures import ANSWER_MEASURES, REPORT_MEASURES, text_measures
from medrag.records import Item

AnyStatistic = Statistic | WeightedStatistic
# Groups of a column with more values than this are the most frequent ones.
_GROUPS = 24
# Of 10 conformal sets, 9 shall hold the right option.
_ALPHA = 0.1
# A confidence that is always the same tells nothing apart.
_LEAST_LEVELS = 2
# Columns that say how an answer came about and not how good it is.
NOT_MEASURES = frozenset({"n_evidence", "has_context", "rule_fired", "near_duplicate"})


def summarise(
    columns: Columns,
    items: Sequence[Item],
    resamples: Resamples,
    *,
    headline: Sequence[str],
    totals: Mapping[str, float],
    group_by: Sequence[str],
) -> ArmScores:
    """Give the estimates of one arm: the headline, then every other measure that applies."""
    own = {n: mean_of(v) for n, v in columns.values.items() if n not in NOT_MEASURES}
    found: dict[str, AnyStatistic] = {name: own[name] for name in headline if name in own}
    found |= {name: own[name] for name in sorted(own) if name not in found}
    for make in (*_MAKERS, pair_measures, hierarchy_measures):
        made = make(columns, items)
        found |= {name: statistic for name, statistic in made.items() if name not in found}
    n_answers = max(1, int(np.sum(~columns.missing)))
    return ArmScores(
        arm=columns.arm,
        n_items=columns.n_items,
        states={state: columns.n_in(state) for state in STATES},
        measures=resamples.estimates(found),
        totals=totals,
        groups=_groups(columns, items, resamples, group_by),
        seconds={stage: total / n_answers for stage, total in columns.seconds.items()},
    )


def confidence_curves(columns: Columns) -> Curves | None:
    """Draw risk against coverage and right answers against confidence; None without confidence."""
    confidence, right = _confident(columns)
    if len(np.unique(confidence[~np.isnan(confidence)])) < _LEAST_LEVELS:
        return None
    return curves(columns.arm, confidence, right)


def _of_classes(columns: Columns, items: Sequence[Item]) -> dict[str, AnyStatistic]:
    """Measure yes/no questions by class: majority answers look good in accuracy alone."""
    reference = [_yes_or_no(item) for item in items]
    reference = [
        None if gone else each for each, gone in zip(reference, columns.missing, strict=True)
    ]
    if not any(reference):
        return {}
    predicted = [each or "" for each in columns.classes]
    made = class_measures(predicted, reference)
    wanted = ("balanced_accuracy", "macro_f1")
    found: dict[str, AnyStatistic] = {f"yes_no_{name}": made[name] for name in wanted}
    signs = np.array([{"yes": 1.0, "no": -1.0}.get(each, 0.0) for each in predicted])
    # How sure of yes: a sure no lies below an unsure one; without confidence it is nan.
    positive = [np.nan if each is None else float(each == "yes") for each in reference]
    if not np.isnan(columns.confidence).all():
        found["yes_no_auroc"] = auroc(signs * columns.confidence, positive)
    return found


def _yes_or_no(item: Item) -> str | None:
    if item.kind != "yes_no" or not item.references:
        return None
    parsed = parse_answer(item.references[0], item)
    return ("yes" if parsed.value else "no") if isinstance(parsed, YesNo) else None


def _of_texts(columns: Columns, items: Sequence[Item]) -> dict[str, AnyStatistic]:
    found: dict[str, AnyStatistic] = {}
    for kind, measures in (("text", ANSWER_MEASURES), ("report", REPORT_MEASURES)):
        counted = [item.kind == kind and bool(item.references) for item in items]
        if not any(counted):
            continue
        texts = [
            text if counts else None for text, counts in zip(columns.texts, counted, strict=True)
        ]
        references = [item.references or ("",) for item in items]
        language = Counter(item.language for item in items).most_common(1)[0][0]
        made = text_measures(texts, references, measures=measures, language=language)
        prefix = "open_" if kind == "text" else "report_"
        found |= {f"{prefix}{name}": statistic for name, statistic in made.items()}
    return found


def _of_boxes(columns: Columns, items: Sequence[Item]) -> dict[str, AnyStatistic]:
    if not columns.boxes:
        return {}
    places = sorted(columns.boxes)
    given = [columns.boxes[place] for place in places]
    right = [reference_boxes(items[place]) for place in places]
    return {"map_50": over_all(average_precision(given, right), places, len(items))}


def _of_options(columns: Columns, items: Sequence[Item]) -> dict[str, AnyStatistic]:
    """Give conformal coverage at 0.9 on one half of the clusters, calibrated on the other."""
    places = [
        place
        for place in sorted(columns.option_scores)
        if items[place].kind == "choice" and items[place].references
    ]
    halves = [_half(items[place]) for place in places]
    if len(set(halves)) < 2:
        return {}
    chances = option_probabilities([columns.option_scores[place] for place in places])
    right = np.array(
        [items[place].question.options.index(items[place].references[0]) for place in places]
    )
    fitted = np.array(halves, dtype=bool)
    threshold = conformal_threshold(chances[fitted], right[fitted], alpha=_ALPHA)
    held_out = [place for place, half in zip(places, halves, strict=True) if not half]
    made = conformal_measures(chances[~fitted], right[~fitted], threshold)
    return {name: spread(one, held_out, len(items)) for name, one in made.items()}


def _half(item: Item) -> bool:
    """Put a cluster into one of two halves, by its name alone."""
    name = item.cluster or item.id
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass")).digest()[0] % 2 == 0


def _of_confidence(columns: Columns, items: Sequence[Item]) -> dict[str, AnyStatistic]:
    del items  # every item that the headline counts takes part
    confidence, right = _confident(columns)
    if np.isnan(confidence).all() or np.isnan(right).all():
        return {}
    binary = is_right(columns)
    return {
        "ece": ece(confidence, right),
        "brier": brier(confidence, right),
        "aurc": aurc(confidence, right),
        "excess_aurc": excess_aurc(confidence, right),
        "auroc_of_correctness": auroc(confidence, binary),
        "accuracy_at_80_coverage": selective_accuracy(confidence, right, coverage=0.8),
    }


def _confident(columns: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return columns.confidence, np.clip(columns.right, 0, 1)


def _groups(
    columns: Columns, items: Sequence[Item], resamples: Resamples, group_by: Sequence[str]
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Estimate the headline by the values of columns; one that does not part the items is left."""
    found: dict[str, dict[str, dict[str, Estimate]]] = {}
    for column, value_of in _columns(group_by).items():
        values = [value_of(item) for item in items]
        counts = Counter(value for value in values if value is not None)
        if len(counts) < _LEAST_LEVELS:
            continue
        named = [value for value, _ in counts.most_common(_GROUPS)]
        parts = {
            value: mean_of(np.where([v == value for v in values], columns.right, np.nan))
            for value in named
        }
        estimates = resamples.estimates(parts)
        found[column] = {value: {"right": estimates[value]} for value in named}
    return found


def _columns(group_by: Sequence[str]) -> dict[str, Callable[[Item], str | None]]:
    columns: dict[str, Callable[[Item], str | None]] = {
        "kind": lambda item: item.kind,
        "closed": lambda item: "closed" if item.closed else "open",
    }
    for name in group_by:
        columns[name] = lambda item, name=name: _text(item.fields.get(name))  # type: ignore[misc]
    return columns


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


# What makes measures of a whole arm, besides the means of what each item adds.
_MAKERS: tuple[Callable[[Columns, Sequence[Item]], Mapping[str, AnyStatistic]], ...] = (
    _of_classes,
    _of_texts,
    _of_boxes,
    _of_options,
    _of_confidence,
)
