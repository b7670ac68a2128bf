"""A small library, questions about it, and a run: what tests of evaluation work on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from medrag.config import Index, build_index, load_pipeline
from medrag.evaluation.benchmarks import Benchmark, load_benchmark
from medrag.evaluation.runs import Run, open_run
from medrag.evaluation.runs.identifiers import without_identifiers
from medrag.evaluation.runs.writing import Writer, item_lines
from medrag.pipeline import Pipeline
from medrag.records import Answer, Item

FACTS = {
    "lung": ("Pleural effusion", "A pleural effusion is fluid between the layers of the pleura."),
    "heart": ("Heart failure", "Heart failure brings swollen legs and shortness of breath."),
    "joint": ("Gout", "Gout is an inflammation of joints caused by crystals of urate."),
    "eye": ("Glaucoma", "Glaucoma damages the optic nerve, often by high pressure in the eye."),
    "skin": ("Melanoma", "Melanoma is a malignant tumour that grows from melanocytes."),
    "bone": ("Osteoporosis", "Osteoporosis makes bones thin by a loss of bone mineral."),
    "liver": ("Cirrhosis", "Cirrhosis replaces liver tissue by scars that stop its work."),
    "brain": ("Stroke", "A stroke is a loss of brain function when blood flow stops."),
}
ASKED = {
    "lung": ("What is the fluid between the layers of the pleura called?", "Pleural effusion"),
    "heart": ("Which disease brings swollen legs and shortness of breath?", "Heart failure"),
    "joint": ("Which inflammation of joints is caused by crystals of urate?", "Gout"),
    "eye": ("Which disease damages the optic nerve by high pressure?", "Glaucoma"),
    "skin": ("Which malignant tumour grows from melanocytes?", "Melanoma"),
    "bone": ("Which disease makes bones thin by a loss of mineral?", "Osteoporosis"),
}


def written_index(folder: Path) -> Index:
    """An index of one passage for each fact; each is a document named by its organ."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"_id": name, "title": title, "text": text})
        for name, (title, text) in FACTS.items()
    ]
    (folder / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return build_index(folder / "index", sources=[folder / "corpus.jsonl"], channels=["lexical"])


def written_questions(folder: Path, *, pictures: bool = False, train: bool = True) -> Path:
    """Multiple-choice questions whose gold document is named, in the layout of `qa`."""
    folder.mkdir(parents=True, exist_ok=True)
    titles = [title for title, _ in FACTS.values()]
    rows = []
    for place, (name, (text, right)) in enumerate(ASKED.items()):
        others = [title for title in titles if title != right][place % 4 : place % 4 + 3]
        options = sorted([right, *others])
        row = {
            "id": name,
            "question": text,
            "options": dict(zip("ABCD", options, strict=True)),
            "answer": "ABCD"[options.index(right)],
            "gold": name,
            "type": "organ" if place % 2 else "cause",
        }
        if pictures:
            row["image"] = f"{name}.png"
            draw = np.random.default_rng(place).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(draw).resize((48, 48)).save(folder / f"{name}.png")
        rows.append(row)
    text = "\n".join(map(json.dumps, rows)) + "\n"
    (folder / "test.jsonl").write_text(text, encoding="utf-8")
    if train:
        renamed = [{**row, "id": f"{row['id']}-train"} for row in rows]
        lines = "\n".join(map(json.dumps, renamed)) + "\n"
        (folder / "train.jsonl").write_text(lines, encoding="utf-8")
    return folder


def loaded(folder: Path, split: str = "test") -> Benchmark:
    return load_benchmark("qa", folder, split=split)


def pipeline_on(index: Index) -> Pipeline:
    return load_pipeline("sample", index=index)


def written_run(
    folder: Path, items: Sequence[Item], answers: Mapping[str, Sequence[Answer]]
) -> Run:
    """A run of given answers, by arm, in the order of the items."""
    folder.mkdir(parents=True)
    items = without_identifiers(items)
    lines = item_lines(items)
    (folder / "items.jsonl").write_bytes(lines)
    manifest = {
        "format": 1,
        "medrag": "0",
        "benchmark": {"name": "made", "split": "test", "layout": "made"},
        "n_items": len(items),
        "items_sha256": hashlib.sha256(lines).hexdigest(),
        "arms": list(answers),
        "notes": {},
        "problems": [],
        "memory": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    writer = Writer(folder)
    for arm, given in answers.items():
        writer.write(arm, items, given)
    return open_run(folder)
