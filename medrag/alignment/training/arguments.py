"""Settings in the words of transformers' trainer and of torch's optimiser."""

from pathlib import Path
from typing import Any

from medrag.alignment.training.settings import ModelSettings, TrainingSettings
from medrag.alignment.training.tuning import computed_in, is_projector
from medrag.checkpoints.numerics import chosen_device
from medrag.extras import require

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
# By the name of "constant" transformers has one without a warm-up.
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


def arguments(settings: ModelSettings, training: TrainingSettings, folder: Path, model: Any) -> Any:
    """Give the `TrainingArguments` of a model, whose checkpoints go into a folder."""
    shared = shared_arguments(
        training,
        folder,
        bf16=computed_in(settings) == "bfloat16",
        cpu=chosen_device(settings.device) == "cpu",
    )
    return require("transformers").TrainingArguments(
        **shared,
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        # A batch without pictures leaves the projector without a gradient.
        ddp_find_unused_parameters=_tunes_projector(model),
    )


def shared_arguments(
    training: TrainingSettings, folder: Path, *, bf16: bool, cpu: bool
) -> dict[str, Any]:
    """Give what every trainer of transformers is told, that of TRL included."""
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": training.batch,
        "gradient_accumulation_steps": training.accumulation,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": SCHEDULES[training.schedule],
        "warmup_steps": training.warmup,
        "max_grad_norm": training.max_grad_norm,
        "bf16": bf16,
        "use_cpu": cpu,
        "seed": training.seed,
        "data_seed": training.seed,
        "logging_steps": training.log_every,
        "logging_nan_inf_filter": False,
        "save_strategy": "no" if training.save_every is None else "steps",
        "save_steps": training.save_every or 1,
        "remove_unused_columns": False,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def optimiser(model: Any, training: TrainingSettings) -> dict[str, Any]:
    """Say what AdamW gets: weights in groups, by whether they decay and by their learning rate."""
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for name, weights in model.named_parameters():
        if weights.requires_grad:
            decays = weights.ndim > 1 and "norm" not in name
            groups.setdefault((decays, is_projector(name)), []).append(weights)
    rates = {False: training.learning_rate, True: training.projector_learning_rate}
    return {
        "lr": training.learning_rate,
        "betas": _BETAS,
        "eps": _EPSILON,
        "params": [
            {
                "params": weights,
                "lr": rates[projector] or training.learning_rate,
                "weight_decay": training.weight_decay if decays else 0.0,
            }
            for (decays, projector), weights in groups.items()
        ],
    }


def _tunes_projector(model: Any) -> bool:
    return any(is_projector(name) for name, each in model.named_parameters() if each.requires_grad)
