"""Fitting a calibration: the numbers by hand, beside scikit-learn, and what the threshold keeps."""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from medrag.errors import EvaluationError
from medrag.evaluation.calibrating import calibrate_run
from medrag.evaluation.calibrating.answers import folds, halves, known_answers, one_of_each
from medrag.evaluation.calibrating.fitting import fit, logistic, probabilities, rising
from medrag.evaluation.calibrating.risk import (
    bentkus_p,
    choose_threshold,
    exact_p,
    hoeffding_bentkus_p,
    hoeffding_p,
    least_n,
    p_value,
    thresholds,
)
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import scoring_protocol
from medrag.records import Answer, Item, Question
from medrag.verification.abstention import apply
from medrag.verification.calibrated import Method, load_calibration, save_calibration
from tests.evaluation.library import written_run

EXACT = scoring_protocol("exact", "corrected")


def made_run(folder: Path, n_patients: int, *, each: int = 1) -> Run:
    """Yes/no questions of which one signal tells exactly how likely the answer is right."""
    draw = np.random.default_rng(0)
    items, answers = [], []
    for place in range(n_patients * each):
        asked = Question(f"Is it {place}?")
        items.append(Item(f"i{place}", asked, ("yes",), "yes_no", cluster=f"p{place // each}"))
        sure = float(draw.uniform())
        said = "Yes." if draw.uniform() < 0.3 + 0.7 * sure else "No."
        signals = {"token_probability": sure, "agreement": float(draw.uniform())}
        answers.append(
            Answer(asked, said, confidence=0.99, model="m", template="t 1", signals=signals)
        )
    return written_run(folder, items, {"context": answers})


# The worked numbers: 500 answers, a risk of 0.2, ten candidates at 0.1 / 10 each.


def test_hoeffding_bentkus_passes_and_fails_where_the_worked_example_says() -> None:
    assert hoeffding_bentkus_p(500, 0.152, 0.2) == pytest.approx(0.00935, abs=5e-6)
    assert hoeffding_bentkus_p(500, 0.152, 0.2) <= 0.1 / 10
    assert hoeffding_bentkus_p(500, 0.155, 0.2) == pytest.approx(0.0187, abs=5e-5)
    assert hoeffding_bentkus_p(500, 0.155, 0.2) > 0.1 / 10


def test_the_two_bounds_of_the_worked_example() -> None:
    assert hoeffding_p(500, 0.14, 0.2) == pytest.approx(0.002175, abs=5e-7)
    assert bentkus_p(500, 0.14, 0.2) == pytest.approx(0.000826, abs=5e-7)


def test_bounds_at_the_ends() -> None:
    # no loss: (1 - 0.2) to the 10th, for 0 log 0 = 0
    assert hoeffding_p(10, 0.0, 0.2) == pytest.approx(0.8**10)
    assert exact_p(10, 0, 0.2) == pytest.approx(0.8**10)
    assert hoeffding_bentkus_p(10, 1.0, 0.2) == 1
    assert hoeffding_bentkus_p(0, 0.0, 0.2) == exact_p(0, 0, 0.2) == p_value([], 0.2) == 1


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.data())
def test_of_right_and_wrong_the_exact_test_is_never_weaker(
    n: int, risk: float, data: st.DataObject
) -> None:
    wrong = data.draw(st.integers(0, n))
    exact = exact_p(n, wrong, risk)
    assert exact == pytest.approx(binom.cdf(wrong, n, risk), rel=1e-9, abs=1e-12)
    # at least the tail itself, up to rounding
    assert exact <= hoeffding_bentkus_p(n, wrong / n, risk) * (1 + 1e-9) + 1e-12


def test_shares_are_tested_by_hoeffding_bentkus_and_right_and_wrong_exactly() -> None:
    assert p_value([0.0, 0.0, 1.0], 0.5) == pytest.approx(0.5)
    assert p_value([0.1, 0.0, 0.2], 0.5) == pytest.approx(hoeffding_bentkus_p(3, 0.1, 0.5))


@pytest.mark.parametrize("risk", [0.0, 1.0, -0.1, float("nan")])
def test_a_risk_outside_0_and_1_is_refused(risk: float) -> None:
    with pytest.raises(ValueError, match="risk must lie between 0 and 1"):
        exact_p(10, 1, risk)


def test_below_the_least_number_of_answers_no_test_can_pass() -> None:
    # 0.8 to the 11th is 0.0859, to the 10th 0.107
    assert least_n(0.2, 0.1) == 11
    assert exact_p(11, 0, 0.2) <= 0.1 < exact_p(10, 0, 0.2)


def test_thresholds_answer_the_shares_asked_for() -> None:
    assert thresholds([0.1, 0.2, 0.3, 0.4], [1.0, 0.5, 0.25]) == [0.0, 0.3, 0.4]
    assert thresholds([0.5, 0.5, 0.5]) == [0.0, 0.5]
    assert thresholds([]) == []


# Fitting


def test_the_logistic_regression_is_that_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(200, 3))
    right = (draw.uniform(size=200) < 1 / (1 + np.exp(-features[:, 0] + 1))).astype(float)
    ours = logistic(features, right, penalty=2.0)
    theirs = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(features, right)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-6)
    np.testing.assert_allclose(ours.weights, theirs.coef_[0], atol=1e-6)


def test_answers_that_a_signal_parts_wholly_have_finite_weights() -> None:
    line = logistic(np.array([[-1.0], [-0.5], [0.5], [1.0]]) * 1e3, np.array([0.0, 0, 1, 1]))
    assert np.isfinite([line.intercept, *line.weights]).all()


def test_where_all_answers_are_right_nothing_is_told_apart_and_nothing_is_certain() -> None:
    fitted = fit([{"a": 0.1}, {"a": 0.7}, {"a": 0.9}], [1, 1, 1])
    # three right answers, and one more of either kind: 4 of 5
    np.testing.assert_allclose(probabilities(fitted, [{"a": 0.0}, {"a": 1.0}]), [0.8, 0.8])


def test_a_missing_signal_counts_as_the_mean_and_has_a_weight_of_its_own() -> None:
    draw = np.random.default_rng(1)
    # Answers without the signal are right in 9 of 10 cases, the others in 3 of 10.
    signals: list[dict[str, float]] = [{"a": float(draw.uniform())} for _ in range(200)]
    signals += [{} for _ in range(200)]
    right = np.concatenate([np.arange(200) % 10 < 3, np.arange(200) % 10 < 9]).astype(float)
    fitted = fit(signals, right)
    (weight,) = fitted.weights
    assert weight.missing is not None
    assert weight.mean == pytest.approx(np.mean([each["a"] for each in signals[:200]]))
    # A penalty of 1 hardly moves what 200 answers say.
    assert probabilities(fitted, [{}])[0] == pytest.approx(0.9, abs=0.02)
    assert probabilities(fitted, [{"a": weight.mean}])[0] == pytest.approx(0.3, abs=0.02)


def test_a_signal_that_never_varies_is_left_out() -> None:
    fitted = fit([{"a": 0.5, "b": 0.1}, {"a": 0.5, "b": 0.9}], [0, 1])
    assert [each.signal for each in fitted.weights] == ["b"]


def test_a_rising_curve_pools_neighbours_that_would_fall() -> None:
    # 0.2 and 0.3 would fall from 1 to 0, and have a half together; one right answer alone at 0.4
    # is 1 - 1/3 sure, one wrong answer at 0.1 is 1/3.
    curve = rising([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1])
    assert curve == (
        (0.1, pytest.approx(1 / 3)), (0.2, 0.5), (0.3, 0.5), (0.4, pytest.approx(2 / 3))
    )  # fmt: skip


ROWS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8]), st.booleans()), min_size=1, max_size=30
)


@given(ROWS)
def test_a_rising_curve_is_that_of_scikit_learn_but_for_certainty(
    rows: list[tuple[float, bool]],
) -> None:
    values, right = [v for v, _ in rows], [float(r) for _, r in rows]
    theirs = IsotonicRegression().fit(values, right)
    shares = []
    for value, share in rising(values, right):
        wanted = float(theirs.predict([value])[0])
        shares.append(share)
        assert 0 < share < 1
        # Only what would be 0 or 1 differs; the sums of scikit-learn are rounded.
        assert share == pytest.approx(wanted) or wanted in (0, pytest.approx(1))
    assert shares == sorted(shares)


# Clusters


@given(st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=40), st.integers(0, 5))
def test_halves_and_folds_never_part_a_cluster(clusters: list[str], seed: int) -> None:
    first, second = halves(clusters, seed)
    assert sorted([*first, *second]) == list(range(len(clusters)))
    assert not {clusters[each] for each in first} & {clusters[each] for each in second}
    of = folds(clusters, 3, seed)
    assert len({(name, fold) for name, fold in zip(clusters, of, strict=True)}) == len(
        set(clusters)
    )
    drawn = [clusters[each] for each in one_of_each(clusters, seed)]
    assert sorted(drawn) == sorted(set(clusters))


# What the threshold promises

RISK, DELTA, TIMES = 0.2, 0.1, 1000
# Three standard deviations of the share of 1,000 calibrations that fail.
NOISE = 3 * (DELTA * (1 - DELTA) / TIMES) ** 0.5


def drawn(
    draw: np.random.Generator, n: int, slope: float, most: float = 0.4
) -> tuple[np.ndarray, np.ndarray]:
    """Draw confidence c, uniform in [0, 1], and answers wrong with probability most (1 - slope c).

    Of the answers with c >= t, most (1 - slope (1 + t) / 2) are wrong.
    """
    confidence = draw.uniform(size=n)
    wrong = draw.uniform(size=n) < most * (1 - slope * confidence)
    return confidence, wrong.astype(float)


@pytest.mark.parametrize(("most", "slope"), [(0.4, 0.5), (0.4, 0.8), (0.2001, 0.0)])
def test_the_risk_is_above_what_was_asked_for_in_a_share_delta_of_calibrations_at_most(
    most: float, slope: float
) -> None:
    # The first: between 0.3 and 0.2, never kept. The second: kept for t > 0.25, nearly so below.
    # The third is the worst case: a little too much wherever the threshold is.
    draw = np.random.default_rng(3)
    failed = 0
    for _ in range(TIMES):
        hoped, tested = (drawn(draw, 200, slope, most) for _ in range(2))
        chosen = choose_threshold(hoped, tested, risk=RISK, delta=DELTA)
        if chosen.threshold is not None:
            failed += most * (1 - slope * (1 + chosen.threshold) / 2) > RISK
    assert failed / TIMES <= DELTA + NOISE


def test_the_promise_holds_for_the_confidence_that_is_fitted_as_well() -> None:
    # Fitted, not known: a threshold of confidence is one of the signal, from above or from below.
    draw = np.random.default_rng(7)
    failed = 0
    for _ in range(TIMES):
        (first, lost), (second, tested) = (drawn(draw, 100, 0.8) for _ in range(2))
        fitted = fit([{"a": float(each)} for each in first], 1 - lost)
        weight = fitted.weights[0]
        told = [probabilities(fitted, [{"a": float(x)} for x in half]) for half in (first, second)]
        chosen = choose_threshold((told[0], lost), (told[1], tested), risk=RISK, delta=DELTA)
        if chosen.threshold is None:
            continue
        odds = -np.inf if chosen.threshold == 0 else log(1 / (1 / chosen.threshold - 1))
        bound = weight.mean + weight.scale * (odds - fitted.intercept) / weight.weight
        edge = float(np.clip(bound, 0, 1))
        low, high = (edge, 1.0) if weight.weight > 0 else (0.0, edge)
        failed += 0.4 * (1 - 0.8 * (low + high) / 2) > RISK
    assert failed / TIMES <= DELTA + NOISE


def test_where_a_threshold_keeps_the_risk_one_is_nearly_always_found() -> None:
    # Wrong with probability 0.4 (1 - c): at t = 0 the risk is 0.2, at t = 0.5 it is 0.1.
    draw = np.random.default_rng(4)
    found = [
        choose_threshold(drawn(draw, 300, 1.0), drawn(draw, 300, 1.0), risk=RISK, delta=DELTA)
        for _ in range(200)
    ]
    chosen = [each.threshold for each in found if each.threshold is not None]
    assert len(chosen) >= 190
    # and answers most of what may be answered
    assert np.median(chosen) < 0.4


def test_one_answer_of_each_patient_keeps_the_promise_where_all_answers_would_not() -> None:
    # All ten answers about a patient have one confidence and are right or wrong together.
    draw = np.random.default_rng(5)
    failed = {"one": 0, "all": 0}
    patients = [f"p{place // 10}" for place in range(400)]
    places = one_of_each(patients, 0)
    for _ in range(TIMES):
        (hoped, told), (sure, lost) = drawn(draw, 40, 0.5), drawn(draw, 40, 0.5)
        every = (
            (np.repeat(hoped, 10), np.repeat(told, 10)),
            (np.repeat(sure, 10), np.repeat(lost, 10)),
        )
        single = tuple((c[places], w[places]) for c, w in every)
        for name, (fitted, tested) in (("one", single), ("all", every)):
            chosen = choose_threshold(fitted, tested, risk=RISK, delta=DELTA)
            failed[name] += chosen.threshold is not None
    assert failed["one"] / TIMES <= DELTA + NOISE
    assert failed["all"] / TIMES > DELTA + NOISE


def test_the_tests_stop_at_the_first_that_fails_and_the_lowest_that_passed_is_chosen() -> None:
    draw = np.random.default_rng(6)
    chosen = choose_threshold(drawn(draw, 300, 1.0), drawn(draw, 300, 1.0), risk=0.2, delta=0.1)
    tested = [each.threshold for each in chosen.tried]
    assert tested == sorted(tested, reverse=True)
    assert all(each.passed for each in chosen.tried[:-1])
    assert chosen.threshold == min(each.threshold for each in chosen.tried if each.passed)
    assert all(each.passed == (each.p <= 0.1) for each in chosen.tried)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3))
@settings(max_examples=30)
def test_halves_of_any_size_give_a_verdict(n: int, m: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    chosen = choose_threshold(drawn(draw, n, 0.5), drawn(draw, m, 0.5), risk=0.2, delta=0.1)
    if m < least_n(0.2, 0.1):
        assert chosen.threshold is None


# Runs


def test_a_calibration_of_a_run_tells_right_from_wrong_and_mends_confidence(
    tmp_path: Path,
) -> None:
    found = calibrate_run(made_run(tmp_path / "run", 600), EXACT)
    weights = {each.signal: each.weight for each in found.weights}
    assert weights["token_probability"] > 0.5
    assert abs(weights["agreement"]) < 0.4
    # raw confidence: always the signal itself; right in 0.3 + 0.7 c of the cases
    assert found.raw == "token_probability"
    before, after = found.before["ece"].value, found.after["ece"].value
    assert before is not None
    assert after is not None
    assert after < before
    assert (found.n_items, found.n_fitted, found.n_tested) == (600, 300, 300)
    assert (found.model, found.templates) == ("m", ("t 1",))
    assert found.threshold is not None
    assert found.source["protocol"] == "exact"


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_a_calibration_is_the_same_every_time_and_gives_answers_their_confidence(
    tmp_path: Path, method: Method
) -> None:
    run = made_run(tmp_path / "run", 600)
    first, second = (
        replace(calibrate_run(run, EXACT, method=method), created="") for _ in range(2)
    )
    assert first == second
    save_calibration(first, tmp_path / "own.json")
    read = load_calibration(tmp_path / "own.json")
    assert read == first
    given = [apply(read, each.answer) for each in run.answers()]
    confidences = [each.confidence for each in given]
    assert all(each is not None and 0 < each < 1 for each in confidences)
    shares = [
        sum(not each.abstained for each in given) / len(given),
        next(each.coverage for each in read.tried if each.threshold == read.threshold),
    ]
    # of all 600 and of the 300 tested: some standard deviations of 0.03
    assert shares[0] == pytest.approx(shares[1], abs=0.1)


def test_of_each_patient_one_answer_is_tested_and_large_clusters_are_told(tmp_path: Path) -> None:
    found = calibrate_run(made_run(tmp_path / "run", 40, each=10), EXACT)
    assert (found.n_items, found.n_fitted, found.n_tested) == (400, 200, 20)
    assert any("clusters are large" in each for each in found.problems)


def test_too_few_patients_are_told_and_hold_every_answer_back(tmp_path: Path) -> None:
    found = calibrate_run(made_run(tmp_path / "run", 12), EXACT)
    assert found.threshold is None
    told = " ".join(found.problems)
    assert "6 independent answers are too few to test a risk of 0.2: 11" in told
    assert "no threshold controls the risk at 0.2" in told


def test_answers_that_decline_or_fail_take_no_part_and_unreadable_ones_are_wrong(
    tmp_path: Path,
) -> None:
    asked = [Question(f"Is it {place}?") for place in range(5)]
    items = [Item(f"i{n}", each, ("yes",), "yes_no") for n, each in enumerate(asked)]
    signals = {"support": 1.0}
    answers = [
        Answer(asked[0], "Yes.", signals=signals),
        Answer(asked[1], "Yes.", abstained=True, signals=signals),
        Answer(asked[2], "", error="out of memory"),
        Answer(asked[3], "Perhaps the moon.", signals=signals),
        Answer(asked[4], "I cannot tell.", signals=signals),
    ]
    known = known_answers(
        written_run(tmp_path / "run", items, {"context": answers}), EXACT, "context"
    )
    assert known.right.tolist() == [1, 0]
    assert known.left_out == {"abstained": 2, "failed": 1}


def without_signals(folder: Path) -> Run:
    asked = [Question(f"Is it {place}?") for place in range(4)]
    items = [Item(f"i{n}", each, ("yes",), "yes_no") for n, each in enumerate(asked)]
    return written_run(folder, items, {"context": [Answer(each, "Yes.") for each in asked]})


def test_answers_without_any_signal_cannot_be_calibrated(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no answer of context has any signal"):
        calibrate_run(without_signals(tmp_path / "run"), EXACT)


def test_a_run_that_cannot_be_calibrated_says_why(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", 4)
    with pytest.raises(EvaluationError, match="has no arm 'no_context', it has context"):
        calibrate_run(run, EXACT, arm="no_context")
    with pytest.raises(EvaluationError, match="is a floor"):
        calibrate_run(run, EXACT, arm="floor:majority")
    with pytest.raises(EvaluationError, match="needs two halves"):
        calibrate_run(made_run(tmp_path / "one", 1, each=4), EXACT)
    calibrated = replace(run, manifest={**run.manifest, "calibration": {"sha256": "x"}})
    with pytest.raises(EvaluationError, match="was answered with a calibration"):
        calibrate_run(calibrated, EXACT)
    for name in ("risk", "delta"):
        with pytest.raises(ValueError, match=f"{name} must lie between 0 and 1"):
            calibrate_run(run, EXACT, **{name: 1.0})


def test_answers_of_two_models_are_not_calibrated_together(tmp_path: Path) -> None:
    asked = [Question("Is it 0?"), Question("Is it 1?")]
    items = [Item(f"i{n}", each, ("yes",), "yes_no") for n, each in enumerate(asked)]
    answers = [
        Answer(each, "Yes.", model=f"m{n}", signals={"support": 1.0})
        for n, each in enumerate(asked)
    ]
    with pytest.raises(EvaluationError, match=r"of several models \(m0, m1\)"):
        calibrate_run(written_run(tmp_path / "run", items, {"context": answers}), EXACT)


def test_soft_scores_are_losses_of_their_size() -> None:
    losses: Sequence[float] = [0.1] * 100
    # exp(-100 h1(0.1, 0.2)), h1 = 0.1 log(1/2) + 0.9 log(9/8)
    h1 = 0.1 * log(0.5) + 0.9 * log(9 / 8)
    assert p_value(losses, 0.2) == pytest.approx(
        min(exp(-100 * h1), np.e * binom.cdf(10, 100, 0.2))
    )
