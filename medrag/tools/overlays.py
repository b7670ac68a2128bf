"""Pictures that come from a server and go to one, as PNG in data URLs."""

import base64
import binascii
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MedragError
from medrag.images import perceptual_hash, pixel_sha256, read_image
from medrag.images.given import png
from medrag.records import ImageRef

_START = "data:image/png;base64,"
_PNG = b"\x89PNG\r\n\x1a\n"
# Of one picture as it is sent; a mask of a radiograph has a few hundred kB.
_LARGEST = 64 << 20


def data_url(pixels: NDArray[np.uint8]) -> str:
    """Write a picture, (h, w, 3) RGB, as PNG in a data URL."""
    return _START + base64.b64encode(png(pixels)).decode()


def kept(url: str, folder: Path, *, sender: str) -> ImageRef:
    """Keep a picture that a server sent as a file named by its pixels.

    The file is written anew from the pixels, so that nothing else of what was sent is kept.

    Args:
        url: a data URL with a PNG.
        folder: made if it is not there.
        sender: for the message.

    Raises:
        MedragError: if it is no PNG, is too large, or cannot be kept.
    """
    raw = _decoded(url, sender)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _written(folder, raw) as temporary:
            pixels = read_image(ImageRef(str(temporary)))
        digest = pixel_sha256(pixels)
        path = folder.resolve() / f"{digest}.png"
        if not path.exists():
            with _written(folder, png(pixels)) as temporary:
                temporary.replace(path)
    except OSError as error:
        raise MedragError(f"a picture of {sender} cannot be kept in {folder}: {error}") from error
    return ImageRef(str(path), sha256=digest, phash=perceptual_hash(pixels))


def _decoded(url: str, sender: str) -> bytes:
    if not url.startswith(_START):
        raise MedragError(f"{sender} sent a picture that is no data URL; expected {_START}...")
    if len(url) > _LARGEST:
        raise MedragError(f"{sender} sent a picture of more than {_LARGEST >> 20} MB; scale it")
    try:
        raw = base64.b64decode(url[len(_START) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise MedragError(f"{sender} sent a picture whose base64 is broken: {error}") from error
    if not raw.startswith(_PNG):
        raise MedragError(f"{sender} sent a picture that is no PNG; send PNG")
    return raw


@contextmanager
def _written(folder: Path, content: bytes) -> Iterator[Path]:
    """Write a file that is gone behind the block unless it was renamed."""
    path = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        with path.open("xb") as file:
            file.write(content)
        yield path
    finally:
        path.unlink(missing_ok=True)
