"""Picture files without words: PNG, JPEG, WebP, TIFF, BMP, GIF, JPEG 2000, portable maps."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medrag.images import identified, spread
from medrag.images.raster import raster_format, raster_frames
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import Corpus, ImageRef, Passage, Skipped, Source, passage_id

# Endings by format, in the names that Pillow and `medrag.images.formats` give.
SUFFIXES = {
    "PNG": {".png"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "WEBP": {".webp"},
    "TIFF": {".tif", ".tiff"},
    "BMP": {".bmp", ".dib"},
    "DIB": {".bmp", ".dib"},
    "GIF": {".gif"},
    "JPEG2000": {".jp2", ".j2k", ".jpx"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm"},
}
_OTHER_PROMISES = {".pdf", ".dcm", ".nii", ".docx", ".html", ".txt", ".csv", ".json", ".zip"}
_PROMISES = _OTHER_PROMISES.union(*SUFFIXES.values())


class ImageIngestor:
    """One picture file, or the frames of one TIFF, found by looks alone: it has no text.

    Nothing is taken from the file's metadata, and no word from its name or folders, which may hold
    the name of a patient; `folder_titles` makes the names of its folders below the corpus root
    searchable, for collections whose folders are classes ("pneumonia/0012.png"). Captions come
    with a table (`medrag.ingestion.captions`).

    Args:
        corpus: the corpus of the file.
        key: not needed here; every ingestor takes one.
        max_frames: of a TIFF of many frames, evenly spaced. Of an animation (GIF, WebP) the first
            frame is taken.
        folder_titles: see above.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        key: bytes = b"",
        max_frames: int = 16,
        folder_titles: bool = False,
    ) -> None:
        if max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {max_frames}")
        self.corpus = corpus
        self.key = key
        self.max_frames = max_frames
        self.folder_titles = folder_titles

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield a passage per frame, and a note if the file is not what its name says.

        Raises:
            InputFileError: if any of the frames cannot be read; nothing is yielded then.
        """
        source = source_of(self.corpus, path, sha256=file_sha256(path))
        kind = raster_format(path)
        n_frames = raster_frames(path) if kind == "TIFF" else 1
        chosen = spread(n_frames, self.max_frames)
        refs = [ImageRef(str(path), frame=frame if n_frames > 1 else None) for frame in chosen]
        passages = [picture_passage(source, [ref], "", self._fields(source)) for ref in refs]
        suffix = path.suffix.lower()
        if suffix in _PROMISES and suffix not in SUFFIXES.get(kind, {suffix}):
            yield Skipped(source, "misnamed", f"named {suffix}, but it is a {kind} picture")
        yield from left_out(source, n_frames, len(chosen), "frames")
        yield from passages

    def _fields(self, source: Source) -> dict[str, Any]:
        folders = source.document.split("/")[:-1] if self.folder_titles else []
        title = " ".join(" ".join(folders).replace("_", " ").replace("-", " ").split())
        return {"title": title} if title else {}


def picture_passage(
    source: Source, refs: Sequence[ImageRef], text: str, fields: dict[str, Any]
) -> Passage:
    """Make the passage of pictures in the file of `source`, decoding what is not identified yet.

    Raises:
        InputFileError: if a picture cannot be read.
    """
    stored = tuple(replace(identified(ref), path=source.document) for ref in refs)
    name = passage_id("image", source, text, stored)
    return Passage(name, "image", text, source, stored, fields)


def left_out(source: Source, n: int, n_chosen: int, things: str) -> Sequence[Skipped]:
    """Say how many frames or slices stand for no passage; empty if all do."""
    if n_chosen >= n:
        return ()
    return (Skipped(source, "not_chosen", f"{n - n_chosen} of {n} {things}"),)
