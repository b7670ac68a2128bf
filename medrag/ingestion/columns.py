"""The column names of tables and JSON lines that medrag understands without being told."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from medrag.errors import InputFileError

Columns = Mapping[str, str | Sequence[str]]

# Role to names, best first. A name matches whatever its case, blanks, dashes and dots: `known`
# compares "Study Date", "study-date" and "study_date" as one.
REPORT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "indication": ("indication", "clinical_history", "clinical_information", "reason_for_exam"),
    "history": ("history", "patient_history"),
    "technique": ("technique", "procedure", "protocol"),
    "comparison": ("comparison", "comparisons"),
    "findings": ("findings", "section_findings"),
    "impression": ("impression", "conclusion", "section_impression"),
    "recommendation": ("recommendation", "recommendations"),
    "text": ("report", "report_text", "full_report", "clinical_notes", "notes", "note", "text"),
    "diagnosis": ("finding", "diagnosis"),
    "subject": ("subject_id", "subject", "patient_id", "patientid", "patient"),
    "study": ("study_id", "study", "study_uid", "accession", "accession_number", "exam_id", "uid"),
    "time": ("study_date", "date", "study_datetime", "datetime", "time", "acquisition_date"),
    "view": ("view", "view_position", "viewposition", "projection"),
    "modality": ("modality", "image_modality"),
    "images": (
        "image", "images", "image_path", "image_paths", "image_name", "filename", "file_name",
        "path",
    ),
    "folder": ("folder", "image_folder", "directory"),
    "licence": ("licence", "license"),
    "domain": ("domain",),
    "id": ("report_id", "id"),
}  # fmt: skip
REPORT_SECTIONS = (
    "indication", "history", "technique", "comparison", "findings", "impression", "recommendation",
)  # fmt: skip

CASE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "q"),
    "answer": ("answer", "a", "answer_text"),
    "options": ("options", "choices"),
    "answer_type": ("answer_type",),
    "question_type": ("question_type", "qtype"),
    "split": ("split", "fold"),
    "phrase_type": ("phrase_type",),
    "images": ("image", "images", "image_name", "image_path", "img_name", "filename"),
    "folder": ("folder", "image_folder"),
    "subject": ("subject_id", "subject", "patient_id", "patientid"),
    "study": ("study_id", "study", "image_case_url"),
    "topic": ("focus", "topic", "image_organ"),
    "time": ("study_date", "date"),
    "licence": ("licence", "license"),
    "domain": ("domain",),
    "id": ("qid", "question_id", "id"),
}

TEXT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "content", "body", "definition", "abstract"),
    "title": (
        "chapter_title",
        "module_title",
        "section_title",
        "title",
        "heading",
        "term",
        "focus",
    ),
    "doc_id": ("doc_id", "document", "document_id", "module", "article_id", "pmid", "pmcid"),
    "licence": ("licence", "license"),
    "domain": ("domain",),
    "id": ("_id", "id"),
}

TRIPLE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "head": ("head", "subject", "head_label", "subject_label", "head_name", "x_name"),
    "relation": ("relation", "predicate", "relation_label", "predicate_label", "display_relation"),
    "tail": ("tail", "object", "tail_label", "object_label", "tail_name", "y_name"),
    "head_id": ("head_id", "subject_id", "x_id"),
    "tail_id": ("tail_id", "object_id", "y_id"),
}

CAPTION_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "image": (
        "image", "image_path", "filename", "file_name", "file", "path", "image_name", "img",
    ),
    "caption": ("caption", "captions", "image_caption", "description"),
    "title": ("title", "heading"),
    "box": ("box", "bbox", "bounding_box"),
    "folder": ("folder", "image_folder", "directory"),
    "subject": ("subject_id", "subject", "patient_id", "patientid", "patient"),
    "study": ("study_id", "study", "study_uid", "accession", "accession_number"),
    "time": ("study_date", "date", "time", "acquisition_date"),
    "view": ("view", "view_position", "viewposition", "projection"),
    "modality": ("modality", "image_modality"),
    "licence": ("licence", "license"),
    "domain": ("domain",),
    "id": ("image_id", "figure_id", "id"),
}  # fmt: skip

_LABELS = ("label", "name")


def plain(name: str) -> str:
    """Fold a column name: lower case, runs of other characters than letters and digits to "_"."""
    folded = re.sub(r"[^0-9a-z]+", "_", name.strip().lower())
    return folded if folded.startswith("_") and name.startswith("_") else folded.strip("_")


def known(names: Iterable[str], roles: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Find the column of each role, by its name; roles without one are left out."""
    return {role: columns[0] for role, columns in _all_known(names, roles).items()}


def labelled_ids(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find pairs of an id column and its label, such as ("disease_id", "disease_label").

    "id" with "label" or "name" is a pair of its own.
    """
    by_plain = {plain(name): name for name in names}
    pairs = []
    for folded, name in by_plain.items():
        if folded != "id" and not folded.endswith("_id"):
            continue
        stem = folded.removesuffix("id")
        label = next((by_plain[stem + word] for word in _LABELS if stem + word in by_plain), None)
        if label is not None:
            pairs.append((name, label))
    return pairs


def resolved_columns(
    path: Path,
    names: Sequence[str],
    roles: Mapping[str, Sequence[str]],
    *,
    given: Columns | None = None,
    needed: Sequence[str] = (),
    several: Sequence[str] = (),
) -> dict[str, tuple[str, ...]]:
    """Settle which columns of a file play which role.

    `given` wins over the documented names and may name several columns for a role; a role in
    `several` takes every documented column that is there, in the order of the list, and every
    other role the first. Roles without a column are left out.

    Raises:
        InputFileError: if a given column, or one for a needed role, is not in the file.
    """
    found = {
        role: there if role in several else there[:1]
        for role, there in _all_known(names, roles).items()
    }
    for role, wanted in (given or {}).items():
        columns = (wanted,) if isinstance(wanted, str) else tuple(wanted)
        if lacking := [column for column in columns if column not in names]:
            raise InputFileError(
                path,
                f"`columns` names {lacking[0]!r} for {role!r}, but the file has {_listed(names)}",
            )
        found[role] = columns
    for role in needed:
        if role not in found:
            expected = ", ".join(roles.get(role, (role,)))
            raise InputFileError(
                path,
                f"no column for {role!r}: found {_listed(names)}, expected one of {expected}; "
                f"say which it is in the corpus card: columns: {{{role}: NAME}}",
            )
    return found


def check_roles(given: Columns | None, roles: Mapping[str, Sequence[str]]) -> None:
    """Refuse a role that no reader knows.

    Raises:
        ValueError: naming the role and those that exist.
    """
    for role in given or {}:
        if role not in roles:
            raise ValueError(f"columns: unknown role {role!r}, expected one of {', '.join(roles)}")


def _all_known(
    names: Iterable[str], roles: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    there = {role: tuple(by_plain[a] for a in known if a in by_plain)
             for role, known in roles.items()}  # fmt: skip
    return {role: columns for role, columns in there.items() if columns}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
