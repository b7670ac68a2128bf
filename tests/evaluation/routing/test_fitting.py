"""Temperature and thresholds, and heads that are judged on what they have not seen."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.encoding.heads.logits import softmax
from medrag.evaluation.routing.fitting import (
    RouterOptions,
    fit_router,
    furthest_of,
    held_out,
    least_of,
    temperature_of,
)
from medrag.evaluation.routing.judging import judge_head, judge_held_out, judge_router
from medrag.evaluation.routing.labelled import LabelledPicture
from medrag.evaluation.routing.scores import rejected, router_json, score_router
from medrag.records import ImageRef, Question, Routing


def clouds(n: int, seed: int = 0, spread: float = 0.35) -> tuple[np.ndarray, list[LabelledPicture]]:
    """Unit vectors around two corners of a space of six, two of a group."""
    rng = np.random.default_rng(seed)
    labels = [("eye", "lung")[at % 2] for at in range(n)]
    centres = {"eye": np.eye(6)[0], "lung": np.eye(6)[1]}
    rows = np.array([centres[label] + rng.normal(0, spread, 6) for label in labels])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pictures = [
        LabelledPicture(ImageRef(f"{at}.png"), label, f"g{at // 2}")
        for at, label in enumerate(labels)
    ]
    return rows.astype(np.float32), pictures


def test_logits_that_are_too_sure_by_a_factor_get_it_as_their_temperature() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    drawn = [rng.choice(3, p=row) for row in softmax(logits)]
    found = temperature_of(3 * logits, np.array(drawn))
    # 4000 draws: the standard error of the temperature is near 2%.
    assert found == pytest.approx(3, rel=0.08)


def test_a_few_right_answers_teach_no_certainty() -> None:
    logits, right = np.array([[2.0, 0.0]] * 8), np.zeros(8, dtype=np.int64)
    tempered = softmax(logits / temperature_of(logits, right))
    # Nine right of ten, by the rule of succession.
    np.testing.assert_allclose(tempered[:, 0], 0.9, atol=1e-3)


def test_a_class_that_a_fold_never_saw_does_not_break_the_temperature() -> None:
    logits = np.array([[-1e3, 1.0], [0.5, 1.0], [2.0, 0.0]])
    assert 0.01 < temperature_of(logits, np.array([0, 1, 0])) < 100


@given(
    st.lists(st.tuples(st.sampled_from([0.2, 0.4, 0.6, 0.8]), st.booleans()), max_size=30),
    st.floats(0.01, 0.99),
)
def test_the_least_is_the_smallest_confidence_that_keeps_the_error(
    rows: list[tuple[float, bool]], error: float
) -> None:
    confidence = np.array([row[0] for row in rows])
    right = np.array([row[1] for row in rows], dtype=bool)
    found = least_of(confidence, right, error)

    def kept(least: float) -> bool:
        inside = confidence >= least
        return bool(inside.any()) and np.mean(~right[inside]) <= error

    fine = [each for each in [0.0, *sorted(set(confidence.tolist()))] if kept(each)]
    assert found == (fine[0] if fine else 1.0)


def test_the_furthest_is_exceeded_by_the_share_that_was_asked_for() -> None:
    distances = np.arange(1, 100) / 100
    # Of 99, the rank is 100 * 0.95 = 95, so that 4 of 99 lie beyond.
    assert furthest_of(distances, 0.05) == 0.95
    # Ten say nothing of a share of 5%: the rank would be 11 * 0.95 = 10.45 of 10.
    assert furthest_of(distances[:10], 0.05) == 2.0


def test_new_pictures_exceed_the_furthest_no_more_often_than_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        seen, new = rng.normal(1, 0.1, 60), rng.normal(1, 0.1, 200)
        shares.append(np.mean(new > furthest_of(seen, 0.1)))
    # Expected at most 0.1; the mean of 400 has a standard error of 0.002.
    assert 0.07 < np.mean(shares) < 0.106


def test_what_is_held_out_was_not_fitted_to() -> None:
    vectors, pictures = clouds(60)
    options = RouterOptions(folds=3)
    before = held_out(vectors, pictures, "e", options)
    # Another vector at one place moves nothing that was said of its own fold.
    moved = vectors.copy()
    moved[0] = -moved[0]
    after = held_out(moved, pictures, "e", options)
    same = before.folds == before.folds[0]
    others = same & (np.arange(60) != 0)
    np.testing.assert_array_equal(before.logits[others], after.logits[others])
    assert not np.array_equal(before.logits[~same], after.logits[~same])


def test_a_router_that_is_fitted_tells_clouds_apart_and_rejects_the_rest() -> None:
    vectors, pictures = clouds(200)
    options = RouterOptions(reject=0.1)
    head = fit_router(vectors, pictures, "e", options)
    further, labels = clouds(200, seed=1)
    scores = score_router(judge_head(head, further), labels)
    assert scores.measures["balanced_accuracy"].value > 0.95
    # Asked for 0.1; the standard error of 200 is 0.02.
    assert scores.measures["rejected"].value < 0.17
    far = np.eye(6, dtype=np.float32)[[3, 4, 5]]
    none = rejected(judge_head(head, -far))
    assert (none.n, none.unlike, none.rate) == (3, 3, 1.0)


def test_the_table_counts_every_picture_once() -> None:
    vectors, pictures = clouds(80, spread=0.8)
    judged = judge_held_out(vectors, pictures, "e", RouterOptions())
    scores = score_router(judged, pictures)
    assert scores.routed.sum() == scores.likeliest.sum() == 80
    assert scores.routed.sum(axis=1).tolist() == [40, 40]
    right = np.trace(scores.likeliest[:, :2])
    assert scores.measures["accuracy"].value == pytest.approx(right / 80)
    assert (scores.routed[:, -1].sum(), scores.likeliest[:, -1].sum()) == (
        80 - judged.known.sum(),
        0,
    )
    # Recalls of 40 each: their mean is the accuracy.
    assert scores.measures["balanced_accuracy"].value == pytest.approx(right / 80)
    assert scores.n_groups == 40


def test_the_temperature_lowers_the_error_of_calibration() -> None:
    vectors, pictures = clouds(400, spread=1.0)
    judged = judge_held_out(vectors, pictures, "e", RouterOptions(l2=1e-4))
    measures = score_router(judged, pictures).measures
    assert measures["ece_after"].value < measures["ece_before"].value + 0.02
    np.testing.assert_allclose(judged.after.sum(axis=1), 1)
    assert judged.likeliest == [judged.names[at] for at in judged.before.argmax(axis=1)]


class Says:
    """Routes by the name of the picture."""

    def __init__(self, **routings: Routing) -> None:
        self.routings = routings

    def classify(self, questions: list[Question]) -> list[Routing]:
        return [self.routings[str(getattr(q.images[0], "path", ""))] for q in questions]


def test_any_classifier_is_measured_as_it_stands() -> None:
    sure = Routing(("eye", "lung"), True, {"eye": 0.9, "lung": 0.1})
    unlike = Routing((), False, {"eye": 0.6, "lung": 0.4})
    silent = Routing()
    classifier = Says(a=sure, b=unlike, c=silent)
    images = [ImageRef(name) for name in "abc"]
    pictures = [LabelledPicture(image, "eye", image.path) for image in images]
    judged = judge_router(classifier, images, pictures=pictures, options=RouterOptions(folds=3))
    scores = score_router(judged, pictures)
    assert scores.columns == ("eye", "lung")
    assert scores.routed.tolist() == [[1, 0, 2]]
    assert scores.likeliest.tolist() == [[2, 0, 1]]
    assert scores.measures["known"].value == pytest.approx(1 / 3)
    assert scores.measures["rejected"].value == pytest.approx(2 / 3)
    assert scores.measures["ece_before"].n == 2


def test_a_classifier_that_names_nothing_is_measured_too() -> None:
    images = [ImageRef("a")]
    judged = judge_router(Says(a=Routing()), images)
    pictures = [LabelledPicture(images[0], "eye", "1")]
    scores = score_router(judged, pictures)
    assert scores.likeliest.tolist() == [[0, 1]]
    told = router_json(scores)
    assert told["measures"]["ece_before"]["value"] is None
    assert told["thresholds"]["temperature"] is None


@pytest.mark.parametrize("wrong", [{"folds": 2}, {"reject": 0.0}, {"error": 1.0}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RouterOptions(**wrong)
