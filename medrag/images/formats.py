"""What a picture file is, by its first bytes and never by its name."""

import re
import struct
import zlib
from pathlib import Path
from typing import Literal

Format = Literal["raster", "dicom", "nifti", "pdf"]

# Bytes that tell a picture: three elements of a DICOM file without preamble, of 4 KiB at most each.
HEAD = 1 << 14

_RASTERS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"), (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)  # fmt: skip
# Sizes that the second header of a BMP can have; "BM" alone begins many a text.
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
# Portable grey and colour maps, in which some mammography collections are kept.
_PORTABLE_MAP = re.compile(rb"P[1-6](?:\s+#[^\n]*)*\s+\d+\s+(?:#[^\n]*\s+)*\d+\s")
_VALUE_TYPES = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR"
    b" US UT UV".split()
)
_LONG_TYPES = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_LONGEST_ELEMENT = 4096


def format_of(path: Path) -> Format | None:
    """Tell what kind of picture a file is; None for anything else, such as an empty file.

    Raises:
        OSError: if the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    # The preamble of a DICOM file may be the header of a TIFF for the same pixels.
    if is_dicom_header(head):
        return "dicom"
    if raster_name(head) is not None:
        return "raster"
    if is_nifti_header(head):
        return "nifti"
    return "pdf" if is_pdf_header(head) else None


def raster_name(head: bytes) -> str | None:
    """Name the format of a picture file as Pillow does ("PNG"), by its first bytes, or None."""
    for magic, name in _RASTERS:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith(b"BM") and len(head) >= 18:
        return "BMP" if struct.unpack_from("<I", head, 14)[0] in _BMP_HEADERS else None
    return "PPM" if _PORTABLE_MAP.match(head) else None


def is_dicom_header(head: bytes) -> bool:
    """Recognise a DICOM file, also one without preamble, by its first `HEAD` bytes."""
    return head[128:132] == b"DICM" or _begins_with_elements(head)


def is_nifti_header(head: bytes) -> bool:
    """Recognise a NIfTI-1 or -2 header, zipped or not, also one whose values stand elsewhere."""
    if head.startswith(b"\x1f\x8b"):
        head = _unzipped(head)
    size = {head[:4], head[:4][::-1]}
    if (348).to_bytes(4, "little") in size:
        return head[344:348] in (b"n+1\0", b"ni1\0")
    return (540).to_bytes(4, "little") in size and head[4:8] in (b"n+2\0", b"ni2\0")


def is_pdf_header(head: bytes) -> bool:
    """Recognise a PDF: its mark may stand anywhere in the first 1024 bytes (PDF 1.7, H.3)."""
    return b"%PDF-" in head[:1024]


def _begins_with_elements(head: bytes) -> bool:
    """Tell three data elements in ascending order, the first in group 0002 or 0008.

    With lengths that stay small, no text and no other format looks so.
    """
    place, last = 0, (0, 0)
    for number in range(3):
        if len(head) < place + 8:
            return False
        tag = struct.unpack_from("<HH", head, place)
        length, start = _element_length(head, place)
        if tag <= last or length % 2 or length > _LONGEST_ELEMENT:
            return False
        if number == 0 and tag[0] not in (2, 8):
            return False
        place, last = start + length, tag
    return True


def _element_length(head: bytes, place: int) -> tuple[int, int]:
    """Read how long an element's value is and where it begins."""
    if head[place + 4 : place + 6] not in _VALUE_TYPES:
        return struct.unpack_from("<I", head, place + 4)[0], place + 8
    if head[place + 4 : place + 6] in _LONG_TYPES and len(head) >= place + 12:
        return struct.unpack_from("<I", head, place + 8)[0], place + 12
    return struct.unpack_from("<H", head, place + 6)[0], place + 8


def _unzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 560)
    except zlib.error:
        return b""
