"""What of a generator's preset is on this machine: found without loading a library."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from medrag.checkpoints.presets import cached, way_to_download
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
    absent = [each for each in (preset.model, preset.adapter) if each and not cached(each)]
    if not absent:
        return Presence("ready")
    return Presence("download", way_to_download(absent, preset.gate))
