"""Markdown and plain text: sections by headings, paragraphs by blank lines."""

import re

from medrag.ingestion.outline import Document, Outline

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$")
_MARKS = (
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[([^\]]+)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)"), r"\1"),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(?=[^\s_])([^_\n]+?)(?<=\S)_(?![\w_])"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
    (re.compile(r"</?(?:b|i|em|strong|sub|sup|br|p|div|span|u|small)\b[^>]*>"), ""),
)
# A heading of plain text stands alone between blank lines: in capitals, or with a number before it.
_CAPITALS = re.compile(r"(?=.*[A-Z]{3})[^a-z]{3,80}$")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+[A-Z][^.;:?!]{2,76}$")


def read_markdown(text: str) -> Document:
    """Read Markdown (CommonMark headings, pipe tables). Its marks count lines."""
    lines = text.splitlines()
    outline = Outline()
    start = _front_matter(lines, outline)
    block: list[tuple[int, str]] = []
    fence = ""
    for number, line in enumerate([*lines[start:], ""], start=start + 1):
        marked = _FENCE.match(line)
        if fence or marked:
            fence = _fence_after(fence, marked)
            if not marked:
                block.append((number, line))
        elif heading := _ATX.match(line):
            _add(outline, block)
            outline.heading(len(heading.group(1)), _unmarked(heading.group(2) or ""))
        elif len(block) == 1 and (rule := _UNDERLINE.match(line)):
            outline.heading(1 if rule.group(1)[0] == "=" else 2, _unmarked(block.pop()[1]))
        elif line.strip():
            block.append((number, line))
        else:
            _add(outline, block)
    _add(outline, block)
    outline.close()
    return Document(tuple(outline.sections), "line")


def read_plain(text: str) -> Document:
    """Read plain text. Its marks count lines; lines of a paragraph stay lines."""
    outline = Outline()
    block: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate([*lines, ""], start=1):
        if line.strip(" \t\f"):
            block.append(line.rstrip())
            continue
        level = _heading_level(block)
        if level:
            outline.heading(level, block[0])
        else:
            outline.paragraph("\n".join(block), number - len(block))
        block = []
    outline.close()
    return Document(tuple(outline.sections), "line")


def _front_matter(lines: list[str], outline: Outline) -> int:
    """Take the title of a YAML header, and give the number of its lines."""
    if not lines or lines[0].strip() != "---":
        return 0
    end = next((n for n, line in enumerate(lines[1:200], start=1) if line.strip() == "---"), None)
    if end is None:
        return 0
    for line in lines[1:end]:
        name, _, value = line.partition(":")
        if name.strip() == "title":
            outline.title = value.strip().strip("\"'")
    return end + 1


def _fence_after(fence: str, marked: re.Match[str] | None) -> str:
    """Give the fence that is open after a line: code stays as it is until the like of it comes."""
    if not fence:
        return marked.group(1) if marked else ""
    closes = marked is not None and marked.group(1).startswith(fence)
    return "" if closes else fence


def _add(outline: Outline, block: list[tuple[int, str]]) -> None:
    """Add the gathered lines, each with its number, as a table or a paragraph."""
    lines = [line for _, line in block]
    if len(lines) >= 3 and _TABLE_RULE.match(lines[1]):
        rows = [_unmarked(line).strip().strip("|").split("|") for line in (lines[0], *lines[2:])]
        outline.table(rows, block[0][0])
    elif lines:
        outline.paragraph(_unmarked("\n".join(lines)), block[0][0])
    block.clear()


def _unmarked(text: str) -> str:
    for pattern, kept in _MARKS:
        text = pattern.sub(kept, text)
    return text


def _heading_level(block: list[str]) -> int:
    """Give the level of a block that is a heading of plain text, else 0."""
    if len(block) == 2 and re.fullmatch(r"\s*([=\-~])\1{2,}\s*", block[1]):
        return 1 if "=" in block[1] else 2
    if len(block) != 1:
        return 0
    line = block[0].strip()
    if numbered := _NUMBERED.match(line):
        return numbered.group(1).count(".") + 1
    return 1 if _CAPITALS.match(line) else 0
