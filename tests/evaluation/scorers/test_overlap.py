"""Overlap of reports and open answers, in the words of R2Gen and in ours."""

import pytest

from medrag.evaluation.scorers import scoring_protocol
from tests.evaluation.scorers.made import made

OVERLAP = scoring_protocol("overlap")


def test_a_report_is_compared_by_its_longest_common_subsequence() -> None:
    [values] = OVERLAP.score([made("The heart is large.", "Heart is normal.", kind="report")])
    # "heart is" of 4 and 3 words: precision 1/2, recall 2/3; beta is 1.2, so beta squared 1.44.
    assert values["rouge_l"] == pytest.approx(2.44 / 2 * (2 / 3) / (2 / 3 + 1.44 / 2))
    assert (values["token_precision"], values["token_recall"]) == pytest.approx((1 / 2, 2 / 3))
    assert values["token_f1"] == pytest.approx(4 / 7)


@pytest.mark.parametrize("answer", ["", "I cannot determine the heart.", "<think>The heart"])
def test_silence_and_refusals_have_no_overlap(answer: str) -> None:
    [values] = OVERLAP.score([made(answer, "The heart is large.", kind="report")])
    assert values["rouge_l"] == values["token_f1"] == 0.0


def test_only_texts_are_compared() -> None:
    cases = [made("yes", "yes", kind="yes_no"), made("3", "3", kind="number"), made("liver")]
    assert OVERLAP.score(cases) == [{}, {}, {}]


def test_the_best_reference_counts() -> None:
    [values] = OVERLAP.score([made("left lung", "the right lung", "left lung")])
    assert values["rouge_l"] == values["token_f1"] == 1.0


def test_reports_of_r2gen_are_cleaned_and_cut_in_faithful_mode_only() -> None:
    long = " ".join(["lung"] * 70)
    cases = [
        made("1. Heart normal.", "heart normal", kind="report"),
        made(f"{long} left", f"{long} right", kind="report"),
    ]
    faithful = scoring_protocol("overlap", "faithful", benchmark="iu_xray")
    corrected = scoring_protocol("overlap", benchmark="iu_xray")
    # Of 71 words each 59 are kept, and the one that differs is the last.
    assert [values["rouge_l"] for values in faithful.score(cases)] == pytest.approx([1.0, 1.0])
    assert [values["rouge_l"] < 1 for values in corrected.score(cases)] == [True, True]


def test_mimic_keeps_more_words_than_iu() -> None:
    long = " ".join(["lung"] * 70)
    case = made(f"{long} left", f"{long} right", kind="report")
    for benchmark, same in (("mimic_cxr_reports", False), ("iu_xray", True)):
        [values] = scoring_protocol("overlap", "faithful", benchmark=benchmark).score([case])
        assert (values["rouge_l"] == pytest.approx(1.0)) is same
