"""A run on disk: what was asked, how, and every answer on a line of its own.

    RUN/
      manifest.json   what the answers depend on; a run goes on only under the same
      items.jsonl     the benchmark's rows with their references, one a line
      passages.jsonl  every passage that an answer names, once
      answers.jsonl   one line for each item and arm: {"item", "arm", "answer"}

Answering is costly and scoring is not: everything after a run reads these files alone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from medrag.codec import answer_from_json, passage_from_json, record_from_json
from medrag.errors import EvaluationError
from medrag.records import Answer, Item, Passage

FORMAT = 1
MANIFEST, ITEMS = "manifest.json", "items.jsonl"
PASSAGES, ANSWERS = "passages.jsonl", "answers.jsonl"
# Passages that are kept in memory while answers are read: some 20 MB of a textbook's.
_KEPT = 10_000
# What a line may fail with if a program or a person wrote something else.
BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


class Answered(NamedTuple):
    """One line of answers.jsonl."""

    item: str
    arm: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Run:
    """A run that can be read.

    Attributes:
        manifest: see `medrag.evaluation.runs.manifest`.
        items: by id, in the order of the benchmark.
    """

    folder: Path
    manifest: Mapping[str, Any]
    items: Mapping[str, Item]

    def answers(self, *, prompts: bool = False) -> Iterator[Answered]:
        """Read the answers one by one, in the order in which they were written.

        A last line that was cut short is left out.

        Args:
            prompts: whether to read the prompts as well, which scoring has no use for.

        Raises:
            EvaluationError: if another line is broken, answers no item of the run, or answers an
                item a second time for an arm; names the line.
        """
        path = self.folder / ANSWERS
        # Of a run that is still being written: passages stand on disk before the answers that
        # name them, so that what is there now finds its own.
        end = path.stat().st_size if path.is_file() else 0
        with WrittenPassages(self.folder / PASSAGES) as passages:
            yield from self._read(whole_lines(path, end), passages, prompts)

    def _read(
        self, lines: Iterable[tuple[int, bytes]], passages: Mapping[str, Passage], prompts: bool
    ) -> Iterator[Answered]:
        path = self.folder / ANSWERS
        seen: set[tuple[str, str]] = set()
        for number, line in lines:
            try:
                value = json.loads(line)
                item, arm = value["item"], value["arm"]
                if not prompts:
                    value["answer"].pop("prompt", None)
                answered = Answered(item, arm, answer_from_json(value["answer"], passages))
            except BROKEN as error:
                raise EvaluationError(
                    f"{path}, line {number}: no answer of a run ({type(error).__name__}: {error}); "
                    "delete the line and run again: what is missing is answered anew"
                ) from error
            if item not in self.items:
                raise EvaluationError(
                    f"{path}, line {number}: answers item {item!r}, which {self.folder / ITEMS} "
                    "does not have; the answers are another benchmark's, or another split's"
                )
            if (item, arm) in seen:
                raise EvaluationError(
                    f"{path}, line {number}: item {item!r} is answered a second time for the arm "
                    f"{arm!r}; delete one of the two lines"
                )
            seen.add((item, arm))
            yield answered

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms that were asked for, floors included."""
        return tuple(self.manifest["arms"])


def open_run(folder: Path) -> Run:
    """Open a run to read it.

    Raises:
        EvaluationError: if the folder holds none, or its items are broken.
    """
    manifest = read_manifest(folder)
    items: dict[str, Item] = {}
    path = folder / ITEMS
    for number, line in whole_lines(path):
        try:
            item = record_from_json(Item, json.loads(line))
        except BROKEN as error:
            raise EvaluationError(f"{path}, line {number}: no item of a benchmark") from error
        if item.id in items:
            raise EvaluationError(f"{path}, line {number}: item {item.id!r} stands there twice")
        items[item.id] = item
    if len(items) != manifest["n_items"]:
        raise EvaluationError(
            f"{path} holds {len(items)} items, but the manifest says {manifest['n_items']}; "
            "the file was cut or changed: run again into a new folder"
        )
    return Run(folder, manifest, items)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run.

    Raises:
        EvaluationError: if there is none, it is broken, or of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise EvaluationError(
            f"{folder} is no run: it has no {MANIFEST}; make one: "
            f"medrag eval run PIPELINE BENCHMARK --data DIR --out {folder}"
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"]
    except (OSError, *BROKEN) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    if found != FORMAT:
        raise EvaluationError(
            f"{path} is of format {found!r}, and this medrag reads {FORMAT}; score it with the "
            f"version that wrote it, {manifest.get('medrag')}"
        )
    return manifest


class WrittenPassages(Mapping[str, Passage]):
    """The passages of a run by id, read from their file when they are asked for.

    Only where each stands is held, and those used last. Use it as a context manager.

    Raises:
        EvaluationError: if a line is no passage, or the file is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, int] = {}
        self._known: dict[str, Passage] = {}
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "WrittenPassages":
        self._places = passage_places(self._path)
        self._stream = self._path.open("rb") if self._path.is_file() else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def __getitem__(self, name: str) -> Passage:
        if name not in self._known:
            if self._stream is None:
                raise KeyError(name)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._stream.seek(self._places[name])
            self._known[name] = passage_from_json(json.loads(self._stream.readline()))
        return self._known[name]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)


def passage_places(path: Path) -> dict[str, int]:
    """Find where the line of each passage begins, in bytes; none if there is no file.

    Raises:
        EvaluationError: if a line is no passage.
    """
    places: dict[str, int] = {}
    start = 0
    for number, line in whole_lines(path) if path.is_file() else ():
        try:
            places[json.loads(line)["id"]] = start
        except BROKEN as error:
            raise EvaluationError(
                f"{path}, line {number}: no passage; run again into a new folder"
            ) from error
        start += len(line)
    return places


def whole_lines(path: Path, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Give number and text of each line; a last one without an end was cut short.

    Args:
        end: bytes to read at most; None for all.
    """
    if not path.is_file():
        raise EvaluationError(f"{path} is missing; run again")
    read = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            read += len(line)
            if not line.endswith(b"\n") or (end is not None and read > end):
                return
            yield number, line
