"""Train a policy by rewards, into a folder that a generator takes."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medrag.alignment.grpo.prompts import PolicyRows
from medrag.alignment.grpo.saving import save_policy, told_of
from medrag.alignment.grpo.settings import GrpoSettings, check_grpo, check_sizes
from medrag.alignment.grpo.trainer import Say, check_finite, make_policy_trainer
from medrag.alignment.rewards import Example, WeightedRewards
from medrag.alignment.training import (
    LoraSettings,
    ModelSettings,
    TrainingResult,
    TrainingSettings,
)
from medrag.alignment.training.checkpoints import last_whole
from medrag.alignment.training.folders import CHECKPOINTS, Losses, begin, finished
from medrag.alignment.training.settings import check_lora, check_training
from medrag.alignment.training.surroundings import contained
from medrag.alignment.training.tuning import computed_in, load_to_tune
from medrag.checkpoints.numerics import chosen_device
from medrag.errors import InputFileError, RecipeError
from medrag.extras import require
from medrag.generation.local.inputs import count_tokens
from medrag.generation.local.loading import Loaded
from medrag.generation.pictures import images_of

_NAMED = 3


def train_grpo(
    model: ModelSettings,
    examples: Sequence[Example],
    *,
    folder: Path,
    rewards: WeightedRewards,
    grpo: GrpoSettings | None = None,
    lora: LoraSettings | None = None,
    training: TrainingSettings | None = None,
    resume: bool = False,
    say: Say | None = None,
) -> TrainingResult:
    """Have a model reply to prompts, and tune it towards the replies that are rewarded more.

    The reference is the model as it was before this training, `model.adapter` included.

    Args:
        examples: prompts with what counts as right; the order is drawn by the seed.
        folder: new or empty, unless training goes on in it. It gets the adapter (the model,
            without `lora`) and training.json: settings, versions, and the history of rewards.
        grpo: None for the defaults.
        lora: None to tune all weights but those of the tower of pictures.
        training: None for the defaults. Its batch counts replies of a pass on one device, and
            `max_length` the tokens of a prompt with the longest reply.
        resume: go on from the last whole checkpoint in the folder, if there is one.
        say: is told loss and reward.

    Raises:
        ValueError: for a setting that is none, or without examples.
        MissingExtraError: if a library is not installed.
        RecipeError: for a model, a release of TRL or a folder that cannot be trained with or into,
            and prompts that are too long.
        MedragError: for pictures that cannot be read, a loss that is no number, memory that runs
            out, or a disk that is full; the last whole checkpoint stays.
    """
    start = time.monotonic()
    grpo, training = grpo or GrpoSettings(), training or TrainingSettings()
    _check(model, examples, grpo, lora, training)
    cpu = chosen_device(model.device) == "cpu"
    per_step = training.batch * training.accumulation * _n_devices(cpu=cpu)
    check_sizes(grpo, per_step=per_step, save_every=training.save_every)
    told = told_of(model, grpo, lora, training, rewards, examples)
    if (done := finished(folder, told, resume=resume)) is not None:
        return TrainingResult(folder, *done, len(examples), time.monotonic() - start)
    with contained(training.seed), _undisturbed():
        loaded = load_to_tune(model, lora)
        _check_lengths(loaded, examples, grpo, training)
        trainer = make_policy_trainer(
            rows=PolicyRows(loaded=loaded, examples=examples),
            rewards=rewards,
            grpo=grpo,
            training=training,
            folder=folder / CHECKPOINTS,
            bf16=computed_in(model) == "bfloat16",
            cpu=cpu,
            say=say,
        )
        losses = _trained(trainer, folder, told, resume=resume)
        save_policy(trainer, loaded, folder, told, settings=model, losses=losses)
    n_steps, seconds = int(trainer.state.global_step), time.monotonic() - start
    return TrainingResult(folder, losses, n_steps, len(examples), seconds)


def _check(
    model: ModelSettings,
    examples: Sequence[Example],
    grpo: GrpoSettings,
    lora: LoraSettings | None,
    training: TrainingSettings,
) -> None:
    check_training(training)
    check_grpo(grpo)
    if lora is not None:
        check_lora(lora)
    _check_examples(examples)
    _check_reference(model, grpo, lora)


def _trained(trainer: Any, folder: Path, told: Mapping[str, Any], *, resume: bool) -> Losses:
    """Train, from the last whole checkpoint where that is asked for; give what was told of it."""
    # The others must have looked into the folder before something is there.
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        begin(folder, told)
    trainer.accelerator.wait_for_everyone()
    kept = last_whole(folder / CHECKPOINTS) if resume else None
    trainer.train(resume_from_checkpoint=str(kept) if kept else None)
    check_finite(trainer.model, int(trainer.state.global_step))
    return tuple(
        (int(each["step"]), float(each["loss"]))
        for each in trainer.state.log_history
        if "loss" in each
    )


def _check_examples(examples: Sequence[Example]) -> None:
    if not examples:
        raise ValueError("there are no examples to train on")
    shown = [image.path for each in examples for image in images_of(each.prompt)]
    missing = [path for path in dict.fromkeys(shown) if not Path(path).is_file()]
    if missing:
        also = ", ".join(missing[1:_NAMED])
        raise InputFileError(
            Path(missing[0]),
            f"the picture does not exist ({len(missing)} of the prompts' pictures are missing"
            f"{', also ' + also if also else ''}); name the folder that they lie in",
        )


def _n_devices(*, cpu: bool) -> int:
    return int(require("accelerate", extra="align").PartialState(cpu=cpu).num_processes)


def _check_reference(model: ModelSettings, grpo: GrpoSettings, lora: LoraSettings | None) -> None:
    """Refuse what TRL would take another reference for: it reads that from the model's folder."""
    if lora is None and grpo.beta > 0 and model.adapter is not None:
        raise RecipeError(
            f"all weights cannot be tuned from the adapter {model.adapter} with beta "
            f"{grpo.beta:g}: the reference would be {model.model} without it; set beta: 0, or "
            "lora to go on with the adapter"
        )


def _check_lengths(
    loaded: Loaded, examples: Sequence[Example], grpo: GrpoSettings, training: TrainingSettings
) -> None:
    most = min(filter(None, (training.max_length, loaded.context)), default=None)
    if most is None:
        return
    counts = [(each.id, count_tokens(loaded, each.prompt)) for each in examples]
    if long := [f"{name} ({n})" for name, n in counts if n + grpo.max_tokens > most]:
        raise RecipeError(
            f"{len(long)} of {len(examples)} prompts take more than {most} tokens with a reply of "
            f"{grpo.max_tokens}, such as {', '.join(long[:_NAMED])}; leave them out, or lower "
            "max_tokens or max_pixels"
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep quiet what TRL and its libraries say of settings that they will drop."""
    logger = require("transformers").utils.logging
    before = logger.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        logger.set_verbosity_error()
        try:
            yield
        finally:
            logger.set_verbosity(before)
