"""The parts of a PDF as passages, each with the regions it comes from."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

from medrag.ingestion.chunking import count_tokens, split
from medrag.ingestion.pdf.book import Book
from medrag.ingestion.pdf.captions import Caption, mentions
from medrag.ingestion.pdf.figures import Figure
from medrag.ingestion.pdf.layout import Paragraph
from medrag.ingestion.pdf.reading import Page, displayed
from medrag.ingestion.pdf.sections import Section
from medrag.ingestion.pdf.tables import Table
from medrag.ingestion.pdf.text import WordFinder, Written, regions, vocabulary, written
from medrag.language import sentences
from medrag.records import Box, ImageRef, Kind, Passage, Region, Source, passage_id

_ORDER: Mapping[str, int] = {"page": 0, "text": 1, "figure": 2, "table": 3}

Vocabulary = Callable[[], frozenset[str]]


class Chunk(NamedTuple):
    """A stretch of a text that becomes one passage."""

    text: Written
    span: tuple[int, int]


def passages_of(
    book: Book, source: Source, *, words_of: WordFinder, tokens: int, overlap: int
) -> list[Passage]:
    """Make the passages of a PDF, in the order of their first pages.

    Args:
        source: of the whole file; every passage gets it with its own regions.
        words_of: gives the words of a page with their boxes; called for pages where a passage
            begins or ends inside a line.
        tokens: the most that a text passage holds.
        overlap: how much of it stands again in the next piece of the same paragraph.
    """
    known = cache(lambda: vocabulary(n for page in book.pages.values() for n in page.lines))
    cut = partial(chunks, tokens=tokens, overlap=overlap, language=source.language, known=known)
    texts: list[Passage] = []
    for section in book.sections:
        fields = _titled(section)
        for text, span in cut(section):
            places = regions(text, span, book.pages, words_of)
            texts.append(_passage("text", text.text[slice(*span)], source, places, fields=fields))
    pages = [
        _passage("page", "", source, (Region(number),), (ImageRef(source.document, page=number),))
        for number in book.pages
    ]
    tables = [_table(table, book, source, known) for table in book.tables]
    found = [*pages, *texts, *_figures(book, source, texts, known), *tables]
    return sorted(found, key=lambda p: (p.source.regions[0].page or 0, _ORDER[p.kind]))


def chunks(
    section: Section, *, tokens: int, overlap: int, language: str, known: Vocabulary
) -> Iterator[Chunk]:
    """Fill chunks with whole paragraphs; cut a paragraph only if it is too long by itself."""
    waiting: list[Paragraph] = []
    size = 0
    for paragraph in section.paragraphs:
        length = sum([count_tokens(line.text) for line in paragraph.lines])
        if waiting and size + length > tokens:
            text = written(waiting, known)
            yield Chunk(text, (0, len(text.text)))
            waiting, size = [], 0
        if length > tokens:
            text = written([paragraph], known)
            for span in split(text.text, tokens=tokens, overlap=overlap, language=language):
                yield Chunk(text, span)
        else:
            waiting.append(paragraph)
            size += length
    if waiting:
        text = written(waiting, known)
        yield Chunk(text, (0, len(text.text)))


def _titled(section: Section | None) -> dict[str, Any]:
    return {"title": " > ".join(section.path)} if section and section.path else {}


def _section_at(book: Book, place: tuple[int, float]) -> Section | None:
    """Find the last section that begins before a place: a page and a y."""
    after = bisect_right(book.sections, place, key=lambda section: section.start)
    return book.sections[after - 1] if after else None


def _figures(
    book: Book, source: Source, texts: Sequence[Passage], known: Vocabulary
) -> list[Passage]:
    numbers = [figure.caption.number for figure in book.figures if figure.caption]
    # The texts of passages, because what they repeat counts once and their words are joined.
    mentioned = mentions(
        numbers, [p.text for p in texts], partial(sentences, language=source.language)
    )
    return [_figure(figure, book, source, mentioned, known) for figure in book.figures]


def _figure(
    figure: Figure,
    book: Book,
    source: Source,
    mentioned: Mapping[str, list[str]],
    known: Vocabulary,
) -> Passage:
    box = displayed(figure.box, book.pages[figure.page])
    text, fields, places = _captioned(figure.caption, book.pages, known)
    fields |= _titled(_section_at(book, (figure.page, figure.box[1])))
    if figure.caption:
        fields["mentions"] = mentioned.get(figure.caption.number, [])
    if figure.labels:
        fields["labels"] = [line.text for line in figure.labels]
    picture = ImageRef(source.document, page=figure.page, box=box)
    return _passage("figure", text, source, (Region(figure.page, box), *places), (picture,), fields)


def _table(table: Table, book: Book, source: Source, known: Vocabulary) -> Passage:
    box = displayed(table.box, book.pages[table.page])
    text, fields, places = _captioned(table.caption, book.pages, known)
    fields |= _titled(_section_at(book, (table.page, table.box[1])))
    rows = "\n".join("\t".join(cell for cell in row if cell) for row in table.rows)
    fields["rows"] = [list(row) for row in table.rows]
    picture = ImageRef(source.document, page=table.page, box=box)
    return _passage(
        "table",
        f"{text}\n{rows}" if text else rows,
        source,
        (Region(table.page, box), *places),
        (picture,),
        fields,
    )


def _captioned(
    caption: Caption | None, pages: Mapping[int, Page], known: Vocabulary
) -> tuple[str, dict[str, Any], tuple[Region, ...]]:
    """Give the words of a caption with its number, as fields, and where they stand."""
    if caption is None:
        return "", {}, ()
    # A caption may stand on the page after its figure.
    text = written([caption.paragraph], known)
    words = text.text.partition(caption.number)[2].lstrip(" .:|–—)")
    fields: dict[str, Any] = {"number": caption.number, "caption": words}
    page = pages[caption.paragraph.page]
    place: Box = displayed(caption.paragraph.box, page)
    return text.text, fields, (Region(page.number, place),)


def _passage(
    kind: Kind,
    text: str,
    source: Source,
    places: tuple[Region, ...],
    images: tuple[ImageRef, ...] = (),
    fields: Mapping[str, Any] | None = None,
) -> Passage:
    placed = replace(source, regions=places)
    name = passage_id(kind, placed, text, images)
    return Passage(name, kind, text, placed, images, fields or {})
