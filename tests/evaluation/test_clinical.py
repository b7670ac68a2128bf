import os
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest
from sklearn import metrics

from medrag.errors import EvaluationError, MissingExtraError
from medrag.evaluation.clinical import CLINICAL_MEASURES, chexbert_f1, clinical_scores
from medrag.evaluation.statistics import Statistic

FINDINGS = ["Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion", "Fracture"]


class Labeller:
    """Labels a report by the findings it names, as RadEval's scorer of CheXbert would."""

    TARGET_NAMES = FINDINGS

    def get_labels(self, reports: list[str]) -> list[list[int]]:
        return [[int(name.lower() in report.lower()) for name in FINDINGS] for report in reports]


class RadEval:
    """The shape of RadEval 2.2: names when made, then references and hypotheses by keyword."""

    fails: Exception | None = None

    def __init__(
        self, metrics: list[str], per_sample: bool = False, show_progress: bool = True
    ) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        warnings.filterwarnings("ignore")
        assert per_sample
        assert not show_progress
        if self.fails:
            raise self.fails
        self.names = [
            theirs
            for measure in CLINICAL_MEASURES.values()
            if measure.key in metrics
            for theirs in measure.scores
        ]
        self.f1chexbert_scorer = Labeller()

    def __call__(self, refs: list[str], hyps: list[str]) -> dict[str, list[float]]:
        assert isinstance(refs, list)
        assert all(hyps)
        warnings.warn("a model is slow", UserWarning, stacklevel=1)
        same = [float(r == h) for r, h in zip(refs, hyps, strict=True)]
        return dict.fromkeys(self.names, same)


@pytest.fixture(autouse=True)
def radeval(monkeypatch: pytest.MonkeyPatch) -> type[RadEval]:
    kind = type("RadEval", (RadEval,), {})
    module = ModuleType("radeval")
    module.RadEval = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "radeval", module)
    return kind


def value(statistic: Statistic) -> float:
    rows = ~np.isnan(statistic.sums).any(axis=1)
    return float(statistic.value(statistic.sums[rows].sum(axis=0)))


def test_every_measure_gives_one_value_for_each_report() -> None:
    found = clinical_scores(["a", "b"], ["a", "c"], measures=list(CLINICAL_MEASURES))
    assert list(found) == [
        "radgraph_simple", "radgraph_f1", "radgraph_complete", "chexbert_agreement_5",
        "chexbert_agreement_14", "ratescore", "green", "bertscore_distilbert",
    ]  # fmt: skip
    for values in found.values():
        np.testing.assert_array_equal(values, [1, 0])


def test_a_blank_report_scores_nothing_and_a_blank_reference_does_not_count() -> None:
    found = clinical_scores(["a", " ", "b"], ["  ", "c", "b"], measures=["green"])
    np.testing.assert_array_equal(found["green"], [0, np.nan, 1])


def test_only_blank_reports_are_shown_to_no_model() -> None:
    found = clinical_scores(["a"], [""], measures=["green"])
    np.testing.assert_array_equal(found["green"], [0])


def test_nothing_of_the_process_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    before = list(warnings.filters)
    clinical_scores(["a"], ["a"], measures=["green"])
    assert "TOKENIZERS_PARALLELISM" not in os.environ
    assert warnings.filters == before


def test_chexbert_f1_is_that_of_scikit_learn() -> None:
    references = ["edema and cardiomegaly", "fracture", "atelectasis", "clear", "edema"]
    hypotheses = ["edema", "fracture and edema", "", "consolidation", "edema"]
    found = chexbert_f1(references, hypotheses)
    wanted, given = Labeller().get_labels(references), Labeller().get_labels(hypotheses)
    for suffix, n in (("14", 6), ("5", 5)):
        for average in ("micro", "macro"):
            expected = metrics.f1_score(
                np.array(wanted)[:, :n], np.array(given)[:, :n], average=average, zero_division=0
            )
            assert value(found[f"chexbert_{average}_f1_{suffix}"]) == pytest.approx(expected)


def test_a_blank_reference_has_no_labels_to_compare() -> None:
    found = chexbert_f1(["edema", ""], ["edema", "fracture"])
    assert value(found["chexbert_micro_f1_14"]) == 1


def test_an_unknown_measure_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown clinical measures: radcliq; known are radgraph"):
        clinical_scores(["a"], ["a"], measures=["radcliq"])


def test_without_radeval_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "radeval", None)
    with pytest.raises(MissingExtraError, match=r"medrag\[clinical\]"):
        clinical_scores(["a"], ["a"])


def test_a_library_that_a_measure_lacks_is_told(radeval: type[RadEval]) -> None:
    radeval.fails = ImportError("No module named 'medspacy'")
    with pytest.raises(MissingExtraError, match=r"ratescore of RadEval lacks a library.*medspacy"):
        clinical_scores(["a"], ["a"], measures=["ratescore"])


def test_weights_that_cannot_be_fetched_are_named(radeval: type[RadEval]) -> None:
    radeval.fails = OSError("offline")
    with pytest.raises(EvaluationError, match=r"OSError: offline\. It needs StanfordAIMI/GREEN"):
        clinical_scores(["a"], ["a"], measures=["green"])


def test_another_shape_of_results_is_told(
    radeval: type[RadEval], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radeval, "__call__", lambda self, refs, hyps: {"green": [1.0, 2.0]})
    with pytest.raises(EvaluationError, match="2 values of 'green' for 1 reports"):
        clinical_scores(["a"], ["a"], measures=["green"])


def test_references_and_hypotheses_must_be_of_the_same_items() -> None:
    with pytest.raises(ValueError, match="got 1 and 2"):
        chexbert_f1(["a"], ["a", "b"])
