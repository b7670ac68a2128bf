"""CLIP models of open_clip: folders with its configuration, or an architecture and a file."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.files import configuration
from medrag.checkpoints.loading import check_held, check_words, reading
from medrag.checkpoints.numerics import Dtype, chosen_device, chosen_dtype, numerics_of
from medrag.encoding.clip.source import ClipSource, folder_of
from medrag.encoding.clip.towers import scalar, vectors_of
from medrag.encoding.kinds import OPEN_CLIP_CONFIG
from medrag.encoding.pictures import Inputs
from medrag.extras import require

# Length of a text tower that is given by name, as the biomedical ones were trained.
_TOWER_TOKENS = 256


class OpenClipTowers:
    """The towers of an open_clip checkpoint; see `Towers`."""

    def __init__(self, source: ClipSource, *, device: str | None, dtype: Dtype) -> None:
        self._path = source.path
        expected, text = f"{source.architecture or 'a model'} of open_clip", _text_settings(source)
        if tower := text.get("hf_model_name"):
            # Not of this folder: open_clip asks the hub for it.
            expected += f" (its text tower needs: hf download {tower} config.json)"
        if source.path.is_dir():
            check_held(source.path, expected, configs=(OPEN_CLIP_CONFIG,))
        if text.get("hf_tokenizer_name"):
            check_words(source.path)
        if tower_folder := folder_of(source.text_tower):
            check_words(tower_folder)
        with reading(source.path, expected):
            self._model = _model(source)
            transform = require("open_clip.transform", extra="clip")
            told = transform.PreprocessCfg(**self._model.visual.preprocess_cfg)
            self._transform = transform.image_transform_v2(told, is_train=False)
            self._tokenizer = _tokenizer(source)
        self.logit_scale = scalar(getattr(self._model, "logit_scale", None), exponential=True)
        self.logit_bias = scalar(getattr(self._model, "logit_bias", None), exponential=False)
        place = chosen_device(device)
        self._model = self._model.to(place, chosen_dtype(require("torch"), dtype, place)).eval()
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
            return vectors_of(self._model.encode_image(pixels), str(self._path))

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
        return vectors_of(found, str(self._path))


def _model(source: ClipSource) -> Any:
    is_file = source.path.is_file()
    options: dict[str, Any] = {}
    if source.text_tower is not None:
        options = {
            "force_custom_text": True,
            "text_cfg": {
                "hf_model_name": source.text_tower,
                "hf_model_pretrained": False,
                "hf_proj_type": "mlp",
                "hf_pooler_type": "cls_last_hidden_state_pooler",
                "context_length": source.tokens or _TOWER_TOKENS,
            },
        }
    return require("open_clip", extra="clip").create_model(
        _named(source),
        pretrained=str(source.path) if is_file else None,
        weights_only=True,
        require_pretrained=True,
        **options,
    )


def _tokenizer(source: ClipSource) -> Any:
    if source.text_tower is not None:
        words = require("open_clip.tokenizer", extra="clip")
        return words.HFTokenizer(source.text_tower, context_length=source.tokens or _TOWER_TOKENS)
    library = require("open_clip", extra="clip")
    return library.get_tokenizer(_named(source), context_length=source.tokens)


def _named(source: ClipSource) -> str:
    return source.architecture or f"local-dir:{source.path}"


def _text_settings(source: ClipSource) -> dict[str, Any]:
    """Give what the configuration of a folder says of its text tower."""
    model = configuration(source.path / OPEN_CLIP_CONFIG).get("model_cfg")
    text = model.get("text_cfg") if isinstance(model, dict) else None
    return text if isinstance(text, dict) else {}


def _marks(tokenizer: Any) -> int:
    """Count what the tokenizer puts around a text: begin and end, unless it says otherwise."""
    inner = getattr(tokenizer, "tokenizer", None)
    return 2 if inner is None else int(inner.num_special_tokens_to_add())
