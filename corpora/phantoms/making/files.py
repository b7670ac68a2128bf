"""A world on disk: its library, its card, its questions and their pictures."""

import csv
import json
import shutil
from pathlib import Path

from . import words
from .pictures import Pixels, drawn, save
from .worlds import FACTS, Asked, Phantom, World, count_word, page_name

LICENCE = "CC0-1.0"
_CARD = """\
name: phantoms
root: library
about: synthetic phantoms; a test of methods, not evidence about medicine
licence: CC0-1.0
files:
  - {glob: pages.jsonl, kind: text, options: {chunk: false}}
  - {glob: reports.csv, kind: report}
  - {glob: facts.tsv, kind: graph}
exclude: ["pictures/**"]
"""


def write_world(world: World, folder: Path) -> None:
    """Write a world into a folder: the library first, then the questions.

    The folders "library" and "pictures" are emptied first; what else is there stays.
    """
    library, pictures = folder / "library", folder / "pictures"
    for each in (library, pictures):
        shutil.rmtree(each, ignore_errors=True)
    (library / "pictures").mkdir(parents=True)
    pictures.mkdir()
    (folder / "card.yaml").write_text(_CARD, encoding="utf-8", newline="\n")
    _write_pages(world, library / "pages.jsonl")
    _write_facts(world, library / FACTS)
    _write_reports(world, library)
    for one in world.patients:
        save(_pixels(one), pictures / f"{one.name}.png")
    lines = [json.dumps(_line(each)) for each in world.questions]
    _write_lines(folder / "test.jsonl", lines)


def _write_pages(world: World, path: Path) -> None:
    lines = []
    for number, page in enumerate(world.pages):
        text = words.page_text([(sign, world.meanings[sign]) for sign in page])
        lines.append(json.dumps({"doc_id": page_name(number), "text": text, "licence": LICENCE}))
    _write_lines(path, lines)


def _write_facts(world: World, path: Path) -> None:
    rows = [f"{head}\t{words.NEEDS}\t{tail}" for head, tail in world.remedies.items()]
    _write_lines(path, ["head\trelation\ttail", *rows])


def _write_reports(world: World, library: Path) -> None:
    with (library / "reports.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["subject_id", "study_id", "image", "findings", "licence"])
        for one in world.likes:
            name = f"pictures/{one.name}.png"
            save(_pixels(one), library / name)
            told = words.report_text(one.sign, count_word(one))
            writer.writerow([one.name, f"{one.name}-study", name, told, LICENCE])


def _line(asked: Asked) -> dict[str, object]:
    line: dict[str, object] = {
        "id": asked.id, "question": asked.text, "answer": asked.answer, "type": asked.need,
        "misled": asked.misled, "image": f"pictures/{asked.phantom.name}.png",
        "subject": asked.phantom.name,
    }  # fmt: skip
    if asked.gold is not None:
        line["gold"] = asked.gold
    return line


def _pixels(one: Phantom) -> Pixels:
    return drawn(one.sign, one.places, tint=one.tint, seed=one.seed)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
