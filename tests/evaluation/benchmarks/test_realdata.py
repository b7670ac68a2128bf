"""The sets that are kept beside a checkout, with the counts that their owners publish."""

from collections import Counter
from pathlib import Path

import pytest

from medrag.evaluation.benchmarks import Benchmark, load_benchmark

pytestmark = pytest.mark.realdata

SAMPLE = Path(__file__).resolve().parents[3] / "corpora" / "sample"


def kinds(benchmark: Benchmark) -> Counter[str]:
    return Counter(item.kind for item in benchmark.items)


def test_the_part_of_vqa_rad_that_is_there_is_a_subset(data: Path) -> None:
    folder = data / "radiology" / "vqa_rad"
    test = load_benchmark("vqa_rad", folder, subset=True)
    train = load_benchmark("vqa_rad", folder, split="train", subset=True)
    assert (len(test.items), len(train.items)) == (287, 1078)
    assert test.problems == ("items: expected 451, found 287",)
    assert sum(item.closed for item in test.items) == 177
    assert len({item.cluster for item in test.items}) == 120
    # Every test image is a training image as well: retrieval must exclude it.
    assert {item.cluster for item in test.items} <= {item.cluster for item in train.items}


def test_the_review_questions_of_the_textbook_have_their_module(data: Path) -> None:
    folder = data / "textbook" / "anatomy_physiology"
    benchmark = load_benchmark("openstax_ap", folder)
    assert kinds(benchmark) == {"choice": 708}
    assert all(len(item.gold_passages) == 1 for item in benchmark.items)
    assert all(set(item.references) <= set(item.question.options) for item in benchmark.items)
    assert len(load_benchmark("openstax_ap", folder, split="free_response").items) == 370


def test_the_subjects_of_mmlu_have_the_counts_that_are_known(data: Path) -> None:
    benchmark = load_benchmark("mmlu", data / "text_qa")
    counts = Counter(item.fields["topic"] for item in benchmark.items)
    assert counts == {"anatomy": 135, "clinical_knowledge": 265, "college_biology": 144}
    assert benchmark.problems == ()
    assert len(load_benchmark("mmlu_anatomy", data / "text_qa").items) == 135


def test_pubmedqa_asks_for_yes_no_or_maybe(data: Path) -> None:
    benchmark = load_benchmark("pubmedqa", data / "text_qa")
    assert len(benchmark.items) == 500
    assert {item.references[0] for item in benchmark.items} == {"yes", "no", "maybe"}


def test_medquad_is_open(data: Path) -> None:
    benchmark = load_benchmark("medquad", data / "text_qa")
    assert kinds(benchmark) == {"text": 1917}
    assert all(item.references for item in benchmark.items)


def test_scifact_has_three_hundred_judged_queries(data: Path) -> None:
    folder = data / "retrieval" / "scifact"
    assert len(load_benchmark("beir", folder).items) == 300
    assert len(load_benchmark("beir", folder, split="train").items) == 809


def test_the_blood_smears_ask_for_counts_and_presence(data: Path) -> None:
    benchmark = load_benchmark("bccd_qa", data / "pathology" / "bccd")
    assert kinds(benchmark) == {"number": 100, "yes_no": 200}
    assert len({item.cluster for item in benchmark.items}) == 100


def test_the_sample_questions_ship_with_their_pictures() -> None:
    benchmark = load_benchmark("sample", SAMPLE)
    assert len(benchmark.items) == 15
    assert benchmark.problems == ()
    assert sum(item.fields["abstain"] for item in benchmark.items) == 2
    assert kinds(benchmark) == {"text": 9, "yes_no": 4, "choice": 2}
