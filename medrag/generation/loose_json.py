"""JSON as models write it: among words, in code fences, with wrong brackets, cut off at the end.

What is whole is kept: a bracket that is missing is put where the next one needs it, single quotes
and bare words pass for strings, and a number with which the text breaks off is dropped, as its last
digits may be missing. One pass over the text, without recursion.
"""

import json
import re
from dataclasses import dataclass, field


@dataclass(slots=True)
class Listed:
    """A list: what it holds, and where in the text it begins and ends."""

    start: int
    values: list["Json"] = field(default_factory=list)
    end: int = -1


@dataclass(slots=True)
class Keyed:
    """An object: what it holds by key, and where in the text it begins and ends."""

    start: int
    values: dict[str, "Json"] = field(default_factory=dict)
    end: int = -1
    key: str | None = None


Json = str | int | float | bool | None | Listed | Keyed

_OPENS = re.compile(r"[\[{]")
# The last branch takes what no JSON has there, a run of letters at once: one by one, each would be
# looked at again from every place within.
_TOKEN = re.compile(
    r'"(?P<double>(?:[^"\\\n]|\\.)*)"?'
    r"|'(?P<single>[^'\n]*)'(?=\s*[:,\]})])"
    r"|(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<mark>[\[\](){}:,])"
    r"|(?P<blank>\s+)"
    r"|(?P<junk>[\w.]+|.)",
    re.DOTALL,
)
_WORDS: dict[str, bool | float | None] = {
    "true": True, "false": False, "null": None, "none": None, "nan": float("nan"),
    "infinity": float("inf"),
}  # fmt: skip
# What stands in a list for something that is no value, so that the list is not one of numbers.
JUNK = "\ufffd"


def loose_json(text: str) -> list[Listed | Keyed]:
    """Read the outermost lists and objects of a text, in order.

    Round brackets within them count as lists. A key without a value, and a value without a key, of
    an object are dropped; of equal keys the last one counts.
    """
    roots: list[Listed | Keyed] = []
    place = 0
    while (opened := _OPENS.search(text, place)) is not None:
        reader = _Reader(text, opened.start())
        roots.append(reader.root)
        place = reader.end
    return roots


class _Reader:
    """One outermost list or object, read from its opening bracket on."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.stack: list[Listed | Keyed] = []
        # How many of the stack are of each kind, so that a search for one ends where there is none.
        self.n_open = {Listed: 0, Keyed: 0}
        self.root = self._opened(text[start], start)
        self.after = ""  # the kind of the token before; "" after a mark
        self.end = start + 1
        while self.stack and self.end < len(text):
            self._token()
        self._cut()

    def _opened(self, bracket: str, start: int) -> Listed | Keyed:
        inner: Listed | Keyed = Keyed(start) if bracket == "{" else Listed(start)
        self.stack.append(inner)
        self.n_open[type(inner)] += 1
        return inner

    def _closed(self) -> None:
        inner = self.stack.pop()
        inner.end = self.end
        self.n_open[type(inner)] -= 1

    def _token(self) -> None:
        match = _TOKEN.match(self.text, self.end)
        kind = "junk" if match is None else match.lastgroup or ""
        self.end = self.end + 1 if match is None else match.end()
        if kind == "mark" and match is not None:
            self._mark(match.group(), match.start())
        elif kind == "junk" or (kind != "blank" and self.after in ("number", "word", "junk")):
            # "10-20" and "10mm" are no two values of a list.
            if isinstance(self.stack[-1], Listed):
                self.stack[-1].values.append(JUNK)
        elif match is not None and kind != "blank":
            _put(self.stack[-1], _read(kind, match))
        self.after = "" if kind in ("mark", "blank") else kind

    def _mark(self, mark: str, start: int) -> None:
        top = self.stack[-1]
        if mark in "[({":
            # Put before it is opened: it is a value of what stands open now.
            inner = self._opened(mark, start)
            _put(top, inner)
        elif mark == ":" and isinstance(top, Listed):
            self._key(top)
        elif mark == "," and isinstance(top, Keyed):
            top.key = None
        elif mark in "])}":
            kind = Keyed if mark == "}" else Listed
            if self.n_open[kind]:
                while not isinstance(self.stack[-1], kind):
                    self._closed()
                self._closed()

    def _key(self, top: Listed) -> None:
        """Take the string before a colon for a key, and close the lists it cannot stand in."""
        if not self.n_open[Keyed] or not top.values or not isinstance(top.values[-1], str):
            top.values.append(JUNK)
            return
        key = top.values.pop()
        while isinstance(self.stack[-1], Listed):
            self._closed()
        self.stack[-1].key = str(key)

    def _cut(self) -> None:
        """Drop the number with which the text breaks off, and close what is open."""
        if self.stack and self.after == "number" and self.stack[-1].values:
            top = self.stack[-1]
            if isinstance(top, Listed):
                top.values.pop()
            else:
                top.values.popitem()
        while self.stack:
            self._closed()


def _put(top: Listed | Keyed, value: Json) -> None:
    if isinstance(top, Listed):
        top.values.append(value)
    elif top.key is not None:
        top.values[top.key] = value
        top.key = None
    elif isinstance(value, str):
        top.key = value


def _read(kind: str, match: re.Match[str]) -> Json:
    written = match[kind]
    if kind == "word":
        return _WORDS.get(written.lower(), str(written))
    if kind != "number":
        return _unescaped(written)
    # Python refuses to read endless digits as an integer.
    short = written.lstrip("+-").isdigit() and len(written) < 16
    return int(written) if short else float(written)


def _unescaped(written: str) -> str:
    """Read the escapes of a string, as they stand where JSON has no such one."""
    if "\\" not in written:
        return written
    try:
        read = str(json.loads(f'"{written}"', strict=False))
    except ValueError:
        return written
    # Half of a pair can be written, but not be stored.
    return read.encode("utf-8", "replace").decode("utf-8")
