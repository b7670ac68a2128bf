"""Pages for late-interaction models, and encoders of tiny ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medrag.encoding.page import PageEncoder
from medrag.records import ImageRef, Passage, Question, Source
from tests.encoding.tiny_pages import (
    save_colmodernvbert,
    save_colpali,
    save_colqwen2,
)

SOURCE = Source("corpus", "book.pdf", "0" * 64)
FAMILIES: dict[str, Callable[[Path], Path]] = {
    "colpali": save_colpali,
    "colqwen2": save_colqwen2,
    "colmodernvbert": lambda folder: save_colmodernvbert(folder, longest=96),
}
QUESTIONS = [
    Question("what does the heart do?"),
    Question("lung"),
    Question("which?", options=("the heart", "a bone and the cell")),
]


def made(folder: Path, **options: Any) -> PageEncoder:
    return PageEncoder(model=str(folder), **{"device": "cpu", "dtype": "float32", **options})


def page(path: Path, number: int) -> Passage:
    return Passage(f"p{number}", "page", "", SOURCE, (ImageRef(str(path), page=number),))


def pictures(folder: Path, *sizes: tuple[int, int]) -> list[Passage]:
    """Save pictures of noise, (height, width) each."""
    rng = np.random.default_rng(0)
    passages = []
    for n, (height, width) in enumerate(sizes):
        path = folder / f"{n}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        passages.append(Passage(str(n), "page", "", SOURCE, (ImageRef(str(path)),)))
    return passages
