"""Made-up rows in the official shapes: a folder of each, with tiny pictures drawn on demand."""

import shutil
import struct
import zlib
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"


def made(name: str, into: Path) -> Path:
    """Copy a fixture and draw every picture that its pictures.txt lists."""
    folder = into / name
    shutil.copytree(FIXTURES / name, folder)
    listed = folder / "pictures.txt"
    names = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    for number, each in enumerate(names):
        path = folder / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    listed.unlink(missing_ok=True)
    return folder


def png(number: int) -> bytes:
    """Draw a PNG of 2 x 2 pixels, another for each number below 256."""
    row = b"\0" + bytes([number % 256, number * 91 % 256, number * 53 % 256]) * 2
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(row * 2))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum
