"""What is found, in a shard and in memory, is what the exact search finds."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing.checking import verify
from medrag.indexing.dense import DenseChannel
from medrag.indexing.late_interaction import LateInteractionSearch
from medrag.indexing.qdrant import QdrantSearch, edge, points
from medrag.indexing.qdrant.points import Asked, Near
from medrag.indexing.storage import Store
from medrag.records import Filter, ImageRef, Question
from tests.contracts import check_channel
from tests.indexing.library import WordEncoder, allowed
from tests.indexing.qdrant.conftest import QUICK
from tests.indexing.qdrant.lines import (
    WORDS,
    asked,
    built,
    channels,
    check_same,
    filters,
    hashes,
    lines,
    searching,
)
from tests.indexing.vector_library import CHANNEL, Made, check_rankings, made_index, packed, plainly
from tests.indexing.vector_library import searching as searching_made

EDGE: dict[str, Any] = {"exact": True}
MEMORY: dict[str, Any] = {"location": ":memory:"}
both = pytest.mark.parametrize("options", [EDGE, MEMORY], ids=["edge", "memory"])

questions = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), min_size=1, max_size=3
)


@pytest.fixture(scope="module", params=[EDGE, MEMORY], ids=["edge", "memory"])
def library(request: pytest.FixtureRequest) -> Iterator[Store]:
    """120 passages in two segments, of which 40 were removed since."""
    with tempfile.TemporaryDirectory(dir=QUICK, prefix="medrag-test-") as folder:
        place = Path(folder)
        built(place, {"a.lines": lines(1, 60), "b.lines": lines(2, 40)}, request.param)
        yield built(place, {"b.lines": lines(3, 60)}, request.param)


@pytest.fixture(scope="module")
def search(library: Store) -> QdrantSearch:
    return searching(library)


@settings(max_examples=200)
@given(texts=questions, k=st.integers(1, 150), wanted=filters)
def test_any_question_and_filter_give_the_exact_ranking(
    library: Store, search: QdrantSearch, texts: list[str], k: int, wanted: Filter
) -> None:
    check_same(library, search, asked(*texts), k, [wanted] * len(texts))


@pytest.mark.slow
@pytest.mark.exhaustive
@settings(max_examples=10_000)
@given(texts=questions, k=st.integers(1, 150), wanted=filters)
def test_ten_thousand_questions_and_filters_give_the_exact_ranking(
    library: Store, search: QdrantSearch, texts: list[str], k: int, wanted: Filter
) -> None:
    check_same(library, search, asked(*texts), k, [wanted] * len(texts))


@settings(max_examples=200)
@given(wanted=filters)
def test_the_payload_alone_says_what_a_filter_allows(
    library: Store, search: QdrantSearch, wanted: Filter
) -> None:
    asking = [Asked(np.ones(16, np.float32), wanted)]
    (near,) = search._points.query("words", asking, 1000, search.options)
    found = {bytes(each).hex() for each in near.ids}
    expected = {p.id.replace("-", "") for p in library.passages if allowed(p, wanted)}
    if wanted.before is not None and len(wanted.before.encode()) > 30:
        # Times that agree in 30 bytes are told apart where rows are scored.
        assert expected <= found
    else:
        assert found == expected


def test_more_can_be_asked_for_than_memory_could_hold(library: Store, search: QdrantSearch) -> None:
    found = search.search(asked("pleural effusion"), 10**20, [Filter()])
    assert found == search.search(asked("pleural effusion"), library.n_rows, [Filter()])


def test_pictures_are_part_of_what_filters_look_at(library: Store, search: QdrantSearch) -> None:
    without = Filter(not_images=frozenset(hashes()))
    (found,) = check_same(library, search, asked("lung"), library.n_rows, [without])
    assert 0 < len(found) < len(library.passages)


def test_it_keeps_the_promises_of_a_channel(library: Store, search: QdrantSearch) -> None:
    wanted = [Filter(domains=frozenset({"radiology"})), Filter(kinds=frozenset({"text", "case"}))]
    check_channel(
        DenseChannel(
            store=library, name="words", encoder=WordEncoder(), side="text", vectors=search
        ),
        [Question(text="effusion"), Question(text="white matter lung")],
        n_rows=library.n_rows,
        masks=[(each, library.row_mask(each)) for each in wanted],
        unusable=[Question(), Question(text=" "), Question(images=(ImageRef("/x.png"),))],
    )


@both
@pytest.mark.parametrize("late", [False, True], ids=["best pair", "sums"])
def test_passages_and_questions_of_many_vectors(
    quick: Path, options: dict[str, Any], late: bool
) -> None:
    random = np.random.default_rng(5)
    made = [
        Made(random.standard_normal((1 + n % 4, 8)).astype(np.float32), file=n % 2)
        for n in range(80)
    ]
    store = made_index(
        quick, made, d=8, store={"kind": "qdrant", **options}, late_interaction=late, removed=[1]
    )
    many = packed([random.standard_normal((1 + n, 8)).astype(np.float32) for n in range(3)], 8)
    found = searching_made(store).search(many, 10, [Filter()] * 3)
    check_rankings(found, plainly(store, many, 10, [Filter()] * 3))


def test_sums_are_the_same_to_the_last_bit_as_where_the_vectors_lie(quick: Path) -> None:
    random = np.random.default_rng(6)
    made = [Made(random.standard_normal((1 + n % 9, 8)).astype(np.float32)) for n in range(60)]
    store = made_index(quick, made, d=8, store={"kind": "qdrant", **MEMORY}, late_interaction=True)
    many = packed([random.standard_normal((1 + n, 8)).astype(np.float32) for n in range(9)], 8)
    wanted = [Filter()] * 9
    in_place = LateInteractionSearch(store=store, name=CHANNEL).search(many, 60, wanted)
    assert searching_made(store).search(many, 60, wanted) == in_place


@both
def test_vectors_that_are_not_of_unit_length_score_by_inner_product(
    quick: Path, options: dict[str, Any]
) -> None:
    made = [Made(np.array([[scale, 1.0]], np.float32)) for scale in (3.0, -200.0, 40.0)]
    store = made_index(quick, made, d=2, store={"kind": "qdrant", **options})
    (found,) = searching_made(store).search(
        packed([np.array([[2.0, 5.0]], np.float32)], 2), 3, [Filter()]
    )
    assert found == [(2, 85.0), (0, 11.0), (1, -395.0)]


@both
def test_more_equal_scores_than_are_asked_for_at_first_are_ranked_by_row(
    quick: Path, options: dict[str, Any]
) -> None:
    made = [Made(np.ones((1, 2), np.float32)) for _ in range(300)]
    store = made_index(quick, made, d=2, store={"kind": "qdrant", **options})
    (found,) = searching_made(store).search(packed([np.ones((1, 2), np.float32)], 2), 3, [Filter()])
    assert [hit.row for hit in found] == [0, 1, 2]


def test_a_point_that_is_found_twice_counts_once(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 40)}, EDGE)
    search = searching(store)
    real = search._points

    class Moving:
        """Shards between which points move, so that both have them."""

        def query(self, *arguments: Any) -> list[Near]:
            found = real.query(*arguments)
            return [Near(np.repeat(n.ids, 2, axis=0), np.repeat(n.scores, 2)) for n in found]

    search.__dict__["_points"] = Moving()
    check_same(store, search, asked("lung"), 10, [Filter()])


def test_channels_of_an_index_share_a_shard_of_named_vectors(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 30)}, channels=channels(EDGE, ("words", "titles")))
    one, two = searching(store, "words"), searching(store, "titles")
    assert one._points is two._points
    assert edge.opened(store.derived("words")).count() == 30
    assert store.derived("words") == store.derived("titles")
    for each in (one, two):
        check_same(store, each, asked("effusion", "lung"), 5, [Filter()] * 2)


def test_a_passage_that_a_channel_lacks_is_not_found_in_it(quick: Path) -> None:
    pictured = {"text": "", "images": ["1.png"]}
    store = built(quick, {"a.lines": ["effusion", pictured, "lung"]}, EDGE)
    found = check_same(store, searching(store), asked("effusion"), 5, [Filter()])
    assert [hit.row for hit in found[0]] == [0, 2]


@pytest.mark.parametrize("quantization", ["scalar", "binary", "turbo"])
@pytest.mark.parametrize("length", [1, 3])
def test_quantised_vectors_are_scored_again(quick: Path, quantization: str, length: int) -> None:
    random = np.random.default_rng(2)
    values = random.standard_normal((1200 * length, 64)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    made = [Made(values[n * length : (n + 1) * length]) for n in range(1200)]
    spec = {"kind": "qdrant", "quantization": quantization, "oversampling": 8.0}
    store = made_index(quick, made, d=64, store=spec, late_interaction=length > 1)
    near = packed([values[n * length : n * length + length] + 0.05 for n in range(8)], 64)
    found = searching_made(store).search(near, 10, [Filter()] * 8)
    expected = plainly(store, near, 10, [Filter()] * 8)
    for n, (one, two) in enumerate(zip(found, expected, strict=True)):
        assert one[0].row == two[0].row == n
        scores = dict(two)
        same = [hit for hit in one if hit.row in scores]
        # 1-bit codes of 64 numbers are coarse; the others lose next to nothing.
        assert len(same) >= (5 if quantization == "binary" else 9)
        np.testing.assert_allclose(
            [h.score for h in same], [scores[h.row] for h in same], atol=1e-3
        )


def test_a_graph_finds_nearly_all_of_the_exact_top_ten(quick: Path) -> None:
    random = np.random.default_rng(3)
    centres = random.standard_normal((40, 32))
    values = (centres[np.arange(4000) % 40] + 0.6 * random.standard_normal((4000, 32))).astype("f4")
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    spec = {"kind": "qdrant", "hnsw": {"m": 16, "ef_construct": 64, "full_scan_threshold": 10}}
    store = made_index(quick, [Made(each[None]) for each in values], d=32, store=spec)
    near = packed([each[None] for each in values[:50]], 32)
    found = searching_made(store).search(near, 10, [Filter()] * 50)
    expected = plainly(store, near, 10, [Filter()] * 50)
    same = [len(dict(a).keys() & dict(b).keys()) for a, b in zip(found, expected, strict=True)]
    assert sum(same) / 500 >= 0.95


def test_a_point_of_too_many_numbers_is_refused_with_its_passage(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points, "MOST_FLOATS", 7)
    made = [Made(np.ones((n, 2), np.float32)) for n in (3, 4)]
    with pytest.raises(MedragError, match=r"of 0.lines in corpus 'lines'.* 4 x 2 = 8 .*pool"):
        made_index(quick, made, d=2, store={"kind": "qdrant"}, late_interaction=True)


def test_a_shard_on_a_disk_that_may_not_be_written_is_searched_in_a_copy(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, EDGE)
    real = edge._library()

    class ReadOnly:
        class EdgeShard:
            @staticmethod
            def load(path: str) -> Any:
                if path.startswith(str(quick)):
                    raise OSError("Read-only file system (os error 30)")
                return real.EdgeShard.load(path)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(edge, "_library", ReadOnly)
    check_same(store, searching(store), asked("lung"), 5, [Filter()])


def test_only_shards_that_medrag_made_are_opened(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 5)}, EDGE)
    (store.derived("words") / "medrag-qdrant.json").unlink()
    with pytest.raises(IndexFormatError, match=r"no Qdrant points of medrag.*--repair"):
        searching(store).search(asked("lung"), 1, [Filter()])
    with pytest.raises(IndexFormatError, match="no Qdrant shard that medrag made"):
        edge.opened(store.derived("words"))
    (quick / "junk" / "shard").mkdir(parents=True)
    (quick / "junk" / "medrag-qdrant.json").touch()
    with pytest.raises(IndexFormatError, match=r"cannot be opened .*--repair"):
        edge.opened(quick / "junk")


def test_a_shard_that_lost_points_is_not_searched(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, EDGE)
    shard = edge.opened(store.derived("words"))
    shard.drop(np.stack([store.segments[0].ids[row] for row in (3, 7)]))
    shard.finish()
    del shard
    n = len(store.passages)
    with pytest.raises(IndexFormatError, match=rf"holds {n - 2} points instead of {n}.*--repair"):
        searching(store).search(asked("lung"), 1, [Filter()])


@pytest.mark.parametrize("changed", ["other passages", "other vectors"])
def test_a_shard_of_another_index_is_not_searched(quick: Path, changed: str) -> None:
    same = [{"text": f"lung {n}", "id": str(UUID(int=n)), "kind": "text"} for n in range(1, 9)]
    others = [
        {**line, "id": str(UUID(int=n + 90))}
        if changed == "other passages"
        else {**line, "text": "heart matter"}
        for n, line in enumerate(same)
    ]
    store = built(quick / "one", {"a.lines": same}, EDGE)
    foreign = built(quick / "two", {"a.lines": others}, EDGE)
    shutil.rmtree(store.derived("words") / "shard")
    shutil.copytree(foreign.derived("words") / "shard", store.derived("words") / "shard")
    with pytest.raises(IndexFormatError, match=r"is not as it was put.*--repair"):
        searching(store).search(asked("lung"), 1, [Filter()])
    (problem,) = verify(store.folder)
    assert "is not as it was put" in problem.problem


@pytest.mark.parametrize("left", [0, 10, -10])
def test_a_damaged_ledger_is_told(quick: Path, left: int) -> None:
    store = built(quick, {"a.lines": lines(1, 5)}, EDGE)
    points = store.derived("words") / "points.npz"
    points.write_bytes(points.read_bytes()[:left])
    with pytest.raises(IndexFormatError, match=r"no Qdrant points of medrag.*--repair"):
        searching(store).search(asked("lung"), 1, [Filter()])


def test_what_was_made_for_another_place_is_refused(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 5)}, MEMORY)
    with pytest.raises(IndexFormatError, match=r"made for ':memory:', but 'edge' is asked for"):
        QdrantSearch(store=store, name="words").search(asked("lung"), 1, [Filter()])
