"""What of a passage can be quoted: sentences that stand alone, one list per kind of passage."""

import re
from collections.abc import Sequence

from medrag.language import neutralised, sentences
from medrag.records import Passage

# Sections of a report that say why it was made, or with what, and not what was found.
_NOT_FOUND = frozenset(
    {"indication", "comparison", "technique", "history", "clinical_history", "exam", "reason"}
)
# What a term says of itself under a heading: "Kind of: finding", "Synonyms: flu; grippe".
_HEADED = re.compile(r"([A-Z])((?:\w+ ){0,4}\w+: )")
_NUMBER = re.compile(r"(?:\w+\.?\s+)?\w*\d[\w.–-]*[.:]")


def quotable(passage: Passage) -> list[str]:
    """List the sentences of a passage, each on one line and without anything like a marker.

    A term and the rows of a table are completed by the name or the headings that they lean on
    ("Influenza, kind of: viral infection."); a term that is a bare name says nothing. A figure's
    number stays with its title, and a report gives its findings, not its indication. The first
    letter is a capital.
    """
    if passage.kind == "case":
        found = [case_sentence(passage)]
    elif passage.kind == "fact":
        found = [passage.text]
    elif passage.kind == "term":
        found = _term_sentences(passage)
    elif passage.kind == "table" and _rows(passage):
        found = _table_sentences(passage)
    elif passage.kind == "report":
        found = _report_sentences(passage)
    else:
        found = _with_number(_split(passage.text, passage))
    lines = [capitalised(one_line(text)) for text in found]
    return [line for line in lines if any(char.isalnum() for char in line)]


def one_line(text: str) -> str:
    """Fold blanks and neutralise markers, so that a quotation stays one line without markers."""
    return neutralised(" ".join(text.split()))


def capitalised(text: str) -> str:
    """Begin with a capital, unless the first word is a symbol: "p53", "pH", "α-globin", "e.g."."""
    first = re.match(r"[a-z]{2,}(?=[\s,:;)(]|$)|[a-z]{2,}(?:[-/][a-z]{2,})+", text)
    return text[0].upper() + text[1:] if first else text


def heading_of(passage: Passage, text: str) -> str:
    """Give the heading under which a term says a sentence: "kind of"; empty for its definition."""
    name = capitalised(one_line(str(passage.fields.get("name") or "")))
    if passage.kind != "term" or not name or not text.startswith(f"{name}, "):
        return ""
    return text[len(name) + 2 :].partition(":")[0]


def case_sentence(passage: Passage) -> str:
    """Tell a case in one sentence: its question and how it was answered."""
    asked, answered = passage.fields.get("question"), passage.fields.get("answer")
    if not asked or answered in (None, ""):
        return passage.text
    told = str(answered).strip().rstrip(".")
    return f"In a similar case, “{str(asked).strip()}” was answered “{told}”."


def _split(text: str, passage: Passage) -> list[str]:
    return [text[start:end] for start, end in sentences(text, passage.source.language)]


def _with_number(found: list[str]) -> list[str]:
    """Join "Figure 1.2." to the title that follows it."""
    if len(found) > 1 and _NUMBER.fullmatch(found[0]):
        return [f"{found[0]} {found[1]}", *found[2:]]
    return found


def _term_sentences(passage: Passage) -> list[str]:
    name = str(passage.fields.get("name") or "").strip()
    found = _split(passage.text, passage)
    if not name:
        return found
    said = found[1:] if found[0].rstrip(".").strip() == name else found
    return [_of_term(name, sentence) for sentence in said]


def _of_term(name: str, sentence: str) -> str:
    headed = _HEADED.match(sentence)
    if headed is None:
        return f"{name}: {sentence}"
    return f"{name}, {headed[1].lower()}{sentence[1:]}"


def _report_sentences(passage: Passage) -> list[str]:
    sections = passage.fields.get("sections")
    if not isinstance(sections, dict):
        return _split(passage.text, passage)
    told = [str(text) for name, text in sections.items() if name.lower() not in _NOT_FOUND]
    return [sentence for text in told for sentence in _split(text, passage)]


def _rows(passage: Passage) -> Sequence[Sequence[str]]:
    """Give the rows of a table if it has a heading and rows of one width."""
    rows = passage.fields.get("rows")
    if not isinstance(rows, list) or len(rows) < 2:
        return []
    widths = {len(row) for row in rows if isinstance(row, list)}
    return rows if len(widths) == 1 and widths.pop() > 1 else []


def _table_sentences(passage: Passage) -> list[str]:
    """Say each row as a sentence: "Neutrophil: Nucleus Three to five lobes; Granules Fine"."""
    heading, *body = [[str(cell or "").strip() for cell in row] for row in _rows(passage)]
    title = passage.text.split("\n", 1)[0]
    said = [title]
    for first, *rest in body:
        pairs = [f"{name} {cell}" for name, cell in zip(heading[1:], rest, strict=True) if cell]
        said.append(f"{first}: {'; '.join(pairs)}." if pairs else first)
    return said
