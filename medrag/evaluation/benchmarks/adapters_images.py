"""Adapters of benchmarks whose rows do not name their pictures."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks.adapting import Rows, each_row, needed, read_beside, with_values
from medrag.evaluation.benchmarks.columns import BadRowError, said
from medrag.ingestion.lines import Record

_MAPPING = "id_to_img_mapping_frontal_reports.json"


def mediconfusion(rows: Rows, path: Path) -> Rows:
    """Ask the question of a pair about each of its two pictures alone.

    A picture is `images/LOCAL.jpg` beside the file where it is there, else the path in ROCO.
    """

    def pair(row: Record) -> Iterable[Record]:
        for number in (1, 2):
            local = f"images/{row.values.get(f'im_{number}_local')}.jpg"
            roco = f"roco-dataset/data/{needed(row.values, f'im_{number}', str)}"
            beside = path.parent.name if path.parent.name == "data" else "."
            there = (path.parent / local).is_file()
            yield with_values(
                row, image=f"{beside}/{local if there else roco}", at_side=number,
                answer=row.values.get(f"im_{number}_correct"),
                caption=row.values.get(f"cap_{number}"),
                category=_joined(row.values.get(f"category_{number}")),
            )  # fmt: skip

    return each_row(rows, pair)


def rad_restruct(rows: Rows, path: Path) -> Rows:
    """Ask every question of a report about each frontal picture of its study.

    A question gets the name of its `node` in the tree: the path that the file gives, and how often
    the path was asked before, as that of a finding recurs with each of its instances and that of
    an area stands for the area as a whole, too. Its `parent` is the node that the last yes of its
    history answers: the question above it, or the instance before it. A `report` is one of a
    picture, as the released code counts them.

    Source:
        Pellegrini, Keicher, Oezsoy & Navab, MICCAI 2023 (ChantalMP/Rad-ReStruct).
    """
    mapping = read_beside(path.parent.parent / _MAPPING)
    if not isinstance(mapping, dict):
        raise EvaluationError(f"{path.parent.parent / _MAPPING} holds no object of report ids")
    pictures = mapping.get(path.stem)
    if not isinstance(pictures, list):
        raise EvaluationError(f"{_MAPPING} has no list of pictures for report {path.stem!r}")
    n_asked: Counter[str] = Counter()
    affirmed: dict[str, str] = {}

    def asked(row: Record) -> Iterable[Record]:
        number = int(row.values["@row"]) - 1
        node, parent = _node(row, n_asked), _parent(row, affirmed)
        if node and row.values.get("answer") == ["yes"]:
            affirmed[str(row.values.get("question"))] = node
        for picture in pictures:
            report = f"{picture}_{path.stem}"
            yield with_values(
                row, image=f"{picture}.png", at_id=f"{report}_{number}", report=report,
                node=node, parent=parent,
            )  # fmt: skip

    return each_row(rows, asked)


def mimic_nle(rows: Rows, path: Path) -> Rows:
    """Turn the labels of a row into a question, and find the pictures of its study.

    `img_labels` holds a row [negative, uncertain, positive] for each of ten findings.
    """

    def explained(row: Record) -> Iterable[Record]:
        values = row.values
        subject, study = _digits(values, "patient_ID"), _digits(values, "report_ID")
        found = [name for name in ("image", "img_path", "image_path") if values.get(name)]
        images = values[found[0]] if found else _study_images(path, subject, study)
        labels = values.get("diagnosis_label", values.get("img_labels"))
        yield with_values(
            row, at_images=images, at_subject=subject, at_study=study,
            at_question=f"Which visual evidence in the image shows {_named(labels)}?",
        )  # fmt: skip

    return each_row(rows, explained)


def _node(row: Record, n_asked: Counter[str]) -> str | None:
    info = row.values.get("info")
    place = info.get("path") if isinstance(info, dict) else None
    if not isinstance(place, str) or not place:
        return None
    n_asked[place] += 1
    return f"{place} {n_asked[place]}"


def _parent(row: Record, affirmed: Mapping[str, str]) -> str | None:
    """Find the node of the last question in the history that is answered by yes."""
    history = row.values.get("history")
    for turn in reversed(history if isinstance(history, list) else []):
        if isinstance(turn, list) and len(turn) == 2 and turn[1] == ["yes"]:
            if (above := affirmed.get(str(turn[0]))) is None:
                raise BadRowError(f"the history asks {turn[0]!r:.60}, which no row before affirms")
            return above
    return None


def _joined(categories: Any) -> str:
    values = categories if isinstance(categories, list) else [categories]
    return ", ".join(str(each) for each in values if each)


_FINDINGS = (
    "atelectasis", "consolidation", "edema", "enlarged cardiomediastinum", "lung lesion",
    "lung opacity", "pleural effusion", "pleural other", "pneumonia", "pneumothorax",
)  # fmt: skip


def _named(labels: Any) -> str:
    """Name what is uncertain or there, in the order of the ten findings."""
    rows = labels if isinstance(labels, list) else []
    if len(rows) != len(_FINDINGS) or not all(
        isinstance(row, list) and len(row) == 3 for row in rows
    ):
        raise BadRowError(f"the labels are {said(labels)}, expected ten rows of three")
    named = [
        f"{'uncertain' if row[1] else 'positive'} {finding}"
        for finding, row in zip(_FINDINGS, rows, strict=True) if row[1] or row[2]
    ]  # fmt: skip
    return ", ".join(named) or "no finding"


def _digits(values: Any, name: str) -> str:
    digits = "".join(each for each in str(values.get(name, "")) if each.isdecimal())
    if not digits or len(digits) > 12:
        raise BadRowError(f"{name!r} holds no number of MIMIC-CXR")
    return digits


def _study_images(path: Path, subject: str, study: str) -> list[str]:
    """List the pictures of a study relative to the folder of the file, or one above it."""
    place = Path("files") / f"p{subject[:2]}" / f"p{subject}" / f"s{study}"
    for folder in list(path.parents)[:3]:
        found = sorted((folder / place).glob("*.jpg"))
        if found:
            return [each.relative_to(folder).as_posix() for each in found]
    return [place.as_posix() + "/*.jpg"]
