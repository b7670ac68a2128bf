import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.calibration import (
    aurc,
    brier,
    conformal_measures,
    conformal_sets,
    conformal_threshold,
    curves,
    ece,
    excess_aurc,
    option_probabilities,
    reliability,
    risk_coverage,
    selective_accuracy,
)
from medrag.evaluation.statistics import Statistic, WeightedStatistic, estimate

ANSWERS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=12,
)


def value(statistic: Statistic | WeightedStatistic, n: int) -> float:
    return estimate(statistic, [None] * n, n_resamples=2).value


def columns(pairs: list[tuple[float, bool]]) -> tuple[list[float], list[float]]:
    return [c for c, _ in pairs], [float(r) for _, r in pairs]


def test_a_perfectly_calibrated_set_has_no_calibration_error() -> None:
    # In the bin of confidence c = 0.05, 0.15 and so on, 100 c of 100 answers are right.
    centres = np.arange(5, 100, 10)
    confidence = np.repeat(centres / 100, 100)
    right = np.concatenate([np.arange(100) < centre for centre in centres])
    assert value(ece(confidence, right), 1000) == pytest.approx(0, abs=1e-12)
    assert value(ece(confidence, right, binning="mass"), 1000) == pytest.approx(0, abs=1e-12)


def test_calibration_error_weighs_bins_by_their_items() -> None:
    # (0.8, 0.9]: two items, mean 0.9, right 1/2, gap 0.4; (0.1, 0.2]: one, gap 0.2:
    # two thirds of 0.4 and one third of 0.2
    assert value(ece([0.9, 0.9, 0.2], [1, 0, 0]), 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("confidence", "bin_of"), [(0.0, 0), (0.1, 0), (0.10001, 1), (0.3, 2), (0.7, 6), (1.0, 9)]
)
def test_a_bin_holds_its_upper_bound(confidence: float, bin_of: int) -> None:
    sums = ece([confidence], [0]).sums[0]
    assert int(np.argmax(sums[10:])) == bin_of


def test_bins_of_equal_mass_do_not_part_equal_confidence() -> None:
    bins = reliability([0.5] * 6 + [0.9] * 2, [1] * 8, n_bins=2, binning="mass")
    assert [each.n for each in bins] == [6, 2]


def test_empty_bins_are_left_out() -> None:
    assert reliability([0.95, 0.85, 0.95], [1, 0, 0]) == (
        (pytest.approx(0.85), 0, 1),
        (pytest.approx(0.95), 0.5, 2),
    )


def test_brier_is_the_mean_squared_distance() -> None:
    # 0.1**2 and 0.6**2
    assert value(brier([0.9, 0.6], [1, 0]), 2) == pytest.approx((0.01 + 0.36) / 2)


def test_the_area_of_the_best_order_is_its_closed_form() -> None:
    # Three right, then two wrong: risks 0, 0, 0, 1/4, 2/5.
    confidence, right = [0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 1, 0, 0]
    assert value(aurc(confidence, right), 5) == pytest.approx((1 / 4 + 2 / 5) / 5)
    assert value(excess_aurc(confidence, right), 5) == pytest.approx(0)


def test_the_area_of_the_worst_order_lies_above_it() -> None:
    # Wrong, wrong, right: risks 1, 1, 2/3; the best: 0, 1/2, 2/3
    found = value(excess_aurc([0.9, 0.8, 0.7], [0, 0, 1]), 3)
    assert found == pytest.approx((1 + 1 - 0 - 1 / 2) / 3)


def test_equal_confidence_has_the_error_rate_at_every_coverage() -> None:
    assert value(aurc([0.5] * 4, [1, 0, 1, 1]), 4) == pytest.approx(1 / 4)


def slow_area(confidence: list[float], right: list[float]) -> float:
    """Average the risk of the k most confident over many random orders of equals."""
    generator = np.random.default_rng(0)
    total = 0.0
    for _ in range(400):
        order = np.lexsort((generator.random(len(right)), -np.array(confidence)))
        wrong = np.cumsum(1 - np.array(right)[order])
        total += float((wrong / np.arange(1, len(right) + 1)).mean())
    return total / 400


@given(ANSWERS)
def test_ties_count_as_random_order_does_on_average(pairs: list[tuple[float, bool]]) -> None:
    confidence, right = columns(pairs)
    found = value(aurc(confidence, right), len(pairs))
    # The mean of 400 orders whose areas spread by at most 0.5: 5 standard errors.
    assert found == pytest.approx(slow_area(confidence, right), abs=5 * 0.5 / 20)


@given(pairs=ANSWERS, seed=st.integers(0, 50))
def test_a_weight_is_as_good_as_a_repeated_item(pairs: list[tuple[float, bool]], seed: int) -> None:
    confidence, right = (np.array(column) for column in columns(pairs))
    weights = np.random.default_rng(seed).integers(0, 4, size=len(pairs))
    weights[0] += 1
    n = int(weights.sum())
    for measure in (aurc, excess_aurc, selective_accuracy):
        weighted = measure(confidence, right).value(weights[None].astype(float))[0]
        repeated = measure(np.repeat(confidence, weights), np.repeat(right, weights))
        assert weighted == pytest.approx(value(repeated, n), abs=1e-12)


@given(ANSWERS)
def test_no_order_is_better_than_the_best(pairs: list[tuple[float, bool]]) -> None:
    assert value(excess_aurc(*columns(pairs)), len(pairs)) >= -1e-12


def test_selective_accuracy_is_of_the_most_confident() -> None:
    confidence, right = [0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 0, 1, 0]
    # 4 of 5 items: three right; 0.61 of 5 is 3.05, so 4 items too
    assert value(selective_accuracy(confidence, right, coverage=0.8), 5) == pytest.approx(3 / 4)
    assert value(selective_accuracy(confidence, right, coverage=0.61), 5) == pytest.approx(3 / 4)
    assert value(selective_accuracy(confidence, right, coverage=1), 5) == pytest.approx(3 / 5)


def test_the_curve_has_a_point_at_the_end_of_each_run_of_equals() -> None:
    found = risk_coverage([0.9, 0.5, 0.5, 0.1], [1, 0, 1, 0])
    assert found.coverage == pytest.approx((1 / 4, 3 / 4, 1))
    assert found.risk == pytest.approx((0, 1 / 3, 1 / 2))


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    confidence = np.linspace(0, 1, 1000)
    found = risk_coverage(confidence, confidence > 0.5, n_points=50)
    assert len(found.coverage) == 50
    assert (found.coverage[0], found.coverage[-1]) == (1 / 1000, 1)


def test_the_curves_of_an_arm_are_plain_numbers() -> None:
    found = curves("context", [0.9, np.nan, 0.2], [1, 1, 0])
    assert found.arm == "context"
    assert found.coverage == (0.5, 1.0)
    assert found.bins == ((0.2, 0.0, 1), (0.9, 1.0, 1))


def test_items_without_confidence_do_not_count() -> None:
    for measure in (ece, brier, aurc, excess_aurc, selective_accuracy):
        counted = estimate(measure([0.9, np.nan], [1, 0]), [None, None], n_resamples=2)
        assert counted.n == 1
        assert np.isnan(estimate(measure([np.nan], [1]), [None], n_resamples=2).value)


@pytest.mark.parametrize(
    ("confidence", "right"), [([1.1], [1]), ([-0.1], [1]), ([0.5], [2]), ([0.5], [1, 0])]
)
def test_a_confidence_that_is_no_probability_is_refused(
    confidence: list[float], right: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"must lie in|equally long"):
        ece(confidence, right)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="n_bins"):
        ece([0.5], [1], n_bins=0)
    with pytest.raises(ValueError, match="binning"):
        ece([0.5], [1], binning="equal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="coverage"):
        selective_accuracy([0.5], [1], coverage=0)
    with pytest.raises(ValueError, match="n_points"):
        risk_coverage([0.5], [1], n_points=1)


def test_option_scores_become_probabilities_of_the_options_there_are() -> None:
    found = option_probabilities([[np.log(3.0), 0.0], [-1000.0, -1000.0, -1000.0], []])
    np.testing.assert_allclose(found[0], [0.75, 0.25, np.nan])
    np.testing.assert_allclose(found[1], [1 / 3] * 3)
    assert np.isnan(found[2]).all()


def test_the_threshold_is_the_quantile_of_the_right_options() -> None:
    # n = 4, alpha 0.4: ceil(5 * 0.6) = third smallest of 0.1, 0.2, 0.3, 0.4
    chances = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]
    assert conformal_threshold(chances, [0, 1, 0, 1], alpha=0.4) == pytest.approx(0.3)


def test_too_few_items_give_sets_of_all_options() -> None:
    # ceil(3 * 0.9) = 3 of 2 items
    threshold = conformal_threshold([[0.9, 0.1], [0.8, 0.2]], [0, 0])
    assert threshold == float("inf")
    assert conformal_sets([[0.9, 0.1, np.nan]], threshold).tolist() == [[True, True, False]]


@given(n=st.integers(9, 200), seed=st.integers(0, 20))
def test_sets_cover_the_calibration_items_as_promised(n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    chances = generator.dirichlet(np.ones(4), size=n)
    right = generator.integers(4, size=n)
    found = conformal_measures(chances, right, conformal_threshold(chances, right))
    assert value(found["conformal_coverage"], n) >= 0.9


def test_sets_cover_exchangeable_items_on_average() -> None:
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        chances = generator.dirichlet(np.ones(4), size=100)
        right = (chances.cumsum(axis=1) > generator.random((100, 1))).argmax(axis=1)
        threshold = conformal_threshold(chances[:50], right[:50], alpha=0.2)
        measures = conformal_measures(chances[50:], right[50:], threshold)
        covered.append(value(measures["conformal_coverage"], 50))
    # 300 means of 50 items spread by about 0.08: three standard errors are 0.014.
    assert 0.8 - 0.014 <= np.mean(covered) <= 0.8 + 1 / 51 + 0.014


def test_an_item_without_probabilities_sets_no_threshold_and_does_not_count() -> None:
    chances = [[0.9, 0.1], [np.nan, np.nan]]
    found = conformal_measures(chances, [0, 0], 0.5)
    assert estimate(found["conformal_coverage"], [None, None], n_resamples=2).n == 1
    assert conformal_threshold(chances * 10, [0, 0] * 10) == pytest.approx(0.1)


def test_a_right_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no option 2"):
        conformal_threshold([[0.5, 0.5]], [2])
    with pytest.raises(ValueError, match="alpha"):
        conformal_threshold([[0.5, 0.5]], [0], alpha=1)


def test_sets_are_those_of_mapie() -> None:
    mapie = pytest.importorskip("mapie.classification")
    base = pytest.importorskip("sklearn.base")

    class Given(base.ClassifierMixin, base.BaseEstimator):  # type: ignore[misc, name-defined]
        """A classifier whose probabilities are its features."""

        def fit(self, x: np.ndarray, y: np.ndarray) -> "Given":
            self.classes_ = np.arange(4)
            self.fitted_ = True
            return self

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return x

        def predict(self, x: np.ndarray) -> np.ndarray:
            return x.argmax(axis=1)

    generator = np.random.default_rng(1)
    chances = generator.dirichlet(np.ones(4), size=300)
    right = generator.integers(4, size=300)
    right[:4] = range(4)
    model = Given().fit(chances, right)
    theirs = mapie.SplitConformalClassifier(
        model, confidence_level=0.85, conformity_score="lac", prefit=True
    ).conformalize(chances[:150], right[:150])
    expected = theirs.predict_set(chances[150:])[1][:, :, 0]
    threshold = conformal_threshold(chances[:150], right[:150], alpha=0.15)
    np.testing.assert_array_equal(conformal_sets(chances[150:], threshold), expected)
