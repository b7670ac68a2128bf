"""A report's free text, cut at its own headings."""

import re
from collections.abc import Mapping
from types import MappingProxyType

# Heading as written, folded to lower case, to the name of the section.
HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "indication": "indication", "indications": "indication",
        "clinical indication": "indication", "reason for exam": "indication",
        "reason for examination": "indication", "reason for study": "indication",
        "clinical information": "indication", "clinical details": "indication",
        "history": "history", "clinical history": "history", "patient history": "history",
        "technique": "technique", "procedure": "technique", "protocol": "technique",
        "examination": "examination", "exam": "examination", "study": "examination",
        "type of examination": "examination",
        "comparison": "comparison", "comparisons": "comparison",
        "comparison studies": "comparison",
        "finding": "findings", "findings": "findings", "report": "findings",
        "impression": "impression", "impressions": "impression", "conclusion": "impression",
        "conclusions": "impression", "opinion": "impression",
        "recommendation": "recommendation", "recommendations": "recommendation",
        "addendum": "addendum", "notification": "notification",
    }
)  # fmt: skip

# A heading is in capitals anywhere at the start of a line or after a full stop, or at the start of
# a line in any case; a colon follows. "Findings: ..." inside a sentence is prose.
_NAMES = "|".join(sorted((re.escape(name) for name in HEADINGS), key=len, reverse=True))
_LINE_HEADING = re.compile(rf"(?:^|\n)[ \t>*#]*(?P<name>{_NAMES})[ \t*]*:[ \t*]*", re.IGNORECASE)
_CAPITAL_HEADING = re.compile(rf"(?<![^\s.;])(?P<name>{_NAMES.upper()})[ \t]*:[ \t]*")
_BARE_HEADING = re.compile(rf"(?:^|\n)[ \t]*(?P<name>{_NAMES.upper()})[ \t]*(?=\n)")


def split_report(text: str) -> dict[str, str]:
    """Cut a report at its headings ("FINDINGS: ...").

    Returns:
        Section name to text, in the order of the report; what stands before the first heading is
        the section "text", and all of a report without headings is. A section that comes twice is
        joined by a line break. Apart from the headings, no word is lost.
    """
    marks = sorted(
        {
            (match.start("name"), match.end(), HEADINGS[match.group("name").lower()])
            for form in (_LINE_HEADING, _CAPITAL_HEADING, _BARE_HEADING)
            for match in form.finditer(text)
        }
    )
    sections: dict[str, str] = {}
    begin, name = 0, "text"
    for start, end, following in marks:
        if start < begin:
            continue
        _add(sections, name, text[begin:start])
        begin, name = end, following
    _add(sections, name, text[begin:])
    return sections


def written(sections: Mapping[str, str]) -> str:
    """Write sections as a passage's text: "FINDINGS: ..." by lines, a bare text without heading."""
    lines = (
        text if name == "text" else f"{name.upper()}: {text}" for name, text in sections.items()
    )
    return "\n".join(lines)


def _add(sections: dict[str, str], name: str, text: str) -> None:
    text = text.strip(" \t\n\r*>#")
    if not text:
        return
    sections[name] = f"{sections[name]}\n{text}" if name in sections else text
