"""XML as a tree, without entities of its own, external references or documents beyond a limit."""

import html.entities
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.parsers import expat

from medrag.errors import InputFileError

SIZE_LIMIT = 256 * 1024 * 1024  # bytes of a file
DEPTH_LIMIT = 200  # elements within elements
# What editors of ontologies write for their namespaces: `<!ENTITY owl "http://...#">`. Such an
# entity is short and holds no other one, so that it cannot grow.
_NAMESPACE = re.compile(r"(https?|urn):[^\s&%<]{1,200}")


def read_xml(path: Path) -> Element:
    """Parse an XML file.

    Raises:
        InputFileError: if it cannot be read, is too large, is not well-formed, declares entities
            (which could expand without end, or name other files), or nests too deeply.
    """
    return parse_xml(read_bytes(path), path)


def read_bytes(path: Path, *, limit: int = SIZE_LIMIT) -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        InputFileError: if it cannot be read, is empty or is larger.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise InputFileError(
                path, f"has {size} bytes, more than the limit of {limit}; split it into parts"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from error
    if not data.strip():
        raise InputFileError(path, "empty; nothing to read")
    return data


def parse_xml(data: bytes, path: Path, *, part: str | None = None) -> Element:
    """Parse XML bytes of a file, or of a named part of it.

    Raises:
        InputFileError: as `read_xml`.
    """
    refuse_entities(data, path)
    parser = ET.XMLParser()  # noqa: S314
    # Articles may use the names of HTML ("&nbsp;") that their external DTD, never read, defines.
    parser.entity.update({name.rstrip(";"): text for name, text in html.entities.html5.items()})
    try:
        root = ET.fromstring(data, parser)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise _not_well_formed(path, error, part) from error
    if _depth(root) > DEPTH_LIMIT:
        raise InputFileError(path, f"nests more than {DEPTH_LIMIT} elements deep", place=part)
    return root


def refuse_entities(data: bytes, path: Path, *, namespaces: bool = False) -> None:
    """Refuse XML that declares entities; with `namespaces`, abbreviated addresses are allowed.

    Raises:
        InputFileError: if an entity is declared in the document type.
    """
    scout = expat.ParserCreate()

    def declared(name: str, is_parameter: bool, value: str | None, *_: object) -> None:
        harmless = namespaces and not is_parameter and value and _NAMESPACE.fullmatch(value)
        if not harmless:
            raise InputFileError(
                path,
                f"declares the entity {name!r}, which medrag refuses, because entities can expand "
                "without end or name other files; save the file without its document type",
                place=f"line {scout.CurrentLineNumber}",
            )

    def begun(*_: object) -> None:
        raise _PrologEndsError

    scout.EntityDeclHandler = declared
    scout.StartElementHandler = begun
    try:
        scout.Parse(data, True)
    except _PrologEndsError:
        return
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _not_well_formed(path, error, None) from error


def local_name(element: Element) -> str:
    """Give the tag of an element without its namespace; "" for a comment."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: Element, *names: str) -> Iterator[Element]:
    """Give the child elements of these local names, in order."""
    return (child for child in element if local_name(child) in names)


def child(element: Element | None, *path: str) -> Element | None:
    """Follow a path of local names, taking the first child of each; None where it breaks off."""
    for name in path:
        element = next(children(element, name), None) if element is not None else None
    return element


def words_of(element: Element | None) -> str:
    """Give all text of an element, white space folded; "" for None."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


class _PrologEndsError(Exception):
    """The first element begins, so that no further entity can be declared."""


def _not_well_formed(path: Path, error: Exception, part: str | None) -> InputFileError:
    line = getattr(error, "lineno", None) or next(iter(getattr(error, "position", ())), None)
    place = ", ".join(filter(None, (part, f"line {line}" if line else None))) or None
    return InputFileError(path, f"not well-formed XML ({error}); is it cut off?", place=place)


def _depth(root: Element) -> int:
    depth, level = 0, [root]
    while level and depth <= DEPTH_LIMIT:
        depth, level = depth + 1, [child for element in level for child in element]
    return depth
