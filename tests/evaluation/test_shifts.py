import math

import numpy as np
import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.shifts import Shift, relative_robustness, robustness
from medrag.evaluation.statistics import estimate, paired
from medrag.records import Item, Question

NAN = float("nan")
HELD_OUT = Shift("held-out modality", "modality", frozenset({"MRI"}))


def items(*modalities: str | None) -> list[Item]:
    return [
        Item(
            str(number),
            Question("What is shown?"),
            cluster=f"image {number}",
            fields={} if modality is None else {"modality": modality},
        )
        for number, modality in enumerate(modalities)
    ]


def test_relative_robustness_is_the_share_of_accuracy_that_is_kept() -> None:
    asked = items("CT", "CT", "X-ray", "X-ray", "MRI", "MRI")
    found = robustness(asked, [1, 1, 1, 0, 1, 0], HELD_OUT)
    # in: 3 / 4; out: 1 / 2; 1 - (3/4 - 1/2) / (3/4) = 2 / 3
    assert (found.iid.value, found.ood.value) == (0.75, 0.5)
    assert found.relative.value == pytest.approx(2 / 3)
    assert (found.iid.n, found.ood.n, found.relative.n) == (4, 2, 6)
    assert found.shift == "held-out modality"


def test_without_any_right_answer_in_distribution_it_is_not_a_number() -> None:
    found = robustness(items("CT", "MRI", "MRI"), [0, 1, 0], HELD_OUT)
    assert math.isnan(found.relative.value)
    assert math.isnan(found.relative.low)
    assert found.ood.value == 0.5


def test_the_interval_holds_what_is_true_and_narrows_with_more_items() -> None:
    generator = np.random.default_rng(1)
    asked = items(*(["CT"] * 400 + ["MRI"] * 400))
    right = np.r_[generator.random(400) < 0.8, generator.random(400) < 0.6].astype(float)
    wide = robustness(asked[300:500], right[300:500], HELD_OUT).relative
    narrow = robustness(asked, right, HELD_OUT).relative
    assert narrow.low < 0.6 / 0.8 < narrow.high
    assert narrow.high - narrow.low < wide.high - wide.low


def test_items_without_the_column_or_a_value_are_in_neither_part() -> None:
    found = robustness(items("CT", "CT", None, "MRI", "MRI"), [1, NAN, 0, 1, 1], HELD_OUT)
    assert (found.iid.value, found.iid.n) == (1, 1)
    assert (found.ood.n, found.relative.n, found.n_left_out) == (2, 3, 1)


def test_values_of_a_column_are_compared_as_text() -> None:
    asked = [
        Item("a", Question("?"), fields={"year": 2019}),
        Item("b", Question("?"), fields={"year": 2020}),
    ]
    found = robustness(asked, [1, 0], Shift("later years", "year", frozenset({"2020"})))
    assert (found.iid.value, found.ood.value, found.relative.value) == (1, 0, 0)


def test_a_shift_that_no_item_has_is_refused_with_the_values_at_hand() -> None:
    with pytest.raises(EvaluationError, match=r"0 out of distribution.*holds CT, X-ray"):
        robustness(items("CT", "X-ray"), [1, 0], HELD_OUT)
    with pytest.raises(EvaluationError, match="0 are in"):
        robustness(items("MRI"), [1], HELD_OUT)
    with pytest.raises(EvaluationError, match="the column holds nothing"):
        robustness(items(None), [1], HELD_OUT)


def test_as_many_values_as_items_are_needed() -> None:
    with pytest.raises(ValueError, match="2 items"):
        robustness(items("CT", "MRI"), [1], HELD_OUT)


def test_the_robustness_of_two_runs_can_be_compared() -> None:
    ood = np.arange(40) >= 20
    a = relative_robustness(np.where(ood, np.arange(40) % 2, 1.0), ood)
    b = relative_robustness(np.ones(40), ood)
    found = paired(a, b, [None] * 40)
    assert (found.a, found.b) == (0.5, 1)
    assert found.p < 0.01
    assert estimate(b, [None] * 40).low == 1
