"""Word documents: paragraphs, headings by their styles, and tables, read from the archive."""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from medrag.errors import InputFileError
from medrag.ingestion.outline import Document, LeftOut, Outline
from medrag.ingestion.xmltree import child, children, local_name, parse_xml

PART_LIMIT = 64 * 1024 * 1024  # bytes of one part, unpacked
_BODY, _STYLES = "word/document.xml", "word/styles.xml"
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
# Parts of a paragraph that are not its text: what was moved away, and a second rendering of shapes.
_NOT_TEXT = {"moveFrom", "Fallback", "del", "instrText", "delText"}
_TITLE_LEVEL = 0


def read_docx(path: Path) -> Document:
    """Read a Word document. Its marks count paragraphs. Pictures inside are left out and counted.

    Raises:
        InputFileError: if the archive is damaged, has no text part, or a part is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            body = child(_part(archive, _BODY, path), "body")
            has_styles = _STYLES in archive.namelist()
            styles = _levels(_part(archive, _STYLES, path)) if has_styles else {}
            pictures = sum(name.startswith("word/media/") for name in archive.namelist())
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise InputFileError(path, f"not a readable Word document ({error}); is it cut?") from error
    outline = Outline()
    for number, block in enumerate(_blocks(body), start=1):
        if local_name(block) == "tbl":
            outline.table(_rows(block), number)
        else:
            _add_paragraph(outline, block, styles, number)
    outline.close()
    left_out: tuple[LeftOut, ...] = ()
    if pictures:
        left_out = (LeftOut("embedded", f"{pictures} pictures; save them beside it to read them"),)
    return Document(tuple(outline.sections), "paragraph", left_out)


def _part(archive: zipfile.ZipFile, name: str, path: Path) -> Element:
    try:
        with archive.open(name) as part:
            # The size that the archive declares may lie; what is read does not.
            data = part.read(PART_LIMIT + 1)
    except KeyError as error:
        raise InputFileError(path, f"an archive without {name}, no Word document") from error
    if len(data) > PART_LIMIT:
        limit = PART_LIMIT // 2**20
        raise InputFileError(path, f"{name} unpacks to more than {limit} MiB; split the document")
    return parse_xml(data, path, part=name)


def _levels(styles: Element) -> dict[str, int]:
    """Give the heading level of each style that has one; 0 for the title of the document."""
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    for style in children(styles, "style"):
        name, identifier = _value(child(style, "name")), _attribute(style, "styleId")
        outline_level = _value(child(style, "pPr", "outlineLvl"))
        if match := _HEADING.match(name):
            levels[identifier] = int(match.group(1))
        elif name.lower() == "title":
            levels[identifier] = _TITLE_LEVEL
        elif outline_level.isdigit() and int(outline_level) < 9:
            levels[identifier] = int(outline_level) + 1
        based[identifier] = _value(child(style, "basedOn"))
    for identifier in based:
        ancestor, steps = identifier, 0
        while ancestor and ancestor not in levels and steps < 20:
            ancestor, steps = based.get(ancestor, ""), steps + 1
        if levels.get(ancestor, _TITLE_LEVEL) != _TITLE_LEVEL:
            levels.setdefault(identifier, levels[ancestor])
    return levels


def _blocks(body: Element | None) -> Iterator[Element]:
    """Give paragraphs and tables in order, also those inside content controls."""
    for element in body if body is not None else ():
        name = local_name(element)
        if name in ("p", "tbl"):
            yield element
        elif name in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _blocks(element)


def _add_paragraph(
    outline: Outline, paragraph: Element, styles: Mapping[str, int], number: int
) -> None:
    text = _text(paragraph)
    properties = child(paragraph, "pPr")
    level = styles.get(_value(child(properties, "pStyle")))
    direct = _value(child(properties, "outlineLvl"))
    if level is None and direct.isdigit() and int(direct) < 9:
        level = int(direct) + 1
    if level == _TITLE_LEVEL and not outline.title:
        outline.title = " ".join(text.split())
    elif level:
        outline.heading(level, text)
    else:
        bullet = "- " if child(properties, "numPr") is not None and text.strip() else ""
        outline.paragraph(bullet + text, number)


def _rows(table: Element) -> list[list[str]]:
    return [
        [" ".join(_text(cell).split()) for cell in children(row, "tc")]
        for row in children(table, "tr")
    ]


def _text(element: Element) -> str:
    return "".join(_runs(element)).strip()


def _runs(element: Element) -> Iterator[str]:
    for part in element:
        name = local_name(part)
        if name == "t":
            yield part.text or ""
        elif name in ("tab", "ptab"):
            yield "\t"
        elif name in ("br", "cr"):
            yield "\n"
        elif name == "noBreakHyphen":
            yield "-"
        elif name not in _NOT_TEXT and name not in ("pPr", "rPr"):
            yield from _runs(part)
            if name == "p":
                yield "\n"


def _value(element: Element | None) -> str:
    return _attribute(element, "val") if element is not None else ""


def _attribute(element: Element, name: str) -> str:
    return next((v for k, v in element.attrib.items() if k.rpartition("}")[2] == name), "")
