"""The commands that errors of an index name as the way out."""

import shlex
from pathlib import Path


def command(verb: str, place: Path, *options: str) -> str:
    """Write a command on an index, by its full path: a name is looked for below ./indexes.

    Args:
        place: the index, or anything in it.
    """
    path = place.absolute()
    index = next((p for p in (path, *path.parents) if (p / "manifest.json").is_file()), path)
    return shlex.join(["medrag", "index", verb, str(index), *options])


def repair(place: Path) -> str:
    """Give the command that makes everything anew that is derived from the segments."""
    return command("verify", place, "--repair")


def reread(place: Path | None = None) -> str:
    """Say how a damaged segment is had again; `place` is None where the index is not known."""
    mending = repair(place) if place else "medrag index verify NAME --repair"
    return f"{mending} drops what is damaged, and the same build then reads it again"
