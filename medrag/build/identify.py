"""Name the pictures of passages by their pixels, each decoded once."""

import logging
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from medrag.errors import InputFileError, MissingExtraError, UnsafePathError
from medrag.images import identified, within
from medrag.records import PICTURED, ImageRef, Passage, Skipped

_LOG = logging.getLogger(__name__)

# Cases of one file often share a picture.
_REMEMBERED = 4096


class PictureNames:
    """Fill in the hashes of the pictures of passages of one corpus."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._known: OrderedDict[ImageRef, ImageRef | _Fault] = OrderedDict()

    def named(self, passage: Passage) -> Iterator[Passage | Skipped]:
        """Yield the passage with hashed pictures, after what was wrong with any of them.

        A picture that cannot be decoded is left out; a passage of which nothing remains is too.
        """
        if passage.kind not in PICTURED or not passage.images:
            yield passage
            return
        images = []
        for image in passage.images:
            named = self._named(image)
            if isinstance(named, ImageRef):
                images.append(named)
            else:
                yield Skipped(passage.source, *named, failed=True)
        if images or passage.text:
            yield replace(passage, images=tuple(images))

    def _named(self, image: ImageRef) -> "ImageRef | _Fault":
        if image.sha256 is not None and image.phash is not None:
            return image
        if image not in self._known:
            self._known[image] = self._decoded(image)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[image]

    def _decoded(self, image: ImageRef) -> "ImageRef | _Fault":
        try:
            found = identified(replace(image, path=str(within(self._root, image.path))))
        except UnsafePathError as error:
            return _Fault("unsafe_path", str(error))
        except InputFileError as error:
            return _Fault("unreadable" if error.path.exists() else "missing_image", str(error))
        except MissingExtraError as error:
            return _Fault("missing_extra", f"{image.path}: {error}")
        # Decoders meet files that nobody foresaw; the text of the passage must not suffer.
        except Exception as error:  # noqa: BLE001 - logged, and reported as skipped
            _LOG.debug("%s", image.path, exc_info=True)
            return _Fault("unreadable", f"{image.path}: {type(error).__name__}: {error}")
        return replace(image, sha256=found.sha256, phash=found.phash)


class _Fault(NamedTuple):
    reason: str
    detail: str
