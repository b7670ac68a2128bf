"""Check YAML files of any kind without building what they say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrag.config import lookup
from medrag.config.cards import planned_card, unset_variables
from medrag.config.pipelines import planned_pipeline
from medrag.config.reading import read_mapping
from medrag.config.recipes import planned_index
from medrag.errors import MedragError, RecipeError

_INDEX_KEYS = frozenset({"corpora", "channels"})
_PIPELINE_KEYS = frozenset({"retrieve", "select", "answer"})
_ALIGNMENT_KEYS = frozenset({
    "model", "lora", "pairs", "weights", "sampling", "sft", "dpo", "grpo", "rewards", "retriever",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file is, and what is wrong with it, if anything.

    `what` is "corpus", "index", "pipeline", "alignment" or "unknown".
    `absent` is about this machine, not about the file: why a corpus cannot be read here.
    """

    file: Path
    what: str
    problem: str | None = None
    absent: str | None = None


def checkable() -> list[Path]:
    """List every card and recipe that medrag finds from here."""
    shelves: tuple[lookup.Shelf, ...] = ("corpora", "indexes", "pipelines", "pipelines/align")
    return [path for shelf in shelves for path in lookup.files(shelf)]


def named(path: Path) -> Path:
    """Give the file that a name means: a pipeline, an index, a card, or an alignment recipe.

    The last may be named as align/NAME, too.
    """
    shelves: tuple[lookup.Shelf, ...] = ("pipelines", "indexes", "corpora", "pipelines/align")
    for shelf in shelves if not path.suffix and not path.exists() else ():
        aligns = shelf == "pipelines/align" and path.parent == Path("align")
        name = path.name if aligns else str(path)
        if name in lookup.names(shelf):
            return lookup.found(shelf, name)
    return path


def check_file(path: Path) -> Checked:
    """Check one file. Never raises for what the file says."""
    try:
        spec = read_mapping(path)
        what = kind_of(spec, path)
    except RecipeError as error:
        return Checked(path, "unknown", str(error))
    try:
        _CHECKS[what](spec, path)
    except MedragError as error:
        return Checked(path, what, str(error))
    return Checked(path, what, absent=_absent(spec, path) if what == "corpus" else None)


def kind_of(spec: Mapping[str, Any], path: Path) -> str:
    """Tell what a file is by the folder it is kept in, and else by its keys."""
    shelf = {"corpora": "corpus", "indexes": "index", "pipelines": "pipeline"}.get(path.parent.name)
    if shelf is not None:
        return shelf
    if path.parent.parts[-2:] == ("pipelines", "align") or _ALIGNMENT_KEYS & set(spec):
        return "alignment"
    if _PIPELINE_KEYS & set(spec):
        return "pipeline"
    return "index" if _INDEX_KEYS & set(spec) else "corpus"


def _absent(spec: Mapping[str, Any], path: Path) -> str | None:
    unset = unset_variables(str(spec.get("root", "")))
    if unset:
        return f"{unset[0]} is not set"
    try:
        planned_card(spec, path)
    except RecipeError as error:
        return str(error)
    return None


def _check_card(spec: Mapping[str, Any], path: Path) -> None:
    planned_card(spec, path, root=Path())


def _check_index(spec: Mapping[str, Any], path: Path) -> None:
    planned_index(spec, path, check_roots=False)


def _check_alignment(spec: Mapping[str, Any], path: Path) -> None:
    # What trains is imported for recipes of training alone.
    from medrag.config.alignment import planned_alignment

    planned_alignment(spec, path)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Path], object]] = {
    "alignment": _check_alignment,
    "corpus": _check_card,
    "index": _check_index,
    "pipeline": planned_pipeline,
}
