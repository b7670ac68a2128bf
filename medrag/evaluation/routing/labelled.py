"""Pictures whose domain is known: of a table, of folders, of an index."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import EvaluationError
from medrag.images.formats import format_of
from medrag.ingestion.lines import BadLine, records
from medrag.records import PICTURED, ImageRef, Passage

_COLUMNS = ("image", "domain", "group")


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture and its domain; `group` is shared by pictures of one patient, case or chapter."""

    image: ImageRef
    domain: str
    group: str


def pictures_of_table(path: Path) -> tuple[LabelledPicture, ...]:
    """Read a CSV, TSV or JSON lines file with the columns image, domain and group.

    Paths of pictures start at the folder of the file. Without a column `group`, or where it is
    blank, a picture stands alone.

    Raises:
        EvaluationError: if a line cannot be read, lacks a column, or its picture is not there.
        InputFileError: if the file is no table.
    """
    read = []
    for record in records(path):
        if isinstance(record, BadLine):
            raise EvaluationError(f"{path}, {record.place}: {record.problem}")
        image, domain, group = (str(record.values.get(name) or "").strip() for name in _COLUMNS)
        if not image or not domain:
            raise EvaluationError(
                f"{path}, {record.place}: no {'domain' if image else 'image'}; expected the "
                f"columns image, domain and group, got {', '.join(map(str, record.values))}"
            )
        place = path.parent / image
        if not place.is_file():
            raise EvaluationError(f"{path}, {record.place}: there is no picture {place}")
        read.append(LabelledPicture(_ref(place), domain, group or f"{image} alone"))
    return tuple(read)


def pictures_of_folders(folder: Path) -> tuple[LabelledPicture, ...]:
    """Read a folder that has one folder of pictures for each domain, named so.

    A further folder below is a group, such as a patient; a picture beside these stands alone.

    Raises:
        EvaluationError: if there is no such folder, or no picture in it.
    """
    domains = sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    found = []
    for domain in domains:
        for path in picture_files(domain):
            inner = path.relative_to(domain).parts
            group = f"{domain.name}/{inner[0] if len(inner) > 1 else path.name}"
            found.append(LabelledPicture(_ref(path), domain.name, group))
    if not found:
        raise EvaluationError(
            f"{folder} holds no folders of pictures; expected one for each domain, such as "
            f"{folder / 'radiology'}"
        )
    return tuple(found)


def pictures_of_passages(
    passages: Iterable[Passage], resolve: Callable[[Passage], Passage], *, field: str | None = None
) -> tuple[LabelledPicture, ...]:
    """Take the pictures of passages whose source names a domain, each different one once.

    Args:
        resolve: makes the paths of a passage's images absolute.
        field: of passages, that names the group; else the subject does, else the study, else the
            file of the picture, such as the PDF that it is a figure of.
    """
    found: dict[object, tuple[ImageRef, str, list[tuple[int, str]]]] = {}
    for passage in passages:
        source = passage.source
        if not passage.images or passage.kind not in PICTURED or not source.domain:
            continue
        for image in resolve(passage).images:
            # A picture stands in an image passage and in cases; not all of them name the patient.
            known = found.setdefault(image.sha256 or image, (image, source.domain, []))
            told = (passage.fields.get(field) if field else None, source.subject, source.study)
            known[2].extend(
                (place, f"{source.corpus}/{name}")
                for place, name in enumerate((*told, image.path))
                if name
            )
    return tuple(
        LabelledPicture(image, domain, min(groups)[1]) for image, domain, groups in found.values()
    )


def picture_files(folder: Path) -> tuple[Path, ...]:
    """List the picture files below a folder by path: raster images and DICOM.

    Raises:
        EvaluationError: if there is none.
    """
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    found = tuple(each for each in files if format_of(each) in ("raster", "dicom"))
    if not found:
        raise EvaluationError(f"{folder} holds no picture; name a folder of PNG, JPEG or DICOM")
    return found


def check_labelled(pictures: Sequence[LabelledPicture], folds: int) -> None:
    """Refuse pictures that no router can be learnt from and tested on.

    Raises:
        EvaluationError: naming what lacks, and how to go on.
    """
    counts = Counter(each.domain for each in pictures)
    if len(counts) < 2:
        raise EvaluationError(
            f"expected pictures of two domains or more, got {', '.join(counts) or 'no picture'}"
        )
    groups = groups_of(pictures)
    for domain, its in sorted(groups.items()):
        if len(its) < 2:
            (group,) = its
            raise EvaluationError(
                f"all pictures of {domain} ({counts[domain]}) are of one group, {group!r}: when "
                "they are tested, none is left to learn from; give more pictures or finer groups, "
                "or leave the domain out"
            )
    n_groups = len({each.group for each in pictures})
    if n_groups < folds:
        raise EvaluationError(
            f"{n_groups} groups are too few for {folds} folds; ask for fewer folds"
        )


def few_groups(pictures: Sequence[LabelledPicture], folds: int) -> Iterator[str]:
    """Say which domains have fewer groups than there are folds."""
    for domain, its in sorted(groups_of(pictures).items()):
        if len(its) < folds:
            yield f"{domain} has {len(its)} groups only: what is measured of it is little worth"


def alike(vectors: NDArray[np.float32], pictures: Sequence[LabelledPicture]) -> int:
    """Count pictures whose vector is exactly that of one of another group.

    What is fitted to the one has seen the other, so that it is measured as too good.

    Args:
        vectors: (n_pictures, d).
    """
    _, codes = np.unique(vectors, axis=0, return_inverse=True)
    groups: dict[int, set[str]] = {}
    for code, each in zip(codes.ravel().tolist(), pictures, strict=True):
        groups.setdefault(code, set()).add(each.group)
    return sum(len(groups[code]) > 1 for code in codes.ravel().tolist())


def groups_of(pictures: Sequence[LabelledPicture]) -> dict[str, set[str]]:
    """Give the groups of each domain."""
    groups: dict[str, set[str]] = {}
    for each in pictures:
        groups.setdefault(each.domain, set()).add(each.group)
    return groups


def _ref(path: Path) -> ImageRef:
    return ImageRef(str(path.absolute()))
