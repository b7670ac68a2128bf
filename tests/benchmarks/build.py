"""What a build costs again, with a cache, with two processes, and with Ray.

    python -m tests.benchmarks.build [--files 120] [--model minilm] [--rounds 3] [--without-ray]

Writes files of random words, and builds an index of them with a lexical channel and one of texts.
The rows are compared with a first build in one process; the share of the limit is the time of
encoding the same passages with the same encoder alone, at once.
"""

import argparse
import functools
import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from medrag.build import plan
from medrag.config.building import update_index
from medrag.config.components import planned
from medrag.config.place import Place
from medrag.indexing.storage import open_store
from tests.benchmarks.measuring import Row, interleaved, machine, ratio, table

FIRST, AGAIN, CACHED = "first build", "rebuild, nothing changed", "first build, vectors cached"
TWO, RAY = "first build, 2 processes", "first build, Ray, 2 workers"
# The design's promise: a rebuild of an unchanged index takes at most 3% of the first build.
GOALS = {AGAIN: 1 / 0.03}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=120)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-ray", action="store_true")
    given = parser.parse_args()
    # As many shards as two workers need to share them evenly.
    plan.SHARD_FILES = max(given.files // 8, 1)
    with tempfile.TemporaryDirectory() as folder:
        print(
            _measured(Path(folder), given.files, given.model, given.rounds, not given.without_ray)
        )


def _measured(folder: Path, n_files: int, model: str, rounds: int, with_ray: bool) -> str:
    _write(folder / "in", n_files)
    fresh = (folder / f"fresh{number}" for number in itertools.count())
    build = functools.partial(_build, folder / "in", model)
    held = folder / "held"
    build(held)
    build(folder / "filling", cache=folder / "cache")
    calls: dict[str, Callable[[], object]] = {
        FIRST: lambda: build(next(fresh)),
        AGAIN: lambda: build(held),
        CACHED: lambda: build(next(fresh), cache=folder / "cache"),
        TWO: lambda: build(next(fresh), workers=2),
    }
    if with_ray:
        calls[RAY] = lambda: build(next(fresh), workers=2, engine="ray")
    times = interleaved(calls, rounds=rounds, warm=0)
    others = [each for each in sorted(folder.glob("fresh*")) if each.is_dir()]
    for other in others:
        _check_same(held, other)
        shutil.rmtree(other)
    store = open_store(held)
    n = store.manifest.n_live
    alone = _encoding(model, list(store.passages))
    rows = [
        Row(
            f"{n} passages",
            name,
            seconds,
            None if name == FIRST else ratio(times, name, FIRST),
            GOALS.get(name),
            alone / float(np.median(seconds)) if name == FIRST else None,
            f"{alone:.1f} s to encode",
            f"{n / float(np.median(seconds)):,.0f} passages/s",
        )
        for name, seconds in times.items()
    ]
    return f"{table(rows)}\n\n{machine()}; {model}; the ratio is first build / this"


def _build(sources: Path, model: str, folder: Path, **options: Any) -> None:
    channels = ["lexical", f"text={model}"]
    update_index(folder, sources=[sources], channels=channels, **options)


def _encoding(model: str, passages: list[Any]) -> float:
    encoder = planned("encoder", {"kind": "sentence", "model": model}, Place("benchmark"))()
    encoder.encode_passages(passages[:8])
    start = time.perf_counter()
    encoder.encode_passages(passages)
    return time.perf_counter() - start


def _check_same(one: Path, other: Path) -> None:
    """Check that two indexes have equal passages, and vectors equal up to rounding in bfloat16."""
    a, b = open_store(one), open_store(other)
    assert [p.id for p in a.passages] == [p.id for p in b.passages]
    mine, theirs = ([block.values for block in store.vectors("text")] for store in (a, b))
    cosines = (np.concatenate(mine) * np.concatenate(theirs)).sum(axis=1)
    assert cosines.min() >= 0.999, cosines.min()


def _write(folder: Path, n: int) -> None:
    """Write files of about 300 words, as long and as common as words of a language."""
    folder.mkdir()
    draw = random.Random(1)
    vocabulary = list(itertools.islice(_words(draw), 5000))
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    for number in range(n):
        words = draw.choices(vocabulary, weights, k=draw.randint(150, 450))
        sentences = [" ".join(words[i : i + 12]) + "." for i in range(0, len(words), 12)]
        (folder / f"{number:05d}.txt").write_text(" ".join(sentences), encoding="utf-8")


def _words(draw: random.Random) -> Iterator[str]:
    while True:
        yield "".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9)))


if __name__ == "__main__":
    main()
