"""DICOM frames, shown as a workstation would show them first."""

import logging
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.extras import require
from medrag.images.formats import HEAD, is_dicom_header
from medrag.images.limits import MAX_VOXELS, check_size, decoding

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
PERCENTILES = (0.5, 99.5)

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META_START = 144


def read_dataset(path: Path) -> Any:
    """Parse a DICOM file, also one without preamble; no pixel is decoded.

    Raises:
        InputFileError: if it is no DICOM file, is cut short, or inflates to an absurd size.
    """
    pydicom = _pydicom()
    with decoding(path, "DICOM file", quoted=False):
        _check_inflated(path)
        with path.open("rb") as file:
            head = file.read(HEAD)
        if not is_dicom_header(head):
            raise InputFileError(path, "is not a DICOM file")
        dataset = pydicom.dcmread(path, force=head[128:132] != b"DICM")
        _name_syntax(dataset, pydicom.uid)
        return dataset


def has_pixels(dataset: Any) -> bool:
    return any(keyword in dataset for keyword in PIXEL_KEYWORDS)


def n_frames(dataset: Any) -> int:
    """Count the frames that a header announces, at least 1."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def per_frame(dataset: Any, frame: int, group: str, keyword: str) -> Any:
    """Find an attribute of one frame: its own, the one all frames share, or the file's.

    `group` is the keyword of the functional group sequence that may hold it in an enhanced object.
    None where no place has it, or it is blank.
    """
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for holder in [*own[frame : frame + 1], *shared[:1]]:
        for macro in (holder.get(group) or [])[:1]:
            if (value := macro.get(keyword)) not in (None, ""):
                return value
    value = dataset.get(keyword)
    return None if value == "" else value


def read_frame(path: Path, frame: int) -> NDArray[np.uint8]:
    """Decode one frame of a DICOM file; see `shown`.

    Raises:
        InputFileError: as `read_dataset` and `shown`.
    """
    return shown(path, read_dataset(path), frame)


def shown(path: Path, dataset: Any, frame: int) -> NDArray[np.uint8]:
    """Decode one frame and take it to the screen.

    Grey: stored values, then the modality's table or slope and intercept, then the first window
    (or table) of the file. Where it has none, or one that shows nothing, 8-bit pictures stay as
    they are and others span their 0.5th to 99.5th percentile without padding. MONOCHROME1 is
    turned about, so that the greatest value of a radiograph's film is black. Colour: palettes and
    YBR become RGB. Overlays, presentation states and shutters are not drawn. Frames count from 0.

    Returns:
        (h, w, 3) RGB.

    Raises:
        InputFileError: if there are no pixels or no such frame, if data are missing, or if the
            codec is not installed.

    Source:
        DICOM PS3.3, C.7.6.3 (image pixel), C.11.1 (modality), C.11.2 (values of interest).
    """
    place = f"frame {frame}"
    with decoding(path, "DICOM picture", place=place, quoted=False):
        _check_frame(path, dataset, frame)
        stored = _stored(path, dataset, frame)
        if str(dataset.PhotometricInterpretation) == "PALETTE COLOR":
            stored = require("pydicom.pixels").apply_color_lut(stored, dataset)
            return _eight_bits(stored, 16 if stored.max(initial=0) > 255 else 8)
        if stored.ndim == 3:
            return _eight_bits(stored, int(dataset.BitsStored))
        grey = _grey(dataset, stored, frame)
        return np.repeat(grey[:, :, None], 3, axis=2)


@cache
def _pydicom() -> Any:
    """Import pydicom and keep it from logging: its warnings quote what a header holds."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    return require("pydicom")


def _stored(path: Path, dataset: Any, frame: int) -> NDArray[Any]:
    """Decode the stored values; colour comes as RGB."""
    pixels, place = require("pydicom.pixels"), f"frame {frame}"
    # What a decoder says is about pixels, unlike what a parser of headers says: it may be quoted.
    with decoding(path, "DICOM picture", place=place):
        try:
            values: NDArray[Any] = pixels.pixel_array(dataset, index=frame)
        except RuntimeError as error:
            # Raised where every codec at hand failed: Pillow's knows 8-bit JPEG only, for example.
            syntax = dataset.file_meta.TransferSyntaxUID
            if not pixels.get_decoder(syntax).missing_dependencies:
                raise
            raise InputFileError(
                path,
                f"its pixels are stored as {syntax.name}, which the codecs at hand do not read; "
                "is the file whole? A further codec: pip install 'medrag[dicom]'",
                place=place,
            ) from error
        return values


def _check_frame(path: Path, dataset: Any, frame: int) -> None:
    if not has_pixels(dataset):
        raise InputFileError(path, "is a DICOM object without pixels")
    if not 0 <= frame < n_frames(dataset):
        raise InputFileError(
            path, f"the file has {n_frames(dataset)} frames", place=f"frame {frame}"
        )
    if dataset.get("Rows") is None or dataset.get("Columns") is None:
        raise InputFileError(path, "its header lacks the size of the picture; is the file whole?")
    check_size(path, int(dataset.Columns), int(dataset.Rows), place=f"frame {frame}")
    _check_codec(path, dataset.file_meta.TransferSyntaxUID)


def _check_codec(path: Path, syntax: Any) -> None:
    try:
        available = require("pydicom.pixels").get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise InputFileError(
            path, f"its pixels are stored as {syntax.name}, which medrag does not read"
        ) from error
    if not available:
        raise InputFileError(
            path,
            f"its pixels are stored as {syntax.name}, whose codec is not installed; "
            "pip install 'medrag[dicom]'",
        )


def _grey(dataset: Any, stored: NDArray[Any], frame: int) -> NDArray[np.uint8]:
    values = _modality_values(dataset, stored, frame)
    shares = _of_interest(dataset, values, frame)
    if shares is None or shares.min() == shares.max():
        shares = _default_window(dataset, stored, values, frame)
    inverse = str(dataset.PhotometricInterpretation) == "MONOCHROME1" or (
        str(dataset.get("PresentationLUTShape", "")) == "INVERSE"
    )
    grey: NDArray[np.uint8] = np.round(255 * (1 - shares if inverse else shares)).astype(np.uint8)
    return grey


def _modality_values(dataset: Any, stored: NDArray[Any], frame: int) -> NDArray[np.float64]:
    if dataset.get("ModalityLUTSequence"):
        table = require("pydicom.pixels").apply_modality_lut(stored, dataset)
        return np.asarray(table, dtype=np.float64)
    group = "PixelValueTransformationSequence"
    slope = per_frame(dataset, frame, group, "RescaleSlope")
    intercept = per_frame(dataset, frame, group, "RescaleIntercept")
    return stored * float(1 if slope is None else slope) + float(intercept or 0)


def _of_interest(
    dataset: Any, values: NDArray[np.float64], frame: int
) -> NDArray[np.float64] | None:
    """Apply the file's first table or window; None where it has neither."""
    if tables := dataset.get("VOILUTSequence"):
        looked_up = require("pydicom.pixels").apply_voi(values.astype(np.int64), dataset)
        bits = int(tables[0].LUTDescriptor[2])
        shares: NDArray[np.float64] = np.clip(looked_up / (2.0**bits - 1), 0, 1)
        return shares
    centre = _first(per_frame(dataset, frame, "FrameVOILUTSequence", "WindowCenter"))
    width = _first(per_frame(dataset, frame, "FrameVOILUTSequence", "WindowWidth"))
    if centre is None or width is None or not width > 0:
        return None
    function = per_frame(dataset, frame, "FrameVOILUTSequence", "VOILUTFunction")
    return windowed(values, centre, width, str(function or "LINEAR"))


def windowed(
    values: NDArray[np.float64], centre: float, width: float, function: str = "LINEAR"
) -> NDArray[np.float64]:
    """Map a window of values to 0..1; `width` is above 0.

    The function is "LINEAR", whose window of n values is n - 1 wide between their middles,
    "LINEAR_EXACT" or "SIGMOID".

    Source:
        DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3.
    """
    if function == "SIGMOID":
        # Beyond 60 widths the exponential overflows, and the sigmoid is flat long before.
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -60, 60)))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width <= 1:
        return np.asarray(values > centre - 0.5, dtype=np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _default_window(
    dataset: Any, stored: NDArray[Any], values: NDArray[np.float64], frame: int
) -> NDArray[np.float64]:
    if stored.dtype == np.uint8 and int(dataset.BitsStored) == 8:
        return stored / 255.0
    padding = per_frame(dataset, frame, "PixelValueTransformationSequence", "PixelPaddingValue")
    seen = values if padding is None else values[stored != int(padding)]
    if not seen.size or not np.isfinite(seen).all():
        seen = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = (float(value) for value in np.percentile(seen, PERCENTILES))
    if high <= low:
        low, high = float(seen.min()), float(seen.max())
    shares = (np.nan_to_num(values) - low) / (high - low or 1.0)
    return np.clip(shares, 0, 1)


def _eight_bits(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values >> max(0, bits - 8), dtype=np.uint8)


def _first(value: Any) -> float | None:
    """The first of one or several numbers."""
    if value is None:
        return None
    several = list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    return float(several[0]) if several else None


def _name_syntax(dataset: Any, uid: Any) -> None:
    """Note how a data set without file meta information was written; pixels need to know."""
    if getattr(dataset.file_meta, "TransferSyntaxUID", None) is None:
        implicit = dataset.original_encoding[0]
        dataset.file_meta.TransferSyntaxUID = (
            uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
        )


def _check_inflated(path: Path) -> None:
    """Refuse a deflated data set that would exhaust memory; the parser inflates it all at once."""
    with path.open("rb") as file:
        head = file.read(1024)
        if head[128:132] != b"DICM" or _DEFLATED not in head:
            return
        file.seek(_META_START + int.from_bytes(head[140:144], "little"))
        inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while chunk := file.read(1 << 16):
            size += len(inflater.decompress(chunk))
            if size > MAX_VOXELS * 2:
                raise InputFileError(path, f"inflates to more than {MAX_VOXELS * 2:,} bytes")
