import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.checkpoints.batching import Halving, budgeted, check_sizes, out_of_memory

COSTS = st.lists(st.integers(1, 60), max_size=80)


@given(costs=COSTS, budget=st.integers(1, 200))
def test_every_input_is_in_one_batch_that_fits(costs: list[int], budget: int) -> None:
    batches = budgeted(costs, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(costs)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(costs[i] for i in batch) <= budget
    flat = [(-costs[i], i) for batch in batches for i in batch]
    assert flat == sorted(flat)


def test_like_costs_stand_together() -> None:
    # 2 x 9 and 4 x 3 fit into 18; a fifth input of cost 3 would as well, a sixth fills it.
    assert budgeted([3, 9, 3, 9, 3, 3], 18) == [[1, 3], [0, 2, 4, 5]]
    assert budgeted([], 5) == []


@given(costs=COSTS, budget=st.integers(1, 200), room=st.integers(1, 100))
def test_out_of_memory_leads_to_batches_that_fit(costs: list[int], budget: int, room: int) -> None:
    halving = Halving(budget=budget)

    def function(batch: list[int]) -> list[int]:
        if len(batch) > 1 and len(batch) * max(costs[i] for i in batch) > room:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return [costs[i] for i in batch]

    done: dict[int, int] = {}
    for batch, found in halving.run(function, costs):
        done.update(zip(batch, found, strict=True))
    assert done == dict(enumerate(costs))


def test_a_halved_budget_holds_on_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    halving = Halving(budget=8, unit="pictures")
    sizes: list[int] = []

    def function(batch: list[int]) -> None:
        sizes.append(len(batch))
        if len(batch) > 4:
            raise MemoryError

    with caplog.at_level(logging.WARNING, "medrag"):
        list(halving.run(function, [1] * 9))
        list(halving.run(function, [1] * 5))
    assert sizes == [8, 4, 4, 1, 4, 1]
    assert caplog.messages == [
        "out of memory with a batch of 8 pictures (MemoryError); going on with batches of 4"
    ]


def test_one_input_that_is_too_large_ends_the_work() -> None:
    def function(batch: list[int]) -> None:
        raise MemoryError("no more")

    halving = Halving(budget=4)
    with pytest.raises(MemoryError, match="no more"):
        list(halving.run(function, [1, 1, 1, 1]))
    assert halving.budget == 1


def test_other_errors_are_not_swallowed() -> None:
    def function(batch: list[int]) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Halving(budget=4).run(function, [1, 1]))


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("shapes"), False),
        (OSError("not enough memory resources"), False),
    ],
)
def test_out_of_memory_is_known_by_type_or_words(error: Exception, is_it: bool) -> None:
    assert out_of_memory(error) is is_it


def test_a_size_below_one_is_refused_by_name() -> None:
    check_sizes(terms=1, batch_tokens=None)
    with pytest.raises(ValueError, match="batch_tokens must be at least 1, got -2"):
        check_sizes(terms=1, batch_tokens=-2)


@pytest.mark.parametrize("call", [lambda: Halving(budget=0), lambda: budgeted([1], 0)])
def test_nothing_fits_into_no_budget(call: object) -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        call()  # type: ignore[operator]
