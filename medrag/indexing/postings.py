"""The BM25 postings of an index, kept by Tantivy under derived/: made, extended, cut, never true.

A document's key is the serial number of its segment and the row in it: it stays the same for as
long as the segment does, so that rows and removals need no look-up of passage ids. What the
manifest says of the postings (`Postings`) must match Tantivy's own stamp; otherwise a writer died
between the two, and the next one makes the postings anew from the segments.
"""

import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medrag.extras import Library, require
from medrag.language import analyzer

# Names and options of the fields, and the order of the filters of the analyzer.
VERSION = 1

_HEAP = 96_000_000
_LOCK_REFUSED = re.compile(
    r"Failed to acquire Lockfile|Permission ?[Dd]enied|Read-?only ?file ?system", re.I
)
_ROW_BITS = 32
# Deleted documents count in BM25's statistics until they are merged away. Up to this many
# documents, a removal makes the postings anew, which takes a second or two and forgets them.
REMADE = 100_000
# Above that, a fifth of dead documents is allowed before it is worth the time.
_DEAD_SHARE = 5

# Tantivy compares numbers, not texts: a time is kept as the numbers of its bytes, 8 by 8.
TIMES = ("time_0", "time_1", "time_2")
# The files that Tantivy makes of every segment, by what follows their stem.
_PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
FILTERED = ("kind", "domain", "corpus", "subject", "study")


@dataclass(frozen=True, slots=True)
class Postings:
    """What the manifest says of the postings.

    `folder` is relative to the index; `stamp` is that of Tantivy's last commit; `n` documents live,
    `dead` were removed but still count in the statistics.
    """

    folder: str
    stamp: int
    n: int
    dead: int
    languages: tuple[str, ...]
    version: int = VERSION


def postings_from_json(value: Mapping[str, Any]) -> Postings | None:
    """Read what `as_json` wrote; None if there is nothing, or another version wrote it."""
    if value.get("version") != VERSION:
        return None
    return Postings(**{**value, "languages": tuple(value["languages"])})


def as_json(postings: Postings) -> dict[str, Any]:
    return asdict(postings)


def stamp_of(folder: Path) -> int | None:
    """Read the stamp of Tantivy's last commit; None if there is none."""
    try:
        return int(json.loads((folder / "meta.json").read_bytes())["opstamp"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def broken_files(folder: Path) -> Iterator[str]:
    """Read the files of the last commit whole, and say of each that is damaged what is wrong.

    Tantivy ends a file with a footer in JSON, the length of that, and a magic number; the footer
    holds a CRC-32 of all that stands before it. On other bytes it may end in a panic, so that this
    is to be asked before postings are opened.
    """
    try:
        names = _committed(json.loads((folder / "meta.json").read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"meta.json cannot be read ({type(error).__name__}: {error})"
        return
    for name in names:
        try:
            content = np.memmap(folder / name, dtype=np.uint8, mode="r")
            length = int.from_bytes(content[-8:-4].tobytes(), "little")
            crc = json.loads(content[-8 - length : -8].tobytes())["crc"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            yield f"{name} has no footer that can be read ({error})"
            continue
        if zlib.crc32(content[: -8 - length].data) != crc:
            yield f"{name} has other bytes than were written (its CRC-32 differs)"


def _committed(meta: Mapping[str, Any]) -> list[str]:
    """List the files of the segments of a commit, without removals of other commits."""
    names = []
    for segment in meta["segments"]:
        stem = segment["segment_id"].replace("-", "")
        deletes = segment.get("deletes")
        removals = f"{stem}.{deletes['opstamp']}.del" if deletes else ""
        names += [f"{stem}.{each}" for each in _PARTS] + ([removals] if removals else [])
    return names


def outdated(postings: Postings) -> bool:
    """Tell whether so many removed documents are left that the statistics are worth renewing."""
    return postings.dead > 0 and (postings.n <= REMADE or postings.dead > postings.n // _DEAD_SHARE)


def key_of(serial: int, row: int) -> int:
    return serial << _ROW_BITS | row


def serial_and_row(key: int) -> tuple[int, int]:
    return key >> _ROW_BITS, key & ((1 << _ROW_BITS) - 1)


def text_field(language: str) -> str:
    return f"text_{language}"


def title_field(language: str) -> str:
    return f"title_{language}"


def time_parts(time: str) -> tuple[int, ...]:
    """Write a time as numbers, of which the first that differ compare as the texts do."""
    size = 8 * len(TIMES)
    content = time.encode("ascii", "replace")[:size].ljust(size, b"\0")
    return tuple(int.from_bytes(content[at : at + 8], "big") for at in range(0, size, 8))


def opened_postings(folder: Path) -> tuple[Library, Library]:
    """Open postings for searching; gives Tantivy's index and a searcher of its last commit.

    Tantivy wants to write a lock file even to read. Where it may not, on a read-only disk or in
    the folder of somebody else, it is shown links to the files in a folder of its own.

    Raises:
        ValueError: if they are damaged.
    """
    tantivy = require("tantivy")
    try:
        index = tantivy.Index.open(str(folder))
        return index, index.searcher()
    except ValueError as error:
        if not _LOCK_REFUSED.search(str(error)):
            raise
    with tempfile.TemporaryDirectory(prefix="medrag-") as place:
        for path in folder.iterdir():
            if path.suffix != ".lock":
                _link(path.absolute(), Path(place) / path.name)
        index = tantivy.Index.open(place)
        # The searcher has its files open and mapped, so the links may go.
        return index, index.searcher()


def has_fields(index: Library, languages: Iterable[str]) -> bool:
    """Tell whether postings have the fields, and their options, that a writer gives them."""
    return bool(index.schema == _schema(require("tantivy"), tuple(sorted(languages))))


def _link(path: Path, link: Path) -> None:
    try:
        link.symlink_to(path)
    except (OSError, NotImplementedError):  # Windows lets only some users make links
        shutil.copyfile(path, link)


class PostingsWriter:
    """Add passages to postings and remove them; nothing counts until `commit`.

    `languages` decides the fields; those of postings that exist already must be the same.
    """

    def __init__(self, folder: Path, languages: Iterable[str]) -> None:
        self._tantivy = require("tantivy")
        folder.mkdir(parents=True, exist_ok=True)
        self.languages = tuple(sorted(languages))
        self._schema = _schema(self._tantivy, self.languages)
        index = self._tantivy.Index(self._schema, path=str(folder), reuse=True)
        for language in self.languages:
            index.register_tokenizer(language, analyzer(language))
        # One thread: several would cut the documents into segments as the scheduler likes.
        self._writer = index.writer(_HEAP, 1)
        # A writer that died in a commit left files of names that this one would give again.
        self._writer.garbage_collect_files()

    def add(self, serial: int, lines: Iterable[tuple[int, bytes]]) -> int:
        """Add the passages of a segment, given as (row, line of JSON), and count them."""
        n = 0
        for row, line in lines:
            self._writer.add_document(self._document(key_of(serial, row), json.loads(line)))
            n += 1
        return n

    def remove(self, serial: int, first: int, stop: int) -> None:
        """Remove the rows [first, stop) of a segment."""
        query = self._tantivy.Query.range_query(
            self._schema,
            "key",
            self._tantivy.FieldType.Integer,
            key_of(serial, first),
            key_of(serial, stop),
            True,
            False,
        )
        self._writer.delete_documents_by_query(query)

    def commit(self) -> int:
        """Make everything so far last, and give the stamp of it."""
        return int(self._writer.commit())

    def close(self) -> None:
        """Wait for merges that run; what was not committed is dropped."""
        self._writer.wait_merging_threads()

    def _document(self, key: int, passage: Mapping[str, Any]) -> Library:
        source = passage["source"]
        document = self._tantivy.Document()
        document.add_integer("key", key)
        language = source.get("language", "en")
        document.add_text(text_field(language), encodable(passage.get("text", "")))
        title = passage.get("fields", {}).get("title")
        if title:
            document.add_text(title_field(language), encodable(str(title)))
        document.add_text("kind", passage["kind"])
        for name in ("domain", "corpus", "subject", "study"):
            if (value := source.get(name)) is not None:
                document.add_text(name, keyword(value))
        if (time := source.get("time")) is not None:
            for name, part in zip(TIMES, time_parts(time), strict=True):
                document.add_integer(name, part)
        for image in passage.get("images", ()):
            if "sha256" in image:
                document.add_text("image", image["sha256"])
        return document


def _schema(tantivy: Library, languages: tuple[str, ...]) -> Library:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("key", indexed=True, fast=True)
    for language in languages:
        for field in (text_field(language), title_field(language)):
            builder.add_text_field(field, tokenizer_name=language, index_option="freq")
    for name in (*FILTERED, "image"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in TIMES:
        builder.add_integer_field(name, indexed=True, fast=True)
    return builder.build()


def keyword(text: str) -> str:
    """Name a text with lone surrogates, which JSON may hold and UTF-8 may not, by its bytes."""
    if text.isascii():
        return text
    content = text.encode("utf-8", "surrogatepass")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"\0{content.hex()}"


def encodable(text: str) -> str:
    """Replace lone surrogates, which JSON may hold and UTF-8 may not."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()
