"""CLIP models that can be trained: what training needs of them, for each library."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.files import config_files
from medrag.checkpoints.loading import auto_model, auto_tokenizer, image_processor, reading
from medrag.checkpoints.numerics import chosen_device
from medrag.encoding.clip.source import ClipSource
from medrag.encoding.kinds import OPEN_CLIP_CONFIG
from medrag.encoding.pictures import Inputs, prepared_by
from medrag.errors import RecipeError
from medrag.extras import require

if TYPE_CHECKING:
    from torch import Tensor

_EXPECTED = "a CLIP model"
# Length of a text tower that is given by name, as the encoder of kind "clip" reads it.
_TOWER_TOKENS = 256
_WEIGHTS = "open_clip_model.safetensors"


class TrainedTowers(Protocol):
    """Two towers in training.

    Attributes:
        module: of torch, with all weights.
        log_scale: the logarithm of what cosines are multiplied by.
        limit: tokens of a text at most, the model's own marks left out.
    """

    module: Any
    log_scale: Any
    limit: int

    def prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        """Turn (h, w, 3) RGB into what the picture tower reads; safe to call in threads."""
        ...

    def pictures(self, inputs: Inputs) -> "Tensor":
        """Encode a batch to (n, d), with gradients, not scaled to unit length."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]: ...
    def texts(self, texts: Sequence[str]) -> "Tensor":
        """Encode texts within the limit to (n, d), likewise."""
        ...

    def save(self, folder: Path) -> None:
        """Write what an encoder of kind "clip" reads."""
        ...


def trained_towers(source: ClipSource, device: str | None) -> TrainedTowers:
    """Load a model for training, in float32.

    Raises:
        RecipeError: if it cannot be loaded, or is compared by a sigmoid.
    """
    towers = (OpenClipTraining if source.open_clip else TransformersTraining)(source, device)
    if getattr(towers.module, "logit_bias", None) is not None:
        raise RecipeError(
            f"{source.path} compares by a sigmoid (SigLIP), and the contrastive loss is a softmax; "
            "name a CLIP model"
        )
    return towers


class OpenClipTraining:
    """A model of open_clip in training; see `TrainedTowers`."""

    def __init__(self, source: ClipSource, device: str | None) -> None:
        library = require("open_clip", extra="clip")
        transform = require("open_clip.transform", extra="clip")
        self._source = source
        named = source.architecture or f"local-dir:{source.path}"
        with reading(source.path, _EXPECTED):
            self.module = library.create_model(
                named,
                pretrained=str(source.path) if source.path.is_file() else None,
                weights_only=True,
                require_pretrained=True,
                **_text_options(source),
            )
            told = transform.PreprocessCfg(**self.module.visual.preprocess_cfg)
            self._transform = transform.image_transform_v2(told, is_train=False)
            self._tokenizer = _open_clip_tokenizer(source, named)
        self.module = self.module.to(chosen_device(device)).float()
        self.log_scale = self.module.logit_scale
        inner = getattr(self._tokenizer, "tokenizer", None)
        marks = 2 if inner is None else int(inner.num_special_tokens_to_add())
        self.limit = int(self._tokenizer.context_length) - marks

    def prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        picture = require("PIL.Image").fromarray(pixels)
        return {"pixel_values": np.asarray(self._transform(picture))}

    def pictures(self, inputs: Inputs) -> "Tensor":
        pixels = require("torch").from_numpy(inputs["pixel_values"])
        found: Tensor = self.module.encode_image(pixels.to(self.log_scale.device))
        return found

    def count(self, texts: Sequence[str]) -> list[int]:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is None:
            return [len(self._tokenizer.encode(text)) for text in texts]
        found = inner(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(each) for each in found["input_ids"]]

    def texts(self, texts: Sequence[str]) -> "Tensor":
        tokens = self._tokenizer(list(texts)).to(self.log_scale.device)
        found: Tensor = self.module.encode_text(tokens)
        return found

    def save(self, folder: Path) -> None:
        weights = {key: each.detach().cpu().clone() for key, each in self._state().items()}
        require("safetensors.torch").save_file(weights, folder / _WEIGHTS)
        if self._source.path.is_dir():
            _copy_configs(self._source.path, folder)
            return
        told = {
            "model_cfg": self._configuration(),
            "preprocess_cfg": self.module.visual.preprocess_cfg,
        }
        (folder / OPEN_CLIP_CONFIG).write_text(json.dumps(told, indent=2), encoding="utf-8")

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.module.state_dict()
        return state

    def _configuration(self) -> dict[str, Any]:
        """Give the configuration of an architecture, with the text tower that was named."""
        library = require("open_clip", extra="clip")
        told: dict[str, Any] = library.get_model_config(self._source.architecture)
        text = _text_options(self._source).get("text_cfg", {})
        if tower := self._source.text_tower:
            text = {**text, "hf_tokenizer_name": tower}
        return {**told, "text_cfg": {**told["text_cfg"], **text}}


class TransformersTraining:
    """A CLIP of transformers in training; see `TrainedTowers`."""

    def __init__(self, source: ClipSource, device: str | None) -> None:
        folder = source.path
        self._folder = folder
        self.module = auto_model(folder, device=device, trust_remote_code=source.trusted).float()
        if not hasattr(self.module, "logit_scale") or not hasattr(self.module, "get_text_features"):
            raise RecipeError(
                f"{folder} holds a {type(self.module).__name__}, expected a CLIP with two towers "
                "and a temperature"
            )
        self._processor = image_processor(folder, trust_remote_code=source.trusted)
        self._tokenizer = auto_tokenizer(folder, trust_remote_code=source.trusted)
        self.log_scale = self.module.logit_scale
        told = int(self.module.config.text_config.max_position_embeddings)
        self._length = source.tokens or min(told, int(self._tokenizer.model_max_length))
        self.limit = self._length - int(self._tokenizer.num_special_tokens_to_add())

    def prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        return prepared_by(self._processor, pixels)

    def pictures(self, inputs: Inputs) -> "Tensor":
        pixels = require("torch").from_numpy(inputs["pixel_values"]).to(self.module.device)
        return _vectors(self.module.get_image_features(pixel_values=pixels))

    def count(self, texts: Sequence[str]) -> list[int]:
        found = self._tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )
        return [len(each) for each in found["input_ids"]]

    def texts(self, texts: Sequence[str]) -> "Tensor":
        found = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._length, return_tensors="pt"
        ).to(self.module.device)
        return _vectors(
            self.module.get_text_features(
                input_ids=found["input_ids"], attention_mask=found["attention_mask"]
            )
        )

    def save(self, folder: Path) -> None:
        self.module.save_pretrained(folder)
        _copy_configs(self._folder, folder)


def _open_clip_tokenizer(source: ClipSource, named: str) -> Any:
    if source.text_tower is not None:
        words = require("open_clip.tokenizer", extra="clip")
        return words.HFTokenizer(source.text_tower, context_length=source.tokens or _TOWER_TOKENS)
    library = require("open_clip", extra="clip")
    return library.get_tokenizer(named, context_length=source.tokens)


def _text_options(source: ClipSource) -> dict[str, Any]:
    """Say which text tower an architecture has, where that was given."""
    if source.text_tower is None:
        return {}
    text = {
        "hf_model_name": source.text_tower,
        "hf_model_pretrained": False,
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": source.tokens or _TOWER_TOKENS,
    }
    return {"force_custom_text": True, "text_cfg": text}


def _copy_configs(source: Path, target: Path) -> None:
    """Copy what stands beside weights, where training has not written it anew."""
    for path in config_files(source):
        place = target / path.relative_to(source)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _vectors(found: Any) -> "Tensor":
    pooled: Tensor = getattr(found, "pooler_output", found)
    return pooled
