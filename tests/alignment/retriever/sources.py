"""Pairs of pictures and texts to tune on: of the real data, and of phantoms."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medrag.alignment.retriever import (
    CrossValidated,
    RetrieverPair,
    RetrieverSettings,
    cross_validate,
)
from medrag.alignment.retriever.heads import PairVectors
from medrag.alignment.retriever.relations import relations
from medrag.alignment.retriever.ridge import ridge_heads
from medrag.alignment.retriever.trainees import pair_vectors
from medrag.alignment.retriever.validating import Fit, trained_by
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.encoding.sentence import SentenceEncoder
from medrag.records import ImageRef

SETTINGS = RetrieverSettings()
RATE = 1e-3
GRID, CELL = 4, 16
Form = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]


class Sign(NamedTuple):
    name: str
    colour: str
    rgb: tuple[int, int, int]
    form: Form


SIGNS = (
    Sign("ring", "red", (230, 60, 60), lambda y, x: abs(np.hypot(y, x) - 5) < 1.5),
    Sign("cross", "green", (60, 200, 80), lambda y, x: (abs(y) < 2) | (abs(x) < 2)),
    Sign("bar", "blue", (70, 110, 240), lambda y, x: (abs(y) < 3) & (abs(x) < 8)),
    Sign("disc", "purple", (220, 80, 220), lambda y, x: np.hypot(y, x) < 6),
    Sign("square", "yellow", (240, 220, 60), lambda y, x: (abs(y) < 5) & (abs(x) < 5)),
    Sign("grid", "white", (245, 245, 245), lambda y, x: (y // 2 + x // 2) % 2 == 0),
)
ROWS = ("at the top", "above the middle", "below the middle", "at the bottom")
COLUMNS = ("on the left", "left of the centre", "right of the centre", "on the right")
_CREDIT = re.compile(r"\s*\(credit[^)]*\)")


def figure_pairs(data: Path, column: str) -> list[RetrieverPair]:
    """Figures of the book with "caption" (under its title, without credits) or "alt"."""
    book = data / "textbook" / "anatomy_physiology"
    lines = (book / "figures.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    pairs = []
    for row in rows:
        if row["alt"] and row["caption"]:
            caption = f"{row['title']}. {_CREDIT.sub('', row['caption'])}"
            text = row["alt"] if column == "alt" else caption
            picture = ImageRef(str(book / row["image"]))
            pairs.append(RetrieverPair(row["figure"], picture, text, group=str(row["chapter"])))
    return pairs


def case_pairs(data: Path) -> list[RetrieverPair]:
    """Pictures of VQA-RAD with all that is asked and answered of them; a case has one picture."""
    folder = data / "radiology" / "vqa_rad"
    told: dict[str, list[str]] = {}
    cases: dict[str, str] = {}
    for row in json.loads((folder / "vqa_rad.json").read_text(encoding="utf-8")):
        name = row["image_name"]
        told.setdefault(name, []).append(f"{row['question']} {row['answer']}.")
        cases[name] = row["image_case_url"]
    return [
        RetrieverPair(
            name, ImageRef(str(folder / "images" / name)), " ".join(several), group=cases[name]
        )
        for name, several in sorted(told.items())
    ]


def phantom_pairs(folder: Path, n: int, *, seed: int = 0) -> list[RetrieverPair]:
    """Pictures of as many patients, each with one sign at one place, and what is seen."""
    rng = np.random.default_rng(seed)
    pairs = []
    for patient in range(n):
        sign, place = SIGNS[rng.integers(len(SIGNS))], rng.integers(GRID * GRID)
        path = folder / f"{patient}.png"
        Image.fromarray(phantom(sign, int(place), rng)).save(path)
        where = f"{ROWS[place // GRID]} {COLUMNS[place % GRID]}"
        text = f"There is a {sign.colour} {sign.name} {where}."
        pairs.append(
            RetrieverPair(f"{patient}", ImageRef(str(path)), text, subject=f"patient {patient}")
        )
    return pairs


def phantom(sign: Sign, place: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A grey ground of the patient's own, noise, and a sign in one of 4 x 4 cells."""
    y, x = np.mgrid[:CELL, :CELL] - (CELL - 1) / 2
    pixels = np.full((GRID * CELL, GRID * CELL, 3), rng.uniform(20, 70))
    top, left = CELL * (place // GRID), CELL * (place % GRID)
    pixels[top : top + CELL, left : left + CELL][sign.form(y, x)] = sign.rgb
    noisy = pixels + rng.normal(0, 6, pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def encoded(pairs: list[RetrieverPair]) -> PairVectors:
    """Pictures by the descriptor, texts by MiniLM, neither of which is trained."""
    text = SentenceEncoder(model="minilm", dtype="float32", device="cpu")
    return pair_vectors(pairs, relations(pairs), DescriptorEncoder(), text)


def validated(
    vectors: PairVectors, *, seed: int = 0, k: int = 10, ridge: bool = False
) -> CrossValidated:
    """Cross-validate a trained head; also the closed form, and a head that is trained from there.

    Args:
        ridge: compare these two as well.
    """
    settings = replace(SETTINGS, seed=seed, k=k)
    others: dict[str, Fit] = {
        "ridge": lambda training: ridge_heads(training.images, training.texts),
        "from ridge": trained_by(replace(settings, start="ridge"), RATE),
    }
    return cross_validate(vectors, settings=settings, rate=RATE, others=others if ridge else None)
