import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from PIL import Image

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing import checking, maintenance, wholeness
from medrag.indexing.checking import verify
from medrag.indexing.dense import DenseChannel
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.maintenance import compact, info, move, remove, repair
from medrag.indexing.manifest import read_manifest, write_manifest
from medrag.indexing.storage import open_store
from medrag.records import Corpus, Filter, Question
from tests.indexing.library import WordEncoder, build_lines, lexical_and_words

LINES = {
    "a.lines": ["effusion of the lung", "cell"],
    "b.lines": ["xyzzy effusion", {"text": "plugh", "title": "frotz", "subject": "gnusto"}],
    "c.lines": ["white matter"],
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    for name, lines in LINES.items():
        build_lines(
            tmp_path / "index", tmp_path / "in", {name: lines}, channels=lexical_and_words()
        )
    return tmp_path / "index"


def texts(folder: Path) -> list[str]:
    return [passage.text for passage in open_store(folder).passages]


def by_words(folder: Path, text: str) -> list[list[str]]:
    store = open_store(folder)
    channels = (
        LexicalChannel(store=store),
        DenseChannel(store=store, name="words", encoder=WordEncoder(), side="text"),
    )
    found = [channel.search([Question(text=text)], 3, [Filter()])[0] for channel in channels]
    return [[p.text for p in store.passages_at([hit.row for hit in ranking])] for ranking in found]


def holding(folder: Path, text: str) -> list[Path]:
    """List the files below a folder that hold a text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def test_a_removed_document_is_not_found_and_its_bytes_go_with_compact(index: Path) -> None:
    removed = remove(index, ["b.lines"])
    assert removed.documents == (("lines", "b.lines"),)
    assert removed.n_passages == 2
    assert texts(index) == ["effusion of the lung", "cell", "white matter"]
    assert by_words(index, "xyzzy effusion")[0] == ["effusion of the lung"]
    assert holding(index, "xyzzy")
    done = compact(index)
    assert (done.segments_before, done.segments) == (3, 1)
    assert texts(index) == ["effusion of the lung", "cell", "white matter"]
    assert not holding(index, "xyzzy")
    assert verify(index) == []


def test_compact_keeps_vectors_and_rankings(index: Path) -> None:
    before = by_words(index, "effusion of the white matter")
    compact(index)
    assert by_words(index, "effusion of the white matter") == before
    encoder = WordEncoder()
    root = index.parent / "in"
    assert build_lines(index, root, channels=lexical_and_words(encoder)).unchanged == 3
    assert encoder.encoded == []
    assert compact(index).segments == 1


def test_purging_leaves_no_byte_of_a_document(index: Path) -> None:
    move(index, copy_sources=True)
    assert holding(index, "xyzzy")
    remove(index, ["b.lines"], purge=True)
    for text in ("xyzzy", "plugh", "frotz", "gnusto", "b.lines"):
        assert not holding(index, text)
    assert texts(index) == ["effusion of the lung", "cell", "white matter"]
    assert by_words(index, "effusion")[0] == ["effusion of the lung"]
    assert verify(index) == []


def test_purging_deletes_copied_pictures_that_no_other_passage_shows(tmp_path: Path) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    root.mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (2, 2), colour).save(root / f"{colour}.png")
    one = {"kind": "image", "text": "one", "images": ["red.png", "blue.png"]}
    two = {"kind": "image", "text": "two", "images": ["blue.png"]}
    build_lines(index, root, {"a.lines": [one], "b.lines": [two]})
    assert move(index, copy_sources=True).n_copied == 4
    remove(index, ["a.lines"], purge=True)
    copies = index / "sources" / "lines"
    assert sorted(path.name for path in copies.iterdir()) == ["b.lines", "blue.png"]
    assert (root / "red.png").exists()


def test_a_document_that_is_not_there_is_refused_with_those_that_are_near(index: Path) -> None:
    with pytest.raises(ValueError, match=r"no document 'd.lines'; did you mean"):
        remove(index, ["d.lines"])
    other = Corpus("others", index.parent / "in")
    build_lines(index, index.parent / "in", corpus=other, channels=lexical_and_words())
    with pytest.raises(ValueError, match=r"lines/a\.lines, others/a\.lines"):
        remove(index, ["a.lines"])
    assert remove(index, ["others/a.lines"]).n_passages == 2


def test_a_build_adds_a_removed_document_again(index: Path) -> None:
    remove(index, ["b.lines"], purge=True)
    report = build_lines(index, index.parent / "in", channels=lexical_and_words())
    assert (report.added, report.unchanged) == (1, 2)
    assert by_words(index, "xyzzy")[0] == ["xyzzy effusion"]


def test_verify_names_what_is_wrong(index: Path) -> None:
    segment = sorted((index / "segments").iterdir())[0]
    path = segment / "passages.jsonl"
    path.write_bytes(path.read_bytes().replace(b"lung", b"long"))
    (problem,) = verify(index)
    assert problem.place == segment.name
    assert "passages.jsonl has other bytes" in problem.problem
    open_store(index)  # only sizes are checked
    shutil.rmtree(index / "derived")
    assert [each.place for each in verify(index)] == [segment.name, "lexical"]


def test_repair_drops_damaged_segments_and_a_build_reads_them_again(index: Path) -> None:
    segment = sorted((index / "segments").iterdir())[0]
    (segment / "offsets.npy").unlink()
    assert repair(index) == [segment.name]
    assert texts(index)[0] == "xyzzy effusion"
    report = build_lines(index, index.parent / "in", channels=lexical_and_words())
    assert (report.added, report.unchanged) == (1, 2)
    assert verify(index) == []
    assert repair(index) == []


def test_a_file_or_a_folder_in_the_wrong_place_is_named_and_repaired(index: Path) -> None:
    first, second, _ = sorted((index / "segments").iterdir())
    shutil.rmtree(first)
    first.write_text("")
    (second / "offsets.npy").unlink()
    (second / "offsets.npy").mkdir()
    assert "offsets.npy is a folder" in [each.problem for each in verify(index)]
    assert repair(index) == [first.name, second.name]
    build_lines(index, index.parent / "in", channels=lexical_and_words())
    assert verify(index) == []
    assert len(texts(index)) == 5


def test_damaged_postings_are_named_and_repaired(index: Path) -> None:
    for path in (index / "derived").rglob("*.idx"):
        path.write_bytes(b"")
    assert [problem.place for problem in verify(index)] == ["lexical"]
    with pytest.raises(IndexFormatError, match="are damaged"):
        LexicalChannel(store=open_store(index))
    assert repair(index) == []
    assert verify(index) == []
    assert by_words(index, "xyzzy")[0] == ["xyzzy effusion"]


class PanicException(BaseException):
    """What a library written in Rust raises where it gives up."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PanicException("index out of bounds"), "cannot be read (PanicException: index out"),
        (EOFError("No data left in file"), "cannot be read (EOFError: No data left in file)"),
        (MedragError("the server cannot be reached"), None),
        (KeyboardInterrupt(), None),
    ],
)
def test_whatever_a_library_does_with_a_damaged_file_is_a_problem_that_repair_mends(
    index: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: str | None
) -> None:
    class Backend:
        def problem(self, **_: object) -> str | None:
            raise error

    (index / "derived" / "kept").mkdir()
    manifest = read_manifest(index)
    entry = replace(manifest.channels["words"], derived={"folder": "derived/kept"})
    write_manifest(index, replace(manifest, channels={**manifest.channels, "words": entry}))
    with monkeypatch.context() as patch:
        patch.setattr(checking, "backend_module", lambda _: Backend())
        if told is None:
            with pytest.raises(type(error)):
                verify(index)
        else:
            (problem,) = verify(index)
            assert told in problem.problem
    assert repair(index) == []
    assert verify(index) == []


def test_postings_on_which_tantivy_gives_up_are_made_anew_by_a_build(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(_: Path) -> None:
        raise PanicException("range start is too large")

    with monkeypatch.context() as patch:
        patch.setattr(wholeness, "opened_postings", give_up)
        (problem,) = verify(index)
        assert problem.problem == "its postings are damaged (range start is too large)"
        report = build_lines(index, index.parent / "in", channels=lexical_and_words())
    assert report.mended == ("lexical",)
    assert verify(index) == []


def test_info_tells_what_an_index_holds(index: Path) -> None:
    remove(index, ["c.lines"])
    told = info(index)
    assert (told["n_passages"], told["n_removed"], told["n_documents"]) == (4, 1, 2)
    assert told["passages"] == {"text": 4}
    assert told["channels"]["words"]["encoder"] == "words"
    assert told["channels"]["words"]["n_passages"] == 4
    assert told["channels"]["lexical"]["n_passages"] == 4
    assert told["corpora"]["lines"]["n_documents"] == 2
    assert told["corpora"]["lines"]["root_exists"]


def test_a_corpus_that_moved_is_found_at_its_new_root(index: Path, tmp_path: Path) -> None:
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    assert not info(index)["corpora"]["lines"]["root_exists"]
    moved = move(index, {"lines": tmp_path / "elsewhere"})
    assert moved.roots == {"lines": tmp_path / "elsewhere"}
    assert build_lines(index, tmp_path / "elsewhere", channels=lexical_and_words()).unchanged == 3
    with pytest.raises(ValueError, match="no corpus 'other'; it has: lines"):
        move(index, {"other": tmp_path})
    with pytest.raises(ValueError, match="is no folder"):
        move(index, {"lines": tmp_path / "nowhere"})


def test_sources_that_are_taken_along_make_the_folder_whole(index: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "c.lines").unlink()
    moved = move(index, copy_sources=True)
    assert (moved.n_copied, moved.missing) == (2, (("lines", "c.lines"),))
    shutil.rmtree(tmp_path / "in")
    index.rename(tmp_path / "taken")
    store = open_store(tmp_path / "taken")
    assert (store.corpus_root("lines") / "a.lines").is_file()


def test_maintenance_of_no_index_makes_none(tmp_path: Path) -> None:
    for action in (compact, verify, info, repair, move):
        with pytest.raises(IndexFormatError, match="not an index"):
            action(tmp_path / "none")
    assert not (tmp_path / "none").exists()


class Life(RuleBasedStateMachine):
    """Any sequence of changes leaves what a plain mapping of names to lines would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.index, self.root = self.folder / "index", self.folder / "in"
        self.root.mkdir()
        self.held: dict[str, list[str]] = {}
        self.files: dict[str, list[str]] = {}
        self.build({})

    names = st.sampled_from(["a.lines", "b.lines", "c.lines"])
    lines = st.lists(st.sampled_from(["cell", "lung", "nerve", "effusion"]), unique=True)

    @rule(name=names, lines=lines)
    def write(self, name: str, lines: list[str]) -> None:
        self.build({name: lines})

    @rule(name=names)
    def delete(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)
        self.files.pop(name, None)
        self.build({}, prune=True)

    @rule(name=names, purge=st.booleans())
    def remove(self, name: str, purge: bool) -> None:
        if name not in self.held:
            with pytest.raises(ValueError, match="no document"):
                remove(self.index, [name], purge=purge)
            return
        assert remove(self.index, [name], purge=purge).n_passages == len(self.held.pop(name))

    @rule()
    def compact(self) -> None:
        compact(self.index)

    @invariant()
    def holds_what_it_should(self) -> None:
        store = open_store(self.index)
        held = sorted((p.source.document, p.text) for p in store.passages)
        assert held == sorted((n, line) for n, lines in self.held.items() for line in lines)
        channel = LexicalChannel(store=store)
        (found,) = channel.search([Question(text="effusion")], 9, [Filter()])
        assert len(found) == sum("effusion" in lines for lines in self.held.values())
        assert sum(len(block.rows) for block in store.vectors("words")) >= len(held)

    def build(self, files: Mapping[str, list[str]], *, prune: bool = False) -> None:
        build_lines(self.index, self.root, files, channels=lexical_and_words(), prune=prune)
        self.files.update(files)
        if prune:
            self.held.clear()
        self.held.update(self.files)

    def teardown(self) -> None:
        assert verify(self.index) == []
        assert read_manifest(self.index).n_live == sum(map(len, self.held.values()))
        shutil.rmtree(self.folder)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=8, stateful_step_count=6, deadline=None)


def test_small_segments_are_joined_and_large_ones_are_not(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medrag.indexing.rewriting._BYTES", 1)
    assert compact(index).segments == 3
    monkeypatch.undo()
    assert maintenance.compact(index).segments == 1


def test_info_says_what_searches_a_channel_and_what_that_weighs(tmp_path: Path) -> None:
    index = tmp_path / "index"
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion"]}, channels=lexical_and_words())
    channels = info(index)["channels"]
    postings = [each for each in (index / "derived").rglob("*") if each.is_file()]
    assert channels["lexical"]["derived_bytes"] == sum(each.stat().st_size for each in postings)
    assert channels["words"]["store"] == "exact"
    assert "store" not in channels["lexical"]
