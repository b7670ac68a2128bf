"""Whether rewards lift a reader above its supervised start: closed questions of phantoms.

    python -m tests.benchmarks.phantoms_grpo [--folder FOLDER] [--seeds 3]

The start is the taught reader, which falls for reports that contradict the picture. It replies to
the closed questions (yes or no) of one world with their context, half of which misleads, is
rewarded for right replies (GRPO), and answers those of another world. Steps, replies and rates are
those of the recipe, `pipelines/align/phantoms.yaml`.

A test of the machinery, and of the mechanism of the methods. No evidence about medicine.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from corpora.phantoms.making.teaching import Teaching
from medrag.alignment.comparing import compare_alignment, variants_of
from medrag.alignment.grpo import train_grpo
from medrag.alignment.rewards import Example, examples_of_answers
from medrag.alignment.training import ModelSettings
from medrag.cli.align.shapes import comparison_json
from medrag.config import load_pipeline
from medrag.config.alignment import built_rewards, load_alignment
from medrag.evaluation.benchmarks import load_benchmark
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import Run
from tests.benchmarks.phantoms import MISLEADING, NOTE, taught
from tests.benchmarks.phantoms_steps import CARD, PIPELINE, PROTOCOL, generator_of, world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--recipe", default="phantoms")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--patients", type=int, default=150)
    parser.add_argument("--steps", type=int, default=None, help="of GRPO, not the recipe's")
    parser.add_argument("--teaching", type=int, default=Teaching().steps)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    with told_time("all"):
        reader = taught(folder, 0, given.teaching)
        made = {"seed": 0, "patients": given.patients, "misleading": MISLEADING}
        train = world(folder / "train", split="train", **made)
        test = world(folder / "test", split="test", **made)
        asked = closed(train, folder / "runs" / "train", reader=reader)
        runs = [("sft", closed(test, folder / "runs" / "sft", reader=reader))]
        for seed in range(given.seeds):
            tuned = rewarded(folder / "tuned" / str(seed), reader, asked, given, seed)
            run = closed(test, folder / "runs" / f"grpo-{seed}", reader=reader, adapter=tuned)
            runs.append(("grpo", run))
    found = compare_alignment(variants_of(runs), PROTOCOL, notes=[NOTE])
    (folder / "results.json").write_text(json.dumps(comparison_json(found)), encoding="utf-8")
    for each in found.comparisons:
        for name, one in each.differences.items():
            print(
                f"{name}: {each.a} {one.a:.3f}, {each.b} {one.b:.3f}, difference "
                f"{one.value.value:.3f} [{one.value.low:.3f}, {one.value.high:.3f}], p {one.p:.4f}"
            )


def closed(world: Path, out: Path, *, reader: Path, adapter: Path | None = None) -> Run:
    """Answer the closed questions of a world with their context."""
    benchmark = load_benchmark(CARD, world)
    items = tuple(item for item in benchmark.items if item.kind == "yes_no")
    pipeline = load_pipeline(
        PIPELINE, index=world / "index", generator=generator_of(reader, adapter)
    )
    only = replace(benchmark, items=items)
    return run_benchmark(pipeline, only, out, arms=["context"], batch=128)


def rewarded(folder: Path, reader: Path, asked: Run, given: argparse.Namespace, seed: int) -> Path:
    """Train by rewards into a folder, unless it is there."""
    if (folder / "training.json").exists():
        return folder
    recipe = load_alignment(given.recipe)
    step = recipe.grpo
    assert step is not None
    steps = step.training.max_steps if given.steps is None else given.steps
    training = replace(step.training, seed=seed, max_steps=steps, save_every=None, log_every=10)
    with told_time(f"seed {seed}"):
        train_grpo(
            ModelSettings(model=str(reader), dtype="float32"),
            examples(asked),
            folder=folder,
            rewards=built_rewards(recipe),
            grpo=step.grpo,
            lora=recipe.lora,
            training=training,
        )
    return folder


def examples(run: Run) -> list[Example]:
    """Take the prompts of a run, with what is right."""
    answers = {each.item: each.answer for each in run.answers(prompts=True)}
    items = list(run.items.values())
    return examples_of_answers(items, [answers[item.id] for item in items])


@contextmanager
def told_time(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
