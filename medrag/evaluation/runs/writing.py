"""Writing a run: whole lines only, so that whatever stops it leaves answers that count."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from medrag.codec import Json, answer_to_json, cited_passages, to_json
from medrag.errors import EvaluationError
from medrag.evaluation.runs.reading import (
    ANSWERS,
    BROKEN,
    PASSAGES,
    passage_places,
    whole_lines,
)
from medrag.identity import load_key, pseudonym
from medrag.indexing.durable import move, sync
from medrag.records import Answer, ImageRef, Item, Passage


class Writer:
    """Appends answers to a run, and the passages that they name and that are not there yet.

    A last line that was cut short is dropped, and so are answers that failed, so that they are
    tried anew.

    Attributes:
        done: (item, arm) of the answers that stand there.
    """

    def __init__(self, folder: Path) -> None:
        self.done = _recovered_answers(folder / ANSWERS)
        self._written = set(_recovered_passages(folder / PASSAGES))
        self._folder = folder

    def write(self, arm: str, items: Iterable[Item], answers: Sequence[Answer]) -> None:
        """Write answers of one arm, whole lines only, and bring them onto the disk.

        Passages come first: an answer on disk never names one that is not.
        """
        new: dict[str, Passage] = {}
        for answer in answers:
            new |= {p.id: p for p in cited_passages(answer) if p.id not in self._written}
        _append(self._folder / PASSAGES, (to_json(passage) for passage in new.values()))
        self._written |= new.keys()
        pairs = list(zip(items, answers, strict=True))
        _append(
            self._folder / ANSWERS,
            (
                {"item": item.id, "arm": arm, "answer": answer_to_json(answer)}
                for item, answer in pairs
            ),
        )
        self.done |= {(item.id, arm) for item, _ in pairs}


def anonymous(item: Item) -> Item:
    """Replace the patient and the study of an item, and a cluster of that name, by keyed hashes."""
    question = item.question
    if not (question.subject or question.study):
        return item
    key = load_key()
    names = {name: pseudonym(name, key) for name in (question.subject, question.study) if name}
    hashed = replace(
        question,
        subject=names.get(question.subject or ""),
        study=names.get(question.study or ""),
    )
    cluster = names.get(item.cluster or "", item.cluster)
    return replace(item, question=hashed, cluster=cluster)


def item_lines(items: Iterable[Item], *, named: bool = False) -> bytes:
    """Write items as the lines of items.jsonl, without names of patients and studies.

    Args:
        named: write the names of pictures in place of their paths, so that equal items give equal
            lines wherever their files lie.
    """
    given = (_with_names(item) if named else item for item in items)
    lines = (json.dumps(to_json(anonymous(item))) for item in given)
    return b"".join(line.encode() + b"\n" for line in lines)


def _with_names(item: Item) -> Item:
    images = tuple(
        replace(image, path=Path(image.path).name) if isinstance(image, ImageRef) else image
        for image in item.question.images
    )
    return replace(item, question=replace(item.question, images=images))


def _append(path: Path, values: Iterable[Json]) -> None:
    with path.open("ab") as stream:
        stream.writelines(json.dumps(value).encode() + b"\n" for value in values)
        sync(stream)


def _recovered_answers(path: Path) -> set[tuple[str, str]]:
    """List what is answered, and drop lines that were cut short or say that the answer failed."""
    _cut_open_end(path)
    done: set[tuple[str, str]] = set()
    failed: set[int] = set()
    for number, line in whole_lines(path) if path.is_file() else ():
        answered, is_failed = _answered(path, number, line)
        if is_failed:
            failed.add(number)
        else:
            done.add(answered)
    if failed:
        _drop(path, failed)
    return done


def _drop(path: Path, numbers: set[int]) -> None:
    """Rewrite a file without some of its lines, whole or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as stream:
        stream.writelines(line for number, line in whole_lines(path) if number not in numbers)
        sync(stream)
    move(temporary, path)


def _recovered_passages(path: Path) -> dict[str, int]:
    _cut_open_end(path)
    return passage_places(path)


def _cut_open_end(path: Path) -> None:
    if not path.is_file():
        return
    with path.open("r+b") as stream:
        whole = sum(len(line) for line in stream if line.endswith(b"\n"))
        stream.truncate(whole)


def _answered(path: Path, number: int, line: bytes) -> tuple[tuple[str, str], bool]:
    """Give item and arm of a line, and whether the answer failed."""
    try:
        value = json.loads(line)
        answer = value["answer"]
        is_failed = bool(answer.get("error")) and not answer.get("text")
        return (str(value["item"]), str(value["arm"])), is_failed
    except BROKEN as error:
        raise EvaluationError(
            f"{path}, line {number}: no answer of a run; delete the line and run again: what is "
            "missing is answered anew"
        ) from error
