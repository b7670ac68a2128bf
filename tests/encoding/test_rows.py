"""Rows of vectors: their lengths, their means, and equal inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.encoding.rows import different, means, repeated, unit
from medrag.records import Embeddings

LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=8)


def embeddings(lengths: list[int], seed: int = 0) -> Embeddings:
    rows = np.random.default_rng(seed).normal(size=(sum(lengths), 3)).astype(np.float32)
    return Embeddings(rows, np.array(lengths, dtype=np.int32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_get_length_one_and_zeros_stay(dtype: type[np.floating]) -> None:
    found = unit(np.array([[3, 4], [0, 0]], dtype=dtype))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert found.dtype == dtype
    np.testing.assert_allclose(unit(np.array([0.0, 2.0])), [0, 1])


@given(lengths=LENGTHS, normalised=st.booleans(), seed=st.integers(0, 99))
def test_each_input_gets_the_mean_of_its_rows(
    lengths: list[int], normalised: bool, seed: int
) -> None:
    given_ = embeddings(lengths, seed)
    if normalised:
        given_ = Embeddings(unit(given_.values), given_.lengths)
    found = means(given_, normalised=normalised)
    parts = np.split(given_.values.astype(np.float64), np.cumsum(lengths)[:-1])
    expected = np.array([part.mean(axis=0) for part in parts])
    # Up to rounding of single precision, which a mean near zero magnifies when it is scaled.
    if normalised:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found.values, expected, atol=1e-3 if normalised else 1e-6)
    assert found.lengths.tolist() == [1] * len(lengths)
    assert found.values.dtype == np.float32


@given(st.lists(st.sampled_from("abc"), max_size=8))
def test_equal_inputs_stand_once_and_get_the_same_rows(inputs: list[str]) -> None:
    once, order = different(inputs)
    assert len(set(once)) == len(once)
    assert [once[place] for place in order] == inputs
    given_ = embeddings([1 + n for n in range(len(once))])
    found = repeated(given_, order)
    parts = np.split(given_.values, np.cumsum(given_.lengths)[:-1]) if once else []
    expected = [row for place in order for row in parts[place]]
    np.testing.assert_array_equal(found.values, np.array(expected).reshape(-1, 3))
    assert found.lengths.tolist() == [1 + place for place in order]
