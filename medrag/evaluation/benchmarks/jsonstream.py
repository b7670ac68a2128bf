"""The elements of a large JSON file one by one, so that the file is never held whole."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from medrag.errors import EvaluationError

_CHUNK = 1 << 16
_SPACE = " \t\n\r"
_BEHIND = _SPACE + ",]}"


def elements(path: Path, *, depth: int = 1) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Read the values of a JSON array or object with their keys.

    Args:
        depth: containers to open: 1 for [row, ...] or {key: row}, 2 for {"test": [row, ...]}.

    Yields:
        The keys that lead to a value (the number from 1 in an array), and the value. NaN and
        Infinity, which are no JSON but are written by others, are None.

    Raises:
        EvaluationError: if the file cannot be read, is no UTF-8, is broken, or has no container
            at a depth; says where.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            stream = _Stream(file, path)
            yield from stream.container((), depth)
            stream.end()
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror or error})") from error


def _null(_: str) -> None:
    return None


_decode = json.JSONDecoder(parse_constant=_null).raw_decode


class _Stream:
    """A window on a JSON text that moves forward."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self.file = file
        self.path = path
        self.text = ""
        self.at = 0
        self.before = 0  # characters that left the window

    def container(self, keys: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
        opening = self.peek()
        if opening not in ("[", "{"):
            if keys:
                raise self.error(f"expected a list or an object at {'.'.join(keys)!r}")
            raise self.error("expected a JSON list or object" if opening else "the file is empty")
        self.at += 1
        closing = "]" if opening == "[" else "}"
        number = 0
        while self.peek() != closing:
            if number:
                self.take(",")
            number += 1
            inner = (*keys, self._key() if opening == "{" else str(number))
            if depth > 1:
                yield from self.container(inner, depth - 1)
            else:
                yield inner, self.value()
        self.at += 1

    def end(self) -> None:
        if self.peek():
            raise self.error("something stands behind the end of the JSON value")

    def peek(self) -> str:
        """Give the next character that is no blank, "" at the end of the file."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        if self.peek() != character:
            raise self.error(f"expected {character!r}")
        self.at += 1

    def value(self) -> Any:
        while True:
            self.peek()
            try:
                value, end = _decode(self.text, self.at)
            except RecursionError as error:
                raise self.error("nested too deeply") from error
            except ValueError as error:
                if not self._more():
                    raise self.error(f"broken JSON ({str(error).partition(':')[0]})") from error
                continue
            if self._ends(value, end) or not self._more():
                self.at = end
                return value

    def _ends(self, value: Any, end: int) -> bool:
        """Tell whether a value is whole: a number may go on behind the window, even behind "2."."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return True
        return end < len(self.text) and self.text[end] in _BEHIND

    def error(self, problem: str) -> EvaluationError:
        found = self.text[self.at : self.at + 30]
        place = self.before + self.at + 1
        return EvaluationError(f"{self.path}, character {place}: {problem}, found {found!r}")

    def _key(self) -> str:
        if self.peek() != '"':
            raise self.error("expected a name in quotes")
        key = str(self.value())
        self.take(":")
        return key

    def _more(self) -> bool:
        """Move the window; it doubles while one value does not fit."""
        kept = self.text[self.at :]
        new = self.file.read(max(_CHUNK, len(kept)))
        self.before += self.at
        self.text, self.at = kept + new, 0
        return bool(new)
