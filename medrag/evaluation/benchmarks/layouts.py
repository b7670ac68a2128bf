"""Which layout of which benchmark a folder holds, told by its files and their columns."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from medrag.errors import EvaluationError, MissingExtraError
from medrag.evaluation.benchmarks.card import Card, Layout, Split
from medrag.evaluation.benchmarks.cards_folder import known_benchmarks, read_card
from medrag.evaluation.benchmarks.columns import Column, has, shown
from medrag.evaluation.benchmarks.reading import rows
from medrag.ingestion.lines import BadLine

_DEEPEST = 6
_MOST_FILES = 200_000
# Rows that may be broken before a layout is held not to fit.
_TRIED = 50
# Cards that would fit a great many folders, which are no use as a hint.
_GENERAL = frozenset({"qa"})


@dataclass(frozen=True, slots=True)
class Fit:
    """A layout that fits a folder, and the files of the split that is asked for."""

    layout: Layout
    split: Split
    files: tuple[Path, ...]


def fitting(card: Card, folder: Path, split: str) -> Fit:
    """Find the first layout of a benchmark that a folder holds and that has the split.

    Raises:
        EvaluationError: if there is none; says which files each layout expects, which splits are
            there, and which other benchmark the folder may be.
    """
    names = listed(folder)
    problems: list[str] = []
    splits_there: dict[str, None] = {}
    for layout in card.layouts:
        there = {name: found for name, each in layout.splits.items()
                 if (found := matching(names, each.files))}  # fmt: skip
        splits_there.update(dict.fromkeys(there))
        if split not in there:
            continue
        problem = _unreadable(layout, folder / there[split][0])
        if problem is None:
            files = tuple(folder / name for name in there[split])
            return Fit(layout, layout.splits[split], files)
        problems.append(f"  {layout.name}: {problem}")
    if problems:
        raise EvaluationError(
            f"{folder} has files of {card.name}, but none is as it must be:\n"
            + "\n".join(problems) + _elsewhere(card, folder, names)
        )  # fmt: skip
    if splits_there:
        raise EvaluationError(
            f"{folder} has no split {split!r} of {card.name}; it has {', '.join(splits_there)}"
            + _known_split(card, split)
        )
    raise EvaluationError(
        f"{folder} does not hold {card.title}; expected\n" + "\n".join(_expected(card))
        + f"\nfrom {card.home}" + _elsewhere(card, folder, names)
    )  # fmt: skip


def listed(folder: Path) -> list[str]:
    """List the files of a folder, relative to it, in order; hidden ones are left out.

    Raises:
        EvaluationError: if it is no folder, or one in it cannot be read.
    """
    if not folder.is_dir():
        raise EvaluationError(f"{folder} is no folder; give the one that holds the benchmark")
    found: list[str] = []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        inner = Path(place).relative_to(folder)
        deep = len(inner.parts) >= _DEEPEST
        folders[:] = [] if deep else sorted(each for each in folders if each[0] != ".")
        found.extend((inner / each).as_posix() for each in files if each[0] != ".")
        if len(found) > _MOST_FILES:
            break
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise EvaluationError(
        f"{error.filename} cannot be read ({error.strerror}), where files of the benchmark may "
        "lie; allow it, or give the benchmark's own folder"
    ) from error


def matching(names: list[str], globs: tuple[str, ...]) -> list[str]:
    """Choose the names that one of the patterns describes; "**/" stands for any folders."""
    pattern = re.compile("|".join(map(_regex, globs)), re.IGNORECASE)
    return [name for name in names if pattern.fullmatch(name)]


def _regex(glob: str) -> str:
    parts = re.split(r"(\*\*/|\*|\?)", glob)
    spoken = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(spoken.get(part, re.escape(part)) for part in parts)


def _unreadable(layout: Layout, path: Path) -> str | None:
    """Say why the first rows of a file do not fit a layout; None if they do.

    A column must stand in any of these rows: of JSON lines each names only what it has.
    """
    bad: str | None = None
    there: dict[str, None] = {}
    lacking: list[Column] | None = None
    try:
        for record in islice(rows(layout, path), _TRIED):
            if isinstance(record, BadLine):
                bad = bad or f"{path.name}, {record.place}: {record.problem}"
                continue
            there |= dict.fromkeys(name for name in record.values if not name.startswith("@"))
            wanted = _needed(layout) if lacking is None else lacking
            lacking = [column for column in wanted if not has(record.values, column)]
            if not lacking:
                return None
    except (EvaluationError, MissingExtraError) as error:
        return str(error)
    if lacking is None:
        return bad or f"{path.name} holds no rows"
    return (
        f"{path.name} has no {', '.join(shown(column) for column in lacking)}; "
        f"its columns are {', '.join(there)[:300]}"
    )


def _needed(layout: Layout) -> Iterator[Column]:
    """Give the columns without which no row can be used; those that a row may lack are none."""
    yield layout.columns["question"]
    if "id" in layout.columns:
        yield layout.columns["id"]
    may_lack = {"unanswerable", "answerable"} & set(layout.columns) or any(
        split.unanswered for split in layout.splits.values()
    )
    if "answer" in layout.columns and not may_lack:
        yield layout.columns["answer"]
    if layout.options and layout.options.columns and layout.kind in ("choice", "choices"):
        yield layout.options.columns[0]
    if layout.images and layout.images.required:
        yield layout.images.columns[0]


def _expected(card: Card) -> Iterator[str]:
    for layout in card.layouts:
        splits = "; ".join(
            f"{name}: {' or '.join(split.files)}" for name, split in layout.splits.items()
        )
        yield f"  {layout.name}: {splits}"


def _known_split(card: Card, split: str) -> str:
    for layout in card.layouts:
        if split in layout.splits:
            return f"; {split!r} would be {' or '.join(layout.splits[split].files)}"
    return ""


def _elsewhere(card: Card, folder: Path, names: list[str]) -> str:
    """Say which other benchmark a folder may be."""
    others = [
        name for name in known_benchmarks()
        if name not in (card.name, *_GENERAL) and _fits(read_card(name), folder, names)
    ]  # fmt: skip
    told = " or ".join(f"medrag eval benchmarks {name}" for name in others)
    return f"\nThe folder looks like {' or '.join(others)}; see {told}" if others else ""


def _fits(card: Card, folder: Path, names: list[str]) -> bool:
    for layout in card.layouts:
        found: Mapping[str, list[str]] = {
            name: matching(names, split.files) for name, split in layout.splits.items()
        }
        first = next((files[0] for files in found.values() if files), None)
        if first is not None and _unreadable(layout, folder / first) is None:
            return True
    return False
