"""CLIP models of open_clip: folders with its configuration, or an architecture and a file."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.clip.towers import scalar, vectors_of
from medrag.encoding.numerics import Dtype, chosen_device, chosen_dtype, numerics_of
from medrag.encoding.pixels import Inputs
from medrag.encoding.weights import configuration
from medrag.errors import RecipeError
from medrag.extras import require

CONFIG = "open_clip_config.json"
# Length of a text tower that is given by name, as the biomedical ones were trained.
_TOWER_TOKENS = 256


class OpenClipTowers:
    """The towers of an open_clip checkpoint; see `Towers`.

    Args:
        source: a folder with `open_clip_config.json`, or a file of weights.
        architecture: of open_clip; must be given for a file.
        text_tower: hub id or folder of the transformers model that reads texts, where the
            architecture does not say it.
        tokens: of a text at most, with the model's marks; None for what the checkpoint says.

    Raises:
        RecipeError: if it cannot be loaded.
    """

    def __init__(
        self,
        source: Path,
        *,
        architecture: str | None,
        text_tower: str | None,
        device: str | None,
        dtype: Dtype,
        tokens: int | None,
    ) -> None:
        library, torch = require("open_clip", extra="clip"), require("torch")
        self._source = source
        self._model = _model(library, source, architecture, text_tower, tokens)
        self.logit_scale = scalar(getattr(self._model, "logit_scale", None), exponential=True)
        self.logit_bias = scalar(getattr(self._model, "logit_bias", None), exponential=False)
        place = chosen_device(device)
        self._model = self._model.to(place, chosen_dtype(torch, dtype, place)).eval()
        transform = require("open_clip.transform", extra="clip")
        told = transform.PreprocessCfg(**self._model.visual.preprocess_cfg)
        self._transform = transform.image_transform_v2(told, is_train=False)
        self._tokenizer = _tokenizer(library, source, architecture, text_tower, tokens)
        self._length = int(self._tokenizer.context_length)
        # A tower of transformers masks its padding, so that it needs no more of it than the batch.
        self._padded = not hasattr(getattr(self._model, "text", None), "pooler")
        self.limit = self._length - _marks(self._tokenizer)

    @cached_property
    def numerics(self) -> str:
        return numerics_of(self._model)

    def prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        picture = require("PIL.Image").fromarray(pixels)
        return {"pixel_values": np.asarray(self._transform(picture))}

    def pictures(self, inputs: Inputs) -> NDArray[np.float32]:
        torch = require("torch")
        weight = next(self._model.parameters())
        pixels = torch.from_numpy(inputs["pixel_values"]).to(weight.device, weight.dtype)
        with torch.inference_mode():
            return vectors_of(self._model.encode_image(pixels), str(self._source))

    def count(self, texts: Sequence[str]) -> list[int]:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is None:
            return [len(self._tokenizer.encode(text)) for text in texts]
        found = inner(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(each) for each in found["input_ids"]]

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = self._tokenizer(list(texts))
        if not self._padded:
            used = (tokens != self._model.text.config.pad_token_id).sum(dim=1).max()
            tokens = tokens[:, : int(used)]
        with require("torch").inference_mode():
            found = self._model.encode_text(tokens.to(next(self._model.parameters()).device))
        return vectors_of(found, str(self._source))


def _model(
    library: Any, source: Path, architecture: str | None, text_tower: str | None, tokens: int | None
) -> Any:
    named = architecture if source.is_file() else f"local-dir:{source}"
    options: dict[str, Any] = {}
    if text_tower is not None:
        options = {
            "force_custom_text": True,
            "text_cfg": {
                "hf_model_name": text_tower,
                "hf_model_pretrained": False,
                "hf_proj_type": "mlp",
                "hf_pooler_type": "cls_last_hidden_state_pooler",
                "context_length": tokens or _TOWER_TOKENS,
            },
        }
    try:
        return library.create_model(
            named,
            pretrained=str(source) if source.is_file() else None,
            weights_only=True,
            require_pretrained=True,
            **options,
        )
    except (OSError, RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise RecipeError(_trouble(source, architecture, error)) from error
    except UnpicklingError as error:
        raise RecipeError(
            f"{source} is no plain file of weights (it would run code when read); "
            "ask its authors for a state dictionary, or save one from their own code"
        ) from error


def _trouble(source: Path, architecture: str | None, error: Exception) -> str:
    words = " ".join(str(error).split())[:300]
    if architecture is not None:
        return f"{source} does not load as {architecture} of open_clip: {words}"
    told = configuration(source / CONFIG).get("model_cfg") or {}
    tower = (told.get("text_cfg") or {}).get("hf_model_name")
    hint = (
        f"; its text tower is {tower}, whose configuration must be in the hub's cache: "
        f"hf download {tower} config.json"
        if tower and isinstance(error, OSError)
        else ""
    )
    return f"{source} does not load in open_clip: {words}{hint}"


def _tokenizer(
    library: Any, source: Path, architecture: str | None, text_tower: str | None, tokens: int | None
) -> Any:
    if text_tower is not None:
        words = require("open_clip.tokenizer", extra="clip")
        return words.HFTokenizer(text_tower, context_length=tokens or _TOWER_TOKENS)
    named = architecture if source.is_file() else f"local-dir:{source}"
    try:
        return library.get_tokenizer(named, context_length=tokens)
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"{source} lacks the tokenizer that its text tower needs: {str(error).splitlines()[0]}"
        ) from error


def _marks(tokenizer: Any) -> int:
    """Count what the tokenizer puts around a text: begin and end, unless it says otherwise."""
    inner = getattr(tokenizer, "tokenizer", None)
    return 2 if inner is None else int(inner.num_special_tokens_to_add())
