"""Small DICOM files, and what is read of them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
)

from medrag.images import read_image
from medrag.ingestion.dicom import DicomIngestor
from medrag.records import Corpus, ImageRef, Passage, Skipped

KEY = b"0123456789abcdef"
CT, CR, SECONDARY = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1", (
    "1.2.840.10008.5.1.4.1.1.7"
)  # fmt: skip


def made(pixels: NDArray[Any] | None, sop_class: str = CT, **tags: Any) -> Dataset:
    """A small file in memory; `tags` are keywords and values, which win over the defaults."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.4"
    if pixels is not None:
        bits = pixels.dtype.itemsize * 8
        grey = pixels.ndim == 2 or pixels.shape[-1] != 3
        dataset.Rows, dataset.Columns = pixels.shape[-2:] if grey else pixels.shape[-3:-1]
        dataset.SamplesPerPixel = 1 if grey else 3
        dataset.PhotometricInterpretation = "MONOCHROME2" if grey else "RGB"
        dataset.BitsAllocated = dataset.BitsStored = bits
        dataset.HighBit = bits - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        if not grey:
            dataset.PlanarConfiguration = 0
        dataset.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def saved(path: Path, dataset: Dataset) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def ramp(dtype: str = "<u2") -> NDArray[Any]:
    return np.arange(64, dtype=dtype).reshape(8, 8)


def grey(path: Path, frame: int | None = None) -> NDArray[np.uint8]:
    pixels = read_image(ImageRef(str(path), frame=frame))
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0]


def read(path: Path, root: Path | None = None, **options: Any) -> list[Passage | Skipped]:
    corpus = Corpus("c", root or path.parent, domain="default")
    return list(DicomIngestor(corpus=corpus, key=KEY, **options).passages(path))


def passages_of(found: list[Passage | Skipped]) -> list[Passage]:
    return [each for each in found if isinstance(each, Passage)]


def reasons_of(found: list[Passage | Skipped]) -> list[str]:
    return [each.reason for each in found if isinstance(each, Skipped)]
