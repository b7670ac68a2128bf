"""Preference pairs on disk: one pair a line, as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medrag.alignment.noise import Noise
from medrag.alignment.pairs.checking import check_pair
from medrag.alignment.pairs.pair import Parts, PreferencePair
from medrag.codec import record_from_json, to_json
from medrag.errors import InputFileError, MedragError
from medrag.images import within
from medrag.indexing.durable import replacing
from medrag.records import ImageRef

# What reading a line may fail with, if a program or a person wrote something else.
_BROKEN = (ValueError, RecursionError)


def write_pairs(path: Path, pairs: Iterable[PreferencePair]) -> None:
    """Write pairs, one a line, in order; the file is there whole or not at all.

    Its folder is made if it is missing. Pictures are named, not copied.

    Raises:
        ValueError: if a pair is none, see `check_pair`, or two have one id; nothing is written.
        MedragError: if the disk refuses; names the file.
    """
    seen: set[str] = set()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            for pair in pairs:
                check_pair(pair)
                if pair.id in seen:
                    raise ValueError(f"two pairs have the id {pair.id!r}; give each its own")
                seen.add(pair.id)
                stream.write(json.dumps(to_json(pair)).encode() + b"\n")
    except OSError as error:
        raise MedragError(
            f"{path} cannot be written ({error.strerror or error}); make room on the disk, or give "
            "a place that may be written to"
        ) from error


def read_pairs(path: Path, *, images: Path | None = None) -> list[PreferencePair]:
    """Read pairs that `write_pairs`, or a person, wrote; blank lines do not count.

    Args:
        path: JSON lines in UTF-8.
        images: the folder that relative paths begin at and stay in; None for that of the file.

    Returns:
        The pairs in order, all paths absolute.

    Raises:
        InputFileError: if the file cannot be read, a line is no pair (unknown keys are named; see
            `check_pair`), an id stands there twice, or pictures are missing; names the line.
    """
    folder = (images or path.parent).absolute()
    files = _Files(folder)
    pairs: list[PreferencePair] = []
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        if not line.strip():
            continue
        pair = _read(path, number, line, files)
        if pair.id in lines:
            raise InputFileError(
                path,
                f"the id {pair.id!r} stands in line {lines[pair.id]} already; give each its own",
                place=f"line {number}",
            )
        lines[pair.id] = number
        pairs.append(pair)
    files.check(path)
    return pairs


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as stream:
            yield from enumerate(stream, start=1)
    except OSError as error:
        raise InputFileError(
            path,
            f"cannot be read ({error.strerror or error}); mine pairs first: medrag align pairs",
        ) from error


def _read(path: Path, number: int, line: bytes, files: "_Files") -> PreferencePair:
    place = f"line {number}"
    try:
        pair = record_from_json(PreferencePair, json.loads(line.decode("utf-8-sig")))
        check_pair(pair)
        return located(pair, lambda name: files.found(name, number))
    except InputFileError as error:
        raise InputFileError(path, str(error), place=place) from error
    except _BROKEN as error:
        raise InputFileError(
            path, f"no preference pair ({error}); mend the line or delete it", place=place
        ) from error


def located(pair: PreferencePair, place: Callable[[str], str]) -> PreferencePair:
    """Give every file that a pair names another path.

    Args:
        place: gets a path as it is written, gives the one to use.
    """
    rejected = pair.rejected_prompt
    return replace(
        pair,
        prompt=_located(pair.prompt, place),
        rejected_prompt=None if rejected is None else _located(rejected, place),
        noise=None if pair.noise is None else _located_noise(pair.noise, place),
    )


def is_file(path: Path) -> bool:
    """Tell whether a file is there, whatever a path may hold."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _located(parts: Parts, place: Callable[[str], str]) -> Parts:
    return tuple(
        replace(part, path=place(part.path)) if isinstance(part, ImageRef) else part
        for part in parts
    )


def _located_noise(noise: Noise, place: Callable[[str], str]) -> Noise:
    named: dict[str, Any] = {
        name: place(value)
        for name in ("heat_map", "other")
        if (value := getattr(noise, name)) is not None
    }
    return replace(noise, **named)


@dataclass(slots=True)
class _Files:
    """Finds the files that lines name, each once, and remembers those that are not there."""

    folder: Path
    known: dict[str, str] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)

    def found(self, name: str, line: int) -> str:
        if name not in self.known:
            path = Path(name) if Path(name).is_absolute() else within(self.folder, name)
            if not is_file(path):
                self.missing.setdefault(str(path), line)
            self.known[name] = str(path)
        return self.known[name]

    def check(self, path: Path) -> None:
        if not self.missing:
            return
        first, line = next(iter(self.missing.items()))
        n = len(self.missing)
        raise InputFileError(
            path,
            f"the picture {first} is missing{f', and {n - 1} others are' if n > 1 else ''}; bring "
            f"{'them' if n > 1 else 'it'} back to where the file says, write the paths anew, or "
            "give the folder that relative paths begin at (images)",
            place=f"line {line}",
        )
