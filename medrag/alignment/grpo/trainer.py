"""TRL's trainer of GRPO with our prompts and rewards, and no trouble left untold."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from medrag.alignment.grpo.formula import entropy_scales
from medrag.alignment.grpo.prompts import PolicyRows, policy_processor
from medrag.alignment.grpo.replies import ReplyReader, reward_functions
from medrag.alignment.grpo.settings import GrpoSettings
from medrag.alignment.rewards import WeightedRewards
from medrag.alignment.training.arguments import optimiser, shared_arguments
from medrag.alignment.training.checkpoints import drop_cut_short, last_whole, vouch
from medrag.alignment.training.settings import TrainingSettings
from medrag.checkpoints.batching import out_of_memory
from medrag.errors import MedragError, RecipeError
from medrag.extras import require

Say = Callable[[str], None]

# What of TRL's trainer is built upon though it is private, as release 1.16 has it.
_RELIED_ON: Mapping[str, frozenset[str]] = {
    "_generate_and_score_completions": frozenset({"inputs"}),
    "_get_per_token_logps_and_entropies": frozenset(
        {"model", "input_ids", "attention_mask", "logits_to_keep", "batch_size", "compute_entropy"}
    ),
    "_save_checkpoint": frozenset({"model", "trial"}),
    "training_step": frozenset({"model", "inputs", "num_items_in_batch"}),
}
_DRAWN = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "advantages")
# Of what was drawn, what tells the model how pictures lie.
_SHOWN = (
    "pixel_values", "image_grid_thw", "num_images", "pixel_attention_mask", "spatial_shapes",
    "num_tiles", "image_sizes", "token_type_ids", "mm_token_type_ids", "image_position_ids",
)  # fmt: skip
# How torch refuses to draw.
_NO_PROBABILITY = "probability tensor contains"
_TOLD = ("loss", "reward", "kl", "entropy")


def make_policy_trainer(
    *,
    rows: PolicyRows,
    rewards: WeightedRewards,
    grpo: GrpoSettings,
    training: TrainingSettings,
    folder: Path,
    bf16: bool,
    cpu: bool,
    say: Say | None,
) -> Any:
    """Make a `trl.GRPOTrainer` of the model that reads the rows.

    The rows are seen in one pass, in an order that is laid out beforehand (`laid_out`), so that
    training that goes on from a checkpoint sees those that it would have seen.

    Args:
        rows: its model has what is to be tuned set free.
        folder: of checkpoints.
        bf16: compute in bfloat16.
        cpu: leave a GPU alone.

    Raises:
        MissingExtraError: if TRL or the data sets that it reads are not installed.
        RecipeError: if this release of TRL is not one that is known.
    """
    library = require("trl", extra="align")
    check_release(library.GRPOTrainer, library.__version__)
    model = rows.loaded.model
    base = getattr(model, "get_base_model", lambda: model)()
    base.generation_config.eos_token_id = list(rows.loaded.eos)
    reader = ReplyReader(loaded=rows.loaded, examples=rows.examples)
    arguments = _arguments(library, grpo, training, folder, bf16=bf16, cpu=cpu)
    arguments.reward_weights = list(rewards.weights)
    per_step = arguments.generation_batch_size
    shows = [rows.shows(place) for place in range(len(rows))]
    order = laid_out(shows, per_step // grpo.replies, training, iterations=grpo.iterations)
    arguments.max_steps = len(order) * grpo.replies // per_step * grpo.iterations
    trainer = _trainer_class(library)(
        model=model,
        reward_funcs=reward_functions(rewards, reader),
        args=arguments,
        train_dataset=_data_set(rows, order),
        processing_class=policy_processor(rows.loaded),
        optimizers=(require("torch").optim.AdamW(**optimiser(model, training)), None),
    )
    trainer.remove_callback(require("transformers").PrinterCallback)
    trainer.grpo, trainer.say = grpo, say
    return trainer


def check_release(trainer: Any, release: str) -> None:
    """Refuse a release of TRL whose trainer lacks what is built upon here.

    Raises:
        RecipeError: naming the method and what it lacks.
    """
    for name, needed in _RELIED_ON.items():
        method = getattr(trainer, name, None)
        has = set(inspect.signature(method).parameters) if method is not None else set()
        if lacking := sorted(needed - has):
            raise RecipeError(
                f"trl {release} is not known here: GRPOTrainer.{name} "
                f"{'is gone' if method is None else 'lacks ' + ', '.join(lacking)}; install "
                "trl 1.16, or a later medrag"
            )


def _trainer_class(library: Any) -> Any:
    class PolicyTrainer(library.GRPOTrainer):  # type: ignore[misc]
        """Scales advantages by entropy where asked, and tells what goes wrong."""

        grpo: GrpoSettings
        say: Say | None = None

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            check_finite(self.model, self.state.global_step)
            _seed_step(self)
            drawn = super()._generate_and_score_completions(inputs)
            return _shaped(self, drawn, library.__version__)

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            with _telling(self):
                loss = super().training_step(model, inputs, num_items_in_batch)
            _check_loss(self, loss)
            return loss

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            # It adds the means of rewards to what it is given.
            super().log(logs, start_time)
            _tell(self, logs)

        def create_model_card(self, *_: Any, **__: Any) -> None:
            # A card full of gaps to be filled in.
            return

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            check_finite(self.model, self.state.global_step)
            try:
                super()._save_checkpoint(model, trial)
                self.accelerator.wait_for_everyone()
                if self.is_world_process_zero():
                    vouch(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
            except Exception as error:
                raise MedragError(_unwritten(self, error)) from error

    return PolicyTrainer


def _seed_step(trainer: Any) -> None:
    """Have what a step draws depend on the seed, the step and the device alone.

    Training that goes on from a checkpoint then draws what it would have drawn.
    """
    place = [trainer.args.seed, trainer.state.global_step, trainer.accelerator.process_index]
    drawn = np.random.SeedSequence(place).generate_state(1, np.uint32)
    require("torch").manual_seed(int(drawn[0]))


def _shaped(trainer: Any, drawn: Any, release: str) -> Any:
    """Check what was drawn, and scale its advantages where that is asked for."""
    if missing := [name for name in _DRAWN if name not in drawn]:
        raise RecipeError(
            f"trl {release} is not known here: what it draws lacks {missing[0]}; install trl 1.16, "
            "or a later medrag"
        )
    if trainer.grpo.entropy > 0 and trainer.model.training:
        drawn["advantages"] = drawn["advantages"] * _scales(trainer, drawn)
    return drawn


def _scales(trainer: Any, drawn: Mapping[str, Any]) -> Any:
    """Give the scales of this device's replies; groups may lie across devices."""
    torch = require("torch")
    mask = drawn["completion_mask"]
    ids, seen = (
        torch.cat([drawn[f"prompt_{name}"], drawn[f"completion_{name}"]], dim=1)
        for name in ("ids", "mask")
    )
    with torch.no_grad():
        _, entropies, _ = trainer._get_per_token_logps_and_entropies(  # noqa: SLF001
            trainer.model, ids, seen, mask.size(1),
            batch_size=trainer.args.per_device_train_batch_size, compute_entropy=True,
            **{name: drawn[name] for name in _SHOWN if name in drawn},
        )  # fmt: skip
    # A reply that does not count has no tokens, and its mean is nan.
    means = (entropies * mask).sum(1) / mask.sum(1)
    scales = entropy_scales(
        trainer.accelerator.gather(means).double().cpu().numpy(),
        replies=trainer.grpo.replies,
        strength=trainer.grpo.entropy,
        limit=trainer.grpo.entropy_limit,
    )
    first = trainer.accelerator.process_index * len(means)
    own = torch.from_numpy(scales[first : first + len(means)])
    return own.to(drawn["advantages"].device, drawn["advantages"].dtype)


def _tell(trainer: Any, logs: Mapping[str, float]) -> None:
    if "loss" in logs and trainer.say is not None and trainer.is_world_process_zero():
        found = {name: logs[name] for name in _TOLD if logs.get(name) is not None}
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        trainer.say(f"step {trainer.state.global_step} of {trainer.state.max_steps}: {numbers}")


@contextmanager
def _telling(trainer: Any) -> Iterator[None]:
    """Tell of memory that ran out, and of tokens that cannot be drawn, in our words."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if _NO_PROBABILITY in str(error):
            raise MedragError(
                f"step {trainer.state.global_step + 1} gives a token a probability that is no "
                "number; lower learning_rate, or set dtype: float32"
            ) from error
        if not out_of_memory(error):
            raise
        raise MedragError(
            f"out of memory in step {trainer.state.global_step + 1} with "
            f"{trainer.args.per_device_train_batch_size} replies of up to "
            f"{trainer.grpo.max_tokens} tokens in a pass ({str(error).partition(chr(10))[0]}); "
            "halve batch and double accumulation, set gradient_checkpointing: true, or lower "
            "max_tokens or max_pixels"
        ) from error


def _check_loss(trainer: Any, loss: Any) -> None:
    if not bool(loss.isfinite().all()):
        raise MedragError(
            f"the loss of step {trainer.state.global_step + 1} is no number; lower learning_rate, "
            "or set dtype: float32"
        )


def _unwritten(trainer: Any, error: BaseException) -> str:
    """Delete what a save that failed has left, and tell what there is to go on from."""
    place = Path(trainer.args.output_dir)
    drop_cut_short(place)
    kept = last_whole(place)
    return (
        f"the checkpoint of step {trainer.state.global_step} cannot be written ({error}); "
        + (f"{kept} is whole" if kept else "there is none before it")
        + "; make room on the disk, then resume"
    )


def check_finite(model: Any, step: int) -> None:
    """Refuse to save weights that hold what is no number.

    Raises:
        MedragError: naming the first of them.
    """
    for name, weights in model.named_parameters():
        if weights.requires_grad and not bool(weights.isfinite().all()):
            raise MedragError(
                f"after step {step} {name} holds what is no number, and is not saved; lower "
                "learning_rate, or set dtype: float32"
            )


def laid_out(
    shows: Sequence[bool], at_once: int, training: TrainingSettings, *, iterations: int
) -> list[int]:
    """Lay out which examples are seen when: all of them in each epoch, in an order of its own.

    Args:
        shows: of each example, whether its prompt shows a picture: those that do and those that
            do not are never in one step, which TRL could not read.
        at_once: prompts of a step.
        iterations: steps that learn from the same prompts.

    Returns:
        Places of examples, `at_once` for each time that replies are drawn. What is left of an epoch
        is filled up from the next.
    """
    if training.max_steps is None:
        n_draws = max(1, ceil(training.epochs * len(shows) / at_once))
    else:
        n_draws = ceil(training.max_steps / iterations)
    drawn = np.random.default_rng(training.seed)
    order: list[int] = []
    waiting: dict[bool, list[int]] = {True: [], False: []}
    while len(order) < n_draws * at_once:
        for place in drawn.permutation(len(shows)).tolist():
            some = waiting[shows[place]]
            some.append(place)
            if len(some) == at_once:
                order += some
                some.clear()
    return order[: n_draws * at_once]


def _data_set(rows: PolicyRows, order: Sequence[int]) -> Any:
    """Make the kind of data set that TRL takes, whose rows are written when they are asked for."""

    def written(some: Mapping[str, list[int]]) -> dict[str, list[Any]]:
        asked = [rows[place] for place in some["place"]]
        return {name: [each[name] for each in asked] for name in ("prompt", "place")}

    library = require("datasets", extra="align")
    return library.Dataset.from_dict({"place": list(order)}).with_transform(written)


def _arguments(
    library: Any,
    grpo: GrpoSettings,
    training: TrainingSettings,
    folder: Path,
    *,
    bf16: bool,
    cpu: bool,
) -> Any:
    return library.GRPOConfig(
        **shared_arguments(training, folder, bf16=bf16, cpu=cpu),
        shuffle_dataset=False,
        gradient_checkpointing=training.gradient_checkpointing,
        num_generations=grpo.replies,
        max_completion_length=grpo.max_tokens,
        temperature=grpo.temperature,
        top_p=grpo.top_p,
        beta=grpo.beta,
        epsilon=grpo.epsilon,
        epsilon_high=grpo.epsilon_high,
        num_iterations=grpo.iterations,
        loss_type=grpo.loss,
        scale_rewards=grpo.scale,
        mask_truncated_completions=grpo.mask_cut,
        # As the formula has it; TRL would weigh the divergence by the ratio.
        use_bias_correction_kl=False,
        log_multimodal=False,
    )
