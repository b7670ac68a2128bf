import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.build import ChannelPlan
from medrag.errors import IndexFormatError, MedragError
from medrag.indexing import machine
from medrag.indexing.checking import verify
from medrag.indexing.exact import ExactSearch
from medrag.indexing.maintenance import remove
from medrag.indexing.scanning import choosing, kept
from medrag.indexing.scanning.copies import Copy, copied
from medrag.indexing.scanning.device import DeviceScan
from medrag.indexing.scanning.int8 import Int8Scan
from medrag.indexing.scanning.library import Library
from medrag.indexing.scanning.plain import PlainScan
from medrag.indexing.storage import Block, Store, open_store
from medrag.records import Embeddings, Filter, Question, ScoredRow
from tests.indexing.library import WordEncoder, build_lines
from tests.indexing.scanning.naive import naive

LINES = {
    "a.lines": [f"word{i} effusion lung" for i in range(40)],
    "b.lines": [{"text": f"other{i} nodule word{i}", "domain": "radiology"} for i in range(30)],
}
SCANS = ["auto", "float32", "bfloat16", "float16", "int8"]


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few vectors count as many."""
    monkeypatch.setattr(choosing, "SMALL", 1)
    monkeypatch.setattr(kept, "SMALL", 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused(bad: float) -> None:
    values = np.ones((2, 2), dtype=np.float32)
    values[1, 0] = bad
    block = Block(np.array([0, 1]), np.ones(2, np.int32), values)
    held, question = Library([block]), np.ones((1, 2), np.float32)
    with pytest.raises(IndexFormatError, match="row 1 is not finite"):
        PlainScan(held).candidates(question, 1, np.ones(2, dtype=np.bool_))
    for scan in ("int8", "bfloat16", "float16", "bits"):
        with pytest.raises(IndexFormatError, match="row 1 is not finite"):
            copied(held.shelves[0], scan)  # type: ignore[arg-type]
    with pytest.raises(IndexFormatError, match="row 1 is not finite"):
        DeviceScan(held, None, ["cpu"])


@pytest.mark.parametrize("size", [1e18, 1e30])
def test_numbers_too_large_for_single_precision_are_still_ranked(size: float) -> None:
    # In single precision each of the three scores would overflow, or be lost beside the others.
    values = (np.array([[3, 1], [1, 3], [2, 2.5]]) * size).astype(np.float32)
    held = Library([Block(np.arange(3), np.ones(3, np.int32), values)])
    copies = [copied(held.shelves[0], "int8")]
    halves = [copied(held.shelves[0], "bfloat16")]
    question = (np.array([[1, 0.5]]) * min(size, 1e7)).astype(np.float32)
    for scan in (PlainScan(held), Int8Scan(held, copies), DeviceScan(held, halves, ["cpu"])):
        (places,) = scan.candidates(question, 2, np.ones(3, dtype=np.bool_))
        found = held.ranked(places, question[0], 2)
        assert [hit.row for hit in found] == [0, 2]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scan": "int4"}, "scan must be one of auto, float32"),
        ({"device": "tpu"}, "device must be 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
        ({"scan": "bits", "device": "cuda"}, "processor only"),
        ({"oversample": 0}, "oversample must be at least 1"),
    ],
)
def test_senseless_options_are_refused(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ExactSearch(store=_store(tmp_path), name="words", **options)


def test_a_gpu_that_is_not_there_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    search = ExactSearch(store=_store(tmp_path), name="words", device="cuda")
    with pytest.raises(MedragError, match="torch sees 0 GPUs"):
        _search(search, ["effusion"], 3)


def test_bad_questions_are_refused(tmp_path: Path) -> None:
    search = ExactSearch(store=_store(tmp_path), name="words")
    one = np.ones(1, np.int32)
    with pytest.raises(ValueError, match="k must be at least 1"):
        search.search(Embeddings(np.ones((1, 16), np.float32), one), 0, [Filter()])
    with pytest.raises(ValueError, match="vectors of 16 numbers, but the question's has 3"):
        search.search(Embeddings(np.ones((1, 3), np.float32), one), 1, [Filter()])
    with pytest.raises(ValueError, match="not finite"):
        search.search(Embeddings(np.full((1, 16), np.nan, np.float32), one), 1, [Filter()])


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("scan", [*SCANS, "cpu,cpu"])
def test_every_scan_of_a_store_gives_the_same_rankings(tmp_path: Path, scan: str) -> None:
    store = _store(tmp_path)
    options = {"device": scan} if "cpu" in scan else {"scan": scan}
    search = ExactSearch(store=store, name="words", **options)  # type: ignore[arg-type]
    asked = WordEncoder().encode_questions(  # two questions, the first of two vectors
        [_question("effusion"), _question("lung word3"), _question("nodule")], "text"
    )
    asked = Embeddings(asked.values, np.array([2, 1], np.int32))
    wanted = [Filter(), Filter(domains=frozenset({"radiology"}))]
    found = search.search(asked, 12, wanted)
    blocks = store.vectors("words")
    one, two = naive(blocks, asked.values[:2], store.n_rows, store.live)
    best = {row: max(dict(one)[row], dict(two)[row]) for row in dict(one)}
    assert (
        found[0]
        == sorted(
            (ScoredRow(row, score) for row, score in best.items()),
            key=lambda hit: (-hit.score, hit.row),
        )[:12]
    )
    assert found[1] == naive(blocks, asked.values[2:], 12, store.row_mask(wanted[1]))[0]
    nothing = [Filter(domains=frozenset({"none"}))] * 2
    assert search.search(asked, 12, nothing) == [[], []]
    assert search.search(Embeddings(asked.values[:0], asked.lengths[:0]), 3, []) == []


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("scan", ["auto", "bits", "bfloat16"])
def test_a_build_keeps_copies_that_a_search_maps(
    tmp_path: Path, scan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _store(tmp_path, scan=scan)
    files = sorted(store.derived("words").iterdir())
    assert len(files) == 3 * len(store.segments)
    assert verify(store.folder) == []

    def unmade(*_: Any) -> Copy:
        raise AssertionError("a copy that the build kept was made again")

    monkeypatch.setattr(choosing, "copied", unmade)
    search = ExactSearch(store=store, name="words", scan=scan)  # type: ignore[arg-type]
    assert _search(search, ["effusion word3"], 5) == _search(
        ExactSearch(store=store, name="words", scan="float32"), ["effusion word3"], 5
    )


@pytest.mark.usefixtures("small_is_large")
def test_adding_and_removing_makes_no_copy_of_old_segments_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _store(tmp_path)
    made: list[int] = []

    def counted(shelf: Any, scan: Any) -> Copy:
        made.append(len(shelf))
        return copied(shelf, scan)

    monkeypatch.setattr(kept, "copied", counted)
    more = _store(tmp_path, {"c.lines": ["xyzzy effusion", "word1"]})
    assert made == [2]
    remove(more.folder, ["a.lines"])
    assert made == [2]
    left = open_store(more.folder)
    assert verify(left.folder) == []
    found = _search(ExactSearch(store=left, name="words"), ["word1 effusion"], 100)
    assert len(found) == 32
    assert not store.derived("words").exists()


@pytest.mark.usefixtures("small_is_large")
def test_a_store_whose_copies_lack_a_segment_is_searched_whole(tmp_path: Path) -> None:
    store = _store(tmp_path)
    for path in store.derived("words").glob("*000001-*"):
        path.unlink()
    assert any("words.000001-" in each.problem for each in verify(store.folder))
    found = _search(ExactSearch(store=store, name="words"), ["word1 effusion"], 100)
    assert len(found) == 70


@pytest.mark.usefixtures("small_is_large")
def test_copies_of_other_vectors_are_a_problem(tmp_path: Path) -> None:
    store = _store(tmp_path)
    path = next(store.derived("words").glob("*.codes.npy"))
    codes = np.load(path)
    np.save(path, -codes)
    assert any("is no copy of the vectors" in each.problem for each in verify(store.folder))
    np.save(path, codes[:-1])
    assert verify(store.folder)
    with pytest.raises(IndexFormatError, match=f"medrag index verify {store.folder} --repair"):
        _search(ExactSearch(store=store, name="words"), ["effusion"], 1)


@pytest.mark.usefixtures("small_is_large")
def test_links_that_the_file_system_refuses_become_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise OSError("no links here")

    _store(tmp_path)
    monkeypatch.setattr("os.link", refused)
    more = _store(tmp_path, {"c.lines": ["xyzzy effusion", "word1"]})
    assert verify(more.folder) == []


@pytest.mark.usefixtures("small_is_large")
def test_without_memory_for_a_copy_the_vectors_themselves_are_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = _store(tmp_path, scan="float32")
    assert "folder" not in store.channel("words").derived
    monkeypatch.setattr(machine, "free_memory", lambda: 1.0)
    search = ExactSearch(store=store, name="words", scan="int8")
    assert isinstance(search.scanner, PlainScan)
    assert "they are read from the disk instead" in caplog.text


@pytest.mark.usefixtures("small_is_large")
def test_threads_may_search_at_once(tmp_path: Path) -> None:
    search = ExactSearch(store=_store(tmp_path), name="words")
    texts = [f"word{i} effusion" for i in range(24)]
    expected = [_search(search, [text], 9) for text in texts]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda text: _search(search, [text], 9), texts)) == expected


def test_a_small_channel_is_searched_without_any_heavy_library(tmp_path: Path) -> None:
    folder = _store(tmp_path).folder
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from medrag.indexing.exact import ExactSearch\n"
        "from medrag.indexing.storage import open_store\n"
        "from medrag.records import Embeddings, Filter\n"
        f"search = ExactSearch(store=open_store(Path({str(folder)!r})), name='words')\n"
        "asked = Embeddings(np.ones((1, 16), np.float32), np.ones(1, np.int32))\n"
        "assert len(search.search(asked, 5, [Filter()])[0]) == 5\n"
        "print({'numba', 'torch', 'llvmlite', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_small_channels_are_scanned_as_they_are_and_nothing_is_kept(tmp_path: Path) -> None:
    store = _store(tmp_path)
    assert isinstance(ExactSearch(store=store, name="words").scanner, PlainScan)
    assert "folder" not in store.channel("words").derived
    assert not kept.derive(
        store=store,
        channels={"words": store.channel("words")},
        folder=tmp_path / "unused",
        previous=None,
    )


def _question(text: str) -> Question:
    return Question(text=text)


def _search(search: ExactSearch, texts: list[str], k: int) -> list[ScoredRow]:
    asked = WordEncoder().encode_questions([_question(text) for text in texts], "text")
    (found,) = search.search(asked, k, [Filter()] * len(texts))
    return found


def _store(
    tmp_path: Path, files: dict[str, list[Any]] | None = None, *, scan: str = "auto"
) -> Store:
    """Build an index of two segments, or add files to it."""
    spec = {
        "kind": "dense",
        "encoder": {"kind": "words"},
        "store": {"kind": "exact", "scan": scan},
    }
    plan = {"words": ChannelPlan(spec, partial(WordEncoder))}
    batches = [files] if files else [{name: lines} for name, lines in LINES.items()]
    for batch in batches:
        build_lines(tmp_path / "index", tmp_path / "in", batch, channels=plan)
    return open_store(tmp_path / "index")
