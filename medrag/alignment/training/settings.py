"""What training needs to be told; every value has a default but the model's name."""

from dataclasses import dataclass
from typing import Literal, get_args

from medrag.checkpoints.numerics import Dtype

Schedule = Literal["cosine", "linear", "constant"]
PreferenceLoss = Literal["sigmoid", "hinge", "ipo"]
RowWeights = Literal["none", "pairs", "shuffled"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model is tuned, and in what it computes.

    Attributes:
        model, preset, revision: as `LocalGenerator` takes them.
        adapter: folder or hub id of a LoRA adapter to go on from, such as that of the supervised
            stage. With LoRA it is trained further, and is part of the reference; without it is
            merged first.
        dtype: "auto" is bfloat16 where the device computes in it natively. All weights are tuned
            in float32, and computed with in this.
        device: "cpu", "cuda", or None for the GPU if there is one. Several GPUs are used through
            `accelerate launch` or `torchrun`.
        attention, trust_remote_code, min_pixels, max_pixels: as `LocalGenerator` takes them; say
            the same there, or the model meets pictures of another size.
    """

    model: str
    preset: str | None = None
    revision: str | None = None
    adapter: str | None = None
    dtype: Dtype = "auto"
    device: str | None = None
    attention: str | None = None
    trust_remote_code: bool = False
    min_pixels: int | None = None
    max_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """A low-rank adapter on all linear layers of the language model.

    Attributes:
        r: rank.
        alpha: the adapter's part is multiplied by alpha / r.
        dropout: in [0, 1), of what the adapter reads.
        exclude: pattern of the full names of layers that stay as they are; None for those of the
            tower of pictures, of the projector and of the head.
        projector: also tune what brings pictures to the language model, all its weights.

    Source:
        Hu et al., ICLR 2022; the defaults are those of MMed-RAG, ICLR 2025.
    """

    r: int = 128
    alpha: float = 256
    dropout: float = 0.05
    exclude: str | None = None
    projector: bool = False


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a model is tuned, by whatever loss.

    Attributes:
        learning_rate: at its highest.
        projector_learning_rate: of the projector, where it is tuned; None for `learning_rate`.
        epochs: passes over the pairs.
        max_steps: of the optimiser; None for as many as the epochs have.
        batch: pairs of one forward pass, on each device.
        accumulation: passes of one step of the optimiser. With n devices a step is of
            n x batch x accumulation pairs, each as heavy as any other.
        schedule: of the learning rate, behind the warm-up.
        warmup: share of the steps in which the learning rate rises from 0.
        weight_decay: of AdamW, but for biases and norms.
        max_grad_norm: gradients are scaled down to this norm; 0 for no bound.
        gradient_checkpointing: compute activations twice rather than keep them.
        max_length: tokens of a prompt with its answer, at most; longer ones are refused, for a
            cut might go through a picture. None for what the model reads.
        save_every: steps between checkpoints, from which training can go on; None for none.
        log_every: steps between told losses.
        seed: of adapter, order, dropout and shuffled weights.
    """

    learning_rate: float = 1e-5
    projector_learning_rate: float | None = 2e-5
    epochs: float = 1.0
    max_steps: int | None = None
    batch: int = 4
    accumulation: int = 1
    schedule: Schedule = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    gradient_checkpointing: bool = False
    max_length: int | None = None
    save_every: int | None = 100
    log_every: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PreferenceSettings:
    """The loss of preference pairs.

    The loss of a step is the mean over its pairs of weight x loss.

    Attributes:
        loss: of `medrag.alignment.losses`.
        beta: how dear it is to leave the reference.
        sft_weight: of the chosen answer's negative mean log-probability, which is added.
        conditional_weight: of pairs whose answers are equal, and only their pictures differ.
        anchor_weight: of the term that keeps the chosen answer as likely as the reference has it.
        weights: of pairs: all 1, their own, or their own dealt out anew, which is the control of
            whether weights matter.
        precompute: compute the reference once, before training, not at every step; the numbers
            are the same. Always so where all weights are tuned, or an adapter is gone on from.
    """

    loss: PreferenceLoss = "sigmoid"
    beta: float = 0.1
    sft_weight: float = 0.0
    conditional_weight: float = 1.0
    anchor_weight: float = 0.0
    weights: RowWeights = "pairs"
    precompute: bool = False


def check_lora(lora: LoraSettings) -> None:
    """Refuse what is no adapter.

    Raises:
        ValueError: naming the setting.
    """
    if lora.r < 1:
        raise ValueError(f"r must be at least 1, got {lora.r}")
    _check_above("alpha", lora.alpha, 0)
    if not 0 <= lora.dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {lora.dropout}")


def check_training(training: TrainingSettings) -> None:
    """Refuse what nothing can be trained by.

    Raises:
        ValueError: naming the setting.
    """
    for name in ("batch", "accumulation", "log_every", "max_steps", "save_every", "max_length"):
        value = getattr(training, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    _check_above("learning_rate", training.learning_rate, 0)
    _check_above("epochs", training.epochs, 0)
    if training.projector_learning_rate is not None:
        _check_above("projector_learning_rate", training.projector_learning_rate, 0)
    if not 0 <= training.warmup < 1:
        raise ValueError(f"warmup is a share of the steps in [0, 1), got {training.warmup}")
    for name in ("weight_decay", "max_grad_norm"):
        _check_least(name, getattr(training, name))
    _check_named("schedule", training.schedule, get_args(Schedule))


def check_preference(preference: PreferenceSettings) -> None:
    """Refuse what is no loss.

    Raises:
        ValueError: naming the setting.
    """
    _check_named("loss", preference.loss, get_args(PreferenceLoss))
    _check_named("weights", preference.weights, get_args(RowWeights))
    _check_above("beta", preference.beta, 0)
    for name in ("sft_weight", "conditional_weight", "anchor_weight"):
        _check_least(name, getattr(preference, name))


def _check_above(name: str, value: float, least: float) -> None:
    if not least < value < float("inf"):
        raise ValueError(f"{name} must be above {least}, got {value}")


def _check_least(name: str, value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be at least 0, got {value}")


def _check_named(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
