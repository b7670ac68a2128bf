"""`medrag align grpo`: train a model by rewards that can be checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.align.options import (
    Adapter,
    Model,
    Out,
    Recipe,
    Resume,
    Steps,
    TrainingSeed,
    model_of,
    needed,
    refusing,
    router_limits,
    show_training,
    training_of,
)
from medrag.cli.evaluate.options import AsJson, Subset
from medrag.cli.output import message

if TYPE_CHECKING:
    from medrag.alignment.rewards import Example
    from medrag.config.alignment import AlignmentRecipe


def grpo(
    recipe: Recipe,
    out: Out,
    benchmark: Annotated[
        str | None, typer.Option(help="A benchmark, whose questions are asked without context.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The folder with the benchmark's own files.")
    ] = None,
    split: Annotated[str, typer.Option(help="The part of the benchmark to train on.")] = "train",
    subset: Subset = False,
    run: Annotated[
        Path | None,
        typer.Option(help="A run instead, whose prompts are asked again as they were."),
    ] = None,
    arm: Annotated[str, typer.Option(metavar="<str>", help="The arm of the run.")] = "context",
    router: Annotated[
        Path | None,
        typer.Option(help="A file of questions with the right decision instead, for a router."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Prompts at most.")] = None,
    resume: Resume = False,
    model: Model = None,
    adapter: Adapter = None,
    steps: Steps = None,
    seed: TrainingSeed = None,
    as_json: AsJson = False,
) -> None:
    """Have a model reply to prompts, and train it towards what is rewarded more (GRPO).

    The section 'rewards' of the recipe says what is rewarded. Give the adapter of `align sft` to
    start from what was learned of the form of replies.
    """
    from medrag.alignment.grpo import train_grpo
    from medrag.config.alignment import built_rewards, load_alignment

    read = load_alignment(recipe)
    step = needed(read.grpo, "grpo", "{replies: 8, batch: 8}", read)
    rewards = built_rewards(read)
    told = model_of(read, model, adapter)
    misuse = typer.BadParameter("give either --benchmark with --data, --run, or --router")
    if sum(each is not None for each in (run, benchmark, router)) != 1:
        raise misuse
    if run is not None:
        examples = _of_run(run, arm)
    elif router is not None:
        examples = _of_router(read, router)
    elif benchmark is None or data is None:
        raise misuse
    else:
        examples = _of_benchmark(benchmark, data, split, subset=subset, out=out)
    with refusing(read, "grpo"):
        result = train_grpo(
            told,
            examples[:limit],
            folder=out,
            rewards=rewards,
            grpo=step.grpo,
            lora=read.lora,
            training=training_of(step.training, steps, seed),
            resume=resume,
            say=message,
        )
    show_training(result, as_json=as_json)


def _of_benchmark(name: str, data: Path, split: str, *, subset: bool, out: Path) -> "list[Example]":
    from medrag.alignment.rewards import examples_of
    from medrag.evaluation.benchmarks import load_benchmark

    asked = load_benchmark(name, data, split=split, subset=subset, extracted=out / "extracted")
    for problem in asked.problems:
        message(f"{asked.name}: {problem}")
    return examples_of(asked.items)


def _of_router(recipe: "AlignmentRecipe", path: Path) -> "list[Example]":
    from medrag.alignment.grpo.router import read_router_rows, router_examples
    from medrag.errors import InputFileError

    try:
        return router_examples(read_router_rows(path), **router_limits(recipe))
    except ValueError as error:
        raise InputFileError(path, str(error)) from error


def _of_run(folder: Path, arm: str) -> "list[Example]":
    from medrag.alignment.rewards import examples_of_answers
    from medrag.errors import EvaluationError
    from medrag.evaluation.runs import open_run

    opened = open_run(folder)
    if arm not in opened.arms:
        raise EvaluationError(f"{folder} has no arm {arm!r}; it has {', '.join(opened.arms)}")
    answered = [each for each in opened.answers(prompts=True) if each.arm == arm]
    found = examples_of_answers(
        [opened.items[each.item] for each in answered], [each.answer for each in answered]
    )
    if not found:
        raise EvaluationError(f"{folder}: no answer of the arm {arm!r} has a prompt")
    return found
