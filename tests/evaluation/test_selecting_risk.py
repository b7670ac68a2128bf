"""Which k controls a risk: the published numbers, and how often the promise fails."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.evaluation.calibrating.risk import bentkus_p, hoeffding_p
from medrag.evaluation.selecting.calibrating import best_k, tried_ks
from medrag.evaluation.selecting.procedures import rejected
from medrag.selection.calibration import Procedure, TriedK

PROCEDURES: tuple[Procedure, ...] = ("bonferroni", "holm", "fixed_sequence")
N, ALPHA, DELTA, N_KS = 500, 0.2, 0.1, 10
ROUNDS = 1000
# Three standard errors of a share of DELTA in that many rounds: 0.028.
ERROR = 3 * sqrt(DELTA * (1 - DELTA) / ROUNDS)


def wrong(share: float, n: int = N) -> NDArray[np.float64]:
    """n losses of which this share is 1."""
    losses = np.zeros(n)
    losses[: round(share * n)] = 1
    return losses


def ten(share: float) -> dict[int, NDArray[np.float64]]:
    """Ten candidates, the first of this risk, the others hopeless."""
    return {k: wrong(share if k == 1 else 0.5) for k in range(1, N_KS + 1)}


def test_a_risk_of_0_152_passes_among_ten_and_0_155_does_not() -> None:
    # Each p is held against delta / 10 = 0.01. A risk of 0.155 is 77.5 of 500: one loss is a half.
    first = tried_ks(ten(0.152), ALPHA, DELTA)[0]
    assert first.passed
    assert first.p == pytest.approx(0.00935, abs=5e-6)
    losses = ten(0.152)
    losses[1][76:78] = (1, 0.5)
    second = tried_ks(losses, ALPHA, DELTA)[0]
    assert second.risk == pytest.approx(0.155)
    assert not second.passed
    assert second.p == pytest.approx(0.0187, abs=5e-5)


def test_both_bounds_at_a_risk_of_0_14() -> None:
    assert hoeffding_p(N, 0.14, ALPHA) == pytest.approx(0.002175, abs=5e-7)
    assert bentkus_p(N, 0.14, ALPHA) == pytest.approx(0.000826, abs=5e-7)
    assert tried_ks(ten(0.14), ALPHA, DELTA)[0].p == pytest.approx(0.000826, abs=5e-7)


def test_the_exact_bound_passes_where_bentkus_just_fails() -> None:
    # P(Binomial(500, 0.2) <= 78) = 0.0187 / e = 0.0069, below 0.01.
    losses = ten(0.156)
    assert not tried_ks(losses, ALPHA, DELTA)[0].passed
    assert tried_ks(losses, ALPHA, DELTA, bound="exact")[0].passed


def test_the_exact_bound_takes_right_and_wrong_alone() -> None:
    with pytest.raises(ValueError, match=r"right \(0\) and wrong \(1\) alone"):
        tried_ks({1: [0.5]}, ALPHA, DELTA, bound="exact")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_right_and_all_wrong_have_a_finite_p(share: float) -> None:
    (found,) = tried_ks({1: wrong(share)}, ALPHA, DELTA)
    assert (found.p, found.passed) == ((1.0, False) if share else (pytest.approx(0.8**N), True))


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize("common", [0.0, 1.0], ids=["independent", "the same items fail"])
def test_with_every_risk_just_too_high_the_promise_fails_as_rarely_as_said(
    procedure: Procedure, common: float
) -> None:
    # The worst case: every k has the risk alpha itself, so that any that passes is a failure.
    draw = np.random.default_rng(1)
    failures = 0
    for _ in range(ROUNDS):
        shared = draw.uniform(size=N)
        own = draw.uniform(size=(N_KS, N))
        losses = ((shared if common else own) < ALPHA).astype(float)
        rows = np.broadcast_to(losses, (N_KS, N))
        tried = tried_ks(dict(enumerate(rows)), ALPHA, DELTA, procedure, "exact")
        failures += any(each.passed for each in tried)
    assert failures / ROUNDS <= DELTA + ERROR


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_with_some_risks_low_the_high_ones_pass_as_rarely_as_said(procedure: Procedure) -> None:
    # A sequence is at its worst where all before the first high one pass for sure.
    risks = np.array([0.05, 0.05, 0.1] + [ALPHA] * 7)
    draw = np.random.default_rng(2)
    failures = 0
    for _ in range(ROUNDS):
        losses = (draw.uniform(size=(N_KS, N)) < risks[:, None]).astype(float)
        tried = tried_ks(dict(enumerate(losses)), ALPHA, DELTA, procedure, "exact")
        failures += any(
            each.passed for each, risk in zip(tried, risks, strict=True) if risk >= ALPHA
        )
    assert failures / ROUNDS <= DELTA + ERROR


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_the_published_bound_fails_rarer_still(procedure: Procedure) -> None:
    draw = np.random.default_rng(3)
    failures = 0
    for _ in range(ROUNDS):
        losses = (draw.uniform(size=(N_KS, N)) < ALPHA).astype(float)
        tried = tried_ks(dict(enumerate(losses)), ALPHA, DELTA, procedure)
        failures += any(each.passed for each in tried)
    # Bentkus' factor e alone makes it DELTA / e = 0.037.
    assert failures / ROUNDS <= DELTA / np.e + ERROR


def test_without_a_correction_the_promise_would_fail_often() -> None:
    # Ten independent tests at 0.1 each: up to 1 - 0.9 ** 10 = 0.65.
    draw = np.random.default_rng(1)
    failures = 0
    for _ in range(ROUNDS):
        losses = (draw.uniform(size=(N_KS, N)) < ALPHA).astype(float)
        alone = [tried_ks({0: row}, ALPHA, DELTA, "bonferroni", "exact")[0] for row in losses]
        failures += any(each.passed for each in alone)
    assert failures / ROUNDS > 0.4


def test_the_procedures_by_hand() -> None:
    # delta / 4 = 0.025; Holm: 0.01 <= 0.025, 0.03 <= 0.0333, 0.045 <= 0.05, 0.2 > 0.1.
    p_values = [0.03, 0.2, 0.01, 0.045]
    assert rejected(p_values, "bonferroni", 0.1) == [False, False, True, False]
    assert rejected(p_values, "holm", 0.1) == [True, False, True, True]
    assert rejected(p_values, "fixed_sequence", 0.1) == [True, False, False, False]


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.5))
def test_holm_rejects_all_that_bonferroni_does(p_values: list[float], delta: float) -> None:
    few = rejected(p_values, "bonferroni", delta)
    # Equal but for the rounding of p * n <= delta against p <= delta / n.
    many = rejected(p_values, "holm", delta * (1 + 1e-12))
    assert all(later for first, later in zip(few, many, strict=True) if first)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_a_sequence_ends_with_the_first_that_fails(p_values: list[float]) -> None:
    found = rejected(p_values, "fixed_sequence", 0.1)
    assert found == sorted(found, reverse=True)
    assert all(p <= 0.1 for p, passed in zip(p_values, found, strict=True) if passed)


@pytest.mark.parametrize(
    ("procedure", "delta", "told"),
    [("holms", 0.1, "procedure must be one of"), ("holm", 0.0, "delta must lie between")],
)
def test_settings_that_make_no_sense_are_refused(
    procedure: Procedure, delta: float, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        rejected([0.1], procedure, delta)


def test_of_those_that_passed_the_lowest_risk_is_chosen_and_then_the_fewest_hits() -> None:
    tried = [
        TriedK(1, 0.01, 0.5, passed=False),
        TriedK(10, 0.1, 0.01, passed=True),
        TriedK(5, 0.1, 0.01, passed=True),
        TriedK(2, 0.15, 0.01, passed=True),
    ]
    assert best_k(tried) == 5
    assert best_k(tried[:1]) is None
