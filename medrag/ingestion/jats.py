"""Journal articles in JATS XML, as PubMed Central gives them away.

Source:
    ANSI/NISO Z39.96-2021, JATS: Journal Article Tag Suite, version 1.3.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from medrag.errors import InputFileError
from medrag.ingestion.outline import Document, LeftOut, Outline, document_passages
from medrag.ingestion.times import iso_time
from medrag.ingestion.xmltree import child, children, local_name, read_xml, words_of
from medrag.records import Corpus, Passage, Skipped

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff", ".webp")
_BLOCKS = {"p", "disp-quote", "disp-formula", "verse-group", "speech", "statement", "preformat"}
_LISTS = {"list", "def-list"}
_GROUPS = {
    "fig-group", "table-wrap-group", "boxed-text", "list-item", "def", "def-item", "floats-group",
    "glossary", "app-group", "named-content", "supplementary-material",
}  # fmt: skip
_NOT_READ = {"tex-math", "object-id", "graphic", "inline-graphic", "media", "label"}
_INSIDE_PARAGRAPH = {"fig", "table-wrap", "fig-group", "boxed-text", *_LISTS}
_LICENCE = re.compile(r"creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)?")


class JatsIngestor:
    """Articles by section, with figures, tables and abstract, without their reference lists.

    A figure is a picture where the file that it names lies beside the article; its caption is a
    text where not.
    """

    def __init__(self, *, corpus: Corpus, key: bytes = b"") -> None:
        self.corpus = corpus
        self.key = key

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the passages of the article, or of each article of a set.

        Raises:
            InputFileError: if the file is no well-formed XML, or holds no article with text.
        """
        root = read_xml(path)
        articles = [root] if local_name(root) == "article" else _within(root, "article")
        documents = [_Article(article, path.parent).document() for article in articles]
        if not any(document.sections for document in documents):
            raise InputFileError(
                path,
                f"an XML with the root <{local_name(root)}> without an <article> that has an "
                "<abstract> or a <body>",
            )
        return document_passages(documents, self.corpus, path)


class _Article:
    """One article on its way to sections; paragraphs are counted in reading order."""

    def __init__(self, article: Element, folder: Path) -> None:
        self.article = article
        self.folder = folder
        self.meta = child(article, "front", "article-meta")
        self.outline = Outline()
        self.count = 0
        self.references = 0

    def document(self) -> Document:
        title = child(self.meta, "title-group", "article-title")
        self.outline.title = _prose(title) if title is not None else ""
        for abstract in children(self.meta, "abstract") if self.meta is not None else ():
            self._section(abstract, 1, fallback="Abstract")
        for part in ("body", "back", "floats-group"):
            element = child(self.article, part)
            if element is not None:
                self.outline.heading(1, "")
                self._content(element, 0)
        for sub in children(self.article, "sub-article", "response"):
            title = child(sub, "front-stub", "title-group", "article-title")
            self.outline.heading(1, words_of(title))
            self._content(child(sub, "body"), 1)
        self.outline.close()
        count = self.references
        left_out = (LeftOut("references", f"{count} references"),) if count else ()
        return Document(
            tuple(self.outline.sections), "paragraph", left_out,
            doc_id=self._doc_id(), licence=self._licence(), time=self._time(),
        )  # fmt: skip

    def _section(self, section: Element, level: int, *, fallback: str = "") -> None:
        title = child(section, "title")
        name = _prose(title) if title is not None else fallback
        label = words_of(child(section, "label"))
        self.outline.heading(level, f"{label} {name}".strip())
        self._content(section, level)
        # What follows a subsection without a heading of its own belongs to the section above.
        self.outline.heading(level, "")

    def _content(self, element: Iterable[Element] | None, level: int) -> None:
        for part in element if element is not None else ():
            name = local_name(part)
            if name in ("sec", "app", "ack", "notes", "trans-abstract"):
                self._section(part, level + 1, fallback=_NAMES.get(name, ""))
            elif name == "ref-list":
                self.references += len(_within(part, "ref"))
            elif name == "fig":
                self._figure(part)
            elif name == "table-wrap":
                self._table(part)
            elif name in _LISTS:
                self._list(part)
            elif name in _GROUPS:
                self._content(part, level)
            elif name in _BLOCKS:
                self._paragraph(part, level)

    def _paragraph(self, paragraph: Element, level: int) -> None:
        self.count += 1
        self.outline.paragraph(_prose(paragraph), self.count)
        self._content(list(_floats(paragraph)), level)

    def _list(self, element: Element) -> None:
        for entry in children(element, "list-item", "def-item"):
            self.count += 1
            self.outline.paragraph(f"- {_prose(entry)}", self.count)

    def _figure(self, figure: Element) -> None:
        self.count += 1
        graphic = next((part for part in figure.iter() if local_name(part) == "graphic"), None)
        self.outline.figure(
            words_of(child(figure, "label")), _caption(figure),
            self._picture(_link(graphic)) if graphic is not None else "", self.count,
        )  # fmt: skip

    def _picture(self, name: str) -> str:
        """Find the file of a graphic, which is often named without its ending; "" if absent."""
        if not name or "/" in name or "\\" in name:
            return ""
        names = (name, *(f"{name}{suffix}" for suffix in _PICTURE_SUFFIXES))
        return next((each for each in names if (self.folder / each).is_file()), "")

    def _table(self, wrap: Element) -> None:
        self.count += 1
        rows = [[_prose(cell) for cell in children(row, "td", "th")] for row in _within(wrap, "tr")]
        self.outline.table(
            rows, self.count, number=words_of(child(wrap, "label")), caption=_caption(wrap)
        )

    def _doc_id(self) -> str:
        stated = children(self.meta, "article-id") if self.meta is not None else ()
        ids = {each.get("pub-id-type", ""): words_of(each) for each in stated}
        for kind in ("pmcid", "pmc", "pmid", "doi"):
            if value := ids.get(kind):
                return f"PMC{value}" if kind == "pmc" and value.isdigit() else value
        return ""

    def _licence(self) -> str | None:
        permissions = child(self.meta, "permissions")
        for part in permissions.iter() if permissions is not None else ():
            if match := _LICENCE.search(_link(part) or (part.text or "")):
                name, version = match.groups()
                if name == "zero":
                    return f"CC0 {version or '1.0'}"
                return f"CC {name.upper()}{f' {version}' if version else ''}"
        return None

    def _time(self) -> str | None:
        dates = list(children(self.meta, "pub-date")) if self.meta is not None else []
        stated = (
            "-".join(
                filter(None, (words_of(child(day, part)) for part in ("year", "month", "day")))
            )
            for day in dates
        )
        return min(filter(None, map(iso_time, stated)), default=None)


_NAMES = {"ack": "Acknowledgements", "notes": "Notes", "app": "Appendix"}


def _within(element: Element, name: str) -> list[Element]:
    return [part for part in element.iter() if local_name(part) == name]


def _floats(element: Element) -> Iterator[Element]:
    """Give the figures, tables and lists that stand inside a paragraph, outermost ones."""
    for part in element:
        if local_name(part) in _INSIDE_PARAGRAPH:
            yield part
        else:
            yield from _floats(part)


def _link(element: Element | None) -> str:
    attributes = element.attrib.items() if element is not None else ()
    return next((value for name, value in attributes if name.rpartition("}")[2] == "href"), "")


def _caption(element: Element) -> str:
    caption = child(element, "caption")
    if caption is None:
        return ""
    parts = [_prose(part) for part in children(caption, "title", "p")]
    return " ".join(part if part.endswith((".", "?", "!", ":")) else f"{part}." for part in parts)


def _prose(element: Element) -> str:
    """Give the text of an element, without formulas in TeX and citation numbers."""
    return " ".join("".join(_texts(element)).split())


def _texts(element: Element) -> Iterator[str]:
    yield element.text or ""
    for part in element:
        name = local_name(part)
        if name and name not in _NOT_READ and name not in _INSIDE_PARAGRAPH and not _cites(part):
            yield from _texts(part)
            if name in ("p", "title", "break", "list-item", "td", "term"):
                yield " "
        yield part.tail or ""


def _cites(element: Element) -> bool:
    """Tell a raised citation number: it would run into the word before it."""
    if local_name(element) == "sup":
        inside = list(element)
        return bool(inside) and all(each.get("ref-type") == "bibr" for each in inside)
    return False
