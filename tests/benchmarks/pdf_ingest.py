"""Pages per second of PDF ingestion, beside raw text extraction and LlamaIndex's plain reader.

    python -m tests.benchmarks.pdf_ingest [PDF ...]

Without a file it reads the physiology pages of the real data (MEDRAG_DATA) and a book made of them
ten times over. All rates are measured in one process, taking turns, as medians of five; only the
ratios mean anything on a shared machine. The last table compares one process with two on several
copies of the book.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from medrag.extras import require
from medrag.ingestion.textbook import TextbookIngestor
from medrag.records import Corpus, Passage

ROUNDS = 5
COPIES = 6
REAL = "textbook/anatomy_physiology/ap_imaging_tissues_skin.pdf"


def ingest(path: Path) -> int:
    """Read a PDF into passages; give the number of its pages."""
    ingestor = TextbookIngestor(corpus=Corpus("benchmark", path.parent))
    found = list(ingestor.passages(path))
    return sum(isinstance(p, Passage) and p.kind == "page" for p in found)


def raw_dict(path: Path) -> int:
    """Read the text of a PDF as nested dictionaries, which is PyMuPDF's richest plain call."""
    with require("pymupdf").open(path) as document:
        return sum(bool(page.get_text("dict")) for page in document)


def llama_index(path: Path) -> int:
    """Read and split a PDF as LlamaIndex's own PyMuPDF reader and sentence splitter do."""
    splitter = require("llama_index.core.node_parser").SentenceSplitter(
        chunk_size=256, chunk_overlap=32
    )
    pages = require("llama_index.readers.file").PyMuPDFReader().load_data(path)
    splitter.get_nodes_from_documents(pages)
    return len(pages)


METHODS: dict[str, Callable[[Path], int]] = {
    "medrag": ingest,
    "raw dict": raw_dict,
    "LlamaIndex": llama_index,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pdf", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = arguments.pdf or _books(Path(folder))
        for path in paths:
            _print_rates(path, arguments.rounds)
        _print_processes(paths[0], Path(folder), arguments.rounds)


def _books(folder: Path) -> list[Path]:
    data = Path(os.environ.get("MEDRAG_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (data / REAL).is_file():
        raise SystemExit(f"no {REAL} under {data}; set MEDRAG_DATA or name a PDF")
    return [data / REAL, _repeated(data / REAL, folder / "ten_times.pdf", 10)]


def _repeated(path: Path, target: Path, times: int) -> Path:
    pymupdf = require("pymupdf")
    with pymupdf.open(path) as once, pymupdf.open() as book:
        for _ in range(times):
            book.insert_pdf(once)
        book.save(target)
    return target


def _print_rates(path: Path, rounds: int) -> None:
    for method in METHODS.values():
        method(path)  # imports and caches
    rates: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(rounds):
        for name, method in METHODS.items():
            start = time.perf_counter()
            pages = method(path)
            rates[name].append(pages / (time.perf_counter() - start))
    print(f"{path.name}: {pages} pages")
    for name, found in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(rates["medrag"], found, strict=True)]
        print(
            f"  {name:12} {statistics.median(found):8.0f} pages/s"
            f"   medrag / {name}: {statistics.median(ratios):.2f}"
        )


def _print_processes(path: Path, folder: Path, rounds: int) -> None:
    copies = [_repeated(path, folder / f"copy_{n}.pdf", 4) for n in range(COPIES)]
    context = get_context("spawn")
    seconds: dict[int, list[float]] = {1: [], 2: []}
    pools = {n: ProcessPoolExecutor(n, mp_context=context) for n in seconds}
    for pool in pools.values():
        _run(pool, copies)  # starts the workers and their imports
    for _ in range(rounds):
        for n, pool in pools.items():
            seconds[n].append(_run(pool, copies))
    for pool in pools.values():
        pool.shutdown()
    gains = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    print(f"two processes / one, {COPIES} files: {statistics.median(gains):.2f}")


def _run(pool: ProcessPoolExecutor, paths: Sequence[Path]) -> float:
    start = time.perf_counter()
    list(pool.map(partial(ingest), paths))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
