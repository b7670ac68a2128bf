"""The graph channel: generated questions, a cold start on an ontology, and two million facts.

    python -m tests.benchmarks.graph [--edges 2000000] [--questions 300]

The Disease Ontology and its two tables come from the folder that MEDRAG_DATA names; without it,
that part is left out. A cold start is a fresh interpreter that opens the index and answers. The
random graph has facts between heads and tails drawn at random, a tenth as many concepts as facts,
and is compiled and asked in processes of its own, so that their memory can be told. What one thread
computed, without waiting for others on the machine, stands in the notes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from medrag.config import Index, build_index
from medrag.indexing.graph import GraphChannel, compile_graph
from medrag.records import Filter, Passage, Question, Source
from medrag.retrieval.channels import ChannelsRetriever
from tests.benchmarks.measuring import Row, machine, table
from tests.conftest import DEFAULT_DATA
from tests.indexing.graph.questions.generator import Drawn, drawn
from tests.indexing.graph.questions.templates import HELD_OUT, TUNING, Wordings

K, SEED = 7, 20261201
RECIPE = """
corpora: [disease_ontology]
channels:
  lexical: {kind: lexical}
  graph: {kind: graph}
  ranked: {kind: graph, rank: pagerank}
"""
ASK = """
import sys
from medrag import open_index
assert open_index(sys.argv[1]).search(sys.argv[2], channels=[sys.argv[3]])
"""
QUESTION = "What are the symptoms of measles?"
GOAL_SHARE, GOAL_COLD, GOAL_WARM, GOAL_BYTES = 0.9, 5.0, 1.0, 4 << 30
RELATIONS = ("is_a", "has_symptom", "located_in", "part_of")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edges", type=int, default=2_000_000)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--part", choices=("compile", "ask"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "compile":
        compile_random(given.folder, given.edges)
        return
    if given.part == "ask":
        ask_random(given.folder, given.edges)
        return
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(os.environ.get("MEDRAG_DATA", DEFAULT_DATA))
        if data.is_dir():
            ontology(Path(folder) / "index", data, given.questions)
        print(table(random_graph(Path(folder) / "graph", given.edges)), flush=True)


def ontology(folder: Path, data: Path, n: int) -> None:
    """Build the ontology, ask it the generated questions, and start it cold."""
    os.environ["MEDRAG_DATA"] = str(data)
    recipe = folder.with_suffix(".yaml")
    recipe.write_text(RECIPE, encoding="utf-8")
    start = time.perf_counter()
    index = build_index(folder, recipe=recipe)
    built = time.perf_counter() - start
    passages = list(index.passages)
    print("| wordings | who | gold in the top 7 | by subject | by writing |")
    print("|---|---|---|---|---|")
    for name, wordings in (("tuning", TUNING), ("held out", HELD_OUT)):
        for line in answered(index, passages, name, wordings, n):
            print(line, flush=True)
    print()
    cold = [started(folder, channel) for channel in ("graph", "ranked", "lexical")]
    empty = [timed([sys.executable, "-c", "import numpy"]) for _ in range(3)]
    rows = [
        Row(f"build of {len(passages):,} passages", "three channels", [built]),
        Row("cold start", "python -c 'import numpy'", empty),
    ]
    for channel, seconds in zip(("graph", "graph by PageRank", "words"), cold, strict=True):
        ours = GOAL_COLD / statistics.median(seconds)
        rows.append(
            Row("cold start", channel, seconds, ours, 1.0, note=f"times within {GOAL_COLD:g} s")
        )
    print(table(rows), flush=True)
    print()


def answered(
    index: Index,
    passages: Sequence[Passage],
    name: str,
    wordings: Mapping[str, Wordings],
    n: int,
) -> Iterator[str]:
    """Tell the share of questions whose gold fact stands in the top 7, one line per contestant."""
    questions = drawn(passages, wordings, n=n, seed=SEED)
    asked = [Question(question.text) for question in questions]
    for who in ("graph", "ranked"):
        rankings = index.channels[who].search(asked, K, [Filter()] * n)
        found = [[passages[row].id for row, _ in ranking] for ranking in rankings]
        assert share(questions, found) >= GOAL_SHARE, f"{who} finds {share(questions, found):.3f}"
        yield f"| {name} | {who} alone | {told(questions, found)} |"
    for channels in (("lexical", "graph"), ("lexical",)):
        retriever = ChannelsRetriever(
            rows=index.rows,
            channels={each: index.channels[each] for each in channels},
            graph="graph" if "graph" in channels else None,
        )
        hits = retriever.retrieve(asked, K, [Filter()] * n)
        found = [[hit.passage.id for hit in ranking] for ranking in hits]
        yield f"| {name} | {' + '.join(channels)}, fused | {told(questions, found)} |"


def told(questions: Sequence[Drawn], found: Sequence[Sequence[str]]) -> str:
    parts = []
    for values in (
        [question.about for question in questions],
        [question.way for question in questions],
    ):
        each = {}
        for value in dict.fromkeys(values):
            at = [i for i, other in enumerate(values) if other == value]
            each[value] = share([questions[i] for i in at], [found[i] for i in at])
        parts.append(", ".join(f"{value} {part:.2f}" for value, part in each.items()))
    return f"{share(questions, found):.3f} | {parts[0]} | {parts[1]}"


def share(questions: Sequence[Drawn], found: Sequence[Sequence[str]]) -> float:
    hits = [bool(q.gold & set(ids[:K])) for q, ids in zip(questions, found, strict=True)]
    return sum(hits) / len(hits)


def started(folder: Path, channel: str, rounds: int = 3) -> list[float]:
    return [
        timed([sys.executable, "-c", ASK, str(folder), QUESTION, channel]) for _ in range(rounds)
    ]


def random_graph(folder: Path, edges: int) -> list[Row]:
    """Compile and ask a random graph, each in a process that tells its own peak of memory."""
    rows = []
    for part in ("compile", "ask"):
        command = [
            sys.executable, "-m", "tests.benchmarks.graph",
            "--part", part, "--folder", str(folder), "--edges", str(edges),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            rows.append(row_of(json.loads(line), edges))
    size = sum(path.stat().st_size for path in folder.iterdir())
    rows.append(Row(f"{edges:,} facts", "on disk", [], note=f"{size / 2**20:,.0f} MiB"))
    return rows


def row_of(told_: Mapping[str, object], edges: int) -> Row:
    seconds = [float(each) for each in told_["seconds"]]  # type: ignore[attr-defined]
    most = float(str(told_["peak"]))
    note = f"{float(str(told_['computed'])):.2f} s computed; {memory(most)}"
    if not told_["goal"]:
        return Row(f"{edges:,} facts", str(told_["what"]), seconds, note=note)
    assert most < GOAL_BYTES, f"{told_['what']} took {memory(most)}"
    ours = GOAL_WARM / statistics.median(seconds)
    return Row(
        f"{edges:,} facts", str(told_["what"]), seconds, ours, 1.0,
        note=f"times within {GOAL_WARM:g} s; {note} of 4",
    )  # fmt: skip


def compile_random(folder: Path, edges: int) -> None:
    start, computed = time.perf_counter(), time.process_time()
    compile_graph(enumerate(facts(edges)), folder)
    seconds = [time.perf_counter() - start]
    tell("compile", seconds, [time.process_time() - computed], goal=False)


def ask_random(folder: Path, edges: int) -> None:
    """Ask by both ways of ranking; the first question of each is told apart."""
    everything = np.ones(edges, dtype=np.bool_)
    draw = np.random.default_rng(1)
    for rank in ("near", "pagerank"):
        channel = GraphChannel(folder=folder, mask=lambda _: everything, rank=rank)  # type: ignore[arg-type]
        seconds, computed = [], []
        for pair in draw.integers(0, edges // 10, size=(8, 2)):
            question = Question(f"How is {name(pair[0])} linked to {name(pair[1])}?")
            start, begun = time.perf_counter(), time.process_time()
            [ranking] = channel.search([question], K, [Filter()])
            seconds.append(time.perf_counter() - start)
            computed.append(time.process_time() - begun)
            assert len(ranking) == K
        tell(f"first question, {rank}", seconds[:1], computed[:1], goal=False)
        tell(f"warm question, {rank}", seconds[1:], computed[1:], goal=True)


def facts(edges: int) -> Iterator[Passage]:
    """Make facts between concepts drawn at random, from a fixed seed."""
    draw = np.random.default_rng(0)
    ends = draw.integers(0, max(2, edges // 10), size=(edges, 2))
    source = Source("random", "facts.tsv", "0" * 64)
    for number, (head, tail) in enumerate(ends.tolist()):
        relation = RELATIONS[number % len(RELATIONS)]
        fields = {
            "head": name(head), "relation": relation, "tail": name(tail),
            "head_id": f"R:{head}", "tail_id": f"R:{tail}",
        }  # fmt: skip
        yield Passage(str(number), "fact", "", source, fields=fields)


def name(number: int) -> str:
    """Name a concept by two words, so that no two names are alike."""
    letters = "".join("bcdfghklmn"[int(digit)] + "aeiou"[int(digit) % 5] for digit in str(number))
    return f"{letters}m disease"


def tell(what: str, seconds: Sequence[float], computed: Sequence[float], *, goal: bool) -> None:
    told_ = {"what": what, "seconds": list(seconds), "peak": peak(), "goal": goal}
    print(json.dumps({**told_, "computed": statistics.median(computed)}))


def peak() -> float:
    """Give the most memory that this process had, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(each for each in status.splitlines() if each.startswith("VmHWM"))
    return float(line.split()[1]) * 1024


def memory(size: float) -> str:
    return f"peak {size / 2**30:.2f} GiB"


def timed(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
