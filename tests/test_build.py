import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.build import ChannelPlan, SourceFile, build
from medrag.build import plan as plan_module
from medrag.errors import IndexFormatError, RecipeError, UnsafePathError
from medrag.indexing.checking import verify
from medrag.indexing.dense import DenseChannel
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.manifest import read_manifest
from medrag.indexing.storage import Store, open_store
from medrag.indexing.vectors import BATCH
from medrag.records import Corpus, Filter, Skipped
from tests.built import QUESTIONS, found, texts
from tests.indexing.library import (
    LEXICAL,
    WordEncoder,
    build_lines,
    lexical_and_words,
    line_ingestor,
    write_lines,
)


def test_a_built_index_gives_its_passages_back(tmp_path: Path) -> None:
    report = build_lines(
        tmp_path / "index",
        tmp_path / "in",
        {"a.lines": ["pleural effusion", "a red cell"], "b/c.lines": ["white matter"]},
    )
    assert (report.added, report.changed, report.unchanged, report.failed) == (2, 0, 0, ())
    assert report.passages == {"text": 3}
    assert texts(tmp_path / "index") == ["pleural effusion", "a red cell", "white matter"]
    assert [each.document for each in report.files] == ["a.lines", "b/c.lines"]
    assert verify(tmp_path / "index") == []


def test_the_same_build_again_does_nothing(tmp_path: Path) -> None:
    files = {"a.lines": ["effusion"], "b.lines": ["cell"]}
    build_lines(tmp_path / "index", tmp_path / "in", files)
    before = read_manifest(tmp_path / "index")
    report = build_lines(tmp_path / "index", tmp_path / "in")
    assert (report.added, report.unchanged) == (0, 2)
    assert read_manifest(tmp_path / "index") == before


def test_a_file_with_another_time_and_equal_bytes_is_unchanged(tmp_path: Path) -> None:
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": ["effusion"]})
    os.utime(tmp_path / "in" / "a.lines", (1, 1))
    assert build_lines(tmp_path / "index", tmp_path / "in").unchanged == 1
    (segment,) = read_manifest(tmp_path / "index").segments
    assert segment.files[0].mtime_ns == 1_000_000_000


def test_a_changed_file_replaces_its_passages_and_encodes_only_the_new_one(tmp_path: Path) -> None:
    encoder = WordEncoder()
    options = {"channels": lexical_and_words(encoder)}
    build_lines(
        tmp_path / "index",
        tmp_path / "in",
        {"a.lines": ["effusion", "cell"], "b.lines": ["white matter"]},
        **options,
    )
    encoder.encoded.clear()
    report = build_lines(
        tmp_path / "index", tmp_path / "in", {"a.lines": ["lung", "effusion"]}, **options
    )
    assert (report.changed, report.unchanged) == (1, 1)
    assert encoder.encoded == ["lung"]
    assert sorted(texts(tmp_path / "index")) == ["effusion", "lung", "white matter"]
    fresh = tmp_path / "fresh"
    build_lines(fresh, tmp_path / "in", **options)
    assert sorted(found(tmp_path / "index")[0]) == sorted(found(fresh)[0])  # type: ignore[call-overload]
    assert found(tmp_path / "index")[1] == found(fresh)[1]
    assert verify(tmp_path / "index") == []


def test_a_passage_whose_title_changed_is_encoded_again(tmp_path: Path) -> None:
    encoder = WordEncoder()
    options = {"channels": lexical_and_words(encoder)}
    lines = [{"text": "effusion", "title": "chest"}, {"text": "cell", "title": "blood"}]
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": lines}, **options)
    encoder.encoded.clear()
    lines[0]["title"] = "thorax"
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": lines}, **options)
    assert encoder.encoded == ["effusion"]


@pytest.mark.parametrize("fault", ["fail", "crash"])
def test_a_file_that_fails_enters_not_at_all_and_is_tried_again(tmp_path: Path, fault: str) -> None:
    encoder = WordEncoder()
    # More than are encoded at once, so that some vectors are written and must be taken back.
    many = [f"passage {n}" for n in range(BATCH + 10)]
    lines = {"a.lines": ["effusion"], "b.lines": [*many, {fault: "bad luck"}], "c.lines": ["cell"]}
    index, root = tmp_path / "index", tmp_path / "in"
    report = build_lines(index, root, lines, channels=lexical_and_words(encoder))
    assert [each.document for each in report.failed] == ["b.lines"]
    assert "bad luck" in (report.failed[0].problem or "")
    assert texts(index) == ["effusion", "cell"]
    (failure,) = read_manifest(index).failures
    assert (failure.document, failure.kind) == ("b.lines", "lines")
    assert verify(index) == []
    report = build_lines(index, root, {"b.lines": many}, channels=lexical_and_words(encoder))
    assert (report.added, report.unchanged, report.failed) == (1, 2, ())
    assert read_manifest(index).failures == ()
    assert len(texts(index)) == BATCH + 12


def test_a_changed_file_that_fails_keeps_what_the_index_had_of_it(tmp_path: Path) -> None:
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": ["effusion"]})
    report = build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": [{"fail": "torn"}]})
    assert len(report.failed) == 1
    assert texts(tmp_path / "index") == ["effusion"]


def test_an_unforeseen_error_names_its_type_and_leaves_a_trace_for_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        report = build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": [{"crash": "oh"}]})
    assert "RuntimeError: oh" in (report.failed[0].problem or "")
    assert any(record.exc_info for record in caplog.records)


def test_a_passage_that_comes_twice_counts_once(tmp_path: Path) -> None:
    report = build_lines(
        tmp_path / "index", tmp_path / "in", {"a.lines": ["effusion", "effusion", "cell"]}
    )
    assert texts(tmp_path / "index") == ["effusion", "cell"]
    assert report.skipped == {"duplicate": 1}


def test_an_id_that_another_file_has_already_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "SHARD_FILES", 1)
    one = {"text": "effusion", "id": "6d656472-6167-5a00-8000-00000000000a"}
    lines = {"a.lines": [one], "b.lines": ["cell", {**one, "text": "another"}, "lung"]}
    build_lines(tmp_path / "index", tmp_path / "in", lines, channels=lexical_and_words())
    assert texts(tmp_path / "index") == ["effusion", "cell", "lung"]
    covered = {f.document: f for s in read_manifest(tmp_path / "index").segments for f in s.files}
    assert covered["b.lines"].skipped == {"duplicate": 1}
    assert covered["b.lines"].kinds == {"text": 2}
    assert verify(tmp_path / "index") == []


def test_what_was_skipped_is_counted_and_kept(tmp_path: Path) -> None:
    lines = {"a.lines": ["effusion", {"skip": "bad_line"}, {"skip": "bad_line"}]}
    report = build_lines(tmp_path / "index", tmp_path / "in", lines)
    assert report.skipped == {"bad_line": 2}
    assert report.unreadable == 2
    (segment,) = open_store(tmp_path / "index").segments
    assert [skipped.detail for _, skipped in segment.skipped_lines()] == ["line 2", "line 3"]


def test_a_picture_is_named_by_its_pixels_and_a_bad_one_is_left_out(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    Image.new("RGB", (4, 3), "red").save(root / "red.png")
    Image.new("RGB", (4, 3), "red").save(root / "red.bmp")
    (root / "torn.png").write_bytes(b"no picture")
    lines = [
        {"kind": "image", "text": "red", "images": ["red.png"]},
        {"kind": "image", "images": ["red.bmp"]},
        {"kind": "image", "text": "words stay", "images": ["torn.png"]},
        {"kind": "image", "images": ["torn.png"]},
        {"kind": "report", "text": "gone", "images": ["gone.png", "../out.png"]},
    ]
    report = build_lines(tmp_path / "index", root, {"a.lines": lines})
    store = open_store(tmp_path / "index")
    red, bmp, words, gone = store.passages
    assert red.images[0].path == "red.png"
    assert red.images[0].sha256 == bmp.images[0].sha256
    assert (words.text, words.images, gone.images) == ("words stay", (), ())
    assert report.skipped == {"unreadable": 2, "missing_image": 1, "unsafe_path": 1}
    mask = store.row_mask(Filter(not_images=frozenset({red.images[0].sha256 or ""})))
    assert mask.tolist() == [False, False, True, True]


def test_a_picture_that_changed_beside_an_unchanged_table_is_read_again(tmp_path: Path) -> None:
    root, folder = tmp_path / "in", tmp_path / "index"
    root.mkdir()
    Image.new("RGB", (4, 3), "red").save(root / "spot.png")
    lines = {"a.lines": [{"kind": "image", "text": "a spot", "images": ["spot.png"]}]}
    build_lines(folder, root, lines)
    before = open_store(folder).passages[0].images[0].sha256
    assert build_lines(folder, root).unchanged == 1
    Image.new("RGB", (5, 3), "blue").save(root / "spot.png")
    assert build_lines(folder, root).changed == 1
    assert open_store(folder).passages[0].images[0].sha256 != before
    assert build_lines(folder, root).unchanged == 1


def test_workers_and_one_process_make_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "SHARD_FILES", 2)
    lines = {f"{n}.lines": [f"effusion {n}", f"cell {n} of the lung"] for n in range(7)}
    lines["3.lines"].append({"fail": "torn"})  # type: ignore[arg-type]
    build_lines(tmp_path / "one", tmp_path / "in", lines)
    report = build_lines(tmp_path / "two", tmp_path / "in", workers=2)
    assert len(report.failed) == 1
    assert [s.name for s in read_manifest(tmp_path / "two").segments] == [
        s.name for s in read_manifest(tmp_path / "one").segments
    ]
    assert found(tmp_path / "one") == found(tmp_path / "two")


def test_a_channel_can_be_added_without_reading_the_files_again(tmp_path: Path) -> None:
    root = tmp_path / "in"
    build_lines(tmp_path / "index", root, {"a.lines": ["effusion", "cell"], "b.lines": ["lung"]})
    encoder = WordEncoder()
    unread = [
        SourceFile(path, Corpus("lines", root), "lines", {}) for path in sorted(root.iterdir())
    ]
    report = build(
        tmp_path / "index",
        unread,
        ingestor=lambda file: pytest.fail(f"{file.path} was read"),
        channels=lexical_and_words(encoder),
    )
    assert report.encoded == {"words": 3}
    assert sorted(encoder.encoded) == ["cell", "effusion", "lung"]
    fresh = tmp_path / "fresh"
    build_lines(fresh, root, channels=lexical_and_words())
    assert found(tmp_path / "index") == found(fresh)
    assert verify(tmp_path / "index") == []


def test_a_channel_can_be_added_while_a_file_changes(tmp_path: Path) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    build_lines(index, root, {"a.lines": ["effusion", "cell"]})
    encoder = WordEncoder()
    lines = {"a.lines": ["effusion", "lung"]}
    build_lines(index, root, lines, channels=lexical_and_words(encoder))
    assert sorted(encoder.encoded) == ["effusion", "lung"]
    assert verify(index) == []


def test_a_build_must_name_the_dense_channels_of_the_index(tmp_path: Path) -> None:
    build_lines(tmp_path / "i", tmp_path / "in", {"a.lines": ["x"]}, channels=lexical_and_words())
    with pytest.raises(RecipeError, match="channel 'words'"):
        build_lines(tmp_path / "i", tmp_path / "in")


def test_vectors_of_another_encoder_are_not_mixed_in(tmp_path: Path) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    build_lines(index, root, {"a.lines": ["x"]}, channels=lexical_and_words())
    other = lexical_and_words(WordEncoder("others"))
    with pytest.raises(IndexFormatError, match="holds vectors of 'words'"):
        build_lines(index, root, {"b.lines": ["y"]}, channels=other)
    assert texts(index) == ["x"]
    changed = {**other, "words": ChannelPlan({"kind": "dense", "size": 2}, other["words"].encoder)}
    with pytest.raises(IndexFormatError, match="holds vectors of 'words'"):
        build_lines(index, root, channels=changed)


def test_files_that_are_no_longer_given_are_named_and_removed_only_on_request(
    tmp_path: Path,
) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    build_lines(index, root, {"a.lines": ["effusion"], "b.lines": ["cell"]})
    (root / "b.lines").unlink()
    assert build_lines(index, root).missing == (("lines", "b.lines"),)
    assert texts(index) == ["effusion", "cell"]
    assert build_lines(index, root, prune=True).pruned
    assert texts(index) == ["effusion"]


def test_other_options_read_a_file_again(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in" / "a.lines", ["effusion"])
    corpus = Corpus("lines", tmp_path / "in")
    for options, outcome in (({}, "added"), ({"x": 1}, "changed"), ({"x": 1}, "unchanged")):
        report = build(
            tmp_path / "index",
            [SourceFile(path, corpus, "lines", options)],
            ingestor=line_ingestor,
            channels={"lexical": LEXICAL},
        )
        assert report.files[0].outcome == outcome


def test_contradicting_plans_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in" / "a.lines", ["effusion"])
    file = SourceFile(path, Corpus("lines", tmp_path / "in"), "lines", {})
    twice = [file, SourceFile(path, file.corpus, "others", {})]
    elsewhere = [file, SourceFile(path, Corpus("lines", tmp_path), "lines", {})]
    outside = [SourceFile(path, Corpus("lines", tmp_path / "other"), "lines", {})]
    for files, error, words in (
        (twice, RecipeError, "given twice"),
        (elsewhere, RecipeError, "a corpus name of its own"),
        (outside, UnsafePathError, "outside the corpus root"),
    ):
        with pytest.raises(error, match=words):
            build(tmp_path / "i", files, ingestor=line_ingestor, channels={})
    bad = (
        ({"a b": LEXICAL}, "letters"),
        ({"a": ChannelPlan({"kind": "other"})}, "expected one of"),
        ({"a": ChannelPlan({"kind": "dense"})}, "encoder"),
    )
    for channels, words in bad:
        with pytest.raises(RecipeError, match=words):
            build(tmp_path / "i", [file], ingestor=line_ingestor, channels=channels)
    with pytest.raises(ValueError, match="workers"):
        build(tmp_path / "i", [file], ingestor=line_ingestor, channels={}, workers=0)


def test_files_that_no_ingestor_knows_are_kept_in_the_manifest_until_one_does(
    tmp_path: Path,
) -> None:
    root = tmp_path / "in"
    path = write_lines(root / "a.lines", ["effusion"])
    corpus = Corpus("lines", root)
    (odd,) = line_ingestor(SourceFile(path, corpus, "", {})).passages(path)
    unknown = [Skipped(odd.source, "unknown_type", "what is it", failed=True)]
    report = build(
        tmp_path / "i", [], ingestor=line_ingestor, channels={"lexical": LEXICAL}, unknown=unknown
    )
    assert report.unknown == tuple(unknown)
    (kept,) = read_manifest(tmp_path / "i").unknown
    assert (kept["document"], kept["reason"]) == ("a.lines", "unknown_type")
    build_lines(tmp_path / "i", root)
    assert read_manifest(tmp_path / "i").unknown == ()


def test_an_empty_index_answers_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    report = build_lines(tmp_path / "index", tmp_path / "in", channels=lexical_and_words())
    assert report.n_passages == 0
    store = open_store(tmp_path / "index")
    assert len(store.passages) == 0
    dense = DenseChannel(store=store, name="words", encoder=WordEncoder(), side="text")
    for channel in (LexicalChannel(store=store), dense):
        assert channel.search(QUESTIONS, 3, [Filter()] * 3) == [[], [], []]
    assert store.row_mask(Filter()).shape == (0,)
    build_lines(
        tmp_path / "index", tmp_path / "in", {"a.lines": ["cell"]}, channels=lexical_and_words()
    )
    assert texts(tmp_path / "index") == ["cell"]


def test_opening_needs_no_heavy_library_and_maps_vectors(tmp_path: Path) -> None:
    build_lines(
        tmp_path / "index", tmp_path / "in", {"a.lines": ["x", "y"]}, channels=lexical_and_words()
    )
    store = open_store(tmp_path / "index")
    (block,) = store.vectors("words")
    assert isinstance(block.values, np.memmap)
    assert not block.values.flags.writeable
    assert isinstance(store, Store)


def test_progress_is_told_of_every_file(tmp_path: Path) -> None:
    told: list[tuple[object, ...]] = []

    class Told:
        def start(self, stage: str, total: int | None, unit: str) -> None:
            told.append(("start", stage, total, unit))

        def advance(self, stage: str, n: int = 1) -> None:
            told.append(("advance", stage, n))

        def finish(self, stage: str) -> None:
            told.append(("finish", stage))

    lines = {"a.lines": ["x"], "b.lines": ["y"]}
    build_lines(tmp_path / "index", tmp_path / "in", lines, progress=Told())
    assert told == [
        ("start", "files", 2, "files"),
        ("start", "pages", None, "pages"),
        ("advance", "files", 1),
        ("advance", "files", 1),
        ("finish", "files"),
        ("finish", "pages"),
    ]


def test_a_file_that_vanishes_after_it_was_found_is_a_failure_with_words(tmp_path: Path) -> None:
    corpus = Corpus("in", tmp_path)
    gone = SourceFile(tmp_path / "gone.lines", corpus, "lines")
    report = build(tmp_path / "index", [gone], ingestor=line_ingestor, channels={})
    assert "cannot be read (No such file" in (report.failed[0].problem or "")


def test_files_may_be_left_as_they_are(tmp_path: Path) -> None:
    index = tmp_path / "index"
    build_lines(index, tmp_path / "in", {"a.lines": ["cell"]})
    plan = lexical_and_words()
    report = build(index, None, ingestor=line_ingestor, channels=plan)
    assert (report.unchanged, report.missing, report.encoded) == (1, (), {"words": 1})
    with pytest.raises(ValueError, match="the files that are to stay"):
        build(index, None, ingestor=line_ingestor, channels=plan, prune=True)
    assert texts(index) == ["cell"]
