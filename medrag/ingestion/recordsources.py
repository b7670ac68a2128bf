"""What one record of a file says of its patient, study, time, domain and licence."""

import re
from collections.abc import Mapping
from dataclasses import replace

from medrag.identity import pseudonym
from medrag.ingestion.lines import Record, text_of
from medrag.ingestion.times import iso_time
from medrag.records import Source

# "p10/p10000032/s50414267.txt" of MIMIC-CXR, "patient00001/study1/..." of CheXpert.
_MIMIC = re.compile(r"(?:^|[/\\])p(\d{6,})[/\\]s(\d{6,})(?=[/\\.]|$)")
_CHEXPERT = re.compile(r"(?:^|[/\\])(patient\d+)[/\\](study\d+)(?=[/\\]|$)")


def subject_and_study(path: str) -> tuple[str, str] | None:
    """Read patient and study from the path of an image or report of MIMIC-CXR or CheXpert.

    Returns:
        Of MIMIC-CXR the numbers alone, as its tables have them; None where the path names neither.
    """
    if found := _MIMIC.search(path):
        return found[1], found[2]
    if found := _CHEXPERT.search(path):
        return found[1], f"{found[1]}/{found[2]}"
    return None


def record_source(record: Record, roles: Mapping[str, str], source: Source, key: bytes) -> Source:
    """Give the source of one record: that of its file, with what the record itself says.

    Args:
        roles: role ("subject", "study", "time", "domain", "licence") to column; others are ignored.
        source: of the file; its domain and licence hold for a record that names none.
        key: for the hashes of subject and study (`medrag.identity`).

    Raises:
        BadRecordError: if one of the columns holds a list or an object.
    """
    subject, study, time, domain, licence = (
        text_of(record, roles.get(role))
        for role in ("subject", "study", "time", "domain", "licence")
    )
    return replace(
        source,
        subject=pseudonym(subject, key) if subject else None,
        study=pseudonym(study, key) if study else None,
        time=iso_time(time),
        domain=domain or source.domain,
        licence=licence or source.licence,
    )
