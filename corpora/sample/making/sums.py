"""The checksums of what `make.py` wrote."""

import hashlib
from pathlib import Path

NAME = "SHA256SUMS"
WRITTEN = ("library", "questions", "questions.jsonl", "textbook_truth.jsonl")


def write_sums(folder: Path) -> None:
    """List every written file with its SHA-256, in the form that `sha256sum -c` reads."""
    files = [path for name in WRITTEN for path in _files(folder / name)]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(files)
    ]
    (folder / NAME).write_text("".join(lines), encoding="utf-8")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
