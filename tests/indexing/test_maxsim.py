"""MaxSim over arrays, against a plain double loop."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.maxsim import packed, scoring
from medrag.indexing.maxsim.batches import batches
from medrag.indexing.maxsim.device import DeviceCopy
from medrag.indexing.maxsim.packed import CopyKind, Packed, copied, pooled
from medrag.indexing.maxsim.scoring import Estimates, Read, asked, best, estimated, rescored
from medrag.indexing.maxsim.signs import Signs, sign_planes, sign_scores
from medrag.indexing.threads import in_threads, in_torch_threads, n_cores

KINDS: tuple[CopyKind, ...] = ("int8", "float16", "bfloat16", "float32")
HALVES = ("float16", "bfloat16")

every_kind = pytest.mark.parametrize("kind", KINDS)


def made(
    rng: np.random.Generator, lengths: list[int], d: int, *, scale: float = 1.0, whole: bool = False
) -> Packed:
    """Make vectors; whole numbers have many ties, and products that are exact in any order."""
    shape = (sum(lengths), d)
    values = rng.integers(-2, 3, shape) if whole else rng.standard_normal(shape)
    # Passages of very different sizes: the error of each is its own.
    values = values * scale * np.repeat(10.0 ** rng.integers(-2, 3, len(lengths)), lengths)[:, None]
    return packed.packed(values.astype(np.float32), np.array(lengths))


def naively(source: Packed, questions: Packed) -> NDArray[np.float64]:
    """Score every pair in double precision: (passages, questions)."""
    return np.array([[_score(q, p) for q in _each(questions)] for p in _each(source)])


def _score(question: NDArray[Any], passage: NDArray[Any]) -> float:
    return sum(
        max(sum(x * y for x, y in zip(a, b, strict=True)) for b in passage) for a in question
    )


def _each(source: Packed) -> list[Any]:
    return [part.tolist() for part in np.split(source.values, source.starts[1:-1])]


@every_kind
def test_estimates_are_within_their_bounds_and_rescored_ones_are_the_double_loop(
    kind: CopyKind,
) -> None:
    rng = np.random.default_rng(0)
    source = made(rng, [1, 7, 30, 2, 5, 11, 1, 64], 24)
    questions = made(rng, [3, 1, 12], 24)
    expected = naively(source, questions)
    copy = copied(source, kind)
    places = np.array([0, 1, 3, 6, 7])
    found = estimated([Read(copy, source.values, places)], asked(questions, kind))
    assert (np.abs(found.scores - expected[places]) <= found.errors).all()
    # A bound that says nothing would hold as well.
    sizes = np.abs(expected[places]) + 10
    assert (
        found.errors / sizes < {"int8": 0.3, "float16": 0.1, "bfloat16": 0.9}.get(kind, 1e-3)
    ).any()
    for number in range(3):
        one = asked(_one(questions, number), kind)
        scores = rescored([Read(copy, source.values, places)], one)
        np.testing.assert_array_equal(scores, expected[places, number])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_the_best_are_found_whatever_the_vectors(data: st.DataObject) -> None:
    check_best(data)


@pytest.mark.slow
@pytest.mark.exhaustive
@settings(max_examples=10_000, deadline=None)
@given(data=st.data())
def test_the_best_are_found_in_many_cases(data: st.DataObject) -> None:
    check_best(data)


def check_best(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=20))
    d = data.draw(st.integers(1, 9))
    # From numbers whose products vanish in single precision to ones whose products overflow.
    scale = data.draw(st.sampled_from([1e-30, 1e-12, 1.0, 1e12, 1e30]))
    source = made(rng, lengths, d, scale=scale, whole=data.draw(st.booleans()))
    size = data.draw(st.sampled_from([1e-20, 1.0, 1e20]))
    question = made(rng, [data.draw(st.integers(1, 6))], d, scale=size)
    kind = data.draw(st.sampled_from(KINDS))
    k = data.draw(st.integers(1, 22))
    expected = naively(source, question)[:, 0]
    copy = copied(source, kind)
    codes = asked(question, kind)
    found = estimated([Read(copy, source.values, np.arange(len(lengths)))], codes)
    chosen, scores = best(
        Estimates(found.scores[:, 0], found.errors[:, 0]),
        k,
        lambda places, bar: rescored([Read(copy, source.values, places)], codes, bar),
    )
    np.testing.assert_array_equal(scores, expected[chosen])
    order = np.lexsort((np.arange(len(lengths)), -expected))[:k]
    np.testing.assert_array_equal(chosen[np.lexsort((chosen, -scores))[:k]], order)


def test_passages_whose_estimates_fall_short_of_the_best_are_not_scored() -> None:
    true = np.array([5.0, 1.0, 4.0, 2.9, 3.0])
    estimates = true + np.array([0.5, -0.5, 0.5, 0.5, -0.5])
    looked_at: list[int] = []

    def score(places: NDArray[np.int64], bar: float) -> NDArray[np.float64]:
        looked_at.extend(places.tolist())
        return np.where(true[places] < bar, -np.inf, true[places])

    places, scores = best(Estimates(estimates, np.full(5, 0.5)), 3, score)
    # Estimated best are 0, 2 and 3, whose least true score is 2.9; 4 may reach it, 1 may not.
    assert looked_at == [0, 2, 3, 4]
    np.testing.assert_array_equal(places, [0, 2, 3, 4])
    np.testing.assert_array_equal(scores, true[[0, 2, 3, 4]])


@every_kind
def test_tiles_that_bound_memory_change_no_score(
    kind: CopyKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    source, questions = made(rng, [5, 1, 9, 4, 30, 2] * 9, 16), made(rng, [4, 2], 16)
    one, places = asked(_one(questions, 0), kind), np.arange(54)
    codes = asked(questions, kind)
    whole = copied(source, kind)
    read = Read(whole, source.values, places)
    scores, estimates = rescored([read], one), estimated([read], codes)
    monkeypatch.setattr(scoring, "_TILE_BYTES", 500)
    monkeypatch.setattr(scoring, "_WIDE_TILE_BYTES", 500)
    monkeypatch.setattr(packed, "_PIECE", 100)
    pieces = copied(source, kind)
    np.testing.assert_array_equal(pieces.codes, whole.codes)
    reads = [Read(pieces, source.values, each) for each in (places[:9], places[9:9], places[9:])]
    np.testing.assert_array_equal(rescored(reads, one), scores)
    again = estimated(reads, codes)
    np.testing.assert_allclose(again.scores, estimates.scores, rtol=1e-5)
    np.testing.assert_allclose(again.errors, estimates.errors, rtol=1e-5)


def test_segments_are_estimated_together() -> None:
    rng = np.random.default_rng(4)
    sources = [made(rng, [3, 1], 16), made(rng, [2, 5, 4], 16)]
    question = made(rng, [3], 16)
    reads = [
        Read(copied(source, "int8"), source.values, np.arange(len(source.starts) - 1))
        for source in sources
    ]
    codes = asked(question, "int8")
    expected = np.concatenate([naively(source, question) for source in sources])
    found = estimated(reads, codes)
    assert (np.abs(found.scores - expected) <= found.errors).all()
    np.testing.assert_array_equal(rescored(reads, codes), expected[:, 0])


@pytest.mark.parametrize("kind", HALVES)
def test_devices_share_the_passages_and_estimate_as_one(kind: Any) -> None:
    rng = np.random.default_rng(2)
    source, questions = made(rng, [5, 1, 9, 4, 30, 2], 16), made(rng, [4, 2], 16)
    expected = naively(source, questions)
    for devices in (["cpu"], ["cpu", "cpu"]):
        copy = DeviceCopy(source=source, kind=kind, devices=devices)
        for places in (np.arange(6), np.array([0, 2, 5]), np.array([4])):
            found = copy.estimated(places, asked(questions, kind))
            assert (np.abs(found.scores - expected[places]) <= found.errors).all()


def test_passages_of_one_length_are_estimated_on_a_device_like_any_others() -> None:
    rng = np.random.default_rng(3)
    source, questions = made(rng, [6] * 5, 16), made(rng, [3], 16)
    found = DeviceCopy(source=source, kind="float16", devices=["cpu"]).estimated(
        np.arange(5), asked(questions, "float16")
    )
    assert (np.abs(found.scores - naively(source, questions)) <= found.errors).all()


@pytest.mark.parametrize("d", [3, 64, 100, 128, 200])
def test_signs_score_by_the_least_share_of_signs_that_differ(d: int) -> None:
    rng = np.random.default_rng(d)
    source, questions = made(rng, [5, 1, 9], d), made(rng, [4, 2], d)
    places = np.array([0, 2])
    found = sign_scores([Signs(sign_planes(source), source.starts, places)], questions)
    for row, place in enumerate(places):
        vectors = source.values[source.starts[place] : source.starts[place + 1]]
        for number in range(2):
            question = _one(questions, number).values
            share = ((question[:, None] >= 0) != (vectors[None] >= 0)).mean(axis=2).min(axis=1)
            norms = np.linalg.norm(question, axis=1)
            assert found[row, number] == pytest.approx(
                (norms * np.cos(np.pi * share)).sum(), abs=1e-4
            )


def test_means_are_taken_of_neighbours_within_a_passage() -> None:
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    found = pooled(packed.packed(values, np.array([3, 2])), 2)
    # Passage one: rows 0 and 1, then row 2 alone; passage two: rows 3 and 4.
    np.testing.assert_array_equal(found.values, [[1, 2], [4, 5], [7, 8]])
    np.testing.assert_array_equal(found.starts, [0, 2, 3])


@every_kind
def test_a_vector_that_is_not_finite_is_refused(kind: CopyKind) -> None:
    values = np.ones((3, 4), dtype=np.float32)
    values[2, 1] = np.inf
    with pytest.raises(IndexFormatError, match="passage 1 of a segment is not finite"):
        copied(packed.packed(values, np.array([2, 1])), kind)


def test_filters_that_leave_out_little_share_a_group_and_those_for_little_do_not() -> None:
    lengths = np.full(3, 20, dtype=np.int32)
    most = [np.ones(90, dtype=np.bool_) for _ in range(3)]
    for number, mask in enumerate(most):
        mask[number] = False
    assert list(batches(most, lengths)) == [[0, 1, 2]]
    books = [np.zeros(90, dtype=np.bool_) for _ in range(2)]
    books[0][:30], books[1][30:60] = True, True
    books = [books[0], books[1], books[0]]
    # Together they would look at 60 rows of 60 vectors; alone at 30 of 40 and 30 of 20.
    assert list(batches(books, lengths)) == [[0, 1, 2]]
    books[1][30:60] = False
    books[1][89] = True
    many = [np.arange(90) // 9 == number for number in range(10)]
    assert list(batches(many, np.full(10, 20, dtype=np.int32))) == [[n] for n in range(10)]


def test_a_batch_is_divided_so_that_products_stay_narrow() -> None:
    mask = np.ones(4, dtype=np.bool_)
    lengths = np.array([200, 50, 10, 300, 1], dtype=np.int32)
    assert list(batches([mask] * 5, lengths)) == [[0, 1], [2], [3], [4]]


def test_torch_keeps_its_threads_for_others() -> None:
    import torch

    before = torch.get_num_threads()
    seen = in_torch_threads(lambda tasks: [torch.get_num_threads() for _ in tasks], range(64))
    assert torch.get_num_threads() == before
    if n_cores() > 1:
        assert {n for each in seen for n in each} == {1}
    later: list[int] = []
    from threading import Thread

    thread = Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [before]


def test_what_a_part_of_the_work_raises_is_raised() -> None:
    def fail(parts: Iterator[int]) -> None:
        raise RuntimeError(f"part {next(parts)}")

    for share in (in_threads, in_torch_threads):
        with pytest.raises(RuntimeError, match="part"):
            share(fail, range(3))


def _one(questions: Packed, number: int) -> Packed:
    first, stop = questions.starts[number], questions.starts[number + 1]
    return packed.packed(questions.values[first:stop], np.array([stop - first]))
