"""The trainer: that of transformers, with a loss for each pair, and no trouble left untold."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medrag.alignment.training.arguments import arguments, optimiser
from medrag.alignment.training.batches import Batch, collated, log_probabilities
from medrag.alignment.training.checkpoints import drop_cut_short, last_whole, vouch
from medrag.alignment.training.objectives import Objective
from medrag.alignment.training.plan import Plan
from medrag.alignment.training.rows import Examples
from medrag.checkpoints.batching import Halving, out_of_memory
from medrag.errors import MedragError
from medrag.extras import require

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Trainer
else:
    # The class is put onto that of transformers where it is made, so that no module loads it.
    Trainer = object

# Pairs that an error names.
_NAMED = 8
_LOGGED = ("loss", "margin", "accuracy")

Say = Callable[[str], None]


def make_trainer(
    *,
    model: Any,
    examples: Examples,
    objective: Objective,
    plan: Plan,
    folder: Path,
    say: Say | None,
) -> Any:
    """Make a `transformers.Trainer` of a model.

    Its loss is the mean over all pairs of a step, however they are dealt out over passes and
    devices.

    Args:
        model: with what is to be tuned set free.
        folder: of checkpoints.
    """
    library = require("transformers")
    if plan.training.gradient_checkpointing:
        _checkpoint_activations(model)
    config = getattr(model, "get_base_model", lambda: model)().config
    trainer = type("PairTrainer", (_PairTrainer, library.Trainer), {})(
        model=model,
        args=arguments(plan.model, plan.training, folder, model),
        train_dataset=examples,
        data_collator=lambda some: collated(some, config),
        optimizer_cls_and_kwargs=(require("torch").optim.AdamW, optimiser(model, plan.training)),
    )
    trainer.remove_callback(library.PrinterCallback)
    # The loss of a pass is given its share of the step by `compute_loss`.
    trainer.model_accepts_loss_kwargs = False
    trainer.objective, trainer.examples, trainer.say = objective, examples, say
    trainer.n_pairs, trainer.told = 0, []
    return trainer


def reference_log_probabilities(trainer: Any, batch: int) -> "Tensor":
    """Give (pairs, 2) log-probabilities of both answers of all pairs, as the model is now."""
    torch = require("torch")
    model, examples = trainer.model, trainer.examples

    def of(places: list[int]) -> "Tensor":
        collated = trainer.data_collator([examples[place] for place in places])
        passes = [
            {name: each.to(trainer.args.device) for name, each in inputs.items()}
            for inputs in collated["passes"]
        ]
        return log_probabilities(model, passes).cpu().view(2, -1).T

    was, found = model.training, torch.empty(len(examples), 2)
    model.eval()
    with torch.no_grad(), trainer.accelerator.autocast():
        halving = Halving(budget=batch, unit="pairs")
        for places, sums in halving.run(of, [1] * len(examples)):
            found[places] = sums
    model.train(was)
    reference: Tensor = found
    return reference


class _PairTrainer(Trainer):  # type: ignore[misc]
    """Trains by an objective that gives a loss for each pair.

    Attributes:
        objective, examples, say: as `make_trainer` is given them.
        n_pairs: of the step that is computed, on all devices.
        told: what the objective told of passes since the last log.
    """

    objective: Objective
    examples: Examples
    say: Say | None
    n_pairs: int
    told: list[dict[str, float]]

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        count = require("torch").tensor(sum(len(each["places"]) for each in batches), device=device)
        self.n_pairs = int(self.accelerator.gather(count).sum())
        return batches, None

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002 - named by the trainer
    ) -> Any:
        terms = self.objective(model, inputs)
        if not bool(terms.losses.isfinite().all()):
            raise MedragError(_not_finite(self, terms.losses, inputs))
        self.told.append({name: float(each.mean()) for name, each in terms.told.items()})
        # The trainer divides by the passes of a step, and devices take the mean of their own.
        scale = self.current_gradient_accumulation_steps * self.accelerator.num_processes
        loss = terms.losses.sum() * scale / self.n_pairs
        return (loss, None) if return_outputs else loss

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> Any:
        try:
            return super().training_step(model, inputs, num_items_in_batch)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise MedragError(_too_large(self, inputs, error)) from error

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self.told:
            logs |= {
                name: sum(each[name] for each in self.told) / len(self.told)
                for name in self.told[0]
            }
            self.told = []
        if "loss" in logs and self.say is not None and self.is_world_process_zero():
            numbers = ", ".join(f"{name} {logs[name]:.4f}" for name in _LOGGED if name in logs)
            self.say(f"step {self.state.global_step} of {self.state.max_steps}: {numbers}")
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: Batch) -> int:  # noqa: ARG002 - named by the trainer
        # It would be guessed from tokens of a kind of batch that these are not.
        return 0

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        _check_finite(self.model, self.state.global_step)
        place = Path(self.args.output_dir)
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                vouch(place / f"checkpoint-{self.state.global_step}")
        except Exception as error:
            if self.is_world_process_zero():
                drop_cut_short(place)
            kept = last_whole(place)
            raise MedragError(
                f"the checkpoint of step {self.state.global_step} cannot be written ({error}); "
                + (f"{kept} is whole" if kept else "there is none before it")
                + "; make room on the disk, then resume"
            ) from error

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if hasattr(self.model, "peft_config"):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        # Models are saved by older names than they have, which the trainer would pass over.
        kept = type(self.model).from_pretrained(resume_from_checkpoint, dtype=self.model.dtype)
        self.model.load_state_dict(kept.state_dict())


def _not_finite(trainer: Any, losses: Any, inputs: Batch) -> str:
    bad = inputs["places"][~losses.isfinite().to(inputs["places"].device)].tolist()
    return (
        f"the loss of step {trainer.state.global_step + 1} is no number, for pairs "
        f"{_names(trainer, bad)}; lower learning_rate, or set dtype: float32"
    )


def _too_large(trainer: Any, inputs: Batch, error: BaseException) -> str:
    n_rows = sum(len(each["input_ids"]) for each in inputs["passes"])
    longest = max(each["input_ids"].shape[1] for each in inputs["passes"])
    return (
        f"out of memory in step {trainer.state.global_step + 1} with {n_rows} rows of {longest} "
        f"tokens, of pairs {_names(trainer, inputs['places'].tolist())} "
        f"({str(error).splitlines()[0]}); halve batch and double accumulation, which changes "
        "nothing else, or set gradient_checkpointing: true, or lower max_pixels"
    )


def _names(trainer: Any, places: Sequence[int]) -> str:
    named = [trainer.examples.pairs[place].id for place in places]
    return ", ".join(named[:_NAMED]) + (" and others" if len(named) > _NAMED else "")


def _checkpoint_activations(model: Any) -> None:
    # The older name is deprecated, and the newer one newer than the oldest release that is taken.
    names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
    enable = next(getattr(model, name) for name in names if hasattr(model, name))
    enable({"use_reentrant": False})


def _check_finite(model: Any, step: int) -> None:
    for name, weights in model.named_parameters():
        if weights.requires_grad and not bool(weights.isfinite().all()):
            raise MedragError(
                f"after step {step} {name} holds what is no number, and is not saved; lower "
                "learning_rate, or set dtype: float32"
            )
