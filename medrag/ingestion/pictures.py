"""The pictures that records name: found beside the file, kept inside its folder, identified."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medrag.errors import InputFileError, UnsafePathError
from medrag.images import identified, within
from medrag.ingestion.sources import document_of
from medrag.records import Corpus, ImageRef, Skipped, Source

FOLDERS = ("", "images", "image", "img", "figures")


@dataclass(frozen=True, slots=True)
class Found:
    """The pictures of one record, and what is to be said of those that were not found."""

    images: tuple[ImageRef, ...]
    skipped: tuple[Skipped, ...]


class Pictures:
    """Find and identify the pictures that the records of one file name.

    A name is looked up in the record's folder (or the file's), then in its subfolders `FOLDERS`;
    it never leads out of the file's folder. A picture named twice is decoded once.
    """

    def __init__(self, *, corpus: Corpus, file: Path) -> None:
        self.corpus = corpus
        self.folder = file.parent
        self.known: dict[str, ImageRef | tuple[str, str]] = {}

    def of(self, names: Sequence[str], folder: str, source: Source, place: str) -> Found:
        """Find the pictures of a record at `place`; each one that fails gives a `Skipped`."""
        images, skipped = [], []
        for name in names:
            found = self._cached(f"{folder}/{name}" if folder else name)
            if isinstance(found, ImageRef):
                images.append(found)
            else:
                reason, problem = found
                failed = reason != "missing_image"
                skipped.append(Skipped(source, reason, f"{place}: {problem}", failed))
        return Found(tuple(dict.fromkeys(images)), tuple(skipped))

    def _cached(self, name: str) -> ImageRef | tuple[str, str]:
        if name not in self.known:
            self.known[name] = self._find(name)
        return self.known[name]

    def _find(self, name: str) -> ImageRef | tuple[str, str]:
        try:
            for folder in FOLDERS:
                path = within(self.folder, Path(folder) / name)
                if path.is_file():
                    return self._identified(path)
        except UnsafePathError:
            return "unsafe_path", f"the picture {name!r} lies outside the folder of the file"
        except InputFileError as error:
            return "unreadable", f"the picture {name!r}: {error.problem}"
        except OSError as error:
            return "unreadable", f"the picture {name[:80]!r} cannot be opened ({error.strerror})"
        looked = " or ".join(f"{folder}/" for folder in FOLDERS[1:2])
        return "missing_image", f"no picture {name!r} beside the file or in {looked}"

    def _identified(self, path: Path) -> ImageRef:
        stored = document_of(self.corpus, path)
        return replace(identified(ImageRef(path=str(path))), path=stored)
