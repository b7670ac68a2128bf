import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import IndexFormatError
from medrag.indexing import storage
from medrag.indexing.columns import Columns, Mask
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.manifest import Manifest
from medrag.indexing.storage import Store, open_store
from medrag.records import Filter, Question
from tests.indexing.library import allowed, build_lines, lexical_and_words

LINES = {"a.lines": ["effusion", "cell", "lung"], "b.lines": ["matter"]}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    build_lines(tmp_path / "index", tmp_path / "in", LINES)
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": ["cell", "nerve"]})
    return open_store(tmp_path / "index")


def test_passages_are_a_sequence_of_what_is_live(store: Store) -> None:
    passages = store.passages
    assert [passage.text for passage in passages] == ["matter", "cell", "nerve"]
    assert len(passages) == 3
    assert passages[0].text == "matter"
    assert passages[-1].text == "nerve"
    assert [passage.text for passage in passages[1:]] == ["cell", "nerve"]
    with pytest.raises(IndexError):
        passages[3]


def test_a_passage_is_found_by_its_id(store: Store) -> None:
    cell = store.passages[1]
    assert store.passages.by_id(cell.id) == cell
    assert cell in store.passages
    assert cell.id in store.passages
    assert "6d656472-6167-5a00-8000-000000000001" not in store.passages
    assert "nonsense" not in store.passages
    assert 7 not in store.passages
    with pytest.raises(KeyError, match="nonsense"):
        store.passages.by_id("nonsense")


def test_rows_count_removed_passages_and_come_in_the_order_asked(store: Store) -> None:
    assert store.n_rows == 6
    assert store.live.tolist() == [False, False, False, True, True, True]
    assert [p.text for p in store.passages_at([5, 3, 5])] == ["nerve", "matter", "nerve"]
    for row in (-1, 6):
        with pytest.raises(IndexError, match="index of 6 rows"):
            store.passages_at([row])


def test_a_folder_without_a_manifest_is_not_an_index(tmp_path: Path) -> None:
    with pytest.raises(IndexFormatError, match="medrag index build"):
        open_store(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_segment_is_named_and_the_rest_still_opens(tmp_path: Path, damage: str) -> None:
    index = tmp_path / "index"
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion one"]})
    build_lines(index, tmp_path / "in", {"b.lines": ["effusion two"]})
    broken = sorted((index / "segments").iterdir())[0]
    if damage == "cut":
        (broken / "ids.npy").write_bytes(b"")
    else:
        (broken / "ids.npy").unlink()
    with pytest.raises(IndexFormatError, match=f"{broken.name}: ids.npy"):
        open_store(index)
    store = open_store(index, damaged="skip")
    assert list(store.damaged) == [broken.name]
    assert [passage.text for passage in store.passages] == ["effusion two"]
    (ranking,) = LexicalChannel(store=store).search([Question(text="effusion")], 5, [Filter()])
    assert [hit.row for hit in ranking] == [0]
    with pytest.raises(IndexFormatError, match=f"{broken.name} .* is damaged"):
        build_lines(index, tmp_path / "in")


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("offsets.npy", 20, 0),  # the header
        ("offsets.npy", -1, 0x7F),  # of a huge number, the highest byte
        ("ids.npy", 20, 0),
        ("columns.npy", 20, 0),
        ("columns.npy", 131, 0x40),
        ("columns.json", 1, 0xFF),
        ("channel-words/rows.npy", -1, 0x40),
        ("channel-words/rows.npy", 30, 0),
        ("channel-words/lengths.npy", -1, 0x40),
        ("channel-words/values.npy", 0, 0),
    ],
)
def test_a_byte_that_makes_a_segment_senseless_is_an_error_of_the_index(
    tmp_path: Path, name: str, at: int, value: int
) -> None:
    build_lines(tmp_path / "index", tmp_path / "in", LINES, channels=lexical_and_words())
    (segment,) = (tmp_path / "index" / "segments").iterdir()
    content = bytearray((segment / name).read_bytes())
    content[at] = value
    (segment / name).write_bytes(content)
    store = open_store(tmp_path / "index")
    with pytest.raises(IndexFormatError, match=rf"{Path(name).parts[0]}.* is damaged .*--repair"):
        _read_all(store)


def _read_all(store: Store) -> None:
    """Ask for everything that a search may ask for."""
    first = store.segments[0].ids[0].tobytes()
    assert store.row_of(UUID(bytes=first).hex) == 0
    store.row_mask(Filter(kinds=frozenset({"text"})))
    store.passages_at(range(store.n_rows))
    store.vectors("words")


def test_a_manifest_that_is_a_folder_is_an_error_of_the_index(store: Store) -> None:
    (store.folder / "manifest.json").unlink()
    (store.folder / "manifest.json").mkdir()
    with pytest.raises(IndexFormatError, match="is no file"):
        open_store(store.folder)


def test_a_manifest_that_was_touched_is_refused(store: Store) -> None:
    path = store.folder / "manifest.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"n":2', b'"n":1'))
    with pytest.raises(IndexFormatError, match="does not match its own checksum"):
        open_store(store.folder)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(IndexFormatError, match="does not match its own checksum"):
        open_store(store.folder)


def test_an_unknown_channel_is_refused_with_those_there_are(store: Store) -> None:
    with pytest.raises(KeyError, match="it has: lexical"):
        store.vectors("text")
    with pytest.raises(IndexFormatError, match="not finished"):
        Store(folder=store.folder, manifest=_without_derived(store)).derived("lexical")


def test_a_store_reads_what_it_opened_after_an_update(tmp_path: Path) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    build_lines(index, root, LINES, channels=lexical_and_words())
    store = open_store(index)
    build_lines(index, root, {"a.lines": ["nerve"]}, channels=lexical_and_words())
    assert [passage.text for passage in store.passages] == ["effusion", "cell", "lung", "matter"]
    assert sum(len(block.rows) for block in store.vectors("words")) == 4


def test_a_corpus_root_is_kept_relative_so_that_both_can_be_moved(tmp_path: Path) -> None:
    build_lines(tmp_path / "one" / "index", tmp_path / "one" / "in", LINES)
    (tmp_path / "one").rename(tmp_path / "two")
    store = open_store(tmp_path / "two" / "index")
    assert store.corpus_root("lines") == tmp_path / "two" / "in"


def test_opening_imports_no_heavy_library(store: Store) -> None:
    code = (
        "import sys; from pathlib import Path; from medrag.indexing.storage import open_store; "
        f"len(open_store(Path({str(store.folder)!r})).passages); "
        "heavy = {'torch', 'llama_index', 'transformers', 'tantivy', 'scipy'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


NAMES = st.none() | st.sampled_from(["a", "b", ""])
SETS = st.frozensets(st.sampled_from(["a", "b", "c", ""]), max_size=3)
TIMES = st.none() | st.sampled_from(["2020", "2020-06", "2020-06-01T10:00", "2021"])
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["text", "image", "report"]),
            "domain": NAMES,
            "subject": NAMES,
            "study": NAMES,
            "time": TIMES,
            "images": st.lists(st.sampled_from(["red.png", "blue.png"]), max_size=2, unique=True),
        }
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=25, deadline=None)
@given(records=RECORDS, data=st.data())
def test_the_row_mask_equals_a_plain_filter(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("mask")
    (folder / "in").mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (2, 2), colour).save(folder / "in" / f"{colour}.png")
    lines = [{**record, "text": f"passage {n}"} for n, record in enumerate(records)]
    build_lines(folder / "index", folder / "in", {"a.lines": lines}, channels={})
    store = open_store(folder / "index")
    shown = {image.sha256 or "" for passage in store.passages for image in passage.images}
    hashes = [*sorted(shown), "f" * 64, "odd"]
    wanted = data.draw(
        st.builds(
            Filter,
            kinds=st.frozensets(st.sampled_from(["text", "report"])),
            domains=SETS,
            corpora=st.frozensets(st.sampled_from(["lines", "others"])),
            subjects=SETS,
            before=TIMES,
            not_images=st.frozensets(st.sampled_from(hashes), max_size=2),
            not_studies=SETS,
            not_subjects=SETS,
        )
    )
    expected = [allowed(passage, wanted) for passage in store.passages]
    assert store.row_mask(wanted).tolist() == expected


def test_masks_that_were_used_last_are_remembered_within_a_bound_on_bytes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 6 rows each, so that two masks fit.
    monkeypatch.setattr(storage, "_BESIDE_A_MASK", 0)
    monkeypatch.setattr(storage, "_MASKS_BYTES", 17)
    made: list[Filter] = []
    whole = Columns.allowed

    def watched(columns: Columns, wanted: Filter) -> Mask:
        made.append(wanted)
        return whole(columns, wanted)

    monkeypatch.setattr(Columns, "allowed", watched)
    one, two, three = (Filter(corpora=frozenset({name})) for name in ("lines", "b", "c"))
    for wanted in (one, two, one, three, one, two):
        # An equal filter is the same one.
        assert store.row_mask(replace(wanted)).sum() == (3 if wanted == one else 0)
    assert made == [each for each in (one, two, three, two) for _ in store.segments]


def test_a_mask_cannot_be_changed_by_who_is_given_it(store: Store) -> None:
    for wanted in (Filter(), Filter(corpora=frozenset({"lines"}))):
        with pytest.raises(ValueError, match="read-only"):
            store.row_mask(wanted)[0] = True


def test_threads_that_ask_at_once_are_given_the_masks_of_their_filters(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_MASKS_BYTES", 3 * storage._BESIDE_A_MASK)
    filters = [Filter(not_studies=frozenset({str(n)})) for n in range(7)]
    filters += [replace(each, corpora=frozenset({"none"})) for each in filters]
    with ThreadPoolExecutor(6) as pool:
        masks = list(pool.map(store.row_mask, filters * 40))
    for wanted, mask in zip(filters * 40, masks, strict=True):
        assert mask.sum() == (0 if wanted.corpora else 3)


def _without_derived(store: Store) -> Manifest:
    channels = {name: replace(c, derived={}) for name, c in store.manifest.channels.items()}
    return replace(store.manifest, channels=channels)
