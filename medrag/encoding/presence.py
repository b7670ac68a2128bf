"""What of a preset is on this machine: found by looking at folders, without loading a library."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from medrag.checkpoints.files import PACKAGED
from medrag.checkpoints.presets import cached, way_to_download
from medrag.encoding.presets import Loads, Preset

State = Literal["ready", "download", "file", "install", "serve", "wrap"]

# Libraries that load a preset: the modules, and the extra of medrag that brings them.
_LIBRARIES: dict[Loads, tuple[tuple[str, ...], str | None]] = {
    "transformers": (("torch", "transformers"), None),
    "remote code": (("torch", "transformers"), None),
    "sentence-transformers": (("torch", "sentence_transformers"), None),
    "open_clip": (("torch", "open_clip"), "clip"),
    "built in": (("skimage",), None),
    "package": ((), None),
}


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a preset can be loaded here.

    Attributes:
        state: "ready"; "download": the hub gives the weights at first use; "file": its file of
            weights is got by hand; "install": a library is missing; "serve": it runs elsewhere;
            "wrap": an encoder of one's own has to call it.
        way: what to do; empty where nothing is.
    """

    state: State
    way: str = ""


def presence(preset: Preset) -> Presence:
    """Look for the libraries and the weights of a preset."""
    if preset.serve is not None:
        return Presence("serve", preset.serve)
    if preset.wrap is not None:
        return Presence("wrap", preset.wrap)
    modules, extra = _LIBRARIES[preset.loads]
    missing = [module for module in (*modules, *preset.needs) if find_spec(module) is None]
    if missing:
        extra = "clip" if preset.needs else extra
        wanted = f"medrag[{extra}]" if extra else "medrag"
        return Presence("install", f"{', '.join(missing)} missing: pip install '{wanted}'")
    if preset.loads == "built in":
        return Presence("ready")
    ids = [each for each in (preset.model, preset.passage_model) if each is not None]
    if not ids:
        return Presence("file", f"get {preset.checkpoint} from its authors")
    absent = [each for each in ids if not (_packaged(each) or cached(each))]
    if not absent:
        return Presence("ready")
    return Presence("download", way_to_download(absent, preset.gate))


def _packaged(model: str) -> bool:
    return model in PACKAGED and find_spec(PACKAGED[model]) is not None
