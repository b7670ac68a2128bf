"""What several commands of `medrag align` take, and how they tell of training."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from medrag.cli.output import message, number, show, show_json

if TYPE_CHECKING:
    from medrag.alignment.training import ModelSettings, TrainingResult, TrainingSettings
    from medrag.config.alignment import AlignmentRecipe

Recipe = Annotated[
    str, typer.Argument(metavar="RECIPE", help="An alignment recipe: a name, or a YAML file.")
]
Pairs = Annotated[
    Path, typer.Option("--pairs", metavar="<path>", help="What `medrag align pairs` wrote.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="<path>", help="A new folder for what is trained.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the last whole checkpoint in the folder.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="<str>", help="A model in the place of the recipe's."),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        metavar="<path>", help="An adapter to go on from, such as the folder of `align sft`."
    ),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Steps in the place of what the recipe says.")
]
TrainingSeed = Annotated[
    int | None, typer.Option(min=0, help="The seed in the place of the recipe's.")
]

Part = TypeVar("Part")


def needed(part: Part | None, section: str, example: str, recipe: "AlignmentRecipe") -> Part:
    """Give a section of a recipe; one that is missing is told with what it could be."""
    if part is None:
        raise recipe.place.error(f"needs the section {section!r}, such as {example}")
    return part


@contextmanager
def refusing(recipe: "AlignmentRecipe", section: str) -> Iterator[None]:
    """Tell what a step refuses of its settings with the place in the recipe."""
    try:
        yield
    except ValueError as error:
        raise recipe.place.at(section).error(str(error)) from error


def model_of(recipe: "AlignmentRecipe", model: str | None, adapter: str | None) -> "ModelSettings":
    """Give the model to train: the recipe's, or what the command line puts in its place."""
    from medrag.alignment.training import ModelSettings

    if model is not None:
        told = replace(recipe.model, model=model) if recipe.model else ModelSettings(model=model)
    else:
        told = needed(recipe.model, "model", "{model: FOLDER}, or --model FOLDER", recipe)
    return told if adapter is None else replace(told, adapter=adapter)


def training_of(
    training: "TrainingSettings", steps: int | None, seed: int | None
) -> "TrainingSettings":
    """Put what the command line says in the place of what a recipe says."""
    if steps is not None:
        training = replace(training, max_steps=steps)
    return training if seed is None else replace(training, seed=seed)


def router_limits(recipe: "AlignmentRecipe") -> dict[str, Any]:
    """Give partitions and queries at most, as the reward of the recipe's router has them."""
    for each in recipe.rewards:
        if each.reward.kind == "router":
            return dict(each.reward.arguments)
    raise recipe.place.error("needs the reward {kind: router} for questions of a router")


def show_training(result: "TrainingResult", *, as_json: bool, then: str = "") -> None:
    """Tell what training left, and what to do with it.

    As JSON: {"folder", "n_steps", "n_pairs", "seconds", "losses": [[step, loss], ...]}.
    """
    first, last = (result.losses[0], result.losses[-1]) if result.losses else ((0, None),) * 2
    if as_json:
        show_json({
            "folder": str(result.folder),
            "n_steps": result.n_steps,
            "n_pairs": result.n_pairs,
            "seconds": round(result.seconds, 3),
            "losses": [[step, loss] for step, loss in result.losses],
        })  # fmt: skip
        return
    told = ""
    if first[1] is not None and last[1] is not None:
        told = f", loss {first[1]:.4f} at step {first[0]}, {last[1]:.4f} at step {last[0]}"
    steps, trained = number(result.n_steps, "step"), number(result.n_pairs, "pair")
    show(f"{result.folder}: {steps} over {trained} in {result.seconds:.0f} s{told}")
    if then:
        message(then)
