"""Find the file that a name means: a path, a folder of one's own, or a copy shipped with medrag."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from medrag.config.place import unknown
from medrag.errors import RecipeError

Shelf = Literal["corpora", "indexes", "pipelines", "pipelines/align"]

_CALLED: Mapping[Shelf, str] = {
    "corpora": "corpus card",
    "indexes": "index recipe",
    "pipelines": "pipeline",
    "pipelines/align": "alignment recipe",
}
_PACKAGE = Path(__file__).resolve().parent.parent


def found(shelf: Shelf, name: str | Path, *, folder: Path | None = None) -> Path:
    """Give the YAML file that a name means.

    Args:
        name: a path to a file, or a name without ".yaml".
        folder: looked into before ./corpora (or ./indexes, ./pipelines) and the shipped copies.

    Raises:
        RecipeError: if no place holds it; lists the names that there are.
    """
    given = Path(name)
    if given.suffix in (".yaml", ".yml"):
        if _is_file(given):
            return given
        if given.name != str(name):
            raise RecipeError(f"{given} is not a file; give the path of a YAML file, or a name")
        name = given.stem
    for place in places(shelf, folder):
        if Path(name).name == str(name) and _is_file(place / f"{name}.yaml"):
            return place / f"{name}.yaml"
    raise RecipeError(
        f"{unknown(_CALLED[shelf], str(name), names(shelf, folder))} (also: a path to a YAML file)"
    )


def names(shelf: Shelf, folder: Path | None = None) -> list[str]:
    """List the names that `found` would find."""
    return sorted({path.stem for path in files(shelf, folder)})


def files(shelf: Shelf, folder: Path | None = None) -> Iterator[Path]:
    """List the files behind `names`; where two places hold a name, the one that counts."""
    seen: set[str] = set()
    for place in places(shelf, folder):
        for path in sorted(place.glob("*.yaml")):
            if path.name not in seen:
                seen.add(path.name)
                yield path


def places(shelf: Shelf, folder: Path | None = None) -> list[Path]:
    """Give the folders that hold YAML of a shelf, in the order that counts."""
    # In a wheel the copies lie inside the package; in a checkout, beside it.
    inside = _PACKAGE / "_shipped"
    shipped = inside if inside.is_dir() else _PACKAGE.parent
    given = [folder] if folder else []
    unique: dict[Path, None] = {}
    for place in (*given, Path(shelf), shipped / shelf):
        if place.is_dir():
            unique.setdefault(place.resolve(), None)
    return list(unique)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A name too long for the system, or a folder that may not be entered.
        return False
