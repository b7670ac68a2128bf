"""Search by MaxSim over an index, against a plain double loop."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.errors import MedragError
from medrag.indexing import machine
from medrag.indexing.backends import grouped
from medrag.indexing.late_interaction import LateInteractionSearch
from medrag.indexing.maintenance import remove
from medrag.indexing.maxsim import options as options_module
from medrag.indexing.maxsim import parts as parts_module
from medrag.indexing.maxsim.kept import problem
from medrag.indexing.maxsim.options import Options, plan_of
from medrag.indexing.maxsim.parts import Part
from medrag.indexing.maxsim.scoring import Asked, Estimates, Read, estimated
from medrag.indexing.storage import Store, open_store
from medrag.records import Embeddings, Filter
from tests.indexing.vector_library import (
    CHANNEL,
    FILTERS,
    Made,
    check_rankings,
    drawn,
    made_index,
    packed,
    plainly,
    unit,
)

EVERYTHING = [Filter()]
# Ways to search, all exact where every passage is a candidate.
WAYS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "int8": {"scan": "int8"},
    "float32": {"scan": "float32"},
    "bfloat16": {"scan": "bfloat16"},
    "half on two devices": {"scan": "float16", "device": "cpu:0,cpu:0"},
    "bits": {"first_pass": "bits"},
    "bits, then int8": {"first_pass": "bits", "scan": "int8"},
    "pooled": {"first_pass": "pooled", "pool": 2},
    "pooled in int8": {"first_pass": "pooled", "scan": "int8", "pool": 3},
}
every_way = pytest.mark.parametrize("options", WAYS.values(), ids=WAYS.keys())

# Both summed in double precision, in another order: rounding to single may differ in the last bit.
check = partial(check_rankings, rtol=2.0**-23, atol=1e-12)


def pages(n: int, *, d: int = 32, seed: int = 7) -> list[Made]:
    """Pages of 1 to 30 unit vectors, in three files, every fourth a report."""
    rng = np.random.default_rng(seed)
    return [
        Made(
            unit(rng.standard_normal((1 + (7 * i) % 30, d))),
            "report" if i % 4 == 0 else "text",
            i % 3,
        )
        for i in range(n)
    ]


def asked(lengths: Sequence[int], *, d: int = 32, seed: int = 8) -> Embeddings:
    rng = np.random.default_rng(seed)
    return packed([unit(rng.standard_normal((n, d))) for n in lengths], d)


def check_ways(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, cases = drawn(data, Path(folder), searches=3, late_interaction=True)
        for case in cases:
            for options in WAYS.values():
                search = LateInteractionSearch(store=store, name=CHANNEL, **options)
                check(search.search(case.questions, case.k, case.filters), case.expected)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_way_gives_the_ranking_of_the_double_loop(data: st.DataObject) -> None:
    check_ways(data)


@pytest.mark.slow
@pytest.mark.exhaustive
@settings(max_examples=3400, deadline=None)
@given(data=st.data())
def test_every_way_gives_it_in_many_cases(data: st.DataObject) -> None:
    check_ways(data)


@every_way
def test_real_vectors_rank_as_in_the_double_loop(options: dict[str, Any], tmp_path: Path) -> None:
    store = made_index(tmp_path, pages(150), d=32, late_interaction=True, removed=[1])
    questions = asked([1, 7, 3, 12, 2])
    filters = [Filter(), FILTERS[1], Filter(), FILTERS[2], FILTERS[1]]
    search = LateInteractionSearch(store=store, name=CHANNEL, **options)
    for k in (1, 10, 500):
        check(search.search(questions, k, filters), plainly(store, questions, k, filters))


@pytest.mark.parametrize("first_pass", ["bits", "pooled"])
def test_a_first_pass_keeps_what_is_found_exact_and_finds_most(
    first_pass: Any, tmp_path: Path
) -> None:
    store = made_index(tmp_path, pages(300), d=32, late_interaction=True)
    questions = asked([8] * 12)
    search = LateInteractionSearch(
        store=store, name=CHANNEL, first_pass=first_pass, candidates=90, pool=2
    )
    found = search.search(questions, 10, EVERYTHING * 12)
    expected = plainly(store, questions, 300, EVERYTHING * 12)
    hits = 0
    for mine, theirs in zip(found, expected, strict=True):
        true = dict(theirs)
        assert len(mine) == 10
        for hit in mine:
            assert hit.score == pytest.approx(true[hit.row], rel=2.0**-23)
        hits += len({hit.row for hit in mine} & {hit.row for hit in theirs[:10]})
    # Chance would find 90 of 300; vectors without any structure are the hardest to find.
    assert hits / 120 > 0.75


def test_only_the_rows_of_a_filter_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made_index(tmp_path, pages(60), d=32, late_interaction=True)
    search = LateInteractionSearch(store=store, name=CHANNEL, scan="int8")
    filters = [FILTERS[1]]
    expected = plainly(store, asked([3]), 60, filters)
    allowed = store.row_mask(FILTERS[1])
    for part in search._parts:
        # A passage that no filter lets through would win with these codes, and its score be wrong.
        copy = part.copy("int8")
        for place in np.flatnonzero(~allowed[part.rows]):
            copy.codes[copy.starts[place] : copy.starts[place + 1]] = 127
    check(search.search(asked([3]), 60, filters), expected)
    seen: list[int] = []

    def watched(reads: Sequence[Read], questions: Asked) -> Estimates:
        seen.extend(len(read.places) for read in reads)
        return estimated(reads, questions)

    monkeypatch.setattr("medrag.indexing.late_interaction.estimated", watched)
    check(search.search(asked([3]), 2, filters), [expected[0][:2]])
    assert sum(seen) == allowed.sum()


def test_equal_scores_rank_by_ascending_row(tmp_path: Path) -> None:
    made = [Made(np.eye(4, dtype=np.float32)[[n % 2]], file=n % 2) for n in range(12)]
    store = made_index(tmp_path, made, d=4, late_interaction=True)
    question = packed([np.eye(4, dtype=np.float32)[:2]], 4)
    for options in WAYS.values():
        (found,) = LateInteractionSearch(store=store, name=CHANNEL, **options).search(
            question, 5, EVERYTHING
        )
        assert [hit.row for hit in found] == [0, 1, 2, 3, 4]


def test_scores_that_differ_in_double_precision_only_are_equal(tmp_path: Path) -> None:
    # With (1, 0.0001): 1 for row 0, and for the others up to 1 + 1.1e-8, a fifth of half the step
    # to the next number in single precision.
    made = [Made(np.array([[1, n * 1e-5]], np.float32), file=n % 2) for n in range(12)]
    store = made_index(tmp_path, made, d=2, late_interaction=True)
    question = packed([np.array([[1, 1e-4]], np.float32)], 2)
    for options in WAYS.values():
        search = LateInteractionSearch(store=store, name=CHANNEL, **options)
        for k in (1, 5, 12):
            (found,) = search.search(question, k, EVERYTHING)
            assert [hit.row for hit in found] == list(range(k))
            assert {hit.score for hit in found} == {1.0}


def test_an_index_without_passages_finds_nothing(tmp_path: Path) -> None:
    store = made_index(tmp_path, [Made(np.ones((2, 3), np.float32))], d=3, late_interaction=True)
    search = LateInteractionSearch(store=store, name=CHANNEL)
    assert search.search(packed([], 3), 2, []) == []
    remove(store.folder, ["0.lines"])
    empty = LateInteractionSearch(store=open_store(store.folder), name=CHANNEL)
    assert empty.search(packed([np.ones((2, 3))], 3), 2, EVERYTHING) == [[]]


def test_a_question_without_vectors_is_refused(tmp_path: Path) -> None:
    store = made_index(tmp_path, [Made(np.ones((2, 3), np.float32))], d=3, late_interaction=True)
    search = LateInteractionSearch(store=store, name=CHANNEL)
    with pytest.raises(ValueError, match="no vector"):
        search.search(packed([np.ones((1, 3)), np.ones((0, 3))], 3), 1, EVERYTHING * 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first_pass": "magic"}, "first_pass must be one of exact, bits, pooled, auto"),
        ({"scan": "int4"}, "scan must be one of auto, int8"),
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"pool": 1}, "pool must be at least 2"),
        ({"scan": "int8", "device": "cuda:0"}, "leave scan or device out"),
        ({"first_pass": "bits", "device": "cuda"}, "leave one of the two out"),
        ({"first_pass": "pooled", "device": "cpu,cuda:1"}, "leave one of the two out"),
        ({"device": "tpu"}, "device must be 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Options(**options).checked()


def test_small_channels_need_no_torch_and_large_ones_take_bits_if_asked_to_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert plan_of(Options(), 1000).kind == "float32"
    automatic = Options("auto", device="cpu")
    assert plan_of(automatic, 1 << 20).first == "exact"
    monkeypatch.setattr(options_module, "multiplies_int8", lambda: True)
    assert plan_of(Options(device="cpu"), 1 << 30).kind == "int8"
    assert plan_of(automatic, 1 << 33).first == "bits"
    monkeypatch.setattr(options_module, "multiplies_int8", lambda: False)
    assert plan_of(Options(device="cpu"), 1 << 30).kind == "float32"
    assert plan_of(Options(device="cuda:0, cuda:1"), 5).devices == ("cuda:0", "cuda:1")
    # Who names a GPU gets it, however large the channel.
    assert plan_of(Options("auto", device="cuda:0"), 1 << 33).devices == ("cuda:0",)


def test_a_gpu_that_is_not_there_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    store = made_index(tmp_path, pages(3), d=32, late_interaction=True)
    search = LateInteractionSearch(store=store, name=CHANNEL, device="cuda:0")
    with pytest.raises(MedragError, match="torch sees 0 GPUs"):
        search.search(asked([3]), 1, EVERYTHING)


def test_gpus_without_room_for_a_channel_leave_it_to_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("medrag.indexing.machine.Path.exists", lambda _: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (10**9, 10**9))
    # Two bytes a number: 700 MB on each of two, or 900 MB, of which 800 MB may be taken.
    assert plan_of(Options(), 700 * 10**6).devices == ("cuda:0", "cuda:1")
    assert plan_of(Options(), 900 * 10**6).devices == ()


def test_what_does_not_fit_in_memory_is_searched_in_its_own_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 100.0)
    store = made_index(tmp_path, pages(40), d=32, late_interaction=True)
    search = LateInteractionSearch(store=store, name=CHANNEL, scan="int8")
    assert search._kind == "float32"
    check(search.search(asked([3]), 5, EVERYTHING), plainly(store, asked([3]), 5, EVERYTHING))


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    """An index whose channel keeps int8 copies, means of them, and signs."""
    spec = {"kind": "late_interaction", "scan": "int8", "first_pass": "bits", "candidates": 30}
    return made_index(tmp_path, pages(90), d=32, store=spec, late_interaction=True, removed=[2])


def folder_of(store: Store) -> Path:
    return store.folder / str(store.channel(CHANNEL).derived["folder"])


def test_a_build_keeps_the_copies_beside_the_segments_and_a_search_maps_them(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problem_of(kept) is None

    def never(*_: Any) -> None:
        raise AssertionError("made again what lies on the disk")

    search = LateInteractionSearch(
        store=kept, name=CHANNEL, **WAYS["bits, then int8"], candidates=60
    )
    for name in ("copied", "sign_planes"):
        monkeypatch.setattr(parts_module, name, never)
    questions = asked([3, 9])
    expected = plainly(kept, questions, 10, EVERYTHING * 2)
    check(search.search(questions, 10, EVERYTHING * 2), expected)


def test_an_index_of_which_nothing_is_kept_is_searched_as_well(kept: Store, tmp_path: Path) -> None:
    questions = asked([3, 9])
    expected = plainly(kept, questions, 10, EVERYTHING * 2)
    for path in folder_of(kept).iterdir():
        path.unlink()
    search = LateInteractionSearch(
        store=kept, name=CHANNEL, **WAYS["bits, then int8"], candidates=60
    )
    check(search.search(questions, 10, EVERYTHING * 2), expected)


def test_files_of_segments_that_stay_are_linked_not_made_again(kept: Store) -> None:
    before = {path.name: path.stat().st_ino for path in folder_of(kept).glob("*.npy")}
    remove(kept.folder, ["1.lines"])
    after = open_store(kept.folder)
    assert folder_of(after) != folder_of(kept)
    inodes = {path.name: path.stat().st_ino for path in folder_of(after).glob("*.npy")}
    assert inodes
    assert all(before.get(name) == inode for name, inode in inodes.items())
    assert problem_of(after) is None


@pytest.mark.parametrize("suffix", ["bits.npy", "int8.npy", "int8-bounds.npy"])
def test_a_file_that_changed_or_is_missing_is_named(kept: Store, suffix: str) -> None:
    path = next(folder_of(kept).glob(f"*.{suffix}"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert path.name in (problem_of(kept) or "")
    path.unlink()
    assert path.name in (problem_of(kept) or "")


def test_contents_that_cannot_be_read_are_a_problem(kept: Store) -> None:
    (folder_of(kept) / "contents.json").write_text("{", encoding="utf-8")
    assert "contents.json cannot be read" in (problem_of(kept) or "")


def test_small_channels_keep_nothing(tmp_path: Path) -> None:
    store = made_index(tmp_path, pages(20), d=32, late_interaction=True)
    assert "folder" not in store.channel(CHANNEL).derived


def test_means_are_kept_where_they_are_the_first_pass(tmp_path: Path) -> None:
    spec = {"kind": "late_interaction", "scan": "int8", "first_pass": "pooled", "pool": 3}
    store = made_index(tmp_path, pages(30), d=32, store=spec, late_interaction=True)
    assert list(folder_of(store).glob("*.pooled3.int8.npy"))
    assert problem_of(store) is None


def test_a_segment_that_came_later_is_searched_though_nothing_was_kept_of_it(
    kept: Store, tmp_path: Path
) -> None:
    search = LateInteractionSearch(store=kept, name=CHANNEL, scan="int8")
    part = search._parts[0]
    search._parts[0] = Part(block=kept.vectors(CHANNEL)[0], key="0" * 32, folder=folder_of(kept))
    assert search._parts[0].key != part.key
    questions = asked([3])
    check(search.search(questions, 9, EVERYTHING), plainly(kept, questions, 9, EVERYTHING))
    other = made_index(tmp_path / "other", pages(9, seed=1), d=32, late_interaction=True)
    channels = {CHANNEL: other.channel(CHANNEL)}
    assert "lacks" in (problem(store=other, channels=channels, folder=folder_of(kept)) or "")


def problem_of(store: Store) -> str | None:
    (channels,) = grouped(store.manifest).values()
    return problem(store=store, channels=channels, folder=folder_of(store))
