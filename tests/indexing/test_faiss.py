"""FAISS as a back end: equal to plain search where it must be, honest where it cannot."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.errors import IndexFormatError, MedragError, RecipeError
from medrag.indexing import faiss as backend
from medrag.indexing import faiss_candidates, faiss_file, faiss_training
from medrag.indexing.checking import verify
from medrag.indexing.faiss import FaissSearch, derive, problem
from medrag.indexing.faiss_candidates import Candidates
from medrag.indexing.maintenance import compact, remove
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.storage import Block, open_store
from medrag.records import Embeddings, Filter, ScoredRow
from tests.indexing.vector_library import CHANNEL, Made, made_index, packed, plainly, searching

Floats = np.ndarray[Any, np.dtype[np.float32]]
# Kinds that take a filter themselves, and kinds that do not.
FILTERING = [
    "Flat", "SQ8", "RaBitQ", "HNSW8", "IVF4,Flat", "IVF4,PQ4x4", "IVF4,RaBitQ", "PCA6,IVF4,Flat",
]  # fmt: skip
OVERFETCHING = ["PQ4x4", "PQ4x4fs", "IVF4,PQ4x4,RFlat"]


class Segments:
    """A store without files: vectors by segment, every third row a report, some rows removed."""

    def __init__(
        self,
        folder: Path,
        parts: Mapping[str, Sequence[Floats]],
        store: Mapping[str, Any],
        *,
        removed: Sequence[int] = (),
    ) -> None:
        self.folder = folder
        self.parts = parts
        self.entries = [SimpleNamespace(name=name) for name in parts]
        vectors = [each for part in parts.values() for each in part]
        d = vectors[0].shape[1] if vectors else None
        self.entry = ChannelEntry({"kind": "dense", "store": store}, encoder="made", d=d)
        self.live = ~np.isin(np.arange(len(vectors)), removed)

    @property
    def at(self) -> Path:
        return self.folder / "derived" / "faiss-000001"

    def channel(self, name: str) -> ChannelEntry:
        return self.entry

    def derived(self, name: str) -> Path:
        return self.at

    def vectors(self, name: str) -> list[Block]:
        blocks, first = [], 0
        for part in self.parts.values():
            if part:
                lengths = np.array([len(each) for each in part], np.int32)
                blocks.append(Block(first + np.arange(len(part)), lengths, np.concatenate(part)))
            first += len(part)
        return blocks

    def place_of(self, row: int) -> SimpleNamespace:
        ends = np.cumsum([len(part) for part in self.parts.values()])
        return SimpleNamespace(segment=int(np.searchsorted(ends, row, side="right")))

    def row_mask(self, wanted: Filter) -> Any:
        if not wanted.kinds:
            return self.live.copy()
        third = np.arange(len(self.live)) % 3 == 0
        return self.live & third if "report" in wanted.kinds else self.live & False

    def derive(self, previous: Path | None = None) -> "Segments":
        self.at.mkdir(parents=True)
        made: Any = self
        derive(store=made, channels={"made": self.entry}, folder=self.at, previous=previous)
        return self

    def search(self, **options: Any) -> FaissSearch:
        made: Any = self
        return FaissSearch(store=made, name="made", **{**self.entry.spec["store"], **options})

    def plainly(self, asked: Embeddings, k: int, wanted: Sequence[Filter]) -> Any:
        made: Any = self
        return plainly(made, asked, k, wanted)


class Case(NamedTuple):
    store: Segments
    asked: Embeddings


FILTERS = [Filter(), Filter(kinds=frozenset({"report"})), Filter(kinds=frozenset({"case"}))]


def some(folder: Path, factory: str, *, n: int = 400, d: int = 12, seed: int = 0) -> Case:
    draw = np.random.default_rng(seed)
    vectors = [unit(draw.standard_normal((1 + i % 2, d))) for i in range(n)]
    parts = {"a": vectors[: n // 2], "b": [], "c": vectors[n // 2 :]}
    store = Segments(folder, parts, {"factory": factory}, removed=[0, 3, 5]).derive()
    return Case(store, packed([unit(draw.standard_normal((1, d))) for _ in range(6)], d))


def unit(values: Any) -> Any:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def rows(found: Sequence[Sequence[ScoredRow]]) -> list[list[int]]:
    return [[hit.row for hit in ranking] for ranking in found]


def check(found: Any, expected: Any) -> None:
    assert rows(found) == rows(expected)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose([h.score for h in one], [h.score for h in two], atol=1e-3)


def check_any_library(folder: Path, seed: int, factory: str, options: Mapping[str, Any]) -> None:
    draw = np.random.default_rng(seed)
    n, d, k = (int(draw.integers(1, most)) for most in (60, 8, 40))
    # Whole numbers, so that duplicates and ties are many.
    sizes = draw.integers(1, 4, n)
    vectors = [draw.integers(-2, 3, (size, d)).astype(np.float32) for size in sizes]
    cut = int(draw.integers(0, n + 1))
    removed = np.flatnonzero(draw.random(n) < 0.2).tolist()
    parts = {"a": vectors[:cut], "b": vectors[cut:]}
    store = Segments(folder, parts, {"factory": factory}, removed=removed).derive()
    asked = packed([draw.integers(-2, 3, (t, d)).astype(np.float32) for t in (1, 2, 1)], d)
    found = store.search(**options).search(asked, k, FILTERS)
    expected = store.plainly(asked, k, FILTERS)
    assert rows(found) == rows(expected)
    # Sums of small whole numbers are exact in every precision.
    assert [[h.score for h in r] for r in found] == [[h.score for h in r] for r in expected]


EXACT = pytest.mark.parametrize(
    ("factory", "options"),
    [("Flat", {}), ("Flat", {"rescore": 1}), ("IVF7,Flat", {"nprobe": "all"})],
)


@EXACT
@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_flat_and_every_cell_probed_find_what_plain_search_finds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, factory: str, options: Any
) -> None:
    check_any_library(tmp_path_factory.mktemp("faiss"), seed, factory, options)


@pytest.mark.slow
@pytest.mark.exhaustive
@EXACT
@settings(max_examples=3_400, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_flat_and_every_cell_probed_find_it_in_many_cases(
    tmp_path_factory: pytest.TempPathFactory, seed: int, factory: str, options: Any
) -> None:
    check_any_library(tmp_path_factory.mktemp("faiss"), seed, factory, options)


@pytest.mark.parametrize("factory", FILTERING + OVERFETCHING)
def test_every_kind_of_index_finds_only_allowed_rows_and_as_many_as_there_are(
    tmp_path: Path, factory: str
) -> None:
    store, asked = some(tmp_path, factory)
    search = store.search(nprobe="all")
    assert search._candidates is not None
    assert search._candidates.takes_filters == (factory in FILTERING)
    for k in (5, 133, 500):
        wanted = [FILTERS[n % 3] for n in range(6)]
        for found, filter_ in zip(search.search(asked, k, wanted), wanted, strict=True):
            mask = store.row_mask(filter_)
            assert all(mask[hit.row] for hit in found)
            assert len({hit.row for hit in found}) == len(found) == min(k, mask.sum())


@pytest.mark.parametrize("factory", FILTERING + OVERFETCHING)
def test_scores_are_those_of_the_vectors_and_not_of_the_codes(tmp_path: Path, factory: str) -> None:
    store, asked = some(tmp_path, factory)
    true = [dict(ranking) for ranking in store.plainly(asked, 400, [Filter()] * 6)]
    for found, known in zip(store.search().search(asked, 10, [Filter()] * 6), true, strict=True):
        assert list(found) == sorted(found, key=lambda hit: (-hit.score, hit.row))
        np.testing.assert_allclose([h.score for h in found], [known[h.row] for h in found], 1e-6)


@pytest.mark.parametrize("factory", FILTERING + OVERFETCHING)
def test_most_of_the_nearest_are_found_by_every_kind_with_all_cells_probed(
    tmp_path: Path, factory: str
) -> None:
    store, asked = some(tmp_path, factory)
    found = rows(store.search(nprobe="all", rescore=20).search(asked, 10, [Filter()] * 6))
    true = rows(store.plainly(asked, 10, [Filter()] * 6))
    share = np.mean([len({*one} & {*two}) / 10 for one, two in zip(found, true, strict=True)])
    assert share >= 0.9


def test_a_filter_that_leaves_few_is_searched_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = some(tmp_path, "IVF4,Flat")
    store.live[:] = False
    store.live[[7, 300, 399]] = True
    search = store.search(nprobe=1)
    monkeypatch.setattr(Candidates, "search", None)
    check(search.search(asked, 10, [Filter()] * 6), store.plainly(asked, 10, [Filter()] * 6))


def test_lists_that_hold_too_few_allowed_rows_are_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_SCORED", 0)
    store, asked = some(tmp_path, "IVF4,Flat")
    store.live[:] = False
    store.live[[7, 300, 399]] = True
    search = store.search(nprobe=1)
    check(search.search(asked, 10, [Filter()] * 6), store.plainly(asked, 10, [Filter()] * 6))


def test_more_candidates_than_faiss_may_hold_are_found_by_reading_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_candidates, "_MOST", 16)
    same = [np.ones((1, 4), np.float32)] * 50
    store = Segments(tmp_path, {"a": same}, {"factory": "Flat"}).derive()
    (found,) = store.search().search(packed([same[0]], 4), 5, [Filter()])
    assert [hit.row for hit in found] == [0, 1, 2, 3, 4]


def test_vectors_that_came_later_are_searched_beside_the_index(tmp_path: Path) -> None:
    store, asked = some(tmp_path, "Flat")
    draw = np.random.default_rng(9)
    more = [unit(draw.standard_normal((1, 12))) for _ in range(50)]
    # In front of what the index holds, too, so that its rows have moved.
    parts = {"z": more[:20], **store.parts, "y": more[20:]}
    later = Segments(tmp_path, parts, {"factory": "Flat"}, removed=[30])
    wanted = [FILTERS[n % 2] for n in range(6)]
    check(later.search().search(asked, 60, wanted), later.plainly(asked, 60, wanted))


def test_vectors_of_a_segment_that_is_gone_are_not_found(tmp_path: Path) -> None:
    store, asked = some(tmp_path, "Flat")
    less = Segments(tmp_path, {"c": store.parts["c"]}, {"factory": "Flat"})
    wanted = [FILTERS[n % 2] for n in range(6)]
    check(less.search().search(asked, 30, wanted), less.plainly(asked, 30, wanted))


@pytest.mark.parametrize("factory", ["Flat", "IVF4,Flat", "HNSW8"])
def test_new_segments_extend_the_index_without_training_it_again(
    tmp_path: Path, factory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = some(tmp_path / "one", factory)
    draw = np.random.default_rng(9)
    more = [unit(draw.standard_normal((1, 12))) for _ in range(50)]
    monkeypatch.setattr(faiss_training, "_trained", None)
    grown = Segments(tmp_path / "two", {**store.parts, "d": more}, {"factory": factory})
    grown.derive(store.at)
    assert faiss_file.read_faiss_file(grown.at, "made").segments == (
        ("a", 300), ("c", 300), ("d", 50),
    )  # fmt: skip
    options = {"nprobe": "all", "ef": 600}
    check(
        grown.search(**options).search(asked, 10, [Filter()] * 6),
        grown.plainly(asked, 10, [Filter()] * 6),
    )


def test_a_removal_takes_the_file_over_and_compaction_fills_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = some(tmp_path / "one", "IVF4,Flat")
    monkeypatch.setattr(faiss_training, "_trained", None)
    removed = Segments(tmp_path / "two", store.parts, {"factory": "IVF4,Flat"}, removed=[9])
    removed.derive(store.at)
    one, two = (faiss_file.index_path(each.at, "made") for each in (store, removed))
    assert one.read_bytes() == two.read_bytes()
    vectors = [each for part in store.parts.values() for each in part]
    joined = Segments(tmp_path / "three", {"x": vectors[10:]}, {"factory": "IVF4,Flat"})
    joined.derive(removed.at)
    check(
        joined.search(nprobe="all").search(asked, 10, [Filter()] * 6),
        joined.plainly(asked, 10, [Filter()] * 6),
    )


def test_an_index_that_has_outgrown_its_training_is_trained_again(tmp_path: Path) -> None:
    small, _ = some(tmp_path / "one", "IVF64,Flat", n=100)
    large, _ = some(tmp_path / "two", "IVF64,Flat", n=1_000)
    grown = Segments(tmp_path / "three", large.parts, {"factory": "IVF64,Flat"}).derive(small.at)
    # 150 vectors train 3 lists of 39 points, 1,500 train 38.
    built = [faiss_file.read_faiss_file(each.at, "made").built for each in (small, grown)]
    assert built == ["IVF3,Flat", "IVF38,Flat"]


def test_another_factory_is_made_from_the_start(tmp_path: Path) -> None:
    store, _ = some(tmp_path / "one", "Flat")
    other = Segments(tmp_path / "two", store.parts, {"factory": "HNSW8"}).derive(store.at)
    index = faiss.read_index(str(faiss_file.index_path(other.at, "made")))
    assert isinstance(index, faiss.IndexHNSWFlat)


def test_training_reads_no_more_than_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # 4 numbers of 4 bytes: room for 100 vectors, which train 2 lists.
    monkeypatch.setattr(faiss_training, "TRAINING_BYTES", 1600)
    monkeypatch.setattr(faiss_training, "_PIECE_BYTES", 200)
    with caplog.at_level(logging.WARNING):
        store, asked = some(tmp_path, "IVF16,Flat", n=1_000, d=4)
    assert "'IVF2,Flat' is made instead" in caplog.text
    assert faiss_file.read_faiss_file(store.at, "made").built == "IVF2,Flat"
    check(
        store.search(nprobe="all").search(asked, 10, [Filter()] * 6),
        store.plainly(asked, 10, [Filter()] * 6),
    )


def test_too_few_vectors_for_a_codebook_are_searched_flat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        store, asked = some(tmp_path, "IVF8,PQ4", n=30)
    assert "45 vectors are too few to train 'IVF8,PQ4'" in caplog.text
    check(
        store.search().search(asked, 10, [Filter()] * 6),
        store.plainly(asked, 10, [Filter()] * 6),
    )


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        ("IVF8,Flatt", r"IVF8,Flatt.*cannot make it for vectors of 12 numbers"),
        ("IVF999,PQ5", "'IVF999,PQ5'.*vectors of 12 numbers"),
        ("IDMap,Flat", "leave IDMap out"),
        ("NSG16", "use HNSW"),
    ],
)
def test_a_factory_that_cannot_be_made_is_named(tmp_path: Path, factory: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        some(tmp_path, factory)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "bytes instead of"),
        (lambda path: path.unlink(), "0 bytes instead of"),
        (lambda path: path.write_bytes(b"\0" * path.stat().st_size), "other bytes"),
        (lambda path: unspotted(path, b"\0" * path.stat().st_size), "cannot read it"),
        (lambda path: faiss.write_index(faiss.IndexFlatL2(12), str(path)), "bytes instead of"),
        (lambda path: path.with_suffix(".json").write_text("{"), "made.json"),
        (lambda path: path.with_suffix(".json").write_text("[]"), "made.json"),
        (lambda path: path.with_suffix(".json").unlink(), "made.json"),
        (lambda path: change(path, n=599), "counts that add up"),
        (lambda path: change(path, version=0), "expected version 1"),
        # As many bytes, in another shape.
        (lambda path: write(path, np.ones((1200, 6), np.float32)), "1200 vectors of 6 numbers"),
        # As many vectors of as many numbers, of another index.
        (lambda path: swap(path, np.ones((600, 12), np.float32)), "other bytes"),
        (lambda path: change(path, segments=[["a", 299], ["c", 301]]), "other counts for a, c"),
        (lambda path: change(path, d=11), "vectors of 11 numbers"),
    ],
)
def test_a_damaged_or_foreign_file_is_named_with_the_way_out(
    tmp_path: Path, damage: Any, told: str
) -> None:
    store, _ = some(tmp_path, "Flat")
    damage(faiss_file.index_path(store.at, "made"))
    with pytest.raises(IndexFormatError, match=rf"(?s){told}.*medrag index verify .* --repair"):
        store.search()


def unspotted(path: Path, content: bytes) -> None:
    """Damage a file of a time when no pieces of it were written down."""
    change(path, spots="")
    path.write_bytes(content)


def write(path: Path, values: Floats) -> None:
    change(path, spots="")
    swap(path, values)


def swap(path: Path, values: Floats) -> None:
    index = faiss.IndexFlatIP(values.shape[1])
    index.add(values)
    faiss.write_index(index, str(path))


def change(path: Path, **values: Any) -> None:
    path = path.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_damaged_file_is_found_by_verify_and_not_extended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, asked = some(tmp_path / "one", "Flat")
    made: Any = store
    told = {"store": made, "channels": {"made": store.entry}, "folder": store.at}
    assert problem(**told) is None
    path = faiss_file.index_path(store.at, "made")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "other bytes than were written" in str(problem(**told))
    again = Segments(tmp_path / "two", store.parts, {"factory": "Flat"}, removed=[1])
    with caplog.at_level(logging.WARNING):
        again.derive(store.at)
    assert "made anew now" in caplog.text
    check(again.search().search(asked, 9, [Filter()] * 6), again.plainly(asked, 9, [Filter()] * 6))


def test_a_segment_that_the_index_lacks_is_a_problem(tmp_path: Path) -> None:
    store, _ = some(tmp_path, "Flat")
    parts = {**store.parts, "d": [np.ones((1, 12), np.float32)]}
    later: Any = Segments(tmp_path, parts, {"factory": "Flat"})
    told = problem(store=later, channels={"made": later.entry}, folder=later.at)
    assert told == "the FAISS index lacks d; the same build again adds them"


def test_a_vector_that_is_not_finite_stops_the_making(tmp_path: Path) -> None:
    broken = np.ones((1, 3), np.float32)
    broken[0, 1] = np.nan
    with pytest.raises(IndexFormatError, match="vector of segment a is not finite"):
        Segments(tmp_path, {"a": [broken]}, {"factory": "Flat"}).derive()
    ones = np.ones((1, 3), np.float32)
    Segments(tmp_path / "x", {"a": [ones]}, {"factory": "Flat"}).derive()
    search = Segments(tmp_path / "x", {"a": [ones], "b": [broken]}, {"factory": "Flat"}).search()
    with pytest.raises(IndexFormatError, match="a vector of row 1 is not finite"):
        search.search(packed([ones], 3), 1, [Filter()])


@pytest.mark.parametrize("option", ["nprobe", "ef", "rescore"])
def test_senseless_options_are_refused(tmp_path: Path, option: str) -> None:
    store, _ = some(tmp_path, "Flat", n=4)
    with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
        store.search(**{option: 0})


def test_a_gpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    if faiss.get_num_gpus():
        pytest.skip("this machine has a GPU")
    store, _ = some(tmp_path, "Flat", n=4)
    with pytest.raises(MedragError, match=r"leave 'device' out.*medrag\[gpu\]"):
        store.search(device="cuda")


class OnGpu:
    """FAISS as if it had a GPU: records what is asked of it, and searches on the CPU."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.n: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(faiss, name)

    def get_num_gpus(self) -> int:
        return 2

    def GpuMultipleClonerOptions(self) -> SimpleNamespace:  # noqa: N802 - FAISS's name
        return SimpleNamespace(shard=False)

    def GpuParameterSpace(self) -> "OnGpu":  # noqa: N802 - FAISS's name
        return self

    def set_index_parameter(self, index: Any, name: str, value: int) -> None:
        self.asked.append((name, value))

    def index_cpu_to_all_gpus(self, index: Any, co: Any) -> Any:
        if isinstance(index, faiss.IndexHNSW):
            raise RuntimeError("not implemented")
        self.asked.append(("shard", co.shard))

        def search(values: Any, n: int) -> Any:
            assert n <= 2048
            self.n.append(n)
            return index.search(values, n)

        return SimpleNamespace(search=search, ntotal=index.ntotal, d=index.d)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> OnGpu:
    made = OnGpu()
    monkeypatch.setattr(backend, "library", lambda: made)
    return made


def test_an_index_is_split_over_all_gpus_and_filtered_by_taking_more(
    tmp_path: Path, gpu: OnGpu
) -> None:
    store, asked = some(tmp_path, "Flat")
    wanted = [FILTERS[n % 3] for n in range(6)]
    check(store.search(device="cuda").search(asked, 100, wanted), store.plainly(asked, 100, wanted))
    assert gpu.asked == [("shard", True)]


def test_more_than_a_gpu_gives_is_looked_for_on_the_cpu(tmp_path: Path, gpu: OnGpu) -> None:
    store, asked = some(tmp_path, "Flat", n=2_500, d=4)
    search = store.search(device="cuda")
    for k in (1_500, 2_400):
        check(search.search(asked, k, [Filter()] * 6), store.plainly(asked, k, [Filter()] * 6))
    # 1,500 wanted passages are asked for with 2,048 candidates; 2,400 are not asked for at all.
    assert set(gpu.n) == {2048}


def test_lists_on_a_gpu_are_set_once_and_bounded(
    tmp_path: Path, gpu: OnGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = some(tmp_path, "IVF4,Flat")
    store.search(device="cuda", nprobe="all")
    assert gpu.asked == [("shard", True), ("nprobe", 4)]
    with pytest.raises(ValueError, match=r"nprobe is 2049.*at most 2048 lists on a GPU"):
        store.search(device="cuda", nprobe=2049)
    graph, _ = some(tmp_path / "graph", "HNSW8")
    with pytest.raises(MedragError, match="cannot copy a IndexHNSWFlat"):
        graph.search(device="cuda")


def test_small_batches_use_the_fast_path_of_faiss() -> None:
    assert faiss_file.library().cvar.distance_compute_blas_threshold == 20


@pytest.mark.parametrize("mapped_from", [0, 1 << 40])
def test_mapped_and_read_files_answer_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped_from: int
) -> None:
    monkeypatch.setattr(faiss_file, "_MAPPED_BYTES", mapped_from)
    for factory in ("Flat", "IVF4,Flat", "HNSW8"):
        store, asked = some(tmp_path / factory.replace(",", "-"), factory)
        search = store.search(nprobe="all", ef=600)
        check(search.search(asked, 9, FILTERS * 2), store.plainly(asked, 9, FILTERS * 2))


def test_an_index_on_disk_follows_what_is_added_removed_and_compacted(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    made = [Made(unit(draw.standard_normal((1, 8))), "text", n % 3) for n in range(90)]
    spec = {"kind": "faiss", "factory": "IVF2,Flat", "nprobe": "all"}
    questions = packed([unit(draw.standard_normal((1, 8))) for _ in range(3)], 8)
    store = made_index(tmp_path, made, d=8, store=spec)
    folder = tmp_path / "index"
    for change_ in (lambda: remove(folder, ["1.lines"]), lambda: compact(folder)):
        change_()
        store = open_store(folder)
        check(
            searching(store).search(questions, 10, [Filter()] * 3),
            plainly(store, questions, 10, [Filter()] * 3),
        )
        assert verify(folder) == []
    assert store.n_rows == 60
    (path,) = folder.glob(f"derived/faiss-*/{CHANNEL}.faiss")
    path.unlink()
    (found,) = verify(folder)
    assert "missing" in found.problem


def test_only_options_that_shape_the_index_make_it_anew(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    made = [Made(unit(draw.standard_normal((1, 8)))) for _ in range(90)]
    names = []
    for options in ({}, {"nprobe": 1, "rescore": 3}, {"factory": "HNSW8"}):
        spec = {"kind": "faiss", "factory": "IVF2,Flat", **options}
        store = made_index(tmp_path, made, d=8, store=spec)
        assert store.channel(CHANNEL).spec["store"] == spec
        names.append(store.derived(CHANNEL).name)
    assert names[0] == names[1] != names[2]
