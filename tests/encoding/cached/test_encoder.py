import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medrag.encoding.cached import CachedEncoder
from medrag.encoding.cached.database import Record, VectorCache
from medrag.errors import MedragError
from medrag.images import identified
from medrag.protocols import Encoder, Side, SparseEncoder
from medrag.records import Embeddings, ImageRef, Passage, Question, SparseEmbeddings
from tests.contracts import check_encoder
from tests.encoding.tiny_texts import passage

D = 3


class Letters:
    """A vector for each word of a text: three letters counted; says what it encoded."""

    normalised = False
    late_interaction = True
    numerics = "letters 1"

    def __init__(self, name: str = "letters") -> None:
        self.name = name
        self.encoded: list[str] = []

    def encodes(self, passage: Passage) -> bool:
        return bool(passage.text)

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        self.encoded += [each.text for each in passages]
        return counted([each.text for each in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        self.encoded += [f"{side}: {each.text}" for each in questions]
        return counted([each.text or "aa" for each in questions])


class Terms:
    """The letters of a text as terms; " " has none."""

    name = "terms"
    normalised = False

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings:
        self.encoded += [each.text for each in passages]
        rows = [sorted({ord(c) - 97 for c in each.text if c != " "}) for each in passages]
        terms = np.array([term for row in rows for term in row], dtype=np.int32)
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        return SparseEmbeddings(terms, np.sqrt(terms + 1.0).astype(np.float32), lengths, 26)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> SparseEmbeddings:
        raise AssertionError("not asked")


def counted(texts: Sequence[str]) -> Embeddings:
    words = [text.split() for text in texts]
    rows = [[word.count(c) / 3 + 0.1 for c in "aeo"] for several in words for word in several]
    values = np.array(rows, dtype=np.float32).reshape(-1, D)
    return Embeddings(values, np.array([len(each) for each in words], dtype=np.int32))


def passages(*texts: str) -> list[Passage]:
    return [passage(text) for text in texts]


@pytest.fixture
def inner() -> Letters:
    return Letters()


@pytest.fixture
def cached(inner: Letters, tmp_path: Path) -> CachedEncoder[Embeddings]:
    return CachedEncoder(encoder=inner, folder=tmp_path / "cache")


def test_it_keeps_the_contract_of_encoders(cached: CachedEncoder[Embeddings]) -> None:
    encoder: Encoder = cached
    texts = ["a heart beats", "bone", "o"]
    for _ in range(2):
        check_encoder(encoder, passages(*texts), [Question(text) for text in texts], "text")


def test_what_was_encoded_is_read_back_bit_by_bit(
    cached: CachedEncoder[Embeddings], inner: Letters, tmp_path: Path
) -> None:
    first = cached.encode_passages(passages("a heart beats", "bone"))
    other = CachedEncoder(encoder=Letters(), folder=tmp_path / "cache")
    again = other.encode_passages(passages("bone", "a heart beats"))
    np.testing.assert_array_equal(again.values, first.values[[3, 0, 1, 2]])
    assert again.lengths.tolist() == [1, 3]
    assert (again.values.dtype, again.lengths.dtype) == (np.float32, np.int32)
    assert other.encoder.encoded == []  # type: ignore[attr-defined]


def test_only_what_is_new_reaches_the_encoder_and_once(
    cached: CachedEncoder[Embeddings], inner: Letters
) -> None:
    cached.encode_passages(passages("a", "b"))
    found = cached.encode_passages(passages("c", "a", "d", "c", "b"))
    assert inner.encoded == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(found.values, counted(["c", "a", "d", "c", "b"]).values)


TEXTS = st.lists(st.text("aeo ", min_size=1).filter(str.strip), max_size=8)


@settings(max_examples=25)
@given(batches=st.lists(TEXTS, max_size=4))
def test_vectors_are_those_of_the_encoder(
    batches: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    inner = Letters()
    cached = CachedEncoder(encoder=inner, folder=tmp_path_factory.mktemp("cache"))
    for texts in batches:
        found = cached.encode_passages(passages(*texts))
        expected = counted(texts)
        np.testing.assert_array_equal(found.values, expected.values)
        np.testing.assert_array_equal(found.lengths, expected.lengths)
    assert len(inner.encoded) == len(set(inner.encoded))


def test_sparse_vectors_are_kept_as_well(tmp_path: Path) -> None:
    inner = Terms()
    cached = CachedEncoder(encoder=inner, folder=tmp_path)
    encoder: SparseEncoder = cached
    texts = passages("heart", " ", "ab", "heart")
    expected = Terms().encode_passages(texts)
    for _ in range(2):
        found = encoder.encode_passages(texts)
        assert isinstance(found, SparseEmbeddings)
        for name in ("terms", "weights", "lengths", "d"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert inner.encoded == ["heart", " ", "ab"]
    assert CachedEncoder(encoder=Terms(), folder=tmp_path).encode_passages([]).d == 26


def test_everything_that_an_encoder_may_see_counts(
    cached: CachedEncoder[Embeddings], inner: Letters
) -> None:
    one = passage("a", "title")
    different = [
        one,
        passage("a"),
        passage("a", "other"),
        passage("b", "title"),
        replace(one, kind="page"),
        replace(one, fields={"title": "title", "caption": "c"}),
    ]
    cached.encode_passages(different)
    assert len(inner.encoded) == len(different)
    moved = replace(one, id="other", source=replace(one.source, document="moved.txt"))
    cached.encode_passages([moved])
    assert len(inner.encoded) == len(different)


def test_another_encoder_has_its_own_vectors(inner: Letters, tmp_path: Path) -> None:
    other = Letters("letters-2")
    for encoder in (inner, other):
        CachedEncoder(encoder=encoder, folder=tmp_path).encode_passages(passages("a"))
    assert other.encoded == ["a"]


def test_questions_and_their_sides_are_apart_from_passages(
    cached: CachedEncoder[Embeddings], inner: Letters, tmp_path: Path
) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    question = Question("a", images=(tmp_path / "a.png",))
    for _ in range(2):
        cached.encode_passages(passages("a"))
        cached.encode_questions([question, replace(question, options=("b",))], "text")
        cached.encode_questions([question], "image")
    assert inner.encoded == ["a", "text: a", "text: a", "image: a"]


def test_a_picture_is_known_by_its_pixels_or_else_by_its_file(
    cached: CachedEncoder[Embeddings], inner: Letters, tmp_path: Path
) -> None:
    def pictured(*refs: ImageRef) -> Passage:
        return replace(passage("a"), images=refs)

    def count(*refs: ImageRef) -> int:
        before = len(inner.encoded)
        cached.encode_passages([pictured(ref) for ref in refs])
        return len(inner.encoded) - before

    red, copy, blue = (tmp_path / f"{name}.png" for name in ("red", "copy", "blue"))
    Image.new("RGB", (4, 4), "red").save(red)
    copy.write_bytes(red.read_bytes())
    Image.new("RGB", (4, 4), "blue").save(blue)
    Image.new("RGB", (4, 4), "red").save(tmp_path / "red.bmp")
    assert count(*(ImageRef(str(path)) for path in (red, copy, blue))) == 2
    assert count(ImageRef(str(red), box=(0, 0, 2, 2))) == 1
    hashed = [identified(ImageRef(str(path))) for path in (red, tmp_path / "red.bmp", blue)]
    assert count(*hashed) == 2
    # A slice tells nothing of the rest of its volume: the file counts.
    assert count(replace(hashed[0], axis=2, slice=1), replace(hashed[1], axis=2, slice=1)) == 2
    blue.write_bytes(red.read_bytes())
    assert count(ImageRef(str(blue))) == 0


def test_it_says_what_the_encoder_says(
    cached: CachedEncoder[Embeddings], inner: Letters, tmp_path: Path
) -> None:
    assert (cached.name, cached.normalised, cached.late_interaction) == ("letters", False, True)
    assert cached.numerics == "letters 1"
    assert [cached.encodes(each) for each in passages("a", "")] == [True, False]
    cached.encode_passages(passages("a"))
    later = Letters()
    later.numerics = "letters 2"
    again = CachedEncoder(encoder=later, folder=tmp_path / "cache")
    again.encode_passages(passages("a"))
    # The vectors are still those of before, until the encoder has something to do.
    assert again.numerics == "letters 1"
    again.encode_passages(passages("b"))
    assert again.numerics == "letters 2"


def test_no_text_is_stored(cached: CachedEncoder[Embeddings], tmp_path: Path) -> None:
    cached.encode_passages([passage("secretword", "secrettitle")])
    cached.encode_questions([Question("secretword")], "text")
    files = list((tmp_path / "cache").iterdir())
    assert files
    assert not any(b"secret" in file.read_bytes() for file in files)


def test_clearing_forgets_everything(
    cached: CachedEncoder[Embeddings], inner: Letters, tmp_path: Path
) -> None:
    values = cached.encode_passages(passages("a heart")).values
    cached.clear()
    assert not any(values.tobytes() in f.read_bytes() for f in (tmp_path / "cache").iterdir())
    cached.encode_passages(passages("a heart"))
    assert inner.encoded == ["a heart", "a heart"]


def test_a_damaged_record_is_made_anew(
    cached: CachedEncoder[Embeddings], inner: Letters, tmp_path: Path
) -> None:
    cached.encode_passages(passages("a", "b"))
    with sqlite3.connect(tmp_path / "cache" / "vectors.sqlite") as connection:
        connection.execute("UPDATE vectors SET content = zeroblob(12) WHERE rowid = 1")
    connection.close()
    found = cached.encode_passages(passages("a", "b"))
    np.testing.assert_array_equal(found.values, counted(["a", "b"]).values)
    assert inner.encoded == ["a", "b", "a"]


def test_a_file_that_is_none_leads_to_a_way_out(
    cached: CachedEncoder[Embeddings], tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "vectors.sqlite").write_bytes(b"something else " * 100)
    with pytest.raises(MedragError, match=r"vectors\.sqlite cannot be used .*delete the folder"):
        cached.encode_passages(passages("a"))


def test_another_format_is_refused(cached: CachedEncoder[Embeddings], tmp_path: Path) -> None:
    cached.encode_passages(passages("a"))
    connection = sqlite3.connect(tmp_path / "cache" / "vectors.sqlite")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(MedragError, match="has format 9, expected 1"):
        cached.encode_passages(passages("a"))


def records(start: int, stop: int, size: int = 4000) -> dict[bytes, Record]:
    return {b"key %d" % n: Record(1, bytes([n % 256]) * size) for n in range(start, stop)}


def test_a_bounded_cache_forgets_what_was_not_used_longest(tmp_path: Path) -> None:
    cache = VectorCache(folder=tmp_path, size=400_000)
    for start in range(0, 80, 10):
        cache.put(records(start, start + 10))
    assert len(cache.get([*records(0, 80)])) == 80
    cache.get([*records(0, 10)])
    for start in range(80, 120, 10):
        cache.put(records(start, start + 10))
    assert cache.bytes_used() <= 400_000
    kept = {int(key.split()[1]) for key in cache.get([*records(0, 120)])}
    assert kept >= {*range(10), *range(110, 120)}
    assert 10 not in kept
    assert 60 < len(kept) < 100


def test_many_keys_are_looked_up(tmp_path: Path) -> None:
    cache = VectorCache(folder=tmp_path)
    many = records(0, 1300, size=8)
    cache.put(many)
    assert cache.get([*many, b"unknown"]) == many
    assert cache.get([]) == {}


def test_threads_share_a_cache(tmp_path: Path) -> None:
    inner = Letters()
    cached = CachedEncoder(encoder=inner, folder=tmp_path, size=10**7)
    texts = [["a" * n, "e" * n, "o o"] for n in range(1, 21)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: cached.encode_passages(passages(*each)), texts * 3))
    for each, embeddings in zip(texts * 3, found, strict=True):
        np.testing.assert_array_equal(embeddings.values, counted(each).values)


def test_a_new_file_that_another_one_is_making_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "vectors.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(VectorCache(folder=tmp_path).get, [b"a"])
        with pytest.raises(TimeoutError):
            found.result(timeout=0.3)
        other.execute("COMMIT")
        assert found.result(timeout=30) == {}
    other.close()


WRITER = """
    import os, sys
    from pathlib import Path
    from medrag.encoding.cached.database import Record, VectorCache
    cache, mine = VectorCache(folder=Path(sys.argv[1])), int(sys.argv[2])
    for round in range(20):
        n = mine * 1000 + round * 3
        cache.put({b"%d" % k: Record(1, b"%d" % k * 50) for k in range(n, n + 3)})
    sys.stdout.write("done")
    sys.stdout.flush()
    if sys.argv[3] == "crash":
        cache.put = None
        with cache._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO vectors VALUES (x'00', 1, x'00', 0, 0)")
            os._exit(9)
"""


def test_processes_share_a_cache_and_a_crash_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    commands: list[list[Any]] = [
        [sys.executable, "-c", textwrap.dedent(WRITER), tmp_path, str(n), end]
        for n, end in enumerate(("crash", "end", "crash"))
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
    ended = [(process.communicate(timeout=60)[0], process.returncode) for process in running]
    assert ended == [(b"done", 9), (b"done", 0), (b"done", 9)]
    expected = {b"%d" % k: b"%d" % k * 50 for n in range(3) for k in range(n * 1000, n * 1000 + 60)}
    found = VectorCache(folder=tmp_path).get([*expected, b"\0"])
    assert {key: record.content for key, record in found.items()} == expected


def test_a_size_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        CachedEncoder(encoder=Letters(), folder=tmp_path, size=0)
