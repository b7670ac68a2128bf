"""Does tuning a head help pictures find their texts? On figures, on cases, and on phantoms.

Run it: `python -m tests.benchmarks.alignment_retriever`; MEDRAG_DATA names the real data, without
which only phantoms are measured. Pictures are seen by the weightless descriptor, texts by MiniLM,
and only a linear head from the first to the second is trained. Recall@10 is of pictures among the
texts of their fold; folds are of whole chapters, cases or patients, and early stopping looks at
clusters of the other folds. The start is the head of random weights that training begins with;
"ridge" is the closed form that needs no steps, "from ridge" a head that is trained from there
instead. Intervals are by bootstrap over clusters.
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from corpora.phantoms.making.pictures import drawn, save
from medrag.alignment.retriever import CrossValidated, RetrieverPair
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import PairedDifference
from medrag.records import ImageRef
from tests.alignment.retriever.sources import (
    COLUMNS,
    GRID,
    ROWS,
    case_pairs,
    encoded,
    figure_pairs,
    phantom_pairs,
    validated,
)

N_PHANTOMS, N_TESTBED = 600, 2000
COLUMN_NAMES = (
    "pairs", "n (clusters)", "candidates", "seed", "chance", "start", "head", "gain", "ridge",
    "from ridge",
)  # fmt: skip
FORMS = ("ring", "cross", "bar", "wave", "star", "grid")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    seeds = parser.parse_args().seeds
    print(f"| {' | '.join(COLUMN_NAMES)} |")
    print("|---" * len(COLUMN_NAMES) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name, pairs in sources(Path(folder)).items():
            vectors = encoded(pairs)
            for seed in range(seeds):
                print(line(name, seed, validated(vectors, seed=seed, ridge=True)))
                sys.stdout.flush()


def sources(folder: Path) -> Mapping[str, list[RetrieverPair]]:
    """Give the pairs of the real data, if it is there, and of phantoms."""
    found = {}
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    data = Path(os.environ.get("MEDRAG_DATA", default))
    if data.is_dir():
        found["figure, caption"] = figure_pairs(data, "caption")
        found["figure, alt text"] = figure_pairs(data, "alt")
        found["case, questions and answers"] = case_pairs(data)
    found["coloured phantom, what is seen"] = phantom_pairs(folder, N_PHANTOMS)
    found["testbed phantom (faint), what is seen"] = testbed_pairs(folder, N_TESTBED)
    return found


def testbed_pairs(folder: Path, n: int) -> list[RetrieverPair]:
    """Phantoms of the testbed: signs of any colour, told by their forms; many are faint."""
    draw = random.Random(0)
    pairs = []
    for patient in range(n):
        sign, place = draw.choice(FORMS), draw.randrange(GRID * GRID)
        path = folder / f"testbed-{patient}.png"
        save(drawn(sign, (place,), tint=draw.randrange(10**6), seed=draw.randrange(10**6)), path)
        text = f"There is a {sign} {ROWS[place // GRID]} {COLUMNS[place % GRID]}."
        pairs.append(
            RetrieverPair(f"{patient}", ImageRef(str(path)), text, subject=f"patient {patient}")
        )
    return pairs


def line(name: str, seed: int, found: CrossValidated) -> str:
    """Write a row of the table."""
    n = len(found.ranks["start"])
    cells = [
        name, f"{n} ({found.n_clusters})", f"{found.n_candidates:.0f}", str(seed),
        f"{found.chance:.3f}", *(shown(found.recalls[each]) for each in ("start", "trained")),
        difference(found.gains["trained"]),
        *(shown(found.recalls[each]) for each in ("ridge", "from ridge")),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def difference(gained: PairedDifference) -> str:
    low, high = gained.interval
    return f"{gained.difference:+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    main()
