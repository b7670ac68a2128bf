"""Selectors on a textbook's own questions, whose modules are known."""

from pathlib import Path

import pytest

from medrag.config import build_index, load_pipeline
from medrag.evaluation.benchmarks import load_benchmark
from medrag.evaluation.selecting import Setting, choose, report_on
from medrag.selection.gap import GapSelector
from medrag.selection.mixture import MixtureSelector


@pytest.mark.realdata
@pytest.mark.slow
def test_rules_are_measured_beside_fixed_numbers_on_a_textbook(data: Path, tmp_path: Path) -> None:
    folder = data / "textbook" / "anatomy_physiology"
    index = build_index(
        tmp_path / "index", sources=[folder / "sections.jsonl"], channels=["lexical"]
    )
    asked = load_benchmark("openstax_ap", folder, limit=100)
    rules = [
        Setting("gap", GapSelector(gamma=0.2, score="lexical")),
        Setting("never", GapSelector(gamma=50.0, score="lexical")),
        Setting("mixture", MixtureSelector(score="lexical")),
    ]
    pipeline = load_pipeline("sample", index=index)
    report = report_on(choose(pipeline, asked, rules=rules, ks=[1, 2, 5, 10]))
    found = {each.name: each for each in report.settings}
    recalls = [found[f"k={k}"].measures["recall"].value for k in (1, 2, 5, 10)]
    precisions = [found[f"k={k}"].measures["precision"].value for k in (1, 2, 5, 10)]
    assert recalls == sorted(recalls)
    assert precisions == sorted(precisions, reverse=True)
    # BM25 finds the module first for three of four questions of the whole book.
    assert recalls[0] > 0.6
    assert not any(each.n_refused for each in report.settings)
    assert 0 < found["gap"].measures["fired"].value < 1
    assert "never fired" in found["never"].notes[0]
    assert found["never"].measures["recall"] == found["k=10"].measures["recall"]
    assert 1 < found["mixture"].measures["kept"].value < 10
