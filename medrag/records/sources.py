"""What is indexed: corpora, sources, pictures, passages, and what was left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid5

Box = tuple[float, float, float, float]
Kind = Literal["text", "page", "figure", "table", "image", "report", "case", "term", "fact"]
KINDS: tuple[Kind, ...] = (
    "text", "page", "figure", "table", "image", "report", "case", "term", "fact",
)  # fmt: skip
# Kinds that are about the pictures they hold. A page is drawn anew for whoever needs it, and of a
# table the words are what counts.
PICTURED: frozenset[str] = frozenset({"image", "figure", "report", "case"})
# What these say, they say of one patient, who is not the one that is asked about.
OF_ANOTHER_PATIENT: frozenset[str] = frozenset({"report", "case"})
_NAMESPACE = UUID("6d656472-6167-5a00-8000-000000000001")
# Made once: json.dumps makes an encoder on each call with other than its default separators.
_COMPACT = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Corpus:
    """What every passage of one corpus shares.

    `root` is the folder that documents and images are relative to; `language` is an ISO 639-1 code
    and picks stemmer, stop words and negation cues; `domain` is the default of its passages.
    """

    name: str
    root: Path
    domain: str | None = None
    language: str = "en"
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A place: a page and a box on it, a page, or (without a page) a box in an image."""

    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Any picture, by reference: a file, a PDF page or figure, one DICOM frame, one NIfTI slice.

    Attributes:
        path: the file; see the conventions above.
        sha256: of the decoded RGB pixels with their shape; None until they were decoded.
        phash: 64-bit perceptual hash as 16 hexadecimal digits; None until decoded.
        page: PDF page, from 1.
        frame: frame of a multi-frame file, from 0.
        axis: 0, 1 or 2 of a volume in RAS order (x, y, z).
        slice: index along `axis`, from 0.
        box: the part that is meant; None for all of it.
        marks: boxes that are drawn onto it, in pixels of what is shown (the part, if it is one).
    """

    path: str
    sha256: str | None = None
    phash: str | None = None
    page: int | None = None
    frame: int | None = None
    axis: int | None = None
    slice: int | None = None
    box: Box | None = None
    marks: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Enough to open the book at the place.

    `document` is the file, relative to the corpus root; `sha256` is of the file's bytes.
    """

    corpus: str
    document: str
    sha256: str
    regions: tuple[Region, ...] = ()
    domain: str | None = None
    subject: str | None = None
    study: str | None = None
    time: str | None = None
    licence: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrievable thing, with where it comes from. `text` and `images` are never both empty.

    `fields` holds what a kind needs, as JSON values. For every kind: "title", further words to
    search that stand outside the text (section path, document title); "doc_id", the name of the
    document in a file of many (a BEIR `_id`, a module), to which retrieval measures are pooled.
    figure: "number", "caption", "mentions". table: "caption", "rows". report: "sections" (name to
    text), "view", "image_paths", and "regions" (part of the body to its sentences) where tagged.
    case: "question", "answer", "options", "answer_type", "split".
    term: "id", "name", "synonyms", "definition", "xrefs", "parents". fact: "head", "relation",
    "tail", "head_id", "tail_id", of a report also "head_status", "tail_status", "polarity"; as
    retrieved also "support", the studies that say it.
    """

    id: str
    kind: Kind
    text: str
    source: Source
    images: tuple[ImageRef, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)


def is_of_a_patient(passage: Passage) -> bool:
    """Tell whether a passage says something of one patient: a record, or a fact of a report."""
    of_a_report = passage.kind == "fact" and passage.source.study is not None
    return passage.kind in OF_ANOTHER_PATIENT or of_a_report


def passage_id(
    kind: Kind, source: Source, text: str, images: tuple[ImageRef, ...] = (), *, place: str = ""
) -> str:
    """Name a passage by where it stands and what it says, never by a vector or a path of a machine.

    Args:
        place: tells apart passages of equal text at places that regions cannot tell, such as the
            line of a file or the accession of a term.

    Returns:
        A UUIDv5; equal for equal content at an equal place of an equally named document.
    """
    regions = [[region.page, region.box] for region in source.regions]
    pictures = [[i.path, i.page, i.frame, i.axis, i.slice, i.box] for i in images]
    name = [source.corpus, source.document, place, kind, text, regions, pictures]
    return str(uuid5(_NAMESPACE, _COMPACT.encode(name)))


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something an ingestor left out, or could not read. Shown, counted, kept in the index.

    `reason` is a code of `medrag.ingestion.reasons`; `failed` tells what could not be read (bad
    input) from what was left out on purpose; `count` is how many such things one record stands for.
    """

    source: Source
    reason: str
    detail: str
    failed: bool = False
    count: int = 1
