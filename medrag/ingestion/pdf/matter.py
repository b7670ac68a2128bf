"""Parts of a book that answer no question: front matter, contents, index, reference lists."""

import re
from collections.abc import Sequence

from medrag.ingestion.pdf.reading import Page

_NUMBERING = r"(?:(?:chapter\s+)?[\dIVX]+(?:\.\d+)*[.:]?\s+)?"
_REFERENCES = re.compile(
    _NUMBERING + r"(?:references?(?: list| cited)?|bibliography|literature(?: cited)?|works cited)",
    re.I,
)
_INDEX = re.compile(r"(?:subject |author |general |alphabetical )?index", re.I)
_CONTENTS = re.compile(
    r"(?:table of |brief |detailed |short )?contents(?: in brief)?|"
    r"list of (?:figures|tables|plates)",
    re.I,
)
_FRONT = re.compile(
    r"(?:preface|foreword|acknowledge?ments?|dedication|imprint|colophon|copyright.*|"
    r"about the (?:authors?|editors?)|(?:list of )?contributors)",
    re.I,
)
# Groups of words of an imprint, in lower case; a page with three of the groups is one.
_IMPRINT = (
    ("isbn",),
    ("©", "copyright"),
    ("all rights reserved", "no part of this"),
    ("library of congress", "cataloging", "british library"),
    ("first edition", "second edition", "third edition", "first published", "reprinted"),
    ("published by", "printed in"),
)
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*(?:\d{1,4}|[ivxlc]+)?$|…+\s*\d{1,4}$")
_ENTRY = re.compile(r"\D\s\d{1,4}$|^\d{1,4}$")
_INDEX_ENTRY = re.compile(r"[^\W\d].*,\s*\d{1,4}(?:[-–]\d{1,4})?(?:,\s*\d{1,4}(?:[-–]\d{1,4})?)*$")
_FRONT_SHARE = 0.25
_BACK_SHARE = 0.7
_IMPRINT_PAGES = 12


def reason_of_section(path: Sequence[str], page: int, n_pages: int) -> str | None:
    """Say by its headings why a section is left out, as a code of `reasons`; None if it stays."""
    share = page / n_pages
    for heading in path:
        title = heading.strip(" .:")
        if _REFERENCES.fullmatch(title):
            return "references"
        if _INDEX.fullmatch(title) and share > _BACK_SHARE:
            return "index"
        if _CONTENTS.fullmatch(title) and (share <= _FRONT_SHARE or page <= _IMPRINT_PAGES):
            return "contents"
        if _FRONT.fullmatch(title) and share <= _FRONT_SHARE:
            return "front_matter"
    return None


def reasons_of_pages(pages: Sequence[Page]) -> dict[int, str]:
    """Say by their lines which pages are left out whole: page number to code of `reasons`."""
    reasons: dict[int, str] = {}
    before: str | None = None
    for page in pages:
        before = _reason_of_page(page, len(pages), before)
        if before:
            reasons[page.number] = before
    return reasons


def _reason_of_page(page: Page, n_pages: int, before: str | None) -> str | None:
    texts = [line.text for line in page.lines]
    if len(texts) < 3:
        return None
    early = page.number <= max(_IMPRINT_PAGES, _FRONT_SHARE * n_pages)
    if early and page.number < n_pages and _is_contents(texts, goes_on=before == "contents"):
        return "contents"
    if page.number <= min(_IMPRINT_PAGES, n_pages - 1) and _is_imprint(" ".join(texts).lower()):
        return "front_matter"
    if page.number > _BACK_SHARE * n_pages and _is_index(texts, goes_on=before == "index"):
        return "index"
    return None


def _is_contents(texts: Sequence[str], *, goes_on: bool) -> bool:
    leaders = sum(bool(_LEADERS.search(text)) for text in texts)
    if leaders >= max(3, 0.3 * len(texts)):
        return True
    titled = goes_on or any(_CONTENTS.fullmatch(text.strip(" .:")) for text in texts[:4])
    entries = sum(bool(_ENTRY.search(text)) for text in texts)
    return titled and entries >= max(3, 0.4 * len(texts))


def _is_imprint(text: str) -> bool:
    return sum(any(mark in text for mark in marks) for marks in _IMPRINT) >= 3


def _is_index(texts: Sequence[str], *, goes_on: bool) -> bool:
    entries = sum(text[-1].isdigit() and bool(_INDEX_ENTRY.match(text)) for text in texts)
    titled = any(_INDEX.fullmatch(text.strip(" .:")) for text in texts[:4])
    return entries >= (0.3 if titled or goes_on else 0.6) * max(len(texts), 15)
