"""Page encoding and page search: rendering, what stands around the model, and a question's time.

    python -m tests.benchmarks.page [PDF]

Without a file it takes the physiology pages of the real data (MEDRAG_DATA). The model is a ColQwen2
of random weights and some 20 million parameters, so that the forward pass is not free; its vectors
are compared with those of the plain loop, its ranking means nothing. All times are of one process,
taking turns.
"""

import argparse
import io
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.numerics import chosen_dtype
from medrag.config import Index, build_index
from medrag.encoding.page import PageEncoder
from medrag.extras import require
from medrag.images import kept_open, read_image
from medrag.indexing.late_interaction import LateInteractionSearch
from medrag.records import Filter, ImageRef, Passage, Question, Source
from tests.benchmarks.measuring import Row, interleaved, machine, ratio, table
from tests.encoding.tiny_pages import save_colqwen2

DPI = 144
PAGES = 16
REAL = "textbook/anatomy_physiology/ap_imaging_tissues_skin.pdf"
QUESTION = Question("Which layers does the skin have, and what is the heart in the chest?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pdf", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    path = arguments.pdf or _book()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_colqwen2(folder / "model", width=256, layers=6, max_pixels=384 * 384, patch=8)
        rows = [
            *_rendering(path, arguments.rounds),
            *_encoding(path, folder / "model", arguments.rounds),
            *_searching(path, folder, arguments.rounds),
        ]
    print(table(rows))
    print(f"\n{machine()}")


def _book() -> Path:
    data = Path(os.environ.get("MEDRAG_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (data / REAL).is_file():
        raise SystemExit(f"no {REAL} under {data}; set MEDRAG_DATA or name a PDF")
    return data / REAL


def _rendering(path: Path, rounds: int) -> list[Row]:
    """Time pages to pixels: straight, through PNG, and the bare renderer on an open document."""
    numbers = range(1, PAGES + 1)
    document = require("pymupdf").open(path)  # stays open for PNG, which loses all the same
    times = interleaved(
        {
            "medrag": lambda: _straight(path, numbers),
            "through PNG": lambda: [_through_png(document, n) for n in numbers],
            "bare renderer": lambda: _bare(path, numbers),
        },
        rounds=rounds,
    )
    ours = read_image(ImageRef(str(path), page=3), dpi=DPI)
    np.testing.assert_array_equal(ours, _through_png(document, 3))
    document.close()
    return _rows(f"render {PAGES} pages at {DPI} dpi", times, limit="bare renderer")


def _straight(path: Path, numbers: Sequence[int]) -> list[NDArray[np.uint8]]:
    with kept_open():
        return [read_image(ImageRef(str(path), page=n), dpi=DPI) for n in numbers]


def _bare(path: Path, numbers: Sequence[int]) -> None:
    with require("pymupdf").open(path) as document:
        for number in numbers:
            document[number - 1].get_pixmap(dpi=DPI)


def _through_png(document: Any, number: int) -> NDArray[np.uint8]:
    png = document[number - 1].get_pixmap(dpi=DPI).tobytes("png")
    return np.asarray(require("PIL.Image").open(io.BytesIO(png)).convert("RGB"))


def _encoding(path: Path, folder: Path, rounds: int) -> list[Row]:
    """Time pages to vectors beside the plain loop of transformers, and the forward pass alone."""
    encoder = PageEncoder(model=str(folder), device="cpu", dpi=DPI)
    source = Source("benchmark", path.name, "0" * 64)
    refs = [ImageRef(str(path), page=n) for n in range(1, PAGES + 1)]
    passages = [Passage(str(ref.page), "page", "", source, (ref,)) for ref in refs]
    prepared = [encoder._read(ref)[1] for ref in refs]
    model, processor = _plain(folder)
    times = interleaved(
        {
            "medrag": lambda: encoder.encode_passages(passages),
            "plain loop": lambda: _plain_loop(model, processor, path),
            "forward pass alone": lambda: encoder._vectors(prepared, "document"),
        },
        rounds=rounds,
    )
    ours, theirs = encoder.encode_passages(passages).values, _plain_loop(model, processor, path)
    assert (ours * theirs).sum(axis=1).min() > 0.98  # bfloat16 in batches of other sizes
    n_tokens = prepared[0].n_tokens
    note = f"{n_tokens} tokens a page, {encoder.numerics}"
    return _rows(f"encode {PAGES} pages", times, limit="forward pass alone", note=note)


def _plain(folder: Path) -> tuple[Any, Any]:
    library, torch = require("transformers"), require("torch")
    dtype = chosen_dtype(torch, "auto", "cpu")
    model = library.ColQwen2ForRetrieval.from_pretrained(folder, dtype=dtype).eval()
    return model, library.ColQwen2Processor.from_pretrained(folder)


def _plain_loop(model: Any, processor: Any, path: Path) -> NDArray[np.float32]:
    """Encode as the documentation of transformers shows it, four pages at a time."""
    torch, pillow = require("torch"), require("PIL.Image")
    rows = []
    for start in range(1, PAGES + 1, 4):
        with require("pymupdf").open(path) as document:
            pictures = [pillow.fromarray(_through_png(document, start + n)) for n in range(4)]
        with torch.inference_mode():
            batch = processor.process_images(images=pictures)
            rows.append(model(**batch).embeddings.float())
    values: NDArray[np.float32] = torch.cat(rows).flatten(0, 1).numpy()
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def _searching(path: Path, folder: Path, rounds: int) -> list[Row]:
    """Time a question over the pages of a book: words to vectors, and MaxSim."""
    spec = {"kind": "page", "model": str(folder / "model"), "device": "cpu", "dpi": DPI}
    channels = {"page": {"encoder": spec, "side": "text"}}
    with build_index(folder / "index", sources=[path], channels=channels) as index:
        encoder = PageEncoder(model=str(folder / "model"), device="cpu", dpi=DPI)
        asked = encoder.encode_questions([QUESTION], "text")
        blocks = index.store.vectors("page")
        channel = index.chosen(["page"])["page"]
        [expected] = channel.search([QUESTION], 10, [Filter()])
        vectors = LateInteractionSearch(store=index.store, name="page")
        times = interleaved(
            {
                "medrag": lambda: vectors.search(asked, 10, [Filter()]),
                "a loop over pages": lambda: _loop(asked.values, blocks),
                "words to vectors, before either": lambda: encoder.encode_questions(
                    [QUESTION], "text"
                ),
            },
            rounds=rounds * 4,
        )
        assert [row for row, _ in expected] == _loop(asked.values, blocks)[:10]
        note = _size(index)
    *compared, before = _rows("one question over a book", times, limit="", note=note)
    return [*compared, before._replace(ratio=None)]


def _loop(asked: NDArray[np.float32], blocks: Sequence[Any]) -> list[int]:
    scored = []
    for block in blocks:
        pages = np.split(block.values, np.cumsum(block.lengths)[:-1])
        for row, page in zip(block.rows.tolist(), pages, strict=True):
            scored.append((-float((asked @ page.T).max(axis=1).sum(dtype=np.float64)), row))
    return [row for _, row in sorted(scored)]


def _size(index: Index) -> str:
    blocks = index.store.vectors("page")
    n_pages = sum(len(block.rows) for block in blocks)
    return f"{n_pages} pages, {sum(len(block.values) for block in blocks):,} vectors"


def _rows(what: str, times: dict[str, list[float]], *, limit: str, note: str = "") -> list[Row]:
    share = ratio(times, limit, "medrag") ** -1 if limit else None
    rows = [Row(what, "medrag", times["medrag"], share=share, limit=f"{limit}", note=note)]
    for name, seconds in times.items():
        if name not in ("medrag", limit):
            rows.append(Row(what, name, seconds, ratio=ratio(times, "medrag", name)))
    if limit:
        rows.append(Row(what, f"{limit} (the limit)", times[limit]))
    rate = PAGES / statistics.median(times["medrag"])
    if limit:
        rows[0] = rows[0]._replace(note=f"{rate:.1f} pages/s. {note}".strip())
    return rows


if __name__ == "__main__":
    main()
