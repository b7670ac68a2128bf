"""A shard follows its index: what comes, goes or changes; and nothing half made counts."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.build import ChannelPlan
from medrag.errors import IndexFormatError, RecipeError
from medrag.indexing.checking import verify
from medrag.indexing.maintenance import compact, remove, repair
from medrag.indexing.qdrant import edge
from medrag.indexing.qdrant.ledger import changed, read_ledger, surveyed
from medrag.indexing.qdrant.points import IdMap, shapes_of
from medrag.indexing.storage import Store, open_store
from medrag.records import Embeddings, Filter, Passage
from tests.indexing.library import build_lines
from tests.indexing.qdrant.lines import (
    asked,
    built,
    channels,
    check_same,
    cut_short,
    lines,
    searching,
)
from tests.indexing.vector_library import packed

EXACT: dict[str, Any] = {"exact": True}
QUESTIONS = asked("pleural effusion", "left lung", "no heart")


class Parts:
    """Give a vector for each part of a text that a comma ends."""

    name = "parts"
    normalised = False

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        parts = [passage.text.split(",") for passage in passages]
        return packed([np.array([[len(p), 1.0] for p in each], np.float32) for each in parts], 2)


def check(store: Store) -> None:
    check_same(store, searching(store), QUESTIONS, store.n_rows or 1, [Filter()] * 3)
    assert edge.opened(shard_of(store)).count() == len(store.passages)
    assert verify(store.folder) == []


def shard_of(store: Store) -> Path:
    return store.derived("words")


def test_files_that_come_go_and_change_are_followed(quick: Path) -> None:
    check(built(quick, {"a.lines": lines(1, 20), "b.lines": lines(2, 10)}, EXACT))
    check(built(quick, {"c.lines": lines(3, 10)}, EXACT))
    check(built(quick, {"b.lines": lines(4, 15)}, EXACT))
    (quick / "in" / "a.lines").unlink()
    remove(quick / "index", ["a.lines"])
    check(open_store(quick / "index"))
    compact(quick / "index")
    check(open_store(quick / "index"))
    repair(quick / "index")
    check(open_store(quick / "index"))


def test_an_index_whose_files_are_all_gone_is_searched_in_vain(quick: Path) -> None:
    built(quick, {"a.lines": lines(1, 5)}, EXACT)
    remove(quick / "index", ["a.lines"])
    store = open_store(quick / "index")
    assert searching(store).search(QUESTIONS, 3, [Filter()] * 3) == [[], [], []]
    assert verify(store.folder) == []


def test_a_reader_that_is_overtaken_before_it_searched_is_told(quick: Path) -> None:
    old = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    built(quick, {"b.lines": lines(2, 20)}, EXACT)
    with pytest.raises(IndexFormatError, match=r"is gone.* open the index again"):
        searching(old).search(QUESTIONS, 3, [Filter()] * 3)


def test_a_build_of_nothing_new_leaves_the_shard_alone(quick: Path) -> None:
    first = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    again = built(quick, {}, EXACT)
    assert shard_of(first) == shard_of(again)


def test_options_that_only_say_how_to_search_leave_the_shard_alone(quick: Path) -> None:
    first = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    again = built(quick, {}, {"ef": 99, "timeout": 9})
    assert shard_of(first) == shard_of(again)
    assert searching(again).options.ef == 99
    check(again)
    assert shard_of(built(quick, {}, {"hnsw": {"m": 4}})) != shard_of(first)


def test_only_what_is_new_is_put(quick: Path) -> None:
    first = built(quick, {"a.lines": lines(1, 20), "b.lines": lines(2, 10)}, EXACT)
    before = read_ledger(shard_of(first))
    # Of b, the first five lines stay what they were.
    store = built(quick, {"b.lines": [*lines(2, 10)[:5], *lines(7, 3)]}, EXACT)
    after = read_ledger(shard_of(store))
    change = changed(before, after)
    kept = IdMap(before.ids).find(after.ids) >= 0
    assert kept.sum() == 25
    np.testing.assert_array_equal(change.put, np.flatnonzero(~kept))
    assert len(change.drop) == 5
    assert [len(part) for part in changed(after, after)] == [0, 0]


def test_a_passage_of_equal_id_that_says_something_else_is_put_again(quick: Path) -> None:
    # Neither subject nor domain is part of a passage's id.
    line = {"text": "effusion", "subject": "p-1", "domain": "radiology"}
    first = built(quick, {"a.lines": [line, "lung"]}, EXACT)
    before = read_ledger(shard_of(first))
    store = built(quick, {"a.lines": [{**line, "subject": "p-2"}, "lung"]}, EXACT)
    after = read_ledger(shard_of(store))
    assert sorted(map(bytes, before.ids)) == sorted(map(bytes, after.ids))
    assert [len(part) for part in changed(before, after)] == [1, 0]
    (found,) = searching(store).search(asked("effusion"), 5, [Filter(subjects=frozenset({"p-2"}))])
    assert len(found) == 1


def test_a_segment_that_the_ledger_knows_is_not_read_again(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    ledger = read_ledger(shard_of(store))
    shapes = shapes_of(store, ["words"])
    fresh = surveyed(store, shapes, None, place="edge")
    assert surveyed(store, shapes, ledger, place="edge").state == fresh.state == ledger.state


def test_vectors_that_become_many_make_the_shard_anew(quick: Path) -> None:
    plan = {"words": ChannelPlan(channels(EXACT)["words"].spec, Parts)}
    one = built(quick, {"a.lines": ["x", "yy"]}, channels=plan)
    assert not read_ledger(shard_of(one)).shapes["words"].many
    two = built(quick, {"b.lines": ["x, y", "z"]}, channels=plan)
    assert read_ledger(shard_of(two)).shapes["words"].many
    check_same(two, searching(two), packed([np.ones((1, 2), np.float32)], 2), 4, [Filter()])


@pytest.mark.parametrize("step", ["put", "drop", "finish"])
def test_a_derivation_cut_short_leaves_the_last_good_shard(quick: Path, step: str) -> None:
    first = built(quick, {"a.lines": lines(1, 20), "b.lines": lines(2, 10)}, EXACT)

    with cut_short(step):
        built(quick, {"b.lines": lines(4, 10), "c.lines": lines(5, 10)}, EXACT)
    between = open_store(quick / "index")
    assert shard_of(between) == shard_of(first)
    assert between.n_rows > first.n_rows
    # The new segments are searched where they lie, removed points are not returned.
    check_same(between, searching(between), QUESTIONS, 100, [Filter()] * 3)
    wanted = Filter(domains=frozenset({"radiology"}), kinds=frozenset({"text", "case"}))
    check_same(between, searching(between), QUESTIONS, 7, [wanted] * 3)
    finished = built(quick, {}, EXACT)
    check(finished)
    assert shard_of(finished) != shard_of(first)
    left = [path for path in (quick / "index" / "derived").iterdir() if path.is_dir()]
    assert left == [shard_of(finished)]


def test_verify_tells_points_that_are_missing(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    points = edge.opened(shard_of(store))
    points.drop(read_ledger(shard_of(store)).ids[:3])
    (problem,) = verify(store.folder)
    assert problem.place == "words"
    assert "holds 17 points instead of 20" in problem.problem
    assert problem.problem.endswith(f"medrag index verify {store.folder} --repair")
    del points
    repair(store.folder)
    check(open_store(store.folder))


def test_a_shard_that_lost_its_vectors_is_refused_told_and_mended(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    for held in shard_of(store).rglob("vector_storage-words/vectors"):
        shutil.rmtree(held)
    with pytest.raises(IndexFormatError, match="is damaged"):
        check_same(store, searching(store), QUESTIONS, 5, [Filter()] * 3)
    assert [each.place for each in verify(store.folder)] == ["words"]
    repair(store.folder)
    check(open_store(store.folder))


def test_verify_tells_a_ledger_of_other_points(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    other = built(quick / "other", {"a.lines": lines(2, 15)}, EXACT)
    for name in ("medrag-qdrant.json", "points.npz"):
        (shard_of(store) / name).write_bytes((shard_of(other) / name).read_bytes())
    (problem,) = verify(store.folder)
    assert "hold (15) are not those of the segments (20)" in problem.problem
    (shard_of(store) / "points.npz").write_bytes(b"junk")
    (problem,) = verify(store.folder)
    assert "holds no Qdrant points of medrag" in problem.problem


def test_an_index_built_anew_in_the_place_of_another_is_not_taken_for_it(quick: Path) -> None:
    search = searching(built(quick, {"a.lines": lines(1, 20)}, EXACT))
    search.search(QUESTIONS, 3, [Filter()] * 3)
    shutil.rmtree(quick / "index")
    again = built(quick, {"a.lines": lines(9, 30)}, EXACT)
    assert shard_of(again) == search.store.derived("words")
    check(again)


def test_what_an_earlier_build_left_in_pieces_is_made_anew(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, EXACT)
    (shard_of(store) / "medrag-qdrant.json").unlink()
    check(built(quick, {"b.lines": lines(2, 5)}, EXACT))


def test_memory_keeps_nothing_but_its_marker(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, {"location": ":memory:"})
    assert sorted(path.name for path in shard_of(store).iterdir()) == [
        "medrag-qdrant.json",
        "points.npz",
    ]
    assert verify(store.folder) == []


def test_channels_that_share_a_collection_must_agree_on_it(quick: Path) -> None:
    plans = {
        **channels(EXACT, ("words",)),
        **channels({"location": ":memory:"}, ("titles",)),
    }
    with pytest.raises(RecipeError, match="different location: 'edge' and ':memory:'"):
        build_lines(quick / "index", quick / "in", {"a.lines": lines(1, 3)[:1]}, channels=plans)


def test_ids_that_begin_alike_are_told_apart() -> None:
    random = np.random.default_rng(0)
    ids = random.integers(0, 256, (50, 16)).astype(np.uint8)
    ids[:, :8] = ids[np.arange(50) % 3, :8]
    order = random.permutation(50)
    np.testing.assert_array_equal(IdMap(ids).find(ids[order]), order)
    other = ids.copy()
    other[:, 15] ^= 255
    assert (IdMap(ids).find(other) == -1).all()
    assert IdMap(ids[:0]).find(ids[:2]).tolist() == [-1, -1]
