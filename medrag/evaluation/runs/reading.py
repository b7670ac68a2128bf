"""A run on disk: what was asked, how, and every answer on a line of its own.

    RUN/
      manifest.json   what the answers depend on; a run goes on only under the same
      items.jsonl     the benchmark's rows with their references, one a line
      passages.jsonl  every passage that an answer names, once
      answers.jsonl   one line for each item and arm: {"item", "arm", "answer"}

Answering is costly and scoring is not: everything after a run reads these files alone.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from medrag.codec import answer_from_json, record_from_json
from medrag.errors import EvaluationError
from medrag.evaluation.runs.files import (
    ANSWERS,
    BROKEN,
    ITEMS,
    MANIFEST,
    PASSAGES,
    naming,
    whole_lines,
)
from medrag.evaluation.runs.passages import PassageGoneError, WrittenPassages
from medrag.records import Answer, Item
from medrag.shapes import ShapeError, decoder, fields_decoder, shown

FORMAT = 1
# What everything after a run relies on; further keys are for people.
_REQUIRED: Mapping[str, Any] = {
    "n_items": int, "items_sha256": str, "arms": tuple[str, ...], "notes": Mapping[str, str],
    "problems": tuple[str, ...], "memory": Mapping[str, int],
}  # fmt: skip
_OPTIONAL: Mapping[str, Any] = {
    "medrag": str, "code": str, "created": str, "training": str | None, "model": str, "seed": int,
    "k": int, "guard": bool, "pipeline": Mapping[str, Any] | None,
    "index": Mapping[str, Any] | None,
}  # fmt: skip
_BENCHMARK: Mapping[str, Any] = {"name": str, "split": str, "layout": str}
_BENCHMARK_OPTIONAL: Mapping[str, Any] = {
    "files": Mapping[str, str], "items": str, "protocols": tuple[str, ...],
    "group_by": tuple[str, ...],
}  # fmt: skip
_LINE = fields_decoder(
    {"item": str, "arm": str, "answer": Mapping[str, Any]}, ("item", "arm", "answer")
)


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
            EvaluationError: if another line is broken, or answers no item of the run, another
                question, an arm that the manifest does not have, or an item a second time for an
                arm; names the line. Or if a passage that it names is gone.
        """
        path = self.folder / ANSWERS
        # Of a run that is still being written: passages stand on disk before the answers that
        # name them, so that what is there now finds its own.
        with naming(path, "read"):
            end = path.stat().st_size if path.is_file() else 0
        with WrittenPassages(self.folder / PASSAGES) as passages:
            lines = AnswerLines(self, passages, prompts=prompts)
            for number, line in whole_lines(path, end):
                yield lines.read(number, line)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms that were asked for, floors included."""
        return tuple(self.manifest["arms"])


class AnswerLines:
    """Reads lines of answers.jsonl one after the other, and checks each against its run."""

    def __init__(self, run: Run, passages: WrittenPassages, *, prompts: bool) -> None:
        self._run = run
        self._path = run.folder / ANSWERS
        self._passages = passages
        self._prompts = prompts
        self._arms = frozenset(run.arms)
        self._seen: set[tuple[str, str]] = set()

    def read(self, number: int, line: bytes) -> Answered:
        """Read a line.

        Raises:
            PassageGoneError: if a passage that it names is gone.
            EvaluationError: if it is no answer of the run; see `Run.answers`.
        """
        try:
            item, arm, value = self._parts(line)
            try:
                answered = Answered(item, arm, answer_from_json(value, self._passages))
            except ShapeError as error:
                raise error.inside("answer") from error
        except KeyError as error:
            raise self._passage_gone(number, str(error.args[0])) from error
        except BROKEN as error:
            raise EvaluationError(
                f"{self._path}, line {number}: no answer of a run ({error}); delete the line and "
                "run again: what is missing is answered anew"
            ) from error
        self._check(number, answered)
        self._seen.add((item, arm))
        return answered

    def _parts(self, line: bytes) -> tuple[str, str, dict[str, Any]]:
        read = _LINE(json.loads(line))
        value: dict[str, Any] = read["answer"]
        if not self._prompts:
            value.pop("prompt", None)
        return read["item"], read["arm"], value

    def _passage_gone(self, number: int, name: str) -> PassageGoneError:
        path = self._passages.path
        if not path.is_file():
            return PassageGoneError(
                f"{path} is missing, and line {number} of {ANSWERS} names the passage {name!r}; "
                "bring the file back, or run again into a new folder"
            )
        return PassageGoneError(
            f"{path} was cut or changed: it lacks the passage {name!r}, which line {number} of "
            f"{ANSWERS} names; run again: answers whose passages are gone are given anew"
        )

    def _check(self, number: int, answered: Answered) -> None:
        """Refuse what answers something else than the run asked."""
        place = f"{self._path}, line {number}"
        item = self._run.items.get(answered.item)
        if item is None:
            raise EvaluationError(
                f"{place}: answers item {answered.item!r}, which {self._run.folder / ITEMS} "
                "does not have; the answers are another benchmark's, or another split's"
            )
        asked, wanted = answered.answer.question, item.question
        if (asked.text, asked.options) != (wanted.text, wanted.options):
            differing = (
                (shown(asked.text), shown(wanted.text))
                if asked.text != wanted.text
                else (f"the options {list(asked.options)}", str(list(wanted.options)))
            )
            raise EvaluationError(
                f"{place}: answers another question than item {item.id!r} asks: found "
                f"{differing[0]}, expected {differing[1]}; the answers are another benchmark's: "
                "bring back those of this run, or run again into a new folder"
            )
        if answered.arm not in self._arms:
            raise EvaluationError(
                f"{place}: is of the arm {answered.arm!r}, which {MANIFEST} does not list (it has "
                f"{', '.join(self._run.arms) or 'none'}); delete the line, or run "
                "that arm as well"
            )
        if (answered.item, answered.arm) in self._seen:
            raise EvaluationError(
                f"{place}: item {answered.item!r} is answered a second time for the arm "
                f"{answered.arm!r}; delete one of the two lines"
            )


def open_run(folder: Path) -> Run:
    """Open a run to read it.

    Raises:
        EvaluationError: if the folder holds none, or its items are broken or not those that the
            manifest is about.
    """
    manifest = read_manifest(folder)
    items: dict[str, Item] = {}
    path = folder / ITEMS
    digest = hashlib.sha256()
    for number, line in whole_lines(path):
        digest.update(line)
        try:
            item = record_from_json(Item, json.loads(line))
        except BROKEN as error:
            raise EvaluationError(
                f"{path}, line {number}: no item of a benchmark ({error}); bring the file back as "
                "it was written, or delete it and run again: it is written anew"
            ) from error
        if item.id in items:
            raise EvaluationError(f"{path}, line {number}: item {item.id!r} stands there twice")
        items[item.id] = item
    if len(items) != manifest["n_items"]:
        raise EvaluationError(
            f"{path} holds {len(items)} items, but the manifest says {manifest['n_items']}; "
            "the file was cut or changed: delete it and run again: it is written anew"
        )
    check_items(path, digest.hexdigest(), manifest)
    return Run(folder, manifest, items)


def check_items(path: Path, found: str, manifest: Mapping[str, Any]) -> None:
    """Refuse items that are not those that were asked.

    Args:
        found: SHA-256 of the file.

    Raises:
        EvaluationError: if the manifest says another.
    """
    if found != manifest["items_sha256"]:
        raise EvaluationError(
            f"{path} was changed since the run began: its SHA-256 is {found}, and {MANIFEST} says "
            f"{manifest['items_sha256']}; bring it back, or delete it and run again: it is "
            "written anew"
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run.

    Raises:
        EvaluationError: if there is none, it is broken, or of another format; names the key.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise EvaluationError(
            f"{folder} is no run: it has no {MANIFEST}; make one: "
            f"medrag eval run PIPELINE BENCHMARK --data DIR --out {folder}"
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *BROKEN) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    try:
        return _checked_manifest(path, value)
    except ShapeError as error:
        raise EvaluationError(
            f"{path}: {error}; bring the file back as it was written, or run again into a new "
            "folder"
        ) from error


def _checked_manifest(path: Path, value: Any) -> dict[str, Any]:
    """Check every key that is relied on, and leave the values as they are."""
    manifest: dict[str, Any] = decoder(Mapping[str, Any])(value)
    _check_keys(manifest, {"format": int}, {})
    if manifest["format"] != FORMAT:
        raise EvaluationError(
            f"{path} is of format {manifest['format']!r}, and this medrag reads {FORMAT}; score it "
            f"with the version that wrote it, {manifest.get('medrag')}"
        )
    _check_keys(manifest, {**_REQUIRED, "benchmark": Mapping[str, Any]}, _OPTIONAL)
    try:
        _check_keys(manifest["benchmark"], _BENCHMARK, _BENCHMARK_OPTIONAL)
    except ShapeError as error:
        raise error.inside("benchmark") from error
    if len(set(manifest["arms"])) != len(manifest["arms"]):
        raise ShapeError("expected each arm once", "arms")
    return manifest


def _check_keys(
    value: Mapping[str, Any], required: Mapping[str, Any], optional: Mapping[str, Any]
) -> None:
    known = {**required, **optional}
    own = {name: each for name, each in value.items() if name in known}
    fields_decoder(known, required)(own)
