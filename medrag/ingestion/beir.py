"""A BEIR corpus: one JSON line per document, with `_id`, `title` and `text`."""

from collections.abc import Iterator
from pathlib import Path

from medrag.ingestion.columns import Columns
from medrag.ingestion.textrecords import RecordReader
from medrag.records import Corpus, Passage, Skipped

_COLUMNS: Columns = {"doc_id": "_id", "text": "text"}


class BeirIngestor:
    """Documents of a BEIR corpus: one passage each, unless `chunk` asks for pieces.

    Retrieval measures are pooled to `fields["doc_id"]`, so that chunking does not change what is
    counted.

    Source:
        Thakur et al., BEIR, NeurIPS 2021 (datasets and benchmarks).
    """

    def __init__(self, *, corpus: Corpus, key: bytes = b"", chunk: bool = False) -> None:
        self.corpus = corpus
        self.key = key
        self.reader = RecordReader(corpus=corpus, columns=_COLUMNS, chunk=chunk, unique="doc_id")

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        return self.reader.passages(path)
