"""What a picture file is, by its first bytes and never by its name."""

import gzip
import zlib
from pathlib import Path
from typing import Literal

Format = Literal["raster", "dicom", "nifti", "pdf"]

# NIfTI-1 and -2 headers have 348 and 540 bytes; PDF allows other bytes before its mark.
_HEAD = 1024
_RASTER = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
    b"II+\0", b"MM\0+", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51",
)  # fmt: skip


def format_of(path: Path) -> Format | None:
    """Tell what kind of picture a file is; None for anything else, such as an empty file.

    Raises:
        OSError: if the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    # The preamble of a DICOM file may be the header of a TIFF for the same pixels.
    if is_dicom_header(head):
        return "dicom"
    if _is_raster(head):
        return "raster"
    if is_nifti_header(_unzipped(path) if head[:2] == b"\x1f\x8b" else head):
        return "nifti"
    return "pdf" if b"%PDF-" in head else None


def is_dicom_header(head: bytes) -> bool:
    """Recognise a DICOM file, also one without preamble: its first element has group 0002 or 0008.

    `head` needs the first 132 bytes.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] != 0:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    implicit = int.from_bytes(head[4:8], "little") <= 64 and head[2] <= 0x18
    return explicit or implicit


def is_nifti_header(head: bytes) -> bool:
    """Recognise a NIfTI-1 or -2 header, also one whose values stand in a separate file."""
    size = {head[:4], head[:4][::-1]}
    if (348).to_bytes(4, "little") in size:
        return head[344:348] in (b"n+1\0", b"ni1\0")
    return (540).to_bytes(4, "little") in size and head[4:8] in (b"n+2\0", b"ni2\0")


def _is_raster(head: bytes) -> bool:
    if head.startswith(_RASTER) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    # Portable grey and colour maps, in which some mammography collections are kept.
    return (
        head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n#" and len(head) > 8
    )


def _unzipped(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") as file:
            return file.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""
