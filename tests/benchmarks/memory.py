"""Peak memory and time of building a large index with the lexical channel.

    python tests/benchmarks/memory.py [--passages 1000000] [--words 40]

Writes passages of random words as a BEIR corpus, builds an index of them in a fresh process, and
prints how long that took, the most memory that the process held, and what the index weighs.
"""

import argparse
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from medrag.build import ChannelPlan, SourceFile, build
from medrag.ingestion.beir import BeirIngestor
from medrag.records import Corpus

VOCABULARY = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=40)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build is not None:
        _build(given.build)
        return
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "in" / "corpus.jsonl", given.passages, given.words)
        subprocess.run([sys.executable, __file__, "--build", folder], check=True)


def _build(folder: Path) -> None:
    corpus = Corpus("random", folder / "in")
    start = time.perf_counter()
    report = build(
        folder / "index",
        [SourceFile(folder / "in" / "corpus.jsonl", corpus, "beir")],
        ingestor=lambda file: BeirIngestor(corpus=file.corpus),
        channels={"lexical": ChannelPlan({"kind": "lexical"})},
    )
    seconds = time.perf_counter() - start
    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    size = sum(path.stat().st_size for path in (folder / "index").rglob("*") if path.is_file())
    print(f"passages       {report.n_passages:>12,}")
    print(f"seconds        {seconds:>12.1f}   ({report.n_passages / seconds:,.0f} passages/s)")
    print(f"peak memory    {peak / 2**30:>12.2f} GiB")
    print(f"index on disk  {size / 2**30:>12.2f} GiB")


def _write(path: Path, passages: int, words: int) -> None:
    """Write passages of words whose frequencies fall as those of a language do."""
    chance = random.Random(0)
    names = [f"w{number:x}" for number in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for number in range(passages):
            text = " ".join(chance.choices(names, cum_weights=weights, k=words))
            file.write(json.dumps({"_id": str(number), "title": "", "text": text}) + "\n")


if __name__ == "__main__":
    main()
