"""Pictures found by pictures: models of one tower, such as RAD-DINO."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import Halving, check_sizes
from medrag.checkpoints.files import content_name
from medrag.checkpoints.loading import auto_model, image_processor, pixel_backend
from medrag.checkpoints.numerics import Dtype, check_dtype, chosen_dtype, moved, numerics_of
from medrag.encoding.pictures import (
    DPI,
    Inputs,
    asked_pictures,
    encodes_pictures,
    picture_batches,
    picture_vectors,
    pictures_of,
    prepared_by,
)
from medrag.encoding.presets import find
from medrag.encoding.rows import Rows, means
from medrag.encoding.weights import chosen_folder
from medrag.errors import RecipeError
from medrag.extras import require
from medrag.protocols import Side
from medrag.records import Embeddings, ImageRef, Passage, Question

Pooling = Literal["cls", "mean", "pooler"]


class ImageEncoder:
    """Pictures in the space of a model that reads pictures alone, by transformers' AutoModel.

    A passage has one vector for each of its pictures, a question one: the mean of those of its
    pictures. Rows are equal whatever batch a picture stands in, up to rounding. The model is loaded
    at the first encoding.

    Args:
        model: a preset such as "rad-dino", a hub id, or a folder.
        pooling: what stands for the picture: its class token ("cls"), the mean of its patches
            ("mean"), or what the model itself gives ("pooler"); None for the preset's, or "cls".
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_size: pictures in one pass; None for what suits the device. Halved when memory runs
            out.
        revision: of a hub id.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        RecipeError: (at first use) if the model is not found or cannot be loaded.
    """

    normalised = True

    def __init__(
        self,
        *,
        model: str,
        pooling: Pooling | None = None,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_size: int | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        if pooling is not None and pooling not in get_args(Pooling):
            raise ValueError(f"pooling must be cls, mean or pooler, got {pooling!r}")
        check_sizes(batch_size=batch_size)
        check_dtype(dtype)
        preset = find(model)
        told = preset.options.get("pooling") if preset is not None else None
        self.model = model
        self.pooling: Pooling = pooling or told or "cls"
        self.device = device
        self.dtype: Dtype = dtype
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self.batch_size = batch_size

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration, back end of pictures, and pooling."""
        return f"{content_name(self._folder)}/{pixel_backend()}-dpi{DPI}/{self.pooling}/unit"

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return numerics_of(self._loaded)

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage is about its pictures."""
        return encodes_pictures(passage)

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode every picture of each passage.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a passage has no picture.
        """
        return self._encoded([pictures_of(passage) for passage in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode the pictures of each question, as one vector.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a question has no picture, or its text is asked for.
        """
        if side != "image":
            raise ValueError(f"side must be 'image', got {side!r}; {self.model} reads no text")
        found = self._encoded([asked_pictures(question) for question in questions])
        return means(found, normalised=True)

    def _encoded(self, each: Sequence[Sequence[ImageRef]]) -> Embeddings:
        return picture_vectors(
            each, prepared=self._prepared, encoded=self._vectors, halving=self._halving
        )

    def _prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        return prepared_by(self._processor, pixels)

    def _vectors(self, inputs: Inputs) -> Rows:
        model = self._loaded
        with require("torch").inference_mode():
            found = model(**moved(inputs, model))
        return _pooled(found, self.pooling, model.config, self.model)

    @cached_property
    def _halving(self) -> Halving:
        return picture_batches(self.batch_size, self.device)

    @cached_property
    def _folder(self) -> Path:
        return chosen_folder(self.model, self.revision, "image")

    @cached_property
    def _processor(self) -> Any:
        return image_processor(self._folder, trust_remote_code=self.trust_remote_code)

    @cached_property
    def _loaded(self) -> Any:
        model = auto_model(
            self._folder,
            device=self.device,
            trust_remote_code=self.trust_remote_code,
            pooled=self.pooling == "pooler",
        )
        if hasattr(model.config, "text_config"):
            raise RecipeError(
                f"{self.model} has a tower for texts as well; use an encoder of kind 'clip'"
            )
        if model.main_input_name != "pixel_values" and not self.trust_remote_code:
            raise RecipeError(
                f"{self._folder} holds a {type(model).__name__} (config.json), which reads "
                f"{model.main_input_name}, expected a model of pictures; name the folder of one"
            )
        return model.to(chosen_dtype(require("torch"), self.dtype, model.device.type))


def _pooled(found: Any, pooling: Pooling, config: Any, model: str) -> Rows:
    """Take one vector of each picture from what a model gave."""
    if pooling == "pooler":
        rows = getattr(found, "pooler_output", None)
        if rows is None:
            raise RecipeError(f"{model} gives no vector of its own; choose pooling: cls or mean")
        rows = rows.flatten(1)
    else:
        states = found.last_hidden_state
        if states.ndim == 4:  # A convolutional network: (n, d, h, w), without a class token.
            rows = states.mean(dim=(2, 3))
        elif pooling == "cls":
            rows = states[:, 0]
        else:
            rows = states[:, 1 + int(getattr(config, "num_register_tokens", 0)) :].mean(dim=1)
    vectors: Rows = rows.float().cpu().numpy()
    return vectors
