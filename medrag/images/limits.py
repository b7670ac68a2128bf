"""How large a picture may be, and what a broken one may raise."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medrag.errors import InputFileError, MedragError

# 10^8 pixels are 300 MB of RGB: four times a 24-megapixel mammogram and a page at 1,000 dpi, but
# small enough that a file made to exhaust memory (40,000 x 40,000 would be 4.8 GB) does no harm.
# Whole-slide images lie above it; they need a reader of tiles.
MAX_PIXELS = 100_000_000
TOO_LARGE = (
    f"the picture has more than the {MAX_PIXELS:,} pixels that are read at once; scale it down or "
    "cut it into tiles"
)
# 2^29 voxels are 2 GiB of float32: a scan of 512 x 512 x 2,048.
MAX_VOXELS = 2**29


def check_size(path: Path, width: int, height: int, *, place: str | None = None) -> None:
    """Refuse a picture without pixels, or with more than `MAX_PIXELS`, before it is decoded."""
    if width < 1 or height < 1:
        raise InputFileError(path, f"the picture has {width} x {height} pixels", place=place)
    if width * height > MAX_PIXELS:
        raise InputFileError(path, f"{width} x {height} pixels: {TOO_LARGE}", place=place)


@contextmanager
def decoding(
    path: Path, kind: str, *, place: str | None = None, quoted: bool = True
) -> Iterator[None]:
    """Name the file when a library fails on it, and keep the library's warnings to itself.

    Readers of foreign formats raise nearly anything on a damaged file. `kind` is what the file was
    taken for, such as "DICOM picture". With `quoted` False the library's words stay out, because
    they may repeat what a header holds about a patient.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MedragError:
        raise
    except FileNotFoundError as error:
        raise InputFileError(path, "the file does not exist", place=place) from error
    except PermissionError as error:
        raise InputFileError(path, "the file may not be read", place=place) from error
    except Exception as error:
        words = " ".join(str(error).split())[:300] if quoted else ""
        reason = words or type(error).__name__
        raise InputFileError(
            path, f"cannot be read as a {kind}: {reason}; is it whole?", place=place
        ) from error
