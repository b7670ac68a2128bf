"""Pictures and texts in one space: CLIP, SigLIP and their like."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from medrag.checkpoints.batching import Halving, check_sizes
from medrag.checkpoints.loading import pixel_backend
from medrag.checkpoints.numerics import Dtype, check_dtype
from medrag.encoding.clip.open_clip import OpenClipTowers
from medrag.encoding.clip.source import ClipSource, clip_source, source_name, tower_name
from medrag.encoding.clip.towers import Towers
from medrag.encoding.clip.transformers import TransformersTowers
from medrag.encoding.pictures import (
    DPI,
    asked_pictures,
    encodes_pictures,
    picture_batches,
    picture_vectors,
    pictures_of,
)
from medrag.encoding.rows import Rows, different, means, unit
from medrag.encoding.text.parts import in_parts
from medrag.encoding.text.running import text_batches
from medrag.encoding.text.texts import encodable, question_text
from medrag.protocols import Side
from medrag.records import Embeddings, ImageRef, Passage, Question

LongText = Literal["best", "mean"]
# Part of the encoder's name: raise it when the text that is encoded changes.
_TEXTS = "parts-1"


class ClipEncoder:
    """Pictures and texts in the space of one contrastive checkpoint.

    Loads CLIP and SigLIP of transformers, checkpoints of open_clip, and remote code that has
    `get_image_features` and `get_text_features`, or `encode_image` and `encode_text`. Weights are
    loaded at the first encoding.

    A passage is its pictures, one vector each, or its text. A text that is longer than the model
    reads is split at the ends of sentences, never cut: of a passage every part is a vector, of
    which the best counts; of a question likewise, or the mean of the parts is its one vector
    (`long_text`). A question's pictures are one vector, the mean of theirs. Rows are equal
    whatever batch an input stands in, up to rounding.

    Args:
        model: a preset, a hub id, a folder, or with `checkpoint` an architecture of open_clip.
        passages: "image" or "text", the side of passages that is encoded.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_size: pictures in one pass; None for what suits the device. Halved when memory runs
            out.
        batch_tokens: of texts in one pass, padding included; likewise.
        revision: of a hub id.
        long_text: what a long question becomes: "best" or "mean".
        template: what texts are put into, at "{}", such as "a chest radiograph of {}".
        trust_remote_code: run Python code that comes with the model.
        checkpoint: file of weights for an architecture of open_clip.
        architecture: of open_clip, for the checkpoint; None for the preset's, or `model` itself.
        text_tower: hub id or folder of the text tower, where the architecture does not say it.
        tokens: of a text at most, with the model's marks; None for what the preset or the
            checkpoint says.

    Raises:
        RecipeError: (at first use) if the model is not found or cannot be loaded.
    """

    normalised = True

    def __init__(
        self,
        *,
        model: str,
        passages: Side = "image",
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        revision: str | None = None,
        long_text: LongText = "best",
        template: str | None = None,
        trust_remote_code: bool = False,
        checkpoint: str | None = None,
        architecture: str | None = None,
        text_tower: str | None = None,
        tokens: int | None = None,
    ) -> None:
        if passages not in get_args(Side):
            raise ValueError(f"passages must be 'image' or 'text', got {passages!r}")
        if long_text not in get_args(LongText):
            raise ValueError(f"long_text must be 'best' or 'mean', got {long_text!r}")
        if template is not None and template.count("{}") != 1:
            raise ValueError(f"template must hold {{}} once, got {template!r}")
        if tokens is not None and tokens < 4:
            raise ValueError(f"tokens must be at least 4, got {tokens}")
        check_sizes(batch_size=batch_size, batch_tokens=batch_tokens)
        check_dtype(dtype)
        self.model = model
        self.passages = passages
        self.device = device
        self.dtype: Dtype = dtype
        self.revision = revision
        self.long_text = long_text
        self.template = template
        self.trust_remote_code = trust_remote_code
        self.batch_size = batch_size
        self.batch_tokens = batch_tokens
        self.checkpoint = checkpoint
        self.architecture = architecture
        self.text_tower = text_tower
        self.tokens = tokens

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration, back end, side, rules of texts."""
        source = self._source
        told = [_TEXTS, self.template, tower_name(source), source.tokens]
        prompts = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
        library = "open_clip" if source.open_clip else pixel_backend()
        side = f"pictures-dpi{DPI}" if self.passages == "image" else "texts"
        scaled = "unit-mean" if self.long_text == "mean" else "unit"
        return f"{source_name(source)}/{side}/{library}/{prompts}/{scaled}"

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return self._loaded.numerics

    @property
    def logit_scale(self) -> float | None:
        """Factor of a cosine in the model's loss, such as 100; loads the model."""
        return self._loaded.logit_scale

    @property
    def logit_bias(self) -> float | None:
        """What a sigmoid loss adds to the scaled cosine; None for a softmax; loads the model."""
        return self._loaded.logit_bias

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has a text, or pictures that it is about."""
        return encodes_pictures(passage) if self.passages == "image" else bool(passage.text.strip())

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode every picture of each passage, or every part of its text.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a passage has no picture, where pictures are encoded.
        """
        if self.passages == "text":
            return self._text_parts([encodable(passage.text) for passage in passages])
        return self._pictures([pictures_of(passage) for passage in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode texts with their options, or pictures.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a question lacks the picture that is asked for.
        """
        if side == "text":
            found = self._text_parts([question_text(question)[1] for question in questions])
            return means(found, normalised=True) if self.long_text == "mean" else found
        if side != "image":
            raise ValueError(f"side must be 'text' or 'image', got {side!r}")
        found = self._pictures([asked_pictures(question) for question in questions])
        return means(found, normalised=True)

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts such as class descriptions, one vector each: the mean of their parts."""
        return means(self._text_parts(texts), normalised=True).values

    def _pictures(self, each: Sequence[Sequence[ImageRef]]) -> Embeddings:
        towers = self._loaded
        return picture_vectors(
            each,
            prepared=towers.prepared,
            encoded=towers.pictures,
            halving=self._picture_batches,
        )

    def _text_parts(self, texts: Sequence[str]) -> Embeddings:
        """Encode each text as the parts that fit; each different part goes through once."""
        towers = self._loaded
        form = self.template or "{}"
        (around,) = towers.count([form.replace("{}", "")])
        if around >= towers.limit:
            raise ValueError(f"the template alone has {around} of {towers.limit} tokens")

        def count(texts: Sequence[str]) -> list[int]:
            return [n - around for n in towers.count([form.replace("{}", each) for each in texts])]

        parts = in_parts([text.strip() for text in texts], count, towers.limit - around)
        lengths = np.array([len(several) for several in parts], dtype=np.int32)
        each = [form.replace("{}", part) for several in parts for part in several]
        if not each:
            return Embeddings(towers.texts([""])[:0], lengths)
        once, order = different(each)
        costs = [n + 2 for n in towers.count(once)]
        rows: dict[int, Rows] = {}
        for batch, found in self._text_batches.run(
            lambda batch: towers.texts([once[place] for place in batch]), costs
        ):
            rows.update(zip(batch, found, strict=True))
        values = np.stack([rows[place] for place in range(len(once))])
        return Embeddings(unit(values)[order], lengths)

    @cached_property
    def _source(self) -> ClipSource:
        return clip_source(
            self.model,
            checkpoint=self.checkpoint,
            architecture=self.architecture,
            text_tower=self.text_tower,
            tokens=self.tokens,
            revision=self.revision,
            trusted=self.trust_remote_code,
        )

    @cached_property
    def _loaded(self) -> Towers:
        towers = OpenClipTowers if self._source.open_clip else TransformersTowers
        return towers(self._source, device=self.device, dtype=self.dtype)

    @cached_property
    def _picture_batches(self) -> Halving:
        return picture_batches(self.batch_size, self.device)

    @cached_property
    def _text_batches(self) -> Halving:
        return text_batches(self.batch_tokens, self.device)
