"""Spoken questions as text, by Whisper and its kin."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from medrag.checkpoints.batching import Halving, check_sizes
from medrag.checkpoints.files import content_name, model_folder
from medrag.checkpoints.loading import check_held, check_words, reading
from medrag.checkpoints.numerics import (
    Dtype,
    check_dtype,
    chosen_device,
    chosen_dtype,
    numerics_of,
)
from medrag.errors import InputFileError, RecipeError
from medrag.extras import require
from medrag.tools.sound import Samples, read_sound, windows

_EXPECTED = "a model of speech"
# What the encoder of Whisper hears at once; where a checkpoint says otherwise, that holds.
_SECONDS = 30
_ENGLISH = ("en", "english")
# Of a text: its start, its language, the task, and that no times are wanted.
_MARKS = 4


class Transcriber:
    """Write down what a recording says.

    A recording is cut where it is quietest into stretches that the model hears at once, and these
    are written down together, without sampling: the same recording gives the same text. The model
    is loaded at the first use.

    Args:
        model: a folder or a hub id, such as openai/whisper-small.
        language: that is spoken, as "de" or "german"; None lets the model tell by itself.
        max_seconds: of a recording.
        max_tokens: of one stretch.
        batch_size: stretches in one pass; halved when memory runs out.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        revision: of a hub id.

    Raises:
        ValueError: if a setting is out of range.
        RecipeError: (at first use) if the model is not found, cannot be loaded, or knows no other
            language than English.

    Source:
        Whisper, arXiv 2212.04356; spoken questions as in SilVar-Med, arXiv 2504.10642.
    """

    def __init__(
        self,
        *,
        model: str,
        language: str | None = None,
        max_seconds: float = 600.0,
        max_tokens: int = 400,
        batch_size: int = 8,
        device: str | None = None,
        dtype: Dtype = "auto",
        revision: str | None = None,
    ) -> None:
        check_sizes(max_tokens=max_tokens, batch_size=batch_size)
        check_dtype(dtype)
        if not max_seconds > 0:
            raise ValueError(f"max_seconds must be positive, got {max_seconds}")
        if language is not None and not language.strip():
            raise ValueError("language is blank; leave it out to let the model tell")
        self.model = model
        self.language = language
        self.max_seconds = max_seconds
        self.max_tokens = max_tokens
        self.device = device
        self.dtype: Dtype = dtype
        self.revision = revision
        self._halving = Halving(budget=batch_size, unit="stretches")

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration, and the language."""
        return f"{content_name(self._folder)}/{self.language or 'any'}"

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return numerics_of(self._loaded)

    def transcribe(self, path: str | Path) -> str:
        """Write down what a recording says, on one line.

        Raises:
            InputFileError: if it is no recording, is damaged, empty, silent or too long, or no
                words were heard in it.
            ValueError: if the model does not know the language.
            RecipeError: if the model is not found or cannot be loaded.
        """
        extractor = self._processor.feature_extractor
        rate = int(extractor.sampling_rate)
        samples = read_sound(Path(path), rate=rate, max_seconds=self.max_seconds)
        cut = windows(samples, rate, float(getattr(extractor, "chunk_length", None) or _SECONDS))
        texts = [""] * len(cut)
        for batch, heard in self._halving.run(
            lambda places: self._heard([cut[place] for place in places]), [1] * len(cut)
        ):
            for place, text in zip(batch, heard, strict=True):
                texts[place] = text
        said = " ".join(" ".join(texts).split())
        if not said:
            raise InputFileError(Path(path), "no words were heard in it; speak closer, or type")
        return said

    def _heard(self, several: list[Samples]) -> list[str]:
        processor, model = self._processor, self._loaded
        extractor = processor.feature_extractor
        inputs = extractor(
            several, sampling_rate=extractor.sampling_rate, return_attention_mask=True,
            return_tensors="pt",
        ).to(model.device, model.dtype)  # fmt: skip
        with require("torch").inference_mode(), _quietly():
            written = model.generate(
                **inputs, **self._spoken, max_new_tokens=self._most_tokens, do_sample=False
            )
        texts: list[str] = processor.batch_decode(written, skip_special_tokens=True)
        return texts

    @property
    def _most_tokens(self) -> int:
        """Leave room for the marks with which a text begins, in what the decoder takes."""
        positions = getattr(self._loaded.config, "max_target_positions", None)
        return min(self.max_tokens, positions - _MARKS) if positions else self.max_tokens

    @cached_property
    def _spoken(self) -> dict[str, str]:
        """Say to a model of many languages which one is spoken, and that it is to be kept."""
        many = getattr(self._loaded.generation_config, "is_multilingual", None)
        if many:
            spoken = {} if self.language is None else {"language": self.language}
            return {**spoken, "task": "transcribe"}
        if self.language is None or (many is False and self.language.lower() in _ENGLISH):
            return {}
        if many is None:
            raise RecipeError(
                f"generation_config.json of {self.model} does not tell its languages, asked for "
                f"{self.language!r}; copy the file from the model that this one was made of, or "
                "leave out the language"
            )
        raise RecipeError(
            f"{self.model} knows English only, asked for {self.language!r}; name a model of many "
            "languages"
        )

    @cached_property
    def _folder(self) -> Path:
        return model_folder(self.model, self.revision)

    @cached_property
    def _processor(self) -> Any:
        library, folder = require("transformers"), self._folder
        check_words(folder)
        with reading(folder, "a preparation of sound (preprocessor_config.json)"):
            processor = library.AutoProcessor.from_pretrained(str(folder), local_files_only=True)
        if not hasattr(processor, "feature_extractor"):
            raise RecipeError(
                f"{folder} has a {type(processor).__name__}, expected the processor of {_EXPECTED}"
            )
        return processor

    @cached_property
    def _loaded(self) -> Any:
        library, folder = require("transformers"), self._folder
        check_held(folder, _EXPECTED)
        with reading(folder, _EXPECTED):
            model = library.AutoModelForSpeechSeq2Seq.from_pretrained(
                str(folder), local_files_only=True
            )
        device = chosen_device(self.device)
        return model.to(device, chosen_dtype(require("torch"), self.dtype, device)).eval()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep from the log how Whisper's own code of transformers calls transformers."""
    logger = logging.getLogger("transformers.generation.utils")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
