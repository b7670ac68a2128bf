"""What the modality of a DICOM file is called, and the domain of medicine that reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medrag.errors import InputFileError
from medrag.images.dicom import read_dataset
from medrag.images.formats import format_of
from medrag.images.limits import decoding


@dataclass(frozen=True, slots=True)
class Modality:
    """A modality in words, and the domain of medicine that reads it (None: any)."""

    name: str
    domain: str | None


_RADIOLOGY, _EYE, _TISSUE = "radiology", "ophthalmology", "pathology"

# Code of (0008,0060) to meaning. Source: DICOM PS3.3, C.7.3.1.1.1; the domains are ours.
MODALITIES: Mapping[str, Modality] = {
    "BMD": Modality("bone densitometry", _RADIOLOGY),
    "CR": Modality("radiograph", _RADIOLOGY),
    "CT": Modality("computed tomography", _RADIOLOGY),
    "DX": Modality("radiograph", _RADIOLOGY),
    "IO": Modality("intra-oral radiograph", _RADIOLOGY),
    "MG": Modality("mammogram", _RADIOLOGY),
    "MR": Modality("magnetic resonance image", _RADIOLOGY),
    "NM": Modality("nuclear medicine image", _RADIOLOGY),
    "PT": Modality("positron emission tomography", _RADIOLOGY),
    "PX": Modality("panoramic radiograph", _RADIOLOGY),
    "RF": Modality("fluoroscopy", _RADIOLOGY),
    "RG": Modality("radiograph", _RADIOLOGY),
    "RTIMAGE": Modality("radiotherapy image", _RADIOLOGY),
    "US": Modality("ultrasound", _RADIOLOGY),
    "BDUS": Modality("bone ultrasound", _RADIOLOGY),
    "IVUS": Modality("intravascular ultrasound", _RADIOLOGY),
    "XA": Modality("angiography", _RADIOLOGY),
    "SM": Modality("slide microscopy", _TISSUE),
    "GM": Modality("microscopy", _TISSUE),
    "OAM": Modality("ophthalmic axial measurement", _EYE),
    "OCT": Modality("optical coherence tomography", None),
    "OP": Modality("ophthalmic photograph", _EYE),
    "OPM": Modality("ophthalmic map", _EYE),
    "OPT": Modality("ophthalmic tomography", _EYE),
    "OPTBSV": Modality("ophthalmic tomography", _EYE),
    "OPTENF": Modality("ophthalmic tomography", _EYE),
    "OPV": Modality("visual field", _EYE),
    "DMS": Modality("dermoscopy", "dermatology"),
    "ES": Modality("endoscopy", "endoscopy"),
    "XC": Modality("photograph", None),
    "SC": Modality("secondary capture", None),
    "OT": Modality("medical image", None),
}

# Body parts (0018,0015) that tell the domain where the modality, a photograph, does not.
# Source: DICOM PS3.16, annex L; the domains are ours.
BODY_PARTS: Mapping[str, str] = {
    "EYE": _EYE,
    "RETINA": _EYE,
    "SKIN": "dermatology",
    "SCALP": "dermatology",
}


def dicom_domain(path: Path) -> str | None:
    """Tell the domain of a picture by the modality, else the body part, of its DICOM header.

    None for a file that is not DICOM, or whose codes tell none. Only these two codes are read.

    Raises:
        InputFileError: if the file cannot be read.
    """
    try:
        if format_of(path) != "dicom":
            return None
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror or error})") from error
    dataset = read_dataset(path)
    with decoding(path, "DICOM header", quoted=False):
        code, part = (
            str(dataset.get(keyword) or "").strip().upper()
            for keyword in ("Modality", "BodyPartExamined")
        )
    modality = MODALITIES.get(code)
    return (modality.domain if modality else None) or BODY_PARTS.get(part)
