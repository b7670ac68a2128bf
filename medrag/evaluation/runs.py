"""A run on disk: what was asked, how, and every answer on a line of its own.

    RUN/
      manifest.json   what the answers depend on; a run goes on only under the same
      items.jsonl     the benchmark's rows with their references, one a line
      answers.jsonl   one line for each item and arm: {"item", "arm", "answer"}

Answering is costly and scoring is not: everything after a run reads these files alone.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from medrag.codec import answer_from_json, record_from_json
from medrag.errors import EvaluationError
from medrag.records import Answer, Item

FORMAT = 1
MANIFEST, ITEMS, ANSWERS = "manifest.json", "items.jsonl", "answers.jsonl"
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
        manifest: see `medrag.evaluation.run`.
        items: by id, in the order of the benchmark.
    """

    folder: Path
    manifest: Mapping[str, Any]
    items: Mapping[str, Item]

    def answers(self) -> Iterator[Answered]:
        """Read the answers one by one, in the order in which they were written.

        A last line that was cut short is left out.

        Raises:
            EvaluationError: if another line is broken, answers no item of the run, or answers an
                item a second time for an arm; names the line.
        """
        path = self.folder / ANSWERS
        seen: set[tuple[str, str]] = set()
        for number, line in _whole_lines(path):
            try:
                value = json.loads(line)
                item, arm = value["item"], value["arm"]
                answered = Answered(item, arm, answer_from_json(value["answer"]))
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
    for number, line in _whole_lines(path):
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


def _whole_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give number and text of each line; a last one without an end was cut short."""
    if not path.is_file():
        raise EvaluationError(f"{path} is missing; run again")
    with path.open(encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if line.endswith("\n") and line.strip():
                yield number, line
