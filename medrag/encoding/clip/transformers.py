"""CLIP, SigLIP and their like through transformers, remote code included where it is trusted."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.loading import auto_model, auto_tokenizer, image_processor
from medrag.checkpoints.numerics import Dtype, chosen_dtype, moved, numerics_of
from medrag.encoding.clip.source import ClipSource
from medrag.encoding.clip.towers import scalar, vectors_of
from medrag.encoding.pictures import Inputs, prepared_by
from medrag.errors import RecipeError
from medrag.extras import require

# A tokenizer that knows no limit says a number of this size.
_NO_LIMIT = 100_000
# Methods for pictures and for texts, of transformers and as remote code often has them.
_METHODS = (("get_image_features", "get_text_features"), ("encode_image", "encode_text"))


class TransformersTowers:
    """The towers of a folder that transformers saved; see `Towers`."""

    def __init__(self, source: ClipSource, *, device: str | None, dtype: Dtype) -> None:
        self._source = source
        folder, trusted = source.path, source.trusted
        self._model = auto_model(folder, device=device, trust_remote_code=trusted)
        # Read before the weights are rounded: half a percent of a logarithm is much of a factor.
        self.logit_scale = scalar(getattr(self._model, "logit_scale", None), exponential=True)
        self.logit_bias = scalar(getattr(self._model, "logit_bias", None), exponential=False)
        self._model.to(chosen_dtype(require("torch"), dtype, self._model.device.type))
        self._methods = _methods(self._model, folder)
        self._processor = image_processor(folder, trust_remote_code=trusted)
        # CLIP masks padding; all others were trained on texts of one length.
        self._padding = True if self._model.config.model_type == "clip" else "max_length"

    @cached_property
    def limit(self) -> int:
        return self._length - int(self._tokenizer.num_special_tokens_to_add())

    @cached_property
    def numerics(self) -> str:
        return numerics_of(self._model)

    def prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        return prepared_by(self._processor, pixels)

    def pictures(self, inputs: Inputs) -> NDArray[np.float32]:
        tensors = moved(inputs, self._model)
        with require("torch").inference_mode():
            if self._methods[0] == "encode_image":
                found = self._model.encode_image(tensors["pixel_values"])
            else:
                found = self._model.get_image_features(**tensors)
        return vectors_of(found, str(self._source.path))

    def count(self, texts: Sequence[str]) -> list[int]:
        found = self._tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )
        return [len(each) for each in found["input_ids"]]

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        found = self._tokenizer(
            list(texts),
            padding=self._padding,
            max_length=self._length,
            truncation=True,
            return_tensors="np",
        )
        tensors = moved(dict(found), self._model)
        with require("torch").inference_mode():
            if self._methods[1] == "encode_text":
                given = self._model.encode_text(tensors["input_ids"])
            else:
                tensors = {key: tensors[key] for key in _text_keys(self._model, tensors)}
                given = self._model.get_text_features(**tensors)
        return vectors_of(given, str(self._source.path))

    @cached_property
    def _tokenizer(self) -> Any:
        # Only for texts: the tokenizer of SigLIP needs a library of its own.
        return auto_tokenizer(self._source.path, trust_remote_code=self._source.trusted)

    @cached_property
    def _length(self) -> int:
        config, folder = self._model.config, self._source.path
        return self._source.tokens or _text_limit(config, self._tokenizer, folder)


def _methods(model: Any, folder: Path) -> tuple[str, str]:
    for names in _METHODS:
        if all(callable(getattr(model, name, None)) for name in names):
            return names
    raise RecipeError(
        f"{folder} holds a {type(model).__name__}, which has no tower for pictures and one for "
        "texts; an encoder of kind 'image' reads pictures alone"
    )


def _text_limit(config: Any, tokenizer: Any, folder: Path) -> int:
    text = getattr(config, "text_config", None)
    told = [getattr(text, "max_position_embeddings", None), tokenizer.model_max_length]
    known = [int(each) for each in told if each is not None and each < _NO_LIMIT]
    if not known:
        raise RecipeError(f"{folder} does not say how long a text may be; give `tokens`")
    return min(known)


def _text_keys(model: Any, tensors: dict[str, Any]) -> list[str]:
    """Leave out what the text tower was trained without: SigLIP sees its padding."""
    masked = model.config.model_type not in ("siglip", "siglip2")
    wanted = ("input_ids", "attention_mask") if masked else ("input_ids",)
    return [key for key in wanted if key in tensors]
