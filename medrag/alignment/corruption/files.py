"""Pictures that were made, kept as files that their content names."""

from pathlib import Path

from medrag.alignment.corruption.drawing import Picture
from medrag.errors import InputFileError, MedragError
from medrag.images import identified, pixel_sha256, read_image
from medrag.images.given import png
from medrag.indexing.durable import write_atomically
from medrag.records import ImageRef


def write_picture(picture: Picture, folder: Path) -> ImageRef:
    """Write a picture as PNG, named by the SHA-256 of its pixels; one that is there stays.

    Args:
        picture: (h, w, 3) RGB.
        folder: made where it is missing.

    Returns:
        The file by its absolute path, with the hashes of its pixels.

    Raises:
        InputFileError: if a file of that name holds something else; it is not written over.
        MedragError: if the file cannot be written.
    """
    sha256 = pixel_sha256(picture)
    path = folder.absolute() / f"{sha256}.png"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, png(picture))
            return identified(ImageRef(str(path)), picture)
    except OSError as error:
        raise MedragError(
            f"{path} cannot be written ({error.strerror or error}); make room on the disk, or name "
            "a folder that may be written to"
        ) from error
    if pixel_sha256(read_image(ImageRef(str(path)))) != sha256:
        raise InputFileError(
            path, "holds another picture than its name says; delete it, it is made anew"
        )
    return identified(ImageRef(str(path)), picture)
