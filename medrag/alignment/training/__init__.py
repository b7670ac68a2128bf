"""Tuning a model of pictures and texts: by references, and by preferences."""

from medrag.alignment.training.running import TrainingResult, train_preferences, train_sft
from medrag.alignment.training.settings import (
    LoraSettings,
    ModelSettings,
    PreferenceSettings,
    TrainingSettings,
)

__all__ = [
    "LoraSettings",
    "ModelSettings",
    "PreferenceSettings",
    "TrainingResult",
    "TrainingSettings",
    "train_preferences",
    "train_sft",
]
