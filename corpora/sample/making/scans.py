"""One DICOM file and one NIfTI volume, so that the sample tries these readers too."""

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, ExplicitVRLittleEndian

from making.chest import Chest, radiograph
from making.raster import NOTE

# A root for examples; nothing else is registered below it.
_ROOT = "1.2.826.0.1.3680043.8.498.77."


def write_scans(library: Path) -> None:
    (library / "scans").mkdir(parents=True, exist_ok=True)
    _write_dicom(library / "scans" / "s11.dcm")
    _write_nifti(library / "scans" / "head.nii.gz")


def _write_dicom(path: Path) -> None:
    """Write a normal chest phantom as a computed radiograph, with 12 bits and MONOCHROME2."""
    pixels = radiograph(Chest(seed=91, heart=0.44), size=256).astype(np.uint16) * 16
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = _ROOT + "3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    for name, value in _tags(pixels).items():
        setattr(file, name, value)
    file.save_as(path, enforce_file_format=True)


def _tags(pixels: NDArray[np.uint16]) -> dict[str, Any]:
    rows, columns = pixels.shape
    return {
        "SOPClassUID": pydicom.uid.ComputedRadiographyImageStorage,
        "SOPInstanceUID": _ROOT + "3",
        "StudyInstanceUID": _ROOT + "1",
        "SeriesInstanceUID": _ROOT + "2",
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientName": "Synthetic^Phantom",
        "PatientID": "SYN-0011",
        "StudyDate": "20260312",
        "StudyTime": "101500",
        "AccessionNumber": "",
        "StudyDescription": "Chest radiograph, synthetic phantom",
        "ImageComments": NOTE,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
        "PixelData": pixels.astype("<u2").tobytes(),
    }


def _write_nifti(path: Path) -> None:
    """Write a head phantom of nested ellipsoids, in Hounsfield units, 3 mm voxels, RAS."""
    x, y, z = np.mgrid[-1:1:48j, -1.15:1.15:56j, -1:1:40j]
    volume = np.full(x.shape, -1000.0)
    shell = np.sqrt((x / 0.86) ** 2 + (y / 1.02) ** 2 + (z / 0.92) ** 2)
    volume[shell < 1.0] = 40
    volume[shell < 0.94] = 900
    volume[shell < 0.85] = 10
    brain = shell < 0.80
    fold = np.sin(17 * x + 5 * np.sin(9 * y)) * np.sin(15 * z + 3 * x)
    volume[brain] = (33 + 4 * np.sign(fold))[brain]
    for side in (-1, 1):
        ventricle = np.sqrt(
            ((x - side * 0.15) / 0.10) ** 2 + ((y + 0.05) / 0.38) ** 2 + ((z - 0.1) / 0.20) ** 2
        )
        volume[ventricle < 1] = 8
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    image = nibabel.Nifti1Image(volume.astype(np.int16), affine)
    image.header["descrip"] = NOTE[:79].encode()
    image.header.set_xyzt_units("mm")
    path.write_bytes(_gzip(image.to_bytes()))


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=9, mtime=0)
