"""DICOM files: pictures without names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.images import identified, spread
from medrag.images.dicom import has_pixels, n_frames, per_frame, read_dataset, shown
from medrag.images.limits import decoding
from medrag.images.modalities import MODALITIES
from medrag.ingestion.image import left_out, picture_passage
from medrag.ingestion.modalities import (
    BURNT_IN_CLASSES,
    BURNT_IN_MODALITIES,
    IN_PATHS,
    VIEWS,
)
from medrag.ingestion.sources import file_sha256, source_of
from medrag.ingestion.times import iso_time
from medrag.records import Corpus, ImageRef, Passage, Skipped, Source

# Masks and doses have pixels, but they are no pictures of a patient.
_OVERLAID = {"SEG", "RTDOSE", "RTSTRUCT", "REG", "PR", "KO", "SR"}
# A code string of DICOM: anything else in its place is free text, which may hold a name.
_CODE = re.compile(r"[A-Z0-9][A-Z0-9 _]{0,15}")
_MIN_IDENTIFIER = 4


class DicomIngestor:
    """The frames of one DICOM file, windowed, with what a header says that identifies nobody.

    Only what is listed here is kept of a header: modality, body part, view, laterality, pixel
    spacing, manufacturer-independent and coded; the hashes of PatientID and StudyInstanceUID; the
    study's date and time as the file gives them. Every tag of
    `medrag.ingestion.modalities.IDENTIFYING` stays in the file. Where the path of the file itself
    holds the value of one, that is noted ("identifying"): the path must be kept to open the file,
    so rename it. Pictures with burnt-in text are flagged in `fields["burned_in_text"]`: "declared"
    by the header, or "likely" for the modality.

    Args:
        corpus: the corpus of the file; its domain counts where the modality tells none.
        key: for the hashes of subject and study (`medrag.identity`).
        max_frames: frames of a multi-frame file, evenly spaced.
        descriptions: keep StudyDescription and SeriesDescription, which are free text that people
            typed: only for collections known to hold no names there.
        volume: make one passage of the file, which holds its chosen frames as pictures, in place
            of one for each frame: what is found then is a clip (`medrag.encoding.volume`).
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        key: bytes,
        max_frames: int = 8,
        descriptions: bool = False,
        volume: bool = False,
    ) -> None:
        if max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {max_frames}")
        self.corpus = corpus
        self.key = key
        self.max_frames = max_frames
        self.descriptions = descriptions
        self.volume = volume

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield a passage per chosen frame, or one of all; for what is no picture, a note only.

        Raises:
            InputFileError: if the file is damaged, its codec is not installed, or a picture object
                has no pixels; nothing is yielded then.
        """
        dataset = read_dataset(path)
        # A tag is parsed where it is first read, so that a damaged one fails only here.
        with decoding(path, "DICOM header", quoted=False):
            found = self._found(path, dataset)
        yield from found

    def _found(self, path: Path, dataset: Any) -> list[Passage | Skipped]:
        source = self._source(path, dataset)
        if reason := no_picture(path, dataset):
            return [Skipped(source, "not_a_picture", reason)]
        total = n_frames(dataset)
        chosen = spread(total, self.max_frames)
        groups = [chosen] if self.volume else [[frame] for frame in chosen]
        passages = [self._passage(path, dataset, source, group, total) for group in groups]
        notes = (*left_out(source, total, len(chosen), "frames"), *_warnings(source, dataset))
        return [*notes, *passages]

    def _source(self, path: Path, dataset: Any) -> Source:
        modality = MODALITIES.get(_code(dataset, "Modality"))
        subject, study = _text(dataset, "PatientID"), _text(dataset, "StudyInstanceUID")
        return source_of(
            self.corpus,
            path,
            sha256=file_sha256(path),
            domain=modality.domain if modality else None,
            subject=pseudonym(subject, self.key) if subject else None,
            study=pseudonym(study, self.key) if study else None,
            time=taken_at(dataset),
        )

    def _passage(
        self, path: Path, dataset: Any, source: Source, frames: Sequence[int], total: int
    ) -> Passage:
        refs = [
            identified(
                ImageRef(str(path), frame=frame if total > 1 else None), shown(path, dataset, frame)
            )
            for frame in frames
        ]
        text = described(dataset)
        if self.descriptions:
            words = (_text(dataset, f"{level}Description") for level in ("Study", "Series"))
            text = " ".join([text, *(f"{word}." for word in words if word)])
        return picture_passage(source, refs, text, _fields(dataset, frames[0]))


def described(dataset: Any) -> str:
    """Say what a picture is, in words made of its coded tags only: "Radiograph, left hand."."""
    code = _code(dataset, "Modality")
    name = MODALITIES[code].name if code in MODALITIES else "medical image"
    part = _code(dataset, "BodyPartExamined").lower().replace("_", " ")
    side = {"L": "left", "R": "right"}.get(
        _code(dataset, "ImageLaterality") or _code(dataset, "Laterality"), ""
    )
    view = _code(dataset, "ViewPosition")
    shown = f"{VIEWS.get(view, view)} view" if view else ""
    return ", ".join(filter(None, (name.capitalize(), f"{side} {part}".strip(), shown))) + "."


def taken_at(dataset: Any) -> str | None:
    """Find when a study took place, in ISO 8601, as exactly as the header says; else None.

    The study's date wins over that of the acquisition, so that all pictures of a study have one.
    """
    for level in ("Study", "Acquisition", "Series", "Content"):
        day = _text(dataset, f"{level}Date")
        clock = re.match(r"\d{6}", _text(dataset, f"{level}Time"))
        found = (clock and iso_time(day + clock.group())) or iso_time(day)
        if found:
            return found
    return iso_time(_text(dataset, "AcquisitionDateTime")[:14])


def no_picture(path: Path, dataset: Any) -> str:
    """Say why a DICOM object is not to be shown; "" if it is a picture.

    Raises:
        InputFileError: if it should be a picture, but has no pixels.
    """
    sop_class = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    named = str(getattr(sop_class, "name", ""))
    # An unknown class has its number for a name. It may be a picture's, cut short, so it counts as
    # one; and it is not repeated, because a damaged header may have any text in its place.
    is_known = bool(named) and named != str(sop_class)
    name = named if is_known else "a DICOM object of no known class"
    if _code(dataset, "Modality") in _OVERLAID:
        return f"{name}, which is no picture of a patient"
    if has_pixels(dataset):
        return ""
    if "Encapsulated" in name:
        return f"{name}: a document inside DICOM; export it as a file of its own"
    if is_known and "Image Storage" not in name:
        return f"{name}, which has no pixels"
    raise InputFileError(path, f"{name} without pixels; is the file whole?")


def identifying_tags(document: str, dataset: Any) -> list[str]:
    """Name the identifying tags whose values the path of a file shows.

    Values are compared as runs of letters and digits, upper and lower case alike, each part of a
    person's name by itself; parts of fewer than four characters are in too many paths to tell.
    """
    shown = re.sub(r"[^0-9a-z]+", "", document.lower())
    found = []
    for keyword in IN_PATHS:
        value = _text(dataset, keyword)
        parts = re.split(r"[\^=\s,]+", value) if "Name" in keyword else [value]
        folded = (re.sub(r"[^0-9a-z]+", "", part.lower()) for part in parts)
        if any(len(part) >= _MIN_IDENTIFIER and part in shown for part in folded):
            found.append(keyword)
    return found


def burned_in(dataset: Any) -> str:
    """Tell whether text is burnt into the pixels: "declared", "likely", or "" for no."""
    declared = _code(dataset, "BurnedInAnnotation")
    if declared in ("YES", "NO"):
        return "declared" if declared == "YES" else ""
    likely = _code(dataset, "Modality") in BURNT_IN_MODALITIES or str(
        dataset.get("SOPClassUID", "")
    ).startswith(BURNT_IN_CLASSES)
    return "likely" if likely else ""


def _warnings(source: Source, dataset: Any) -> Iterator[Skipped]:
    if tags := identifying_tags(source.document, dataset):
        detail = f"the path of the file shows the value of {', '.join(tags)}; rename it"
        yield Skipped(source, "identifying", detail)
    if known := burned_in(dataset):
        yield Skipped(source, "burnt_in_text", f"{known}; look at the picture before sharing it")


def _fields(dataset: Any, frame: int) -> dict[str, Any]:
    codes: Mapping[str, str] = {
        "modality": _code(dataset, "Modality"),
        "body_part": _code(dataset, "BodyPartExamined").lower(),
        "view": _code(dataset, "ViewPosition"),
        "burned_in_text": burned_in(dataset),
    }
    fields: dict[str, Any] = {name: code for name, code in codes.items() if code}
    spacing = per_frame(dataset, frame, "PixelMeasuresSequence", "PixelSpacing") or dataset.get(
        "ImagerPixelSpacing"
    )
    if spacing and len(spacing) == 2:
        fields["spacing"] = [float(millimetres) for millimetres in spacing]
    return fields


def _code(dataset: Any, keyword: str) -> str:
    """Read a code; "" for free text in its place, and for a value that names the patient."""
    text = _text(dataset, keyword).upper()
    return text if _CODE.fullmatch(text) and not identifying_tags(text, dataset) else ""


def _text(dataset: Any, keyword: str) -> str:
    """Read a tag as text; of several values the first; "" where it is absent or unreadable."""
    try:
        value = dataset.get(keyword)
    except (LookupError, NotImplementedError, TypeError, ValueError):
        return ""
    if value is not None and not isinstance(value, str) and hasattr(value, "__getitem__"):
        value = value[0] if len(value) else ""
    return str(value if value is not None else "").strip(" \0")
