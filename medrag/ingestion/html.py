"""Web pages: sections by their headings, tables, figures; without navigation and scripts."""

from html.parser import HTMLParser

from medrag.ingestion.outline import Document, LeftOut, Outline

_DROPPED = {"script", "style", "template", "noscript", "iframe", "svg", "button", "select"}
_NAVIGATION = {"nav", "footer"}
_VOID = {"br", "img", "hr", "input", "meta", "link", "source", "wbr", "col", "area", "base"}
_BLOCKS = {
    "p", "div", "section", "article", "main", "aside", "header", "ul", "ol", "li", "dl", "dt",
    "dd", "blockquote", "pre", "table", "tr", "caption", "figure", "figcaption", "address", "hr",
    "fieldset", "form", "details", "summary", "body",
}  # fmt: skip
_LONGEST_HEADING = 300
_LEVELS = {f"h{level}": level for level in range(1, 7)}


def read_html(text: str) -> Document:
    """Read a web page. Its marks count lines. Broken markup is read as browsers read it."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    return parser.document()


class _Parser(HTMLParser):
    """Follow the tags of a page; text waits in `words` until its block ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.outline = Outline()
        self.words: list[str] = []
        self.at = 1
        self.dropped = 0  # open elements whose text is not for readers
        self.navigation = 0
        self.navigation_words = 0
        self.heading = ""
        self.in_title = False
        self.preformatted = 0
        self.rows: list[list[str]] | None = None
        self.tables = 0
        self.cell = False
        self.caption = ""
        self.picture: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self.dropped += 1
        elif tag in _NAVIGATION:
            self._end_all()
            self.navigation += 1
        elif tag == "title" and not self.outline.title:
            self.in_title, self.words = True, []
        elif tag in _LEVELS:
            self._end_all()
            self.heading = tag
        elif tag == "br":
            self.words.append("\n")
        elif tag == "img" and self.picture is not None:
            named = dict(attrs)
            self.picture = self.picture or named.get("src") or ""
        else:
            self._start_block(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED:
            self.dropped = max(0, self.dropped - 1)
        elif tag in _NAVIGATION:
            self._end_block()
            self.navigation = max(0, self.navigation - 1)
        elif tag == "title" and self.in_title:
            self.outline.title, self.in_title = self._taken(), False
        elif tag in _LEVELS and self.heading:
            title, self.heading = self._taken(), ""
            self.outline.heading(_LEVELS[tag], title)
        else:
            self._finish(tag)

    def handle_data(self, data: str) -> None:
        if self.dropped:
            return
        if self.navigation:
            self.navigation_words += len(data.split())
            return
        if not self.words and data.strip():
            blank = data[: len(data) - len(data.lstrip())]
            self.at = self.getpos()[0] + blank.count("\n")
        self.words.append(data if self.preformatted else " ".join(f".{data}.".split())[1:-1])

    def document(self) -> Document:
        self._end_all()
        self.outline.close()
        left_out: tuple[LeftOut, ...] = ()
        if self.navigation_words:
            words = f"{self.navigation_words} words of navigation"
            left_out = (LeftOut("boilerplate", words),)
        return Document(tuple(self.outline.sections), "line", left_out)

    def _start_block(self, tag: str) -> None:
        if tag in ("td", "th", "tr") and self.tables == 1:
            self._end_cell()
            self.cell = tag != "tr"
        elif tag in _BLOCKS and self.rows is None:
            self._end_block()
        if tag == "li" and self.rows is None:
            self.words.append("- ")
        elif tag == "pre":
            self.preformatted += 1
        elif tag == "table":
            self.tables += 1
            if self.tables == 1:
                self.rows, self.caption = [], ""
        elif tag == "tr" and self.rows is not None and self.tables == 1:
            self.rows.append([])
        elif tag == "figure":
            self.picture = ""

    def _finish(self, tag: str) -> None:
        if tag in ("td", "th", "tr") and self.tables == 1:
            self._end_cell()
        elif tag == "caption" and self.tables == 1:
            self.caption = " ".join(filter(None, (self.caption, self._taken())))
        elif tag == "table" and self.tables:
            self.tables -= 1
            if not self.tables:
                self._end_table()
        elif tag == "figure":
            self._end_figure()
        elif tag in _BLOCKS and self.rows is None and self.picture is None:
            self._end_block()
        self.preformatted = max(0, self.preformatted - (tag == "pre"))

    def _end_block(self) -> None:
        if self.heading:
            tag, self.heading, text = self.heading, "", self._taken()
            # A heading that was never closed may have swallowed what follows it.
            if len(text) > _LONGEST_HEADING:
                self.outline.paragraph(text, self.at)
            else:
                self.outline.heading(_LEVELS[tag], text)
        elif self.picture is None:
            text = self._taken()
            if text.strip("- "):
                self.outline.paragraph(text, self.at)

    def _end_table(self) -> None:
        self._end_cell()
        rows, self.rows, self.tables = self.rows, None, 0
        if rows or self.caption:
            self.outline.table(rows or [], self.at, caption=self.caption)
        self.caption = ""

    def _end_cell(self) -> None:
        """End a cell of the table, whose end tag may be left out; stray text is a cell, too."""
        text, was_open, self.cell = self._taken(), self.cell, False
        if self.rows is not None and (text or was_open):
            if not self.rows:
                self.rows.append([])
            self.rows[-1].append(text)

    def _end_figure(self) -> None:
        if self.picture is not None:
            picture, self.picture = self.picture, None
            local = picture if ":" not in picture and not picture.startswith("//") else ""
            self.outline.figure("", self._taken(), local, self.at)

    def _end_all(self) -> None:
        """End what is open, before a heading or navigation: no page means them inside a table."""
        if self.rows is not None:
            self._end_table()
        self._end_figure()
        self._end_block()

    def _taken(self) -> str:
        text, self.words = "".join(self.words), []
        if self.preformatted:
            return text.strip("\n")
        return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()
