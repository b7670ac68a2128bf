from typing import Any

import numpy as np
import pytest

from medrag.indexing.scanning import kernels


@pytest.mark.parametrize("d", [1, 15, 16, 17, 63, 64, 65, 200])
def test_a_compiled_dot_product_is_that_of_numpy(d: int) -> None:
    rng = np.random.default_rng(d)
    codes = rng.integers(-127, 128, (5, d)).astype(np.int8)
    questions = rng.standard_normal((3, d)).astype(np.float32)
    expected = codes.astype(np.float64) @ questions.T
    found = [[_dot(codes, i, questions, j) for j in range(3)] for i in range(5)]
    # Sums of single precision in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_a_heap_keeps_the_largest_and_its_least_in_front() -> None:
    values = np.random.default_rng(0).standard_normal(200).astype(np.float32)
    heap = np.full(7, -np.inf, np.float32)
    for value in values:
        if value > heap[0]:
            kernels.replace_least(heap, value)
        assert heap[0] == heap.min()
    assert sorted(heap) == sorted(values)[-7:]


def test_bits_are_counted() -> None:
    words = np.random.default_rng(0).integers(0, 2**63, 50).astype(np.uint64) << np.uint64(1)
    for word in (*words, np.uint64(0), np.uint64(2**64 - 1)):
        assert kernels.ones(word) == int(word).bit_count()


def test_without_a_folder_to_keep_it_in_a_loop_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = kernels.numba.njit

    def njit(function: Any, *, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return whole(function, **options)

    monkeypatch.setattr(kernels.numba, "njit", njit)
    assert kernels.compiled(lambda number: number + 1)(2) == 3


@kernels.compiled
def _dot(codes: Any, i: int, questions: Any, j: int) -> Any:
    return kernels.dot(codes, i, questions, j, i + 3)
