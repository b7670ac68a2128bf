"""Binary files told apart by their first bytes: documents, pictures, volumes, archives."""

import re
import struct
import zlib

IMAGE_MAGICS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"), (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)  # fmt: skip
# Sizes that the second header of a BMP can have; "BM" alone begins many a text.
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_ZIP_KINDS = (
    (b"word/", "docx"), (b"xl/", "an Excel workbook"), (b"ppt/", "a PowerPoint file"),
    (b"mimetypeapplication/epub+zip", "an EPUB book"),
    (b"mimetypeapplication/vnd.oasis", "an OpenDocument file"),
)  # fmt: skip
_VALUE_TYPES = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR"
    b" US UT UV".split()
)
_LONG_TYPES = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


def image_format(head: bytes) -> str | None:
    """Name the picture format of a file by its first bytes, or None."""
    for magic, name in IMAGE_MAGICS:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith(b"BM") and len(head) >= 18:
        return "BMP" if struct.unpack_from("<I", head, 14)[0] in _BMP_HEADERS else None
    return None


def is_pdf(head: bytes) -> bool:
    """Tell a PDF: its header may stand anywhere in the first 1024 bytes (PDF 1.7, H.3)."""
    return b"%PDF-" in head[:1024]


def is_dicom(head: bytes) -> bool:
    """Tell a DICOM file, with its preamble or, as old files are, beginning with its elements."""
    if head[128:132] == b"DICM":
        return True
    return _begins_with_elements(head)


def is_nifti(head: bytes) -> bool:
    """Tell a NIfTI-1 or NIfTI-2 header, packed by gzip or not."""
    header = unpacked(head, 560) if head.startswith(b"\x1f\x8b") else head
    if header[344:348] in (b"n+1\x00", b"ni1\x00"):
        return header[:4] in (struct.pack("<i", 348), struct.pack(">i", 348))
    return header[4:12] in (b"n+2\x00\r\n\x1a\n", b"ni2\x00\r\n\x1a\n")


def unpacked(head: bytes, size: int) -> bytes:
    """Unpack at most `size` bytes of a gzip file's beginning; empty if it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, size)
    except zlib.error:
        return b""


def zip_kind(head: bytes) -> str:
    """Say what a zip archive is by the names of its first members: "docx", or words for others."""
    return next((name for mark, name in _ZIP_KINDS if mark in head), "a zip archive")


def other_format(head: bytes) -> str | None:
    """Name formats that medrag knows by sight only, for a message."""
    marks = (
        (b"\xd0\xcf\x11\xe0", "an old Office file (.doc, .xls, .ppt)"), (b"{\\rtf", "an RTF text"),
        (b"7z\xbc\xaf", "a 7z archive"), (b"Rar!", "a RAR archive"), (b"SQLite format 3", "SQLite"),
        (b"PAR1", "a Parquet table"), (b"\x93NUMPY", "a NumPy array"), (b"\x89HDF", "an HDF5 file"),
        (b"\x00\x00\x00\x0cjP", "a JPEG 2000 picture"), (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"), (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ", "an xz archive"), (b"%!PS", "a PostScript file"), (b"NRRD", "an NRRD volume"),
    )  # fmt: skip
    return next((name for mark, name in marks if head.startswith(mark)), None)


def _begins_with_elements(head: bytes) -> bool:
    # Three data elements in ascending order, the first in group 0002 or 0008, with lengths that
    # stay small: no text and no other format looks so.
    place, last = 0, (0, 0)
    for number in range(3):
        if len(head) < place + 8:
            return False
        tag = struct.unpack_from("<HH", head, place)
        length, start = _element_length(head, place)
        if tag <= last or length % 2 or length > 4096 or (number == 0 and tag[0] not in (2, 8)):
            return False
        place, last = start + length, tag
    return True


def _element_length(head: bytes, place: int) -> tuple[int, int]:
    if head[place + 4 : place + 6] not in _VALUE_TYPES:
        return struct.unpack_from("<I", head, place + 4)[0], place + 8
    if head[place + 4 : place + 6] in _LONG_TYPES and len(head) >= place + 12:
        return struct.unpack_from("<I", head, place + 8)[0], place + 12
    return struct.unpack_from("<H", head, place + 6)[0], place + 8


_XML_ROOT = re.compile(
    r"(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>|\s)*<([A-Za-z_][\w.\-]*:)?([\w.\-]+)",
    re.DOTALL,
)


def xml_root(text: str) -> str | None:
    """Give the local name of the first element of a markup text, or None."""
    match = _XML_ROOT.match(text)
    return match.group(2) if match else None
