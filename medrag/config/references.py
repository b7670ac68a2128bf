"""Pictures that a table of reports, captions or cases already brings along."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from medrag.build import SourceFile

# Kinds whose records name pictures, with the words that belong to them.
_TABLES = frozenset({"report", "case", "captions", "nodes", "published", "radgraph"})
_MAX_BYTES = 256 * 1024 * 1024
_ENDING = re.compile(r"\.(?:jpe?g|png|webp|tiff?|bmp|gif|dcm)\b", re.IGNORECASE)
_LONGEST_PATH = 255


def referenced_pictures(files: Iterable[SourceFile]) -> Mapping[Path, Path]:
    """Find the picture files that a table of the same corpus names.

    Such a picture reaches the index with its report, caption or case; as a passage of its own it
    would stand there twice.

    Returns:
        Path of the picture to path of the table.
    """
    listed = list(files)
    pictures: dict[tuple[str, str], list[Path]] = {}
    for file in listed:
        if file.kind == "image":
            pictures.setdefault((file.corpus.name, file.path.name), []).append(file.path)
    shown: dict[Path, Path] = {}
    for file in listed if pictures else ():
        if file.kind in _TABLES:
            for name in _names(file.path):
                for picture in pictures.get((file.corpus.name, Path(name).name), ()):
                    if _meant(picture, name, file.path.parent):
                        shown.setdefault(picture, file.path)
    return shown


def names_pictures(table: Path) -> bool:
    """Tell whether a table names any picture in its first mebibyte; no, if it is gone."""
    try:
        with table.open("rb") as stream:
            head = stream.read(1 << 20)
    except OSError:
        return False
    return _ENDING.search(head.decode("utf-8", errors="replace")) is not None


def _names(table: Path) -> set[str]:
    """List the names of pictures in a table; none if it is very large, or gone meanwhile."""
    try:
        content = table.read_bytes() if table.stat().st_size <= _MAX_BYTES else b""
    except OSError:
        return set()
    text = content.decode("utf-8", errors="replace").replace("\\/", "/")
    found: set[str] = set()
    for match in _ENDING.finditer(text):
        before = text[max(0, match.start() - _LONGEST_PATH) : match.start()]
        # A name ends at the cell or value that holds it; in a list of names also at a separator.
        for separators in ('"<>|\t\n\r', '"<>|\t\n\r,;', "\"'<>|\t\n\r,; "):
            start = max(before.rfind(each) for each in separators) + 1
            found.add((before[start:] + match.group()).strip(" '"))
    return found


def _meant(picture: Path, name: str, folder: Path) -> bool:
    """Tell whether a name in a table of a folder can mean a picture at or below that folder."""
    if not picture.is_relative_to(folder):
        return False
    parts = Path(name).parts
    return picture.relative_to(folder).parts[-len(parts) :] == parts
