"""Train by references or by preferences, into a folder that a generator takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.training.checkpoints import last_whole
from medrag.alignment.training.folders import CHECKPOINTS, Losses, begin, finished
from medrag.alignment.training.objectives import (
    Objective,
    PreferenceObjective,
    check_switched_off,
    supervised,
)
from medrag.alignment.training.plan import Plan, check_plan
from medrag.alignment.training.rows import Examples
from medrag.alignment.training.saving import check_pairs, save_tuned, told_of
from medrag.alignment.training.settings import (
    LoraSettings,
    ModelSettings,
    PreferenceSettings,
    TrainingSettings,
)
from medrag.alignment.training.surroundings import contained
from medrag.alignment.training.trainer import Say, make_trainer, reference_log_probabilities
from medrag.alignment.training.tuning import load_to_tune
from medrag.generation.local.loading import Loaded


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What training has left.

    Attributes:
        folder: what `LocalGenerator` takes as its adapter, or as its model where all weights were
            tuned.
        losses: (step, loss) as they were told, from the first step on even where training went on
            from a checkpoint.
        n_steps: of the optimiser.
        n_pairs: that were trained on.
        seconds: this call took.
    """

    folder: Path
    losses: Losses
    n_steps: int
    n_pairs: int
    seconds: float


def train_sft(
    model: ModelSettings,
    pairs: Sequence[PreferencePair],
    *,
    folder: Path,
    lora: LoraSettings | None = None,
    training: TrainingSettings | None = None,
    resume: bool = False,
    say: Say | None = None,
) -> TrainingResult:
    """Tune a model to say the chosen answers of pairs: the control of every preference.

    Args:
        pairs: whose chosen sides are read; their weights are not.
        folder: new or empty, unless training goes on in it.
        lora: None to tune all weights but those of the tower of pictures.
        training: None for the defaults.
        resume: go on from the last whole checkpoint in the folder, if there is one.
        say: is told the loss, and where there is nothing yet to go on from.

    Raises:
        ValueError: for a setting that is none.
        RecipeError: for a model, or a folder, that cannot be trained or trained into.
        MedragError: for pictures that cannot be read, a loss that is no number, memory that runs
            out, or a disk that is full; the last whole checkpoint stays.
    """
    plan = Plan(model, None, lora, training or TrainingSettings(), pairs)
    return _train(plan, folder, resume, say)


def train_preferences(
    model: ModelSettings,
    pairs: Sequence[PreferencePair],
    *,
    folder: Path,
    preference: PreferenceSettings | None = None,
    lora: LoraSettings | None = None,
    training: TrainingSettings | None = None,
    resume: bool = False,
    say: Say | None = None,
) -> TrainingResult:
    """Tune a model to prefer the chosen answers of pairs to the rejected ones.

    The reference is the model with its adapter switched off; see `PreferenceSettings.precompute`.

    Args:
        preference: None for the defaults.
        pairs, folder, lora, training, resume, say: as `train_sft`.

    Raises:
        ValueError, RecipeError, MedragError: as `train_sft`.
    """
    plan = Plan(
        model, preference or PreferenceSettings(), lora, training or TrainingSettings(), pairs
    )
    return _train(plan, folder, resume, say)


def _train(plan: Plan, folder: Path, resume: bool, say: Say | None) -> TrainingResult:
    start = time.monotonic()
    check_plan(plan)
    check_pairs(plan.pairs, both=plan.preference is not None)
    told = told_of(plan)
    if (done := finished(folder, told, resume=resume)) is not None:
        return TrainingResult(folder, *done, len(plan.pairs), time.monotonic() - start)
    with contained(plan.training.seed):
        loaded = load_to_tune(plan.model, plan.lora)
        trainer = _ready(plan, loaded, folder, say)
        if trainer.is_world_process_zero():
            begin(folder, told)
        trainer.accelerator.wait_for_everyone()
        kept = last_whole(folder / CHECKPOINTS) if resume else None
        if resume and kept is None and say is not None and trainer.is_world_process_zero():
            say("no checkpoint yet: starting at step 1")
        trainer.train(resume_from_checkpoint=str(kept) if kept else None)
        losses = tuple(
            (int(each["step"]), float(each["loss"]))
            for each in trainer.state.log_history
            if "loss" in each
        )
        n_steps = int(trainer.state.global_step)
        if trainer.is_world_process_zero():
            save_tuned(loaded, folder, plan, losses=losses, n_steps=n_steps)
        trainer.accelerator.wait_for_everyone()
    return TrainingResult(folder, losses, n_steps, len(plan.pairs), time.monotonic() - start)


def _ready(plan: Plan, loaded: Loaded, folder: Path, say: Say | None) -> Any:
    """Make a trainer that has all it needs, the reference included."""
    both, training = plan.preference is not None, plan.training
    examples = Examples(loaded, plan.pairs, both=both, max_length=training.max_length)
    examples.check()
    objective: Objective = supervised
    if plan.preference is not None:
        objective = PreferenceObjective(
            preference=plan.preference, pairs=plan.pairs, seed=training.seed
        )
    trainer = make_trainer(
        model=loaded.model,
        examples=examples,
        objective=objective,
        plan=plan,
        folder=folder / CHECKPOINTS,
        say=say,
    )
    if isinstance(objective, PreferenceObjective):
        if _precomputes(plan):
            objective.reference = reference_log_probabilities(trainer, training.batch)
        else:
            check_switched_off(loaded.model)
    return trainer


def _precomputes(plan: Plan) -> bool:
    """Tell whether the reference cannot, or is not to, be had from the model at every step."""
    asked = plan.preference is not None and plan.preference.precompute
    return asked or plan.lora is None or plan.model.adapter is not None
