import math

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.measures import Measure, measured, parse_measure

DOCUMENTS = [f"d{number:02}" for number in range(12)]
RANKINGS = st.permutations(DOCUMENTS).flatmap(
    lambda order: st.integers(0, len(order)).map(lambda n: order[:n])
)
JUDGED = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 3)).filter(
    lambda judged: any(judged.values())
)
# Our name, and what the field's library calls the same.
NAMES = [
    ("nDCG@10", "nDCG@10"), ("nDCG@3", "nDCG@3"), ("Recall@5", "R@5"), ("P@5", "P@5"),
    ("Hit@1", "Success@1"), ("Hit@4", "Success@4"), ("MRR@10", "RR@10"), ("MRR", "RR"),
    ("MAP", "AP"), ("MAP@5", "AP@5"),
]  # fmt: skip


@given(ranking=RANKINGS, judged=JUDGED)
def test_every_measure_agrees_with_the_library_of_the_field(
    ranking: list[str], judged: dict[str, int]
) -> None:
    # Falling scores, so that the library keeps the order; the order of ties is ours to choose.
    run = [ir_measures.ScoredDoc("q", name, -float(place)) for place, name in enumerate(ranking)]
    qrels = [ir_measures.Qrel("q", name, grade) for name, grade in judged.items()]
    theirs = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(name) for _, name in NAMES], qrels, run
    )
    for ours, name in NAMES:
        expected = theirs[ir_measures.parse_measure(name)]
        value = measured(parse_measure(ours), ranking, judged)
        # The library rounds no value, so only the order of summing differs.
        assert value == pytest.approx(expected, abs=1e-9), ours


def test_ndcg_counts_a_late_document_for_less() -> None:
    # grades 0, 2, 1: 2/log2(3) + 1/log2(4) over 2/log2(2) + 1/log2(3)
    value = measured(parse_measure("nDCG@10"), ["x", "a", "b"], {"a": 2, "b": 1})
    assert value == pytest.approx((2 / math.log2(3) + 0.5) / (2 + 1 / math.log2(3)))


def test_a_question_without_a_relevant_document_has_no_value() -> None:
    assert math.isnan(measured(parse_measure("Hit@1"), ["a"], {"a": 0}))


def test_documents_beyond_the_depth_do_not_count() -> None:
    ranking, judged = ["x", "y", "a"], {"a": 1}
    for name in ("nDCG@2", "Recall@2", "P@2", "Hit@2", "MRR@2", "MAP@2"):
        assert measured(parse_measure(name), ranking, judged) == 0
        assert measured(parse_measure(name.replace("2", "3")), ranking, judged) > 0


def test_a_document_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="pool its passages first"):
        measured(parse_measure("P@2"), ["a", "a"], {"a": 1})


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("nDCG@10", Measure("nDCG", 10)),
        (" ndcg@5 ", Measure("nDCG", 5)),
        ("R@100", Measure("Recall", 100)),
        ("success@1", Measure("Hit", 1)),
        ("RR", Measure("MRR", None)),
        ("AP@20", Measure("MAP", 20)),
    ],
)
def test_a_measure_is_read_from_its_name(text: str, measure: Measure) -> None:
    assert parse_measure(text) == measure
    assert parse_measure(str(measure)) == measure


@pytest.mark.parametrize("text", ["", "nDCG", "nDCG@0", "nDCG@-1", "F1@3", "P@", "@10", "Hit@1.5"])
def test_a_name_that_is_no_measure_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="measure"):
        parse_measure(text)
