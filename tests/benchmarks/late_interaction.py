"""MaxSim search over pages: 1,000 pages of 747 patches of 128 numbers, a question of 20 vectors.

    python -m tests.benchmarks.late_interaction

Against sentence-transformers' `maxsim`, Qdrant Edge with multivectors and, where `PLAID_PYTHON`
names the interpreter of an environment with fast-plaid (it pins another torch), fast-plaid; a new
folder in `PLAID_INDEX` keeps its index, which takes minutes to build. Every contestant's ten best
are compared with those of double precision.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.indexing.late_interaction import LateInteractionSearch
from medrag.indexing.storage import Store
from medrag.indexing.threads import in_torch_threads
from medrag.records import Embeddings, Filter
from tests.benchmarks.measuring import (
    Row,
    interleaved,
    machine,
    product_rate,
    ratio,
    read_rate,
    table,
)
from tests.indexing.vector_library import CHANNEL, Made, made_index

PAGES, PATCHES, D, TOKENS, K = 1000, 747, 128, 20, 10
BOOKS, WORDS, BOOK_WORDS, PAGE_WORDS = 20, 4000, 300, 60
QUESTIONS, ROUNDS = 20, 9
WHAT = f"{PAGES} pages x {PATCHES} x {D}, {TOKENS} vectors"
SENTENCE = "sentence-transformers maxsim"
BITS, MEANS = {"first_pass": "bits"}, {"first_pass": "pooled"}

Floats = NDArray[np.float32]

# What fast-plaid is asked in its own environment: it prints seconds per question, then the pages.
_PLAID = """
import json, os, sys, tempfile, time, numpy as np, torch
from fast_plaid import search
folder, rounds = sys.argv[1], int(sys.argv[2])
pages = torch.from_numpy(np.load(folder + "/pages.npy"))
questions = torch.from_numpy(np.load(folder + "/questions.npy"))
known = sys.argv[3] and os.path.isdir(sys.argv[3])
index = search.FastPlaid(index=sys.argv[3] or tempfile.mkdtemp(), device="cpu")
start = time.perf_counter()
if not known:
    index.create(documents_embeddings=list(pages))
built = time.perf_counter() - start
ask = lambda one: index.search(queries_embeddings=one[None], top_k=10, show_progress=False)[0]
ask(questions[0])
times, found = [], []
for number in range(rounds):
    one = questions[number % len(questions)]
    start = time.perf_counter()
    ask(one)
    times.append(time.perf_counter() - start)
found = [[int(page) for page, _ in ask(one)] for one in questions]
print(json.dumps({"built": built, "times": times, "found": found}))
"""


def main() -> None:
    pages, questions = made_pages(np.random.default_rng(0))
    expected = [best_pages(pages, each) for each in questions]
    with tempfile.TemporaryDirectory() as folder:
        made = [Made(page, file=n * BOOKS // PAGES) for n, page in enumerate(pages)]
        store = made_index(Path(folder), made, d=D, late_interaction=True)
        ours = {
            "exact": searching(store),
            "bits first": searching(store, candidates=100, **BITS),
            "means first": searching(store, candidates=100, **MEANS),
            "exact, float32": searching(store, scan="float32"),
        }
        peers = {
            SENTENCE: sentence_transformers(pages),
            "Qdrant Edge multivector": qdrant_edge(Path(folder) / "edge", pages),
        }
        compare(ours, peers, pages, questions, expected)


def compare(
    ours: Mapping[str, Callable[[Floats], list[int]]],
    peers: Mapping[str, Callable[[Floats], list[int]]],
    pages: Floats,
    questions: Floats,
    expected: Sequence[list[int]],
) -> None:
    """Time everyone and print the table."""
    asks = {**ours, **peers}
    recalls = {
        name: recall([ask(each) for each in questions], expected) for name, ask in asks.items()
    }
    assert recalls["exact"] == recalls["exact, float32"] == 1
    turn = iter(range(10**9))
    timed: dict[str, Callable[[], object]] = {
        name: (lambda ask=ask: ask(questions[next(turn) % len(questions)]))
        for name, ask in asks.items()
    }
    seconds = interleaved(timed, rounds=ROUNDS)
    plaid = fast_plaid(pages, questions)
    if plaid is not None:
        seconds["fast-plaid (own process)"] = plaid["times"]
        recalls["fast-plaid (own process)"] = recall(plaid["found"], expected)
    limits = shares(seconds)
    rows = []
    for name, times in seconds.items():
        note = f"recall@10 {recalls[name]:.3f}"
        if name in ours:
            rows.append(Row(WHAT, f"ours, {name}", times, None, None, *limits[name], note))
        else:
            rows.append(Row(WHAT, name, times, ratio(seconds, "exact", name), 4, note=note))
    first = ratio(seconds, "bits first", SENTENCE)
    rows.append(Row("the same, by bits first", SENTENCE, seconds[SENTENCE], first, 15))
    print(table(rows))
    if plaid is not None and not os.environ.get("PLAID_INDEX"):
        print(f"\nfast-plaid took {plaid['built']:.0f} s to build its index.")
    print(f"\n{machine()}")


def shares(seconds: Mapping[str, Sequence[float]]) -> dict[str, tuple[float | None, str]]:
    """Say how much of what the machine can do each of our ways did."""
    operations = 2 * PAGES * PATCHES * D * TOKENS
    numbers = PAGES * PATCHES * D
    tiles = {dtype: tile_rate(dtype) for dtype in ("int8", "float32")}
    square = product_rate("bfloat16", n=4096)
    found: dict[str, tuple[float | None, str]] = dict.fromkeys(seconds, (None, ""))
    for name, dtype in (("exact", "int8"), ("exact, float32", "float32")):
        rate = operations / float(np.median(seconds[name]))
        found[name] = (
            rate / tiles[dtype],
            f"{rate / 1e9:.0f} of {tiles[dtype] / 1e9:.0f} G/s of bare {dtype} products of this "
            f"shape; 4096 cubed in bfloat16: {square / 1e9:.0f}",
        )
    size = numbers // 8
    reading = read_rate(size=size)
    rate = size / float(np.median(seconds["bits first"]))
    found["bits first"] = (rate / reading, f"{rate / 1e9:.1f} of {reading / 1e9:.0f} GB/s of codes")
    return found


def tile_rate(dtype: str) -> float:
    """Measure the operations per second of products of these shapes alone, on all cores."""
    torch = require("torch")
    kind = getattr(torch, dtype)
    rows, columns = torch.ones(PAGES * PATCHES, D, dtype=kind), torch.ones(D, TOKENS, dtype=kind)
    size = 8 * PATCHES
    multiply = torch._int_mm if dtype == "int8" else torch.mm

    def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            multiply(rows[number * size : (number + 1) * size], columns)

    n = PAGES // 8
    bare = {"bare": lambda: in_torch_threads(work, range(n))}
    times = interleaved(bare, rounds=ROUNDS)["bare"]
    return 2 * n * size * D * TOKENS / min(times)


def made_pages(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Make pages of books: a patch is near a word of its page, which shares some with its book.

    Returns:
        (PAGES, PATCHES, D) and (QUESTIONS, TOKENS, D), unit rows; a question's are near patches of
        one page.
    """
    words = unit(rng.standard_normal((WORDS, D)))
    pages = np.empty((PAGES, PATCHES, D), dtype=np.float32)
    books = [rng.choice(WORDS, BOOK_WORDS, replace=False) for _ in range(BOOKS)]
    for number in range(PAGES):
        mine = rng.choice(books[number * BOOKS // PAGES], PAGE_WORDS, replace=False)
        noise = rng.standard_normal((PATCHES, D)) * 0.8 / np.sqrt(D)
        pages[number] = unit(words[rng.choice(mine, PATCHES)] + noise)
    questions = np.empty((QUESTIONS, TOKENS, D), dtype=np.float32)
    for number in range(QUESTIONS):
        page = pages[rng.integers(PAGES)]
        noise = rng.standard_normal((TOKENS, D)) / np.sqrt(D)
        questions[number] = unit(page[rng.choice(PATCHES, TOKENS)] + noise)
    return pages, questions


def best_pages(pages: Floats, question: Floats) -> list[int]:
    scores = [float((question.astype(np.float64) @ page.T).max(axis=1).sum()) for page in pages]
    return sorted(range(len(pages)), key=lambda page: (-scores[page], page))[:K]


def recall(found: Sequence[Sequence[int]], expected: Sequence[Sequence[int]]) -> float:
    return float(np.mean([len({*f} & {*e}) / K for f, e in zip(found, expected, strict=True)]))


def searching(store: Store, **options: Any) -> Callable[[Floats], list[int]]:
    search = LateInteractionSearch(store=store, name=CHANNEL, **options)

    def ask(question: Floats) -> list[int]:
        asked = Embeddings(question, np.array([len(question)], dtype=np.int32))
        return [hit.row for hit in search.search(asked, K, [Filter()])[0]]

    return ask


def sentence_transformers(pages: Floats) -> Callable[[Floats], list[int]]:
    torch = require("torch")
    util = require("sentence_transformers.util")
    documents = torch.from_numpy(pages)

    def ask(question: Floats) -> list[int]:
        scores = util.maxsim(torch.from_numpy(question), documents)[0]
        return [int(page) for page in scores.topk(K).indices]

    return ask


def qdrant_edge(folder: Path, pages: Floats) -> Callable[[Floats], list[int]]:
    edge = require("qdrant_edge", extra="qdrant")
    folder.mkdir()
    several = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    vectors = edge.EdgeVectorParams(
        size=D,
        distance=edge.Distance.Dot,
        multivector_config=several,
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000),
    )
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors={"page": vectors}))
    for start in range(0, len(pages), 50):
        points = [
            edge.Point(start + n, {"page": page.tolist()}, {})
            for n, page in enumerate(pages[start : start + 50])
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))

    def ask(question: Floats) -> list[int]:
        query = edge.Query.Nearest(question.tolist(), "page")
        found = shard.query(edge.QueryRequest(query=query, limit=K))
        return [int(each.id) for each in found]

    return ask


def fast_plaid(pages: Floats, questions: Floats) -> dict[str, Any] | None:
    """Ask fast-plaid in its own process; None without one."""
    python = os.environ.get("PLAID_PYTHON")
    if python is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "pages.npy", pages)
        np.save(Path(folder) / "questions.npy", questions)
        ran = subprocess.run(
            [python, "-c", _PLAID, folder, str(ROUNDS), os.environ.get("PLAID_INDEX", "")],
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return found


def unit(vectors: NDArray[Any]) -> Floats:
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


if __name__ == "__main__":
    main()
