"""Steps, splits and settings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.retriever.schedule import batches, n_batches, rate_at
from medrag.alignment.retriever.settings import (
    RetrieverModel,
    RetrieverSettings,
    check_settings,
    learning_rate,
)
from medrag.alignment.retriever.splitting import folds, split
from medrag.errors import MedragError


def test_the_rate_rises_over_a_share_of_the_real_steps_and_falls_to_nothing() -> None:
    # 8 steps, a quarter rises: 1/2, 1; then 6 steps along 0.5 (1 + cos(pi j / 6))
    rates = [rate_at(step, 8, 0.25) for step in range(8)]
    worked = [0.5, 1.0, 1.0, 0.9330, 0.75, 0.5, 0.25, 0.0670]
    np.testing.assert_allclose(rates, worked, atol=5e-5)  # four digits worked


@given(st.integers(1, 200), st.floats(0, 1))
def test_a_warm_up_ends_whatever_the_number_of_steps(n_steps: int, warmup: float) -> None:
    rates = [rate_at(step, n_steps, warmup) for step in range(n_steps)]
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) == 1


def test_a_step_that_is_not_taken_has_no_rate() -> None:
    with pytest.raises(ValueError, match="one of 3"):
        rate_at(3, 3, 0.1)


@given(st.integers(1, 60), st.integers(2, 9), st.integers(0, 99))
def test_batches_hold_every_row_once_and_differ_by_one_at_most(
    n: int, size: int, seed: int
) -> None:
    rows = np.arange(n, dtype=np.int64)
    found = list(batches(rows, size, np.random.default_rng(seed)))
    lengths = [len(batch) for batch in found]
    assert len(found) == n_batches(n, size)
    assert sorted(np.concatenate(found).tolist()) == rows.tolist()
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


@given(st.lists(st.integers(0, 8), min_size=12, max_size=40), st.integers(0, 99))
def test_no_cluster_is_in_two_parts(numbers: list[int], seed: int) -> None:
    clusters = np.array([*numbers, 0, 1, 2, 3, 4, 5, 6, 7, 8], dtype=np.int64)
    parts = split(clusters, held_out=0.2, stopping=0.1, seed=seed)
    sides = [set(clusters[rows].tolist()) for rows in (parts.training, parts.stopping)]
    sides.append(set(clusters[parts.held_out].tolist()))
    assert sum(map(len, sides)) == len(set(clusters.tolist()))
    assert len(parts.held_out) >= 0.2 * len(clusters)
    assert len(parts.stopping) >= 0.1 * len(clusters)


def test_a_share_of_nothing_is_empty() -> None:
    parts = split(np.arange(4), held_out=0, stopping=0, seed=0)
    assert parts.training.tolist() == [0, 1, 2, 3]
    assert len(parts.stopping) == len(parts.held_out) == 0


def test_too_few_clusters_are_refused() -> None:
    with pytest.raises(MedragError, match="of more subjects"):
        split(np.array([0, 0, 0, 1, 1]), held_out=0.2, stopping=0.1)


def test_another_seed_holds_out_others() -> None:
    drawn = {tuple(split(np.arange(30), held_out=0.2, stopping=0.1, seed=s).held_out.tolist())
             for s in range(5)}  # fmt: skip
    assert len(drawn) == 5


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.integers(2, 5))
def test_folds_hold_every_pair_once_in_whole_clusters(numbers: list[int], n_folds: int) -> None:
    clusters = np.array([*numbers, 30, 31, 32, 33, 34], dtype=np.int64)
    found = folds(clusters, n_folds)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(clusters)))
    for rows in found:
        assert len(rows)
        rest = np.setdiff1d(np.arange(len(clusters)), rows)
        assert not set(clusters[rows].tolist()) & set(clusters[rest].tolist())


def test_more_folds_than_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="2 to 3"):
        folds(np.array([0, 1, 2, 2]), 4)


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        ({"train": "tail"}, {}, "train must be one of"),
        ({"train": "clip"}, {}, "needs a model"),
        ({"model": "minilm"}, {}, "takes image and text"),
        ({"layers": 2}, {}, "layers"),
        ({}, {"epochs": 0}, "epochs must be at least 1"),
        ({}, {"batch": 1}, "batch must be at least 2"),
        ({}, {"held_out": 0.6, "stopping": 0.4}, "leave pairs"),
        ({}, {"temperature": 0.0}, "temperature"),
        ({}, {"learning_rate": 0.0}, "learning_rate"),
        ({}, {"image_weight": float("nan")}, "image_weight"),
        ({}, {"reader_weight": float("nan")}, "reader_weight"),
        ({}, {"start": "middle"}, "start"),
        ({}, {"start": "ridge", "subspaces": 2}, "one head"),
        ({}, {"d": 8}, "d is for subspaces"),
        ({"train": "text", "model": "minilm"}, {"subspaces": 2}, "for train: head"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    model: dict[str, object], settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        check_settings(RetrieverModel(**model), RetrieverSettings(**settings))  # type: ignore[arg-type]


def test_the_rate_suits_what_is_trained_unless_it_is_said() -> None:
    clip = RetrieverModel(train="clip", model="m")
    assert learning_rate(RetrieverModel(), RetrieverSettings()) == 1e-3
    assert learning_rate(clip, RetrieverSettings()) == 1e-4
    assert learning_rate(clip, RetrieverSettings(learning_rate=0.5)) == 0.5
