"""A benchmark from a folder: its items, and everything about its files that is not as expected."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks.building import item_of
from medrag.evaluation.benchmarks.card import Card, Split
from medrag.evaluation.benchmarks.cards_folder import read_card
from medrag.evaluation.benchmarks.columns import BadRowError, found_in, text_of
from medrag.evaluation.benchmarks.layouts import Fit, fitting
from medrag.evaluation.benchmarks.pictures import MissingImageError, OutsideError, Pictures
from medrag.evaluation.benchmarks.reading import rows
from medrag.ingestion.lines import BadLine, Record
from medrag.records import Item

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The items of one split of a benchmark.

    Attributes:
        layout: name of the layout that the folder holds.
        problems: what is not as expected and was accepted: rows left out, counts that differ.
        files: path relative to the folder, with "/", to the SHA-256 of each file that was read.
    """

    name: str
    split: str
    layout: str
    items: tuple[Item, ...]
    problems: tuple[str, ...]
    files: Mapping[str, str]
    card: Card


def load_benchmark(
    name: str | Path,
    folder: Path,
    *,
    split: str = "test",
    subset: bool = False,
    extracted: Path | None = None,
    limit: int | None = None,
) -> Benchmark:
    """Read one split of a benchmark from its folder. Nothing is downloaded.

    Args:
        name: one of `known_benchmarks`, or the path of a card of your own (.yaml).
        subset: accept that items are missing: counts that differ and rows that cannot be used are
            told in `problems`. Without it they are an error.
        extracted: where pictures that lie inside a table are written, named by their content.
        limit: read that many items only; counts are then not checked.

    Raises:
        EvaluationError: if the folder does not hold the split, a count differs, rows are broken or
            name pictures that are not there, ids repeat, or a path leaves the folder.
        ValueError: if the limit is not positive.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    card = read_card(name)
    folder = Path(folder)
    fit = fitting(card, folder, split)
    read = _Reading(card, fit, folder, split, extracted, limit)
    items = tuple(read.items())
    problems = (*read.left_out(subset=subset), *read.miscounted(len(items), subset=subset))
    if not items:
        left = "".join(f"\n  {problem}" for problem in problems)
        raise EvaluationError(f"{folder} has no item of the split {split!r} of {card.name}{left}")
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in _read_files(fit)}
    return Benchmark(card.name, split, fit.layout.name, items, problems, files, card)


@dataclass
class _Reading:
    """Items of the files of a split, with what went wrong on the way."""

    card: Card
    fit: Fit
    folder: Path
    split: str
    extracted: Path | None
    limit: int | None
    places: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def items(self) -> Iterator[Item]:
        spec = self.fit.layout.images
        pictures = (
            Pictures(folder=self.folder, spec=spec, extracted=self.extracted) if spec else None
        )
        for path, place, record in self._records():
            if len(self.places) == self.limit:
                return
            try:
                item = item_of(
                    record.values, card=self.card, layout=self.fit.layout, split=self.split,
                    pictures=pictures, file=path,
                )  # fmt: skip
            except OutsideError as error:
                raise EvaluationError(f"{place}: {error}") from error
            except MissingImageError as error:
                self.missing.append(f"{error} ({place})")
            except BadRowError as error:
                self.broken.append(f"{place}: {error}")
            else:
                self._check_id(item.id, place)
                self._count(record)
                yield item

    def _records(self) -> Iterator[tuple[Path, str, Record]]:
        for path in self.fit.files:
            file = path.relative_to(self.folder).as_posix()
            for record in rows(self.fit.layout, path):
                place = f"{file}, {record.place}"
                try:
                    if isinstance(record, BadLine):
                        raise BadRowError(record.problem)
                    belongs = _belongs(record, self.fit.split)
                except BadRowError as error:
                    self.broken.append(f"{place}: {error}")
                    continue
                if belongs:
                    yield path, place, record

    def _check_id(self, id_: str, place: str) -> None:
        if id_ in self.places:
            raise EvaluationError(
                f"the id {id_!r} stands twice in {self.folder}: {self.places[id_]} and {place}; "
                "remove one of them"
            )
        self.places[id_] = place

    def _count(self, record: Record) -> None:
        if self.fit.split.expect_each is not None:
            self.counts[_text(record, self.fit.split.expect_each[0])] += 1

    def left_out(self, *, subset: bool) -> Iterator[str]:
        """Say which rows were left out, or refuse to."""
        if self.broken:
            yield _accepted(
                f"{_rows(self.broken)} of {self.folder} cannot be used: {_first(self.broken)}",
                subset=subset,
            )
        if self.missing:
            name = "names" if len(self.missing) == 1 else "name"
            names = f"{_rows(self.missing)} of {self.folder} {name} pictures that are not there: "
            folders = self.fit.layout.images.folders if self.fit.layout.images else ()
            looked = f"looked in {', '.join(folders)} of that folder and of those down to the file"
            yield _accepted(
                f"{names}{_first(self.missing)}; {looked}{_zipped(self.folder)}", subset=subset
            )

    def miscounted(self, found: int, *, subset: bool) -> tuple[str, ...]:
        """Say which counts differ, or refuse to."""
        if found == self.limit:
            return (f"only the first {_items(found)} read; counts were not checked",)
        wrong = _differences(self.fit.split, self.counts, found)
        if wrong and not subset:
            table = "\n  ".join(wrong)
            raise EvaluationError(
                f"{self.card.title} is not complete, or another release:\n  {table}\nGet the "
                f"whole set from {self.card.home}, or accept what is there: --subset"
            )
        return tuple(wrong)


def _belongs(record: Record, split: Split) -> bool:
    return all(
        found_in(_text(record, column), pattern, column) for column, pattern in split.where.items()
    )


def _text(record: Record, column: str) -> str:
    try:
        return text_of(record.values.get(column), column)
    except BadRowError:
        return ""


def _accepted(problem: str, *, subset: bool) -> str:
    if subset:
        return f"left out: {problem}"
    raise EvaluationError(f"{problem}\nMend them, or leave them out and be told: --subset")


def _rows(problems: list[str]) -> str:
    return f"{len(problems)} row{'' if len(problems) == 1 else 's'}"


def _items(n: int) -> str:
    return "item was" if n == 1 else f"{n} items were"


def _first(problems: list[str]) -> str:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more


def _zipped(folder: Path) -> str:
    archives = sorted(path.name for path in folder.glob("*.zip"))
    return f" (unpack {', '.join(archives[:3])} first?)" if archives else ""


def _differences(split: Split, counts: Mapping[str, int], found: int) -> list[str]:
    expected = {} if split.expect is None else {"items": (split.expect, found)}
    if split.expect_each is not None:
        column, each = split.expect_each
        expected |= {
            f"{column} {name}": (each[name], counts[name]) for name in counts if name in each
        }
    return [
        f"{name}: expected {wanted:,}, found {there:,}"
        for name, (wanted, there) in expected.items()
        if wanted != there
    ]


def _read_files(fit: Fit) -> tuple[Path, ...]:
    if fit.layout.format != "beir":
        return fit.files
    return (*fit.files, fit.files[0].parent.parent / "queries.jsonl")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
