"""Measures of reports that need clinical models, through RadEval: an optional extra.

Each downloads weights when it is first used; GREEN is a model of 7 billion parameters. The native
measures of `medrag.evaluation.text_measures` need none.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.errors import EvaluationError, MissingExtraError
from medrag.evaluation.statistics import Statistic
from medrag.extras import Library, require

Floats = NDArray[np.float64]

# The five findings that papers average over, among CheXbert's fourteen.
CHEXBERT_FIVE = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")


@dataclass(frozen=True, slots=True)
class ClinicalMeasure:
    """A measure of RadEval.

    Attributes:
        key: what RadEval calls it.
        scores: RadEval's name of each value for one report, and ours.
        needs: what is fetched before it runs.
    """

    key: str
    scores: Mapping[str, str]
    needs: str


CLINICAL_MEASURES: Mapping[str, ClinicalMeasure] = {
    "radgraph": ClinicalMeasure(
        "radgraph",
        {
            "radgraph_simple": "radgraph_simple",
            "radgraph_partial": "radgraph_f1",
            "radgraph_complete": "radgraph_complete",
        },
        "RadGraph-XL weights of StanfordAIMI",
    ),
    "chexbert": ClinicalMeasure(
        "f1chexbert",
        {
            "f1chexbert_sample_acc_5": "chexbert_agreement_5",
            "f1chexbert_sample_acc_all": "chexbert_agreement_14",
        },
        "CheXbert weights of StanfordAIMI and the vocabulary of bert-base-uncased",
    ),
    "ratescore": ClinicalMeasure(
        "ratescore", {"ratescore": "ratescore"}, "weights of RaTE-NER and of BioLORD"
    ),
    "green": ClinicalMeasure(
        "green", {"green": "green"}, "StanfordAIMI/GREEN-radllama2-7b, and a GPU to run it on"
    ),
    "bertscore": ClinicalMeasure(
        "bertscore",
        {"bertscore": "bertscore_distilbert"},
        "weights of distilbert-base-uncased (its layer 5, without rescaling)",
    ),
}


def clinical_scores(
    references: Sequence[str],
    hypotheses: Sequence[str],
    *,
    measures: Sequence[str] = ("radgraph", "chexbert", "ratescore"),
) -> dict[str, Floats]:
    """Score reports by clinical models, each report on its own.

    Args:
        references: right reports; where one is blank, the item has no value (nan).
        hypotheses: as many; a blank one scores 0 and is shown to no model, as some models give
            half marks to a report in which they find nothing.
        measures: names of `CLINICAL_MEASURES`. RadGraph-F1 as papers print it is "radgraph_f1"
            (the partial reward). "chexbert" gives for each report the share of labels that agree,
            not F1: for that see `chexbert_f1`.

    Returns:
        (n_items,) by name, higher is better.

    Raises:
        MissingExtraError: if RadEval is not installed.
        EvaluationError: if a model cannot be loaded or fails; says what it needs.
        ValueError: if a measure is unknown or the two differ in length.

    Source:
        RadEval 2.2.1: Xu et al., EMNLP 2025 demonstrations. RadGraph-F1: Yu et al., Patterns 2023;
        RaTEScore: Zhao et al., EMNLP 2024; GREEN: Ostmeier et al., EMNLP Findings 2024; BERTScore:
        Zhang et al., ICLR 2020.
    """
    _check(references, hypotheses)
    unknown = [name for name in measures if name not in CLINICAL_MEASURES]
    if unknown:
        known = ", ".join(CLINICAL_MEASURES)
        raise ValueError(f"unknown clinical measures: {', '.join(unknown)}; known are {known}")
    radeval = require("radeval", extra="clinical")
    rows = _shown(references, hypotheses)
    scores: dict[str, Floats] = {}
    for name in measures:
        with _evaluator(radeval, name) as evaluator:
            found = _compared(evaluator, references, hypotheses, rows)
        for theirs, ours in CLINICAL_MEASURES[name].scores.items():
            scores[ours] = _spread(name, theirs, found, references, rows)
    return scores


def chexbert_f1(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, Statistic]:
    """Compute CheXbert F1 from the labels of both sides, so that it can be resampled.

    A finding counts as present if it is labelled positive or uncertain.

    Returns:
        "chexbert_micro_f1_14", "chexbert_macro_f1_14" and the same with _5. An item whose
        reference is blank does not count; a finding that stands on neither side has F1 0 in a
        macro mean, as scikit-learn has it.

    Raises:
        MissingExtraError, EvaluationError, ValueError: as `clinical_scores`.

    Source:
        Smit et al., "CheXbert", EMNLP 2020.
    """
    _check(references, hypotheses)
    radeval = require("radeval", extra="clinical")
    with _evaluator(radeval, "chexbert") as evaluator:
        labeller = evaluator.f1chexbert_scorer
        names = list(labeller.TARGET_NAMES)
        five = [names.index(finding) for finding in CHEXBERT_FIVE]
        wanted, given = (_labels(labeller, side, len(names)) for side in (references, hypotheses))
    blank = np.array([not text.strip() for text in references], dtype=bool)
    measures = {}
    for suffix, columns in (("14", list(range(len(names)))), ("5", five)):
        left, right = given[:, columns], wanted[:, columns]
        sums = np.concatenate([left * right, left, right], axis=1)
        sums[blank] = np.nan
        measures[f"chexbert_micro_f1_{suffix}"] = Statistic(sums, _micro_f1)
        measures[f"chexbert_macro_f1_{suffix}"] = Statistic(sums, _macro_f1)
    return measures


def _check(references: Sequence[str], hypotheses: Sequence[str]) -> None:
    if len(references) != len(hypotheses):
        raise ValueError(
            f"references and hypotheses must be of the same items, got {len(references)} and "
            f"{len(hypotheses)}"
        )


@contextmanager
def _evaluator(radeval: Library, name: str) -> Iterator[Library]:
    """Load a measure; what goes wrong while it loads or runs is told in our words."""
    measure = CLINICAL_MEASURES[name]
    try:
        with _undisturbed():
            yield radeval.RadEval(metrics=[measure.key], per_sample=True, show_progress=False)
    except ImportError as error:
        raise MissingExtraError(
            f"{name} of RadEval lacks a library ({error}); install it: "
            "pip install 'medrag[clinical]'"
        ) from error
    except Exception as error:  # models, their loaders and the network fail in many ways
        raise EvaluationError(
            f"RadEval could not compute {name}: {type(error).__name__}: {error}. It needs "
            f"{measure.needs}, which it downloads on first use; fetch them where there is a "
            "network, or leave the measure out"
        ) from error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Undo what RadEval does to the process: it silences all warnings and sets a variable."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            os.environ.pop("TOKENIZERS_PARALLELISM", None)
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def _shown(references: Sequence[str], hypotheses: Sequence[str]) -> list[int]:
    return [
        row
        for row, (reference, hypothesis) in enumerate(zip(references, hypotheses, strict=True))
        if reference.strip() and hypothesis.strip()
    ]


def _compared(
    evaluator: Library, references: Sequence[str], hypotheses: Sequence[str], rows: list[int]
) -> Mapping[str, Sequence[float]]:
    if not rows:
        return {}
    found: Mapping[str, Sequence[float]] = evaluator(
        refs=[references[row] for row in rows], hyps=[hypotheses[row] for row in rows]
    )
    return found


def _spread(
    name: str,
    key: str,
    found: Mapping[str, Sequence[float]],
    references: Sequence[str],
    rows: list[int],
) -> Floats:
    values = np.array([0.0 if text.strip() else np.nan for text in references])
    if not rows:
        return values
    given = found.get(key)
    if given is None or len(given) != len(rows):
        raise EvaluationError(
            f"RadEval gave {'no values' if given is None else f'{len(given)} values'} of {key!r} "
            f"for {len(rows)} reports; medrag knows {name} as RadEval 2.2 computes it"
        )
    values[rows] = np.asarray(given, dtype=np.float64)
    return values


def _labels(labeller: Library, texts: Sequence[str], n_labels: int) -> Floats:
    """Label reports; (n_items, n_labels), 0 for a blank one, which the model is not shown."""
    rows = [row for row, text in enumerate(texts) if text.strip()]
    labels = np.zeros((len(texts), n_labels))
    if rows:
        labels[rows] = np.asarray(labeller.get_labels([texts[row] for row in rows]))
    return labels


def _micro_f1(sums: Floats) -> Floats:
    both, given, wanted = (part.sum(axis=-1) for part in np.split(sums, 3, axis=-1))
    return _f1(both, given + wanted)


def _macro_f1(sums: Floats) -> Floats:
    both, given, wanted = np.split(sums, 3, axis=-1)
    f1: Floats = np.nan_to_num(_f1(both, given + wanted)).mean(axis=-1)
    return f1


def _f1(both: Floats, total: Floats) -> Floats:
    return np.where(total > 0, 2 * both / np.where(total > 0, total, 1), np.nan)
