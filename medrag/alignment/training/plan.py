"""All that decides what training leaves."""

from collections.abc import Sequence
from dataclasses import dataclass

from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.training.settings import (
    LoraSettings,
    ModelSettings,
    PreferenceSettings,
    TrainingSettings,
    check_lora,
    check_preference,
    check_training,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained, by what, and how.

    Attributes:
        preference: None for supervised training on chosen answers.
        lora: None to tune all weights.
    """

    model: ModelSettings
    preference: PreferenceSettings | None
    lora: LoraSettings | None
    training: TrainingSettings
    pairs: Sequence[PreferencePair]


def check_plan(plan: Plan) -> None:
    """Refuse settings that are none; pairs are looked at elsewhere.

    Raises:
        ValueError: naming the setting.
    """
    check_training(plan.training)
    if plan.preference is not None:
        check_preference(plan.preference)
    if plan.lora is not None:
        check_lora(plan.lora)
