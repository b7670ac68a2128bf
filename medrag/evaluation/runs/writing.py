"""Writing a run: whole lines only, so that whatever stops it leaves answers that count."""

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from medrag.codec import Json, answer_from_json, answer_to_json, cited_passages, to_json
from medrag.errors import EvaluationError
from medrag.evaluation.runs.files import ANSWERS, PASSAGES, naming, whole_lines
from medrag.evaluation.runs.identifiers import without_identifiers
from medrag.evaluation.runs.passages import PassageGoneError, WrittenPassages
from medrag.evaluation.runs.reading import AnswerLines, open_run
from medrag.indexing.durable import replacing, sync
from medrag.records import Answer, ImageRef, Item, Passage
from medrag.shapes import ShapeError, shown

# What `replacing` leaves behind where a kill gives it no time to tidy.
_LEFT = re.compile(r"(answers|items|manifest|candidates)\.jsonl?\.[0-9a-f]{16}\.tmp")


class Writer:
    """Appends answers to a run, and the passages that they name and that are not there yet.

    A last line that was cut short is dropped, and so are answers that failed, and those whose
    passages are gone, so that they are tried anew.

    Args:
        folder: of a run that `begin` accepted.

    Attributes:
        done: (item, arm) of the answers that stand there.

    Raises:
        EvaluationError: if a line is no answer of the run, or answers name passages and their
            file is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for left in folder.iterdir():
            if _LEFT.fullmatch(left.name):
                with suppress(OSError):
                    left.unlink()
        for name in (PASSAGES, ANSWERS):
            _cut_open_end(folder / name)
        with WrittenPassages(folder / PASSAGES) as passages:
            self._written = set(passages)
            self.done = _recovered_answers(folder, passages)

    def write(self, arm: str, items: Iterable[Item], answers: Sequence[Answer]) -> None:
        """Write answers of one arm, whole lines only, and bring them onto the disk.

        Passages come first: an answer on disk never names one that is not.

        Args:
            items: of `without_identifiers`, as they stand in items.jsonl.

        Raises:
            EvaluationError: if an answer is to another question, or could not be read again, such
                as one with a confidence of 87 (nothing is written then), or the disk refuses.
        """
        pairs = list(zip(items, answers, strict=True))
        lines = [_line(item, arm, answer) for item, answer in pairs]
        new: dict[str, Passage] = {}
        for answer in answers:
            new |= {p.id: p for p in cited_passages(answer) if p.id not in self._written}
        _append(self._folder / PASSAGES, [_encoded(to_json(each)) for each in new.values()])
        self._written |= new.keys()
        _append(self._folder / ANSWERS, lines)
        self.done |= {(item.id, arm) for item, _ in pairs}


def anonymous(item: Item) -> Item:
    """Do `without_identifiers` for one item, with this user's key."""
    return without_identifiers([item])[0]


def item_lines(items: Iterable[Item], *, named: bool = False) -> bytes:
    """Write items as the lines of items.jsonl, without identifiers of patients and studies.

    Args:
        named: write the names of pictures in place of their paths, so that equal items give equal
            lines wherever their files lie.
    """
    hidden = without_identifiers(items)
    return b"".join(_encoded(to_json(_with_names(item) if named else item)) for item in hidden)


def _with_names(item: Item) -> Item:
    images = tuple(
        replace(image, path=Path(image.path).name) if isinstance(image, ImageRef) else image
        for image in item.question.images
    )
    return replace(item, question=replace(item.question, images=images))


def _line(item: Item, arm: str, answer: Answer) -> bytes:
    """Write an answer as a line, and make sure that it can be read."""
    asked, wanted = answer.question, item.question
    if (asked.text, asked.options) != (wanted.text, wanted.options):
        raise EvaluationError(
            f"the answer to item {item.id!r} in the arm {arm!r} is to another question, "
            f"{shown(asked.text)}; an answerer must give back the question that it was asked"
        )
    line = _encoded({"item": item.id, "arm": arm, "answer": answer_to_json(answer)})
    try:
        passages = {passage.id: passage for passage in cited_passages(answer)}
        answer_from_json(json.loads(line)["answer"], passages)
    except ShapeError as error:
        raise EvaluationError(
            f"the answer to item {item.id!r} in the arm {arm!r} is not as answers are ({error}); "
            "mend the answerer that gave it and run again: what is answered stays"
        ) from error
    return line


def _encoded(value: Json) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _append(path: Path, lines: Sequence[bytes]) -> None:
    with naming(path, "written"), path.open("ab") as stream:
        stream.writelines(lines)
        sync(stream)


def _recovered_answers(folder: Path, passages: WrittenPassages) -> set[tuple[str, str]]:
    """List what is answered, and drop the lines of answers that count as none."""
    path = folder / ANSWERS
    if not path.is_file():
        return set()
    lines = AnswerLines(open_run(folder), passages, prompts=False)
    done: set[tuple[str, str]] = set()
    dropped: set[int] = set()
    for number, line in whole_lines(path):
        try:
            answered = lines.read(number, line)
        except PassageGoneError:
            if not (folder / PASSAGES).is_file():
                # Not for a program to throw away all answers of a folder that was copied in part.
                raise
            dropped.add(number)
            continue
        if answered.answer.error and not answered.answer.text:
            dropped.add(number)
        else:
            done.add((answered.item, answered.arm))
    if dropped:
        _drop(path, dropped)
    return done


def _drop(path: Path, numbers: set[int]) -> None:
    """Rewrite a file without some of its lines, whole or not at all."""
    with naming(path, "written"), replacing(path) as stream:
        stream.writelines(line for number, line in whole_lines(path) if number not in numbers)


def _cut_open_end(path: Path) -> None:
    if not path.is_file():
        return
    with naming(path, "written"), path.open("r+b") as stream:
        whole = sum(len(line) for line in stream if line.endswith(b"\n"))
        stream.truncate(whole)
