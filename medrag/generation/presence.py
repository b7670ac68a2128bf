"""What of a generator's preset is on this machine: found without loading a library."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from medrag.checkpoints.files import holds_weights
from medrag.extras import require
from medrag.generation.presets import GeneratorPreset

State = Literal["ready", "download", "install", "serve"]

_MODULES = ("torch", "torchvision", "transformers")


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a preset can be loaded here.

    Attributes:
        state: "ready"; "download": the hub gives the weights at first use; "install": a library is
            missing; "serve": it runs elsewhere.
        way: what to do; empty where nothing is.
    """

    state: State
    way: str = ""


def presence(preset: GeneratorPreset) -> Presence:
    """Look for the libraries and the weights of a preset."""
    if preset.serve is not None:
        return Presence("serve", preset.serve)
    wanted = (*_MODULES, "peft") if preset.adapter else _MODULES
    missing = [module for module in wanted if find_spec(module) is None]
    if missing:
        extra = "medrag[local]" if "peft" in missing else "medrag"
        return Presence("install", f"{', '.join(missing)} missing: pip install '{extra}'")
    absent = [each for each in (preset.model, preset.adapter) if each and not _cached(each)]
    if not absent:
        return Presence("ready")
    first = {"accept": "accept its terms at", "request": "request access at"}.get(preset.gate)
    ask = f"{first} https://huggingface.co/{absent[0]}, then: hf auth login; " if first else ""
    return Presence("download", ask + "; ".join(f"hf download {each}" for each in absent))


def _cached(model: str) -> bool:
    """Tell whether the hub's cache holds weights of a model, of any revision."""
    root = Path(require("huggingface_hub.constants").HF_HUB_CACHE)
    return holds_weights(root / f"models--{model.replace('/', '--')}" / "snapshots")
