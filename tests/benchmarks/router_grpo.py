"""Whether the reward of decisions makes a tiny router better than its supervised start.

    python -m tests.benchmarks.router_grpo [--seeds 3] [--steps 100]

A model of 84 thousand weights is taught whole replies to 40 questions about four made-up signs, and
then by the router's reward on 56 questions about eight; 80 questions that neither stage saw test
it. Printed are the reward (0 to 4) at the start and at the end with the paired interval of the gain
over questions, for each seed and for all. Signs and their parts of the library are drawn by the
seed: this shows that the machinery learns what it is rewarded for, and is no evidence about
medicine or about models of a real size. Rates and sizes were chosen on the seeds 10 to 12.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from medrag.evaluation.statistics import PairedDifference, mean_of, paired
from tests.alignment.grpo.router_learning import Learnt, learnt

PARTS = ("valid", "rag", "rewrite_count", "classifier", "partition")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    arguments = parser.parse_args()
    found = []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            found.append(learnt(Path(folder), seed=seed, n_steps=arguments.steps))
        _print(f"seed {seed}", found[-1].gain)
        _print_parts(found[-1])
    start, end = (
        np.concatenate([getattr(each, name)["router"] for each in found])
        for name in ("start", "end")
    )
    # Questions of one seed share a router, and are drawn together.
    clusters = [str(seed) for seed, each in enumerate(found) for _ in each.start["router"]]
    _print("all questions alike", paired(mean_of(start), mean_of(end), [None] * len(start)))
    if len(found) > 1:
        _print("seeds as clusters", paired(mean_of(start), mean_of(end), clusters))


def _print(name: str, gain: PairedDifference) -> None:
    low, high = gain.interval
    print(
        f"{name}: reward {gain.a:.3f} -> {gain.b:.3f}, gain {gain.difference:+.3f} "
        f"({low:+.3f} to {high:+.3f}), n {gain.n}, p {gain.p:.4f}"
    )


def _print_parts(found: Learnt) -> None:
    pairs = [(name, np.nanmean(found.start[name]), np.nanmean(found.end[name])) for name in PARTS]
    told = ", ".join(f"{name} {start:.2f} -> {end:.2f}" for name, start, end in pairs)
    supervised, rewarded = found.seconds
    print(
        f"  {told}; {found.n_weights} weights, {supervised:.0f} s supervised, "
        f"{rewarded:.0f} s by rewards",
        flush=True,
    )


if __name__ == "__main__":
    main()
