"""Whether preference tuning keeps a reader from being misled: on phantoms, beside its controls.

    python -m tests.benchmarks.phantoms [--folder FOLDER] [--seeds 5] [--patients 100]

It teaches a tiny reader from nothing, makes three worlds, mines pairs in one of them, trains every
variant once for each seed, and answers another world with each. All settings are those of one
recipe, `pipelines/align/phantoms.yaml`. What is in the folder already is not made again.

A test of the machinery, and of the mechanism of the methods. No evidence about medicine.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from corpora.phantoms.making.teaching import Teaching, teach_reader
from medrag.alignment.comparing import AlignmentComparison, compare_alignment, variants_of
from medrag.alignment.pairs import check_leakage, write_pairs
from medrag.cli.align.shapes import comparison_json
from medrag.config.alignment import load_alignment
from medrag.evaluation.benchmarks import load_benchmark
from medrag.evaluation.runs import Run
from medrag.reporting.alignment import alignment_page, alignment_tables
from tests.benchmarks.phantoms_steps import (
    CARD,
    PROTOCOL,
    VARIANTS,
    Gate,
    Trainer,
    answered,
    gate,
    mined,
    passed,
    references,
    world,
)

ARMS = ("context", "no_context", "blank_image", "noise_image")
MISLEADING = 0.5
NOTE = (
    "Phantoms: a test of the machinery, and of the mechanism of the methods. No evidence about "
    "medicine."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--recipe", default="phantoms")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--steps", type=int, default=None, help="of training, not the recipe's")
    parser.add_argument("--teaching", type=int, default=Teaching().steps)
    parser.add_argument("--world", type=int, default=0, help="another reader and other worlds")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    started = time.monotonic()
    reader = taught(folder, given.world, given.teaching)
    trainer = prepared(folder, reader, given)
    test = world(
        folder / "test", seed=given.world, split="test", patients=given.patients,
        misleading=MISLEADING,
    )  # fmt: skip
    check_leakage([*trainer.pairs, *trainer.clean], load_benchmark(CARD, test).items)
    base = answered(test, folder / "runs" / "base", [*ARMS, "oracle_context"], reader=reader)
    runs = [("base", base)]
    told: list[Gate] = []
    for seed in range(given.seeds):
        for variant in given.variants:
            run = tried(folder, trainer, test, variant, seed)
            runs.append((variant, run))
            if variant == "sft-clean":
                told.append(gate(run))
                print(f"gate, seed {seed}: {told[-1]}, passed: {passed(told[-1])}", flush=True)
        say(started, f"seed {seed}")
    found = compare_alignment(
        variants_of(runs), PROTOCOL, group_by=["type", "misled"], notes=[NOTE]
    )
    write(folder, found, told, (time.monotonic() - started, time.process_time()))
    print(alignment_tables(found))


def taught(folder: Path, seed: int, steps: int) -> Path:
    """Teach the reader, unless it is there."""
    reader = folder / "reader"
    if not (reader / "model.safetensors").exists():
        teach_reader(reader, Teaching(seed=seed, steps=steps), say=say_loss)
    return reader


def prepared(folder: Path, reader: Path, given: argparse.Namespace) -> Trainer:
    """Make what is trained on: pairs of a world that misleads, references of one that does not."""
    recipe = load_alignment(given.recipe)
    made = {"seed": given.world, "patients": given.patients}
    train = world(folder / "train", split="train", misleading=MISLEADING, **made)
    clean = world(folder / "clean", split="clean", misleading=0.0, **made)
    arms = ["context", "no_context", "noise_image"]
    run = answered(train, folder / "runs" / "train", arms, reader=reader)
    pairs = mined(run, recipe)
    write_pairs(folder / "pairs.jsonl", pairs)
    print("pairs", dict(Counter(pair.family for pair in pairs)), flush=True)
    right = answered(clean, folder / "runs" / "clean", ["context"], reader=reader)
    return Trainer(reader, recipe, list(references(right)), pairs, given.steps)


def tried(folder: Path, trainer: Trainer, test: Path, variant: str, seed: int) -> Run:
    """Train a variant and answer the world that it has not seen."""
    name = f"{variant}-{seed}"
    adapter = trainer.train(variant, folder / "tuned" / name, seed=seed)
    arms = [*ARMS, *(["oracle_context"] if variant == "sft-clean" else [])]
    return answered(test, folder / "runs" / name, arms, reader=trainer.reader, adapter=adapter)


def write(
    folder: Path, found: AlignmentComparison, told: list[Gate], took: tuple[float, float]
) -> None:
    """Write results and page; `took`: seconds by the clock and of the processor."""
    results = {
        "note": NOTE, "seconds": took, "gate": [asdict(each) for each in told],
        "comparison": comparison_json(found),
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    (folder / "report.html").write_text(alignment_page(found), encoding="utf-8")
    print(f"{took[0]:.0f} s, {took[1]:.0f} s of the processor: {folder / 'results.json'}")


def say_loss(step: int, loss: float) -> None:
    print(f"taught {step} steps, loss {loss:.3f}", flush=True)


def say(started: float, what: str) -> None:
    print(f"{what}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
