"""Search and encoding on a GPU, in figures of its own: milliseconds, and the share of its limits.

    python -m tests.benchmarks.device [--device cuda] [--rows 10000000] [--d 768] [--pages 100000]

Vectors of an index that fits the device: exact search of single questions and of 256 at once,
MaxSim over pages of 747 patches, and a text encoder of BERT-base's size. Vectors are random unit
rows, made on the device; the store is one in memory, everything else is the package's own. The
limits are measured in the same process: bytes copied per second (read and written), and operations
per second of a bfloat16 product. The ten best of a question are compared with those of double
precision. On a machine without a GPU `--device cpu` runs the same functions, with fewer rows.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from medrag.indexing.columns import Mask
from medrag.indexing.exact import ExactSearch
from medrag.indexing.late_interaction import LateInteractionSearch
from medrag.indexing.manifest import ChannelEntry, Manifest, SegmentEntry
from medrag.indexing.segment import FOLDER
from medrag.indexing.storage import Block, Store
from medrag.indexing.vectors import channel_folder
from medrag.records import Embeddings, Filter, Passage, Source
from tests.benchmarks.measuring import Row, machine, table

CHANNEL = "made-up"

_K = 10
_PATCHES, _PATCH_D, _ASKED = 747, 128, 20
_TOKENS = 256
# Rows whose scores are computed in double precision at once, to check the ten best.
_CHECKED = 100_000


def main() -> None:
    options = _options()
    device = options.device
    bandwidth, products = copy_rate(device), device_product_rate(device)
    rows = [
        *exact_rows(device, options.rows, options.d, bandwidth, products),
        *maxsim_rows(device, options.pages, bandwidth, products),
        *encoder_rows(device, options.texts, products),
    ]
    print(table(rows))
    print(
        f"\n{device_name(device)}; copies {bandwidth / 1e9:,.0f} GB/s (read and written), "
        f"bfloat16 products {products / 1e12:.3g} TFLOP/s"
    )


def exact_rows(device: str, n: int, d: int, bandwidth: float, products: float) -> list[Row]:
    """Search n vectors with one question, and with 256."""
    values = unit_rows(n, d, device)
    search = ExactSearch(store=InMemory(values), name=CHANNEL, device=device)
    asked = unit_rows(256, d, device, seed=1)
    rows = []
    for m in (1, 256):
        questions = Embeddings(asked[:m], np.ones(m, dtype=np.int32))
        filters = [Filter()] * m
        _check_ten_best(search.search(questions, _K, filters)[0], values, asked[0])
        seconds = timed(lambda q=questions, f=filters: search.search(q, _K, f))  # type: ignore[misc]
        median = float(np.median(seconds))
        read, work = 2 * n * d / median, 2 * m * n * d / median
        share = max(read / bandwidth, work / products)
        bound = read / bandwidth >= work / products
        limit = (
            f"{read / 1e9:,.0f} of {bandwidth / 1e9:,.0f} GB/s"
            if bound
            else f"{work / 1e12:.3g} of {products / 1e12:.3g} TFLOP/s"
        )
        what = f"exact, {n:,} x {d}, {m} question{'s' if m > 1 else ''}"
        rows.append(
            Row(what, f"medrag, {device}", seconds, None, None, share, limit, "equal top 10")
        )
    return rows


def maxsim_rows(device: str, pages: int, bandwidth: float, products: float) -> list[Row]:
    """Search pages of many vectors with a question of 20."""
    values = unit_rows(pages * _PATCHES, _PATCH_D, device)
    store = InMemory(values, _PATCHES, late_interaction=True)
    search = LateInteractionSearch(store=store, name=CHANNEL, device=device)
    asked = unit_rows(_ASKED, _PATCH_D, device, seed=1)
    question = Embeddings(asked, np.array([_ASKED], dtype=np.int32))
    [found] = search.search(question, _K, [Filter()])
    for hit in found:
        page = values[hit.row * _PATCHES : (hit.row + 1) * _PATCHES].astype(np.float64)
        expected = (asked.astype(np.float64) @ page.T).max(axis=1).sum()
        if abs(hit.score - expected) > 1e-3:
            raise AssertionError(f"page {hit.row} scores {hit.score}, expected {expected}")
    seconds = timed(lambda: search.search(question, _K, [Filter()]))
    median = float(np.median(seconds))
    read, work = 2 * values.size / median, 2 * _ASKED * values.size / median
    limit = f"{read / 1e9:,.0f} of {bandwidth / 1e9:,.0f} GB/s, {work / products:.0%} of the FLOP/s"
    what = f"MaxSim, {pages:,} pages x {_PATCHES} x {_PATCH_D}, {_ASKED} vectors"
    row = Row(what, f"medrag, {device}", seconds, None, None, read / bandwidth, limit)
    return [row]


def encoder_rows(device: str, n: int, products: float) -> list[Row]:
    """Encode texts of 256 tokens with a model of BERT-base's size and random weights."""
    from medrag.encoding.sentence import SentenceEncoder
    from tests.benchmarks.text_encoding import bert_base

    with tempfile.TemporaryDirectory() as folder:
        encoder = SentenceEncoder(model=str(bert_base(Path(folder))), device=device)
        rng = np.random.default_rng(0)
        source = Source("benchmark", "texts", "0" * 64)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        # A word of one letter is a token of every vocabulary.
        texts = [" ".join(rng.choice(letters, _TOKENS - 2)) for _ in range(n)]
        passages = [Passage(str(i), "text", text, source) for i, text in enumerate(texts)]
        seconds = timed(lambda: encoder.encode_passages(passages), rounds=3)
        weights = 12 * 768 * 768 * 12
    median = float(np.median(seconds))
    rate = n * _TOKENS / median
    work = 2 * weights * rate
    limit = f"{work / 1e12:.3g} of {products / 1e12:.3g} TFLOP/s"
    what = f"text encoder of BERT-base size, {n:,} texts of {_TOKENS} tokens"
    note = f"{rate:,.0f} tokens/s, {encoder.numerics}"
    return [Row(what, f"medrag, {device}", seconds, None, None, work / products, limit, note)]


class InMemory(Store):
    """A store of one channel whose vectors were never written; every row counts."""

    def __init__(
        self, values: np.ndarray, length: int = 1, *, late_interaction: bool = False
    ) -> None:
        n = len(values) // length
        folder = Path(tempfile.mkdtemp())
        spec = {"kind": "dense", "interaction": "sum" if late_interaction else "best"}
        entry = ChannelEntry(spec, "made-up", d=values.shape[1])
        segment = SegmentEntry("000001-made-up", 1, n, (), {})
        super().__init__(
            folder=folder, manifest=Manifest(segments=(segment,), channels={CHANNEL: entry})
        )
        channel_folder(folder / FOLDER / segment.name, CHANNEL).mkdir(parents=True)
        self._block = Block(np.arange(n), np.full(n, length, dtype=np.int32), values)

    def vectors(self, channel: str) -> list[Block]:
        return [self._block]

    def row_mask(self, wanted: Filter) -> Mask:
        return np.ones(self.n_rows, dtype=np.bool_)


def unit_rows(n: int, d: int, device: str, *, seed: int = 0) -> np.ndarray:
    """Draw (n, d) unit rows, float32, in pieces on the device."""
    import torch

    draw = torch.Generator(device=device).manual_seed(seed)
    rows = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, 1 << 18):
        piece = torch.randn(min(1 << 18, n - start), d, generator=draw, device=device)
        rows[start : start + len(piece)] = torch.nn.functional.normalize(piece).cpu().numpy()
    return rows


def timed(call: Callable[[], object], *, rounds: int = 9) -> list[float]:
    """Time calls whose results come back to this process, after one that is not counted."""
    call()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def copy_rate(device: str) -> float:
    """Measure bytes read and written per second by a copy on the device."""
    import torch

    size = (4 << 30) if device.startswith("cuda") else (256 << 20)
    one = torch.empty(size, dtype=torch.uint8, device=device).fill_(1)
    other = torch.empty_like(one)
    return 2 * size / min(_synchronised(lambda: other.copy_(one), device) for _ in range(7))


def device_product_rate(device: str) -> float:
    """Measure operations per second of a bfloat16 product."""
    import torch

    n = 8192 if device.startswith("cuda") else 2048
    one = torch.randn(n, n, device=device).bfloat16()
    return 2 * n**3 / min(_synchronised(lambda: one @ one, device) for _ in range(7))


def device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else machine()


def _synchronised(call: Callable[[], object], device: str) -> float:
    import torch

    call()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    call()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _check_ten_best(found: Any, values: np.ndarray, question: np.ndarray) -> None:
    best: list[tuple[float, int]] = []
    for start in range(0, len(values), _CHECKED):
        scores = values[start : start + _CHECKED].astype(np.float64) @ question.astype(np.float64)
        top = np.argpartition(-scores, min(_K, len(scores) - 1))[:_K]
        best += [(-float(scores[at]), start + int(at)) for at in top]
    expected = [row for _, row in sorted(best)[:_K]]
    if [hit.row for hit in found] != expected:
        raise AssertionError(f"found {[hit.row for hit in found]}, expected {expected}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=4096)
    return parser.parse_args()


if __name__ == "__main__":
    main()
