"""Written documents: web pages, Markdown, plain text, Word, and texts in records."""

from collections.abc import Iterator
from pathlib import Path

from medrag.errors import InputFileError
from medrag.ingestion.columns import TEXT_COLUMNS, Columns, check_roles
from medrag.ingestion.decoding import Decoded, decode, is_binary
from medrag.ingestion.docx import read_docx
from medrag.ingestion.html import read_html
from medrag.ingestion.outline import Document, LeftOut, document_passages
from medrag.ingestion.prose import read_markdown, read_plain
from medrag.ingestion.textrecords import RecordReader
from medrag.ingestion.xmltree import read_bytes
from medrag.records import Corpus, Passage, Skipped

_RECORDS = (".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".json")
_SIZE_LIMIT = 256 * 1024 * 1024  # bytes
_HTML_START = ("<!doctype html", "<html", "<head", "<body", "<div", "<p", "<h1", "<h2", "<main")


class TextIngestor:
    """Texts by section: HTML, Markdown, plain text, Word documents, or records of a table.

    Args:
        corpus: the corpus of the file.
        key: not needed here; all ingestors are made alike.
        columns: for JSON lines and tables, the columns of `TEXT_COLUMNS`: such as
            {"text": "text", "title": ["chapter_title", "section_title"], "doc_id": "module"}.
        chunk: whether long records are cut at sentence ends.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        key: bytes = b"",
        columns: Columns | None = None,
        chunk: bool = True,
    ) -> None:
        check_roles(columns, TEXT_COLUMNS)
        self.corpus = corpus
        self.key = key
        self.columns = columns
        self.chunk = chunk

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the passages of a file in reading order.

        Raises:
            InputFileError: if it cannot be read as a text, or holds none.
        """
        if self.columns or path.suffix.lower() in _RECORDS:
            reader = RecordReader(corpus=self.corpus, columns=self.columns, chunk=self.chunk)
            return reader.passages(path)
        document = _document(path)
        if not document.sections:
            raise InputFileError(path, "holds no text to read")
        return document_passages([document], self.corpus, path)


def _document(path: Path) -> Document:
    data = read_bytes(path, limit=_SIZE_LIMIT)
    if data.startswith(b"PK\x03\x04"):
        return read_docx(path)
    decoded = decode(data)
    if is_binary(decoded):
        raise InputFileError(path, "no text: it holds NUL or control characters")
    return _noted(_read(path, decoded.text), decoded)


def _read(path: Path, text: str) -> Document:
    suffix = path.suffix.lower()
    if suffix in (".html", ".htm", ".xhtml") or text.lstrip().lower().startswith(_HTML_START):
        return read_html(text)
    return read_markdown(text) if suffix in (".md", ".markdown") else read_plain(text)


def _noted(document: Document, decoded: Decoded) -> Document:
    if not decoded.guessed:
        return document
    note = LeftOut("encoding", "no UTF-8, read as Latin-1; save it as UTF-8 if letters look wrong")
    return Document(document.sections, document.unit, (*document.left_out, note))
