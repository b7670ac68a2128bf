"""How a retriever is tuned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from medrag.checkpoints.numerics import Dtype, check_dtype

Trains = Literal["head", "clip", "text", "page"]
Start = Literal["random", "ridge"]

# Where no learning rate is given: a head starts from nothing, towers from what they know.
_RATES: Mapping[Trains, float] = {"head": 1e-3, "clip": 1e-4, "text": 2e-5, "page": 2e-5}


def _descriptor() -> Mapping[str, Any]:
    return {"kind": "descriptor"}


def _minilm() -> Mapping[str, Any]:
    return {"kind": "sentence", "model": "minilm"}


@dataclass(frozen=True, slots=True)
class RetrieverModel:
    """What is trained, and from where it starts.

    Attributes:
        train: "head" puts the vectors of a frozen encoder of pictures into the space of a frozen
            encoder of texts; "clip" trains the towers of an open_clip checkpoint; "text" a model of
            sentence-transformers; "page" a late-interaction model of pages or texts.
        image, text: encoders under a head, as a recipe would say them.
        model: a preset, hub id or folder, for all but "head".
        revision: of a hub id.
        layers: of each tower of a "clip" that are trained, counted from its end; None for all.
        device: of torch; None for the GPU if there is one.
        dtype: of frozen encoders; what is trained is float32.
    """

    train: Trains = "head"
    image: Mapping[str, Any] = field(default_factory=_descriptor, hash=False)
    text: Mapping[str, Any] = field(default_factory=_minilm, hash=False)
    model: str | None = None
    revision: str | None = None
    layers: int | None = None
    device: str | None = None
    dtype: Dtype = "auto"


@dataclass(frozen=True, slots=True)
class RetrieverSettings:
    """How it is trained.

    Attributes:
        learning_rate: at its highest; None for 1e-3 of a head, 1e-4 of clip, 2e-5 of the others.
        weight_decay: of weights, not of biases and the temperature.
        epochs: at most; 0 with `start: ridge` writes the closed form as it is.
        batch: pairs in a step.
        warmup: share of the steps that are really taken, in which the rate rises.
        image_weight: of the direction from pictures to texts; see `contrastive_loss`.
        temperature: at the start; it is learned.
        hard_negatives: for each pair, found anew every `mine_every` epochs; 0 for none.
        factual: take passages that state the same as a pair's own as right too, where pairs have
            labels; see `factual_positives`.
        subspaces: learners of a head at most; 1 for one head. See `subspaces`.
        d: numbers in the space of subspaces; None for those of the encoder of texts.
        reader_weight: of the reader's signal in the loss; 0 for none.
        held_out: share of the pairs, in whole clusters, that the reported measures are of.
        stopping: share of the pairs, likewise, that early stopping looks at; 0 trains all epochs.
        k: of recall@k.
        patience: looks at `stopping` without a gain, once an epoch, before it ends.
        start: of a head: "random" weights, or "ridge", the closed form of `ridge_heads`, which a
            few hundred pairs are seldom enough to better.
        seed: of the start, the splits and the order of pairs.
    """

    learning_rate: float | None = None
    weight_decay: float = 0.01
    epochs: int = 60
    batch: int = 32
    warmup: float = 0.05
    image_weight: float = 0.75
    temperature: float = 0.07
    hard_negatives: int = 0
    mine_every: int = 5
    factual: bool = False
    subspaces: int = 1
    d: int | None = None
    reader_weight: float = 0.0
    held_out: float = 0.2
    stopping: float = 0.2
    k: int = 10
    patience: int = 8
    start: Start = "random"
    seed: int = 0


def learning_rate(model: RetrieverModel, settings: RetrieverSettings) -> float:
    """Give the highest learning rate: that of the settings, or what suits what is trained."""
    return settings.learning_rate or _RATES[model.train]


def check_settings(model: RetrieverModel, settings: RetrieverSettings) -> None:
    """Refuse settings that cannot be.

    Raises:
        ValueError: naming the first.
    """
    _check_model(model)
    least_epochs = 0 if settings.start == "ridge" else 1
    for name, least in (("epochs", least_epochs), ("batch", 2), ("mine_every", 1), ("subspaces", 1),
                        ("k", 1), ("patience", 1), ("hard_negatives", 0), ("seed", 0),
                        ("weight_decay", 0), ("reader_weight", 0)):  # fmt: skip
        if not (found := getattr(settings, name)) >= least:
            raise ValueError(f"{name} must be at least {least}, got {found}")
    for name in ("warmup", "image_weight", "held_out", "stopping"):
        if not 0 <= (share := getattr(settings, name)) <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {share}")
    if settings.held_out + settings.stopping >= 1:
        raise ValueError("held_out and stopping together must leave pairs to train on")
    if not 0.01 <= settings.temperature <= 1:
        raise ValueError(f"temperature must lie in [0.01, 1], got {settings.temperature}")
    if settings.learning_rate is not None and not settings.learning_rate > 0:
        raise ValueError(f"learning_rate must be positive, got {settings.learning_rate}")
    _check_for_heads(model, settings)


def _check_model(model: RetrieverModel) -> None:
    if model.train not in get_args(Trains):
        raise ValueError(f"train must be one of {', '.join(get_args(Trains))}, got {model.train!r}")
    if (model.model is None) != (model.train == "head"):
        needs = "needs a model" if model.model is None else "takes image and text, and no model"
        raise ValueError(f"train: {model.train} {needs}")
    check_dtype(model.dtype)
    if model.layers is not None and (model.train != "clip" or model.layers < 1):
        raise ValueError(f"layers is for clip and at least 1, got {model.layers}")


def _check_for_heads(model: RetrieverModel, settings: RetrieverSettings) -> None:
    if model.train != "head" and (settings.subspaces > 1 or settings.reader_weight):
        raise ValueError("subspaces and reader_weight are for train: head")
    if settings.start not in get_args(Start):
        raise ValueError(f"start must be random or ridge, got {settings.start!r}")
    if settings.start == "ridge" and (model.train != "head" or settings.subspaces > 1):
        raise ValueError("start: ridge is for one head, in the space of the texts")
    if settings.d is not None and (settings.d < settings.subspaces or settings.subspaces == 1):
        raise ValueError(f"d is for subspaces, one number each at least, got {settings.d}")
