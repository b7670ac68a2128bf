"""Words: questions per second, adding one in a hundred, and a cold start, beside bm25s.

    python -m tests.benchmarks.lexical [--passages 50000] [--large]

Passages of random words, whose frequencies fall as those of a language do, and questions of six of
them. `--large` measures a million passages, too, which takes minutes and 8 GiB of memory. bm25s
(method lucene, k1 1.2, b 0.75) answers a batch with the questions' words being split in the time.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bm25s
import Stemmer

from medrag.build import ChannelPlan, SourceFile, build
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.storage import open_store
from medrag.ingestion.beir import BeirIngestor
from medrag.records import Corpus, Filter, Question
from tests.benchmarks.measuring import Row, interleaved, machine, ratio, table

VOCABULARY, WORDS, ASKED, N_QUESTIONS, K = 200_000, 120, 6, 200, 10
LARGE = 1_000_000

OURS_COLD = """
import sys
from pathlib import Path
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.storage import open_store
from medrag.records import Filter, Question
channel = LexicalChannel(store=open_store(Path(sys.argv[1])))
assert channel.search([Question(text=sys.argv[2])], 10, [Filter()])[0]
"""
REBUILD_COLD = """
import json, sys
import bm25s, Stemmer
texts = [json.loads(line)["text"] for line in open(sys.argv[1])]
stem = Stemmer.Stemmer("english")
words = bm25s.tokenize(texts, stopwords="en", stemmer=stem, show_progress=False)
made = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
made.index(words, show_progress=False)
asked = bm25s.tokenize([sys.argv[2]], stopwords="en", stemmer=stem, show_progress=False)
assert len(made.retrieve(asked, k=10, show_progress=False)[0][0])
"""
LOAD_COLD = """
import sys
import bm25s, Stemmer
made = bm25s.BM25.load(sys.argv[1], mmap=True)
stem = Stemmer.Stemmer("english")
asked = bm25s.tokenize([sys.argv[2]], stopwords="en", stemmer=stem, show_progress=False)
assert len(made.retrieve(asked, k=10, show_progress=False)[0][0])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="a million passages as well")
    given = parser.parse_args()
    print(f"{machine()}\n")
    for passages in [given.passages, *([LARGE] if given.large else [])]:
        with tempfile.TemporaryDirectory() as folder:
            rows = measured(Path(folder), passages, given.rounds)
            print(table(rows), flush=True)
            print()


def measured(folder: Path, passages: int, rounds: int) -> list[Row]:
    """Build both over the same passages, and time what each is asked."""
    write(folder / "in" / "corpus.jsonl", passages, seed=0)
    start = time.perf_counter()
    made(folder)
    built = time.perf_counter() - start
    texts = read(folder / "in" / "corpus.jsonl")
    peer = Peer(texts)
    questions = [" ".join(words) for words in drawn(random.Random(1), N_QUESTIONS, ASKED)]
    what = f"{passages:,} passages"
    rows = answering(folder, peer, questions, rounds, what)
    rows += starting(folder, peer, questions[0], rounds, what)
    return rows + adding(folder, passages, built, peer.seconds, what)


def answering(
    folder: Path, peer: "Peer", questions: Sequence[str], rounds: int, what: str
) -> list[Row]:
    channel = LexicalChannel(store=open_store(folder / "index"))
    asked = [Question(text=each) for each in questions]

    def ours() -> Any:
        return channel.search(asked, K, [Filter()] * len(asked))

    def one_by_one() -> Any:
        return [channel.search([each], K, [Filter()]) for each in asked]

    found = [{hit.row for hit in ranking} for ranking in ours()]
    theirs = peer.search(questions, "numpy")
    same = sum(len(one & set(two)) for one, two in zip(found, theirs, strict=True))
    share = same / (K * len(questions))
    # Tantivy keeps the length of a passage in one byte, so that near ties change places.
    assert share > 0.9, f"only {share:.0%} of the top {K} agree"
    times = interleaved(
        {
            "medrag": ours,
            "medrag, one by one": one_by_one,
            "bm25s, NumPy": lambda: peer.search(questions, "numpy"),
            "bm25s, NumPy, one by one": lambda: [peer.search([q], "numpy") for q in questions],
            "bm25s, Numba": lambda: peer.search(questions, "numba"),
        },
        rounds=rounds,
        most_seconds=120,
    )
    case = f"{N_QUESTIONS} questions, {what}"
    return [
        Row(
            case,
            name,
            seconds,
            None if name == "medrag" else ratio(times, "medrag", name),
            note=f"{N_QUESTIONS / sorted(seconds)[len(seconds) // 2]:,.0f} questions/s; "
            f"{share:.1%} of the top {K} agree",
        )
        for name, seconds in times.items()
    ]


def starting(folder: Path, peer: "Peer", question: str, rounds: int, what: str) -> list[Row]:
    corpus, saved = folder / "in" / "corpus.jsonl", folder / "bm25s"
    peer.plain.save(saved)
    times = interleaved(
        {
            "medrag": process(OURS_COLD, folder / "index", question),
            "bm25s, full rebuild": process(REBUILD_COLD, corpus, question),
            "bm25s, saved and mapped": process(LOAD_COLD, saved, question),
            "python -c 'import numpy'": process("import numpy"),
        },
        rounds=max(3, rounds // 2),
        warm=0,
        most_seconds=60,
    )
    floor = min(times["python -c 'import numpy'"])
    goals = {"bm25s, full rebuild": 20.0}
    return [
        Row(
            f"cold start, {what}",
            name,
            seconds,
            None if name == "medrag" else ratio(times, "medrag", name),
            goals.get(name),
            floor / min(seconds),
            "starting Python with NumPy",
        )
        for name, seconds in times.items()
    ]


def adding(folder: Path, passages: int, built: float, rebuilt: float, what: str) -> list[Row]:
    """Add one passage in a hundred as a file of its own, three times."""
    seconds = []
    for number in range(3):
        write(folder / "in" / f"more-{number}" / "corpus.jsonl", passages // 100, seed=2 + number)
        seconds.append(timed(lambda: made(folder))[1])
    store = open_store(folder / "index")
    assert store.n_rows == passages + 3 * (passages // 100)
    times = {"medrag": seconds, "medrag, full rebuild": [built], "bm25s, full rebuild": [rebuilt]}
    goals = {"medrag, full rebuild": 20.0, "bm25s, full rebuild": 20.0}
    case = f"add 1 %, {what}"
    return [
        Row(
            case,
            name,
            each,
            None if name == "medrag" else ratio(times, "medrag", name),
            goals.get(name),
        )
        for name, each in times.items()
    ]


class Peer:
    """bm25s over the same texts, with both of its backends; `seconds` that the plain one took."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._stem = Stemmer.Stemmer("english")
        start = time.perf_counter()
        words = self._words(texts)
        self.plain = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        self.plain.index(words, show_progress=False)
        self.seconds = time.perf_counter() - start
        self._compiled = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
        self._compiled.index(words, show_progress=False)

    def search(self, questions: Sequence[str], backend: str) -> Any:
        words = self._words(questions)
        made = self.plain if backend == "numpy" else self._compiled
        return made.retrieve(words, k=K, show_progress=False).documents

    def _words(self, texts: Sequence[str]) -> Any:
        return bm25s.tokenize(list(texts), stopwords="en", stemmer=self._stem, show_progress=False)


def made(folder: Path) -> None:
    corpus = Corpus("random", folder / "in")
    files = sorted((folder / "in").rglob("corpus.jsonl"), key=lambda path: len(path.parts))
    build(
        folder / "index",
        [SourceFile(path, corpus, "beir", {}) for path in files],
        ingestor=lambda file: BeirIngestor(corpus=file.corpus),
        channels={"lexical": ChannelPlan({"kind": "lexical"})},
    )


def process(code: str, *arguments: object) -> Callable[[], object]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write(path: Path, passages: int, *, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number, words in enumerate(drawn(random.Random(seed), passages, WORDS)):
            line = {"_id": f"{seed}-{number}", "title": "", "text": " ".join(words)}
            file.write(json.dumps(line) + "\n")


def read(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def drawn(chance: random.Random, n: int, words: int) -> Any:
    """Draw texts, words by falling frequency; each ends in a letter that no stemmer takes."""
    names = [f"w{number:x}k" for number in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    return (chance.choices(names, cum_weights=weights, k=words) for _ in range(n))


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
