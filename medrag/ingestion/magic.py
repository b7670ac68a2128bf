"""Files that are no pictures told apart by how they begin: archives, documents, XML."""

import re

_ZIP_KINDS = (
    (b"word/", "docx"), (b"xl/", "an Excel workbook"), (b"ppt/", "a PowerPoint file"),
    (b"mimetypeapplication/epub+zip", "an EPUB book"),
    (b"mimetypeapplication/vnd.oasis", "an OpenDocument file"),
)  # fmt: skip


def zip_kind(head: bytes) -> str:
    """Say what a zip archive is by the names of its first members: "docx", or words for others."""
    return next((name for mark, name in _ZIP_KINDS if mark in head), "a zip archive")


def other_format(head: bytes) -> str | None:
    """Name formats that medrag knows by sight only, for a message."""
    marks = (
        (b"\xd0\xcf\x11\xe0", "an old Office file (.doc, .xls, .ppt)"), (b"{\\rtf", "an RTF text"),
        (b"7z\xbc\xaf", "a 7z archive"), (b"Rar!", "a RAR archive"), (b"SQLite format 3", "SQLite"),
        (b"PAR1", "a Parquet table"), (b"\x93NUMPY", "a NumPy array"), (b"\x89HDF", "an HDF5 file"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"), (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ", "an xz archive"), (b"%!PS", "a PostScript file"), (b"NRRD", "an NRRD volume"),
    )  # fmt: skip
    return next((name for mark, name in marks if head.startswith(mark)), None)


_XML_ROOT = re.compile(
    r"(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>|\s)*<([A-Za-z_][\w.\-]*:)?([\w.\-]+)",
    re.DOTALL,
)


def xml_root(text: str) -> str | None:
    """Give the local name of the first element of a markup text, or None."""
    match = _XML_ROOT.match(text)
    return match.group(2) if match else None
