"""Textbooks and articles as PDF: text, pages, figures and tables, each with its place."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from medrag.extras import Library
from medrag.ingestion.pdf.book import LeftOut, take_apart
from medrag.ingestion.pdf.ocr import OcrEngine, installed_engine, read_by_ocr
from medrag.ingestion.pdf.opening import check_whole, opened
from medrag.ingestion.pdf.passages import passages_of
from medrag.ingestion.pdf.reading import Page, copies_images, read_page, read_words
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import Corpus, Passage, Region, Skipped

# A paragraph of so many characters for each token of a passage is likely to be cut.
_TOKEN_CHARACTERS = 4


class TextbookIngestor:
    """Read a PDF into passages of kind text, page, figure and table.

    A PDF counts whole or not at all: nothing is yielded of one that cannot be read to its end.
    Text passages hold whole paragraphs of one section up to `tokens`; longer paragraphs are cut at
    sentence ends, the next piece beginning with the last sentences, at most `overlap` tokens, of
    the one before. Page passages have no text, only the picture of the page.

    `keep_all` keeps front matter, contents, index and reference lists. `ocr` reads pages without a
    text layer: True by the extra `ocr` if it is installed, False never, or an engine of one's own.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        key: bytes = b"",
        keep_all: bool = False,
        tokens: int = 256,
        overlap: int = 32,
        ocr: bool | OcrEngine = True,
    ) -> None:
        if not 0 <= overlap < tokens:
            raise ValueError(f"need 0 <= overlap < tokens, got {overlap} and {tokens}")
        self.corpus = corpus
        # A PDF names no subject; the key is taken so that every ingestor is made alike.
        self.key = key
        self.keep_all = keep_all
        self.tokens = tokens
        self.overlap = overlap
        self.ocr = ocr

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the passages of a PDF in the order of its pages, then what was left out.

        Raises:
            InputFileError: if the file is empty, cut short, damaged, encrypted or no PDF.
        """
        sha256 = file_sha256(path)
        source = source_of(self.corpus, path, sha256=sha256)
        with _without_cycle_collection(), opened(path) as document:
            pages = self._pages(document)
            unread = [page for page in pages if not (page.lines or page.sideways)]
            if unread:
                pages = self._with_ocr(document, pages)
            book = take_apart(document, pages, keep_all=self.keep_all)
            words_of = cache(lambda number: read_words(document, book.pages[number]))
            found = passages_of(
                book, source, words_of=words_of, tokens=self.tokens, overlap=self.overlap
            )
        yield from found
        for left in (*book.left_out, *_unread(unread, pages)):
            places = tuple(Region(page) for page in left.pages)
            yield Skipped(replace(source, regions=places), left.reason, left.detail)

    def _pages(self, document: Library) -> list[Page]:
        read = partial(
            read_page,
            document,
            long_block=self.tokens * _TOKEN_CHARACTERS,
            copied=copies_images(document),
        )
        pages = [read(number) for number in range(1, document.page_count + 1)]
        check_whole(document)
        return pages

    def _with_ocr(self, document: Library, pages: Sequence[Page]) -> list[Page]:
        engine = installed_engine() if self.ocr is True else self.ocr or None
        if engine is None:
            return list(pages)
        return [
            read_by_ocr(document, page, engine) if _is_picture_only(page) else page
            for page in pages
        ]


@contextmanager
def _without_cycle_collection() -> Iterator[None]:
    """Keep Python from looking for cycles, which reading makes none of but many small objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_picture_only(page: Page) -> bool:
    return not (page.lines or page.sideways) and bool(page.pictures or page.shapes)


def _unread(unread: Sequence[Page], pages: Sequence[Page]) -> Iterator[LeftOut]:
    """Name the pages without text layer, and what became of each."""
    for page in unread:
        n_lines = len(pages[page.number - 1].lines)
        if not (page.pictures or page.shapes):
            yield LeftOut("empty", (page.number,), "a blank page")
        elif n_lines:
            detail = f"no text layer; OCR read {n_lines} lines"
            yield LeftOut("no_text_layer", (page.number,), detail)
        else:
            detail = "no text layer; to have it read: pip install 'medrag[ocr]'"
            yield LeftOut("no_text_layer", (page.number,), detail)
