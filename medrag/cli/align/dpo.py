"""`medrag align dpo`: train a model to prefer the chosen answers of pairs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.align.options import (
    Adapter,
    Model,
    Out,
    Pairs,
    Recipe,
    Resume,
    Steps,
    TrainingSeed,
    model_of,
    refusing,
    show_training,
    training_of,
)
from medrag.cli.evaluate.options import AsJson
from medrag.cli.output import message

if TYPE_CHECKING:
    from medrag.alignment.pairs import PreferencePair
    from medrag.alignment.training import PreferenceSettings

_CONTROLS = ("shuffled", "text-only")


def dpo(
    recipe: Recipe,
    pairs: Pairs,
    out: Out,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="shuffled|text-only",
            help="Train a control: with the weights dealt out anew, or without the pairs whose "
            "pictures differ.",
        ),
    ] = None,
    resume: Resume = False,
    model: Model = None,
    adapter: Adapter = None,
    steps: Steps = None,
    seed: TrainingSeed = None,
    as_json: AsJson = False,
) -> None:
    """Train a model to prefer the chosen answers of pairs to the rejected ones.

    Whether that helped is told by `medrag align report`, beside what `medrag align sft` trained
    on the same pairs for as many steps.
    """
    from medrag.alignment.pairs import read_pairs
    from medrag.alignment.training import PreferenceSettings, TrainingSettings, train_preferences
    from medrag.config.alignment import PreferenceStep, load_alignment

    if control not in (None, *_CONTROLS):
        raise typer.BadParameter(
            f"expected shuffled or text-only, got {control!r}", param_hint="--control"
        )
    read = load_alignment(recipe)
    step = read.dpo or PreferenceStep(PreferenceSettings(), TrainingSettings())
    preference, given = _controlled(control, step.preference, read_pairs(pairs), pairs)
    with refusing(read, "dpo"):
        result = train_preferences(
            model_of(read, model, adapter),
            given,
            folder=out,
            preference=preference,
            lora=read.lora,
            training=training_of(step.training, steps, seed),
            resume=resume,
            say=message,
        )
    how = "adapter" if read.lora is not None else "model"
    show_training(
        result,
        as_json=as_json,
        then=f"answer with it ({how}: {out}), then: medrag align report --run sft=RUN "
        "--run dpo=RUN --out report.html",
    )


def _controlled(
    control: str | None, preference: "PreferenceSettings", given: "list[PreferencePair]", file: Path
) -> "tuple[PreferenceSettings, list[PreferencePair]]":
    """Make settings and pairs those of the control that is asked for."""
    from medrag.alignment.pairs import shows_other_pictures
    from medrag.errors import MedragError

    if control == "text-only":
        kept = [pair for pair in given if not shows_other_pictures(pair)]
        message(f"{len(kept)} of {len(given)} pairs have the same pictures on both sides")
        return preference, kept
    if control is None:
        return preference, given
    if len({pair.weight for pair in given}) < 2:
        raise MedragError(
            f"{file}: all pairs weigh the same, and nothing can be shuffled; weigh them in "
            "`medrag align pairs` by the section 'weights' of the recipe"
        )
    return replace(preference, weights="shuffled"), given
