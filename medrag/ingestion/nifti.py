"""NIfTI volumes: chosen slices of a scan, as pictures."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.identity import pseudonym
from medrag.images import Volume, read_volume, spread
from medrag.images.volume import is_hounsfield
from medrag.ingestion.image import picture_passage
from medrag.ingestion.sources import document_of, file_sha256, source_of
from medrag.records import Corpus, ImageRef, Passage, Skipped, Source

PLANES = ("sagittal", "coronal", "axial")

# Fewer slices than this make a strip, not a picture, when a scan is cut across them.
_MIN_ACROSS = 16
# More labels than any map of organs in common use would have; fewer grey values than any scan.
_MAX_LABELS = 32
# Names after the Brain Imaging Data Structure: "sub-01_ses-2_T1w.nii.gz".
_BIDS = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)(?:[/_](ses-[A-Za-z0-9]+))?")


@dataclass(frozen=True, slots=True)
class _Slice:
    """Where to cut: the axis of (x, y, z), the index along it, and how many there are."""

    axis: int
    index: int
    n: int


class NiftiIngestor:
    """Slices of one volume: evenly spaced axial ones, and the middle coronal and sagittal ones.

    Axial slices are the middles of `axial` equal stretches of the scan along the body; a scan of
    fewer than 16 slices is not cut across. A slice of one value is left out. A file of few whole
    values is taken for a mask and left out with a note. Of a series (four dimensions) the first
    volume counts.

    Subject and study are taken from names after BIDS ("sub-01/ses-2/...") and hashed; free text of
    the header is never read. The picture of a slice follows `medrag.images.volume.read_slice`.

    Args:
        corpus: the corpus of the file; its domain is radiology unless it says another.
        key: for the hashes of subject and study (`medrag.identity`).
        axial: how many axial slices.
        volume: make one passage of the scan, which holds its axial slices as pictures, in place of
            one for each slice: what is found then is a scan (`medrag.encoding.volume`).
    """

    def __init__(self, *, corpus: Corpus, key: bytes, axial: int = 8, volume: bool = False) -> None:
        if axial < 1:
            raise ValueError(f"axial must be at least 1, got {axial}")
        self.corpus = corpus
        self.key = key
        self.axial = axial
        self.volume = volume

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield a passage per chosen slice, or one of them all.

        Raises:
            InputFileError: if the volume cannot be read whole; nothing is yielded then.
        """
        volume = read_volume(path)
        source = self._source(path)
        if _is_mask(volume.values):
            yield Skipped(source, "not_a_picture", "few whole values from 0: a mask, not a scan")
            return
        cuts = _cuts(volume.values.shape, self.axial, across=not self.volume)
        filled = [cut for cut in cuts if np.ptp(_plane(volume, cut)) > 0]
        if self.volume:
            passages = [_whole(path, source, volume, filled)] if filled else []
        else:
            passages = [_passage(path, source, volume, cut) for cut in filled]
        if len(filled) < len(cuts):
            yield Skipped(source, "blank", f"{len(cuts) - len(filled)} of {len(cuts)} slices")
        if volume.n_times > 1:
            detail = f"{volume.n_times - 1} of {volume.n_times} volumes of the series"
            yield Skipped(source, "not_chosen", detail)
        yield from passages

    def _source(self, path: Path) -> Source:
        named = _BIDS.search(document_of(self.corpus, path))
        subject, session = named.groups() if named else (None, None)
        return source_of(
            self.corpus,
            path,
            sha256=file_sha256(path),
            domain=self.corpus.domain or "radiology",
            subject=pseudonym(subject, self.key) if subject else None,
            study=pseudonym(f"{subject}/{session}", self.key) if session else None,
        )


def _cuts(shape: tuple[int, ...], axial: int, *, across: bool) -> list[_Slice]:
    """Choose slices of a volume of shape (z, y, x), axial ones first, from the feet up."""
    z, y, x = shape
    cuts = [_Slice(2, index, z) for index in spread(z, axial)]
    if across and z >= _MIN_ACROSS:
        cuts += [_Slice(1, y // 2, y), _Slice(0, x // 2, x)]
    return cuts


def _plane(volume: Volume, cut: _Slice) -> NDArray[np.float32]:
    plane: NDArray[np.float32] = np.take(volume.values, cut.index, axis=2 - cut.axis)
    return plane


def _passage(path: Path, source: Source, volume: Volume, cut: _Slice) -> Passage:
    plane = PLANES[cut.axis]
    text = f"{plane.capitalize()} slice {cut.index + 1} of {cut.n}, {_kind(volume)}."
    return picture_passage(source, [_ref(path, cut)], text, _fields(volume, plane))


def _whole(path: Path, source: Source, volume: Volume, cuts: Sequence[_Slice]) -> Passage:
    first, last = cuts[0], cuts[-1]
    text = f"Axial slices {first.index + 1} to {last.index + 1} of {last.n}, {_kind(volume)}."
    fields = _fields(volume, PLANES[2])
    return picture_passage(source, [_ref(path, cut) for cut in cuts], text, fields)


def _ref(path: Path, cut: _Slice) -> ImageRef:
    return ImageRef(str(path), axis=cut.axis, slice=cut.index)


def _kind(volume: Volume) -> str:
    return "computed tomography" if is_hounsfield(volume.values) else "scan"


def _fields(volume: Volume, plane: str) -> dict[str, Any]:
    fields = {"plane": plane, "spacing": [round(mm, 4) for mm in volume.spacing]}
    return fields | ({"modality": "CT"} if is_hounsfield(volume.values) else {})


def _is_mask(values: NDArray[np.float32]) -> bool:
    """Tell a map of labels: at most 32 different whole numbers from 0.

    A volume that is not whole is told from its first thousands of values.
    """
    head = values.ravel()[: 1 << 14]
    if values.min() < 0 or not np.array_equal(head, np.floor(head)):
        return False
    sample = values if values.size <= 1 << 24 else values.ravel()[:: values.size >> 24]
    labels = np.unique(sample)
    return len(labels) <= _MAX_LABELS and bool(np.array_equal(labels, np.floor(labels)))
