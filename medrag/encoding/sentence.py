"""Texts in the space of one sentence-transformers model."""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.weights import content_name, model_folder
from medrag.extras import require
from medrag.protocols import Side
from medrag.records import Embeddings, Passage, Question

Dtype = Literal["auto", "float32", "bfloat16"]
# Part of the encoder's name: raise it when the text that is encoded for a passage changes.
_TEXTS = "title+text-windows-1"
# A text that is cut out may be tokenised into a few tokens more than it had inside.
_SLACK = 4

_Rows = NDArray[np.float32]
_Spans = list[tuple[int, int]]


class SentenceEncoder:
    """Any sentence-transformers model, by hub id, by local folder, or by a packaged name.

    A passage is its title and its text; one that is longer than the model can read becomes
    several vectors, one per window of its text, each under its title: nothing is cut off. A
    question is its text and its options; a long one is the mean of its windows. The model is
    loaded at the first encoding. Rows are equal whatever batch a text stands in, up to rounding
    (cosine at least 0.999 in bfloat16).

    Args:
        model: hub id, folder, or a name such as "minilm" (see `medrag.encoding.weights`).
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_size: texts in one pass through the model.
        revision: of a hub id.
        normalise: False for a model made for inner products, such as MedCPT.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        RecipeError: (at first use) if the model is not found; the message says what to do.
    """

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_size: int = 64,
        revision: str | None = None,
        normalise: bool = True,
        trust_remote_code: bool = False,
    ) -> None:
        if dtype not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"dtype must be auto, float32 or bfloat16, got {dtype!r}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.model = model
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size
        self.revision = revision
        self.normalised = normalise
        self.trust_remote_code = trust_remote_code

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration (with pooling, prompts and length), and texts."""
        content = content_name(model_folder(self.model, self.revision))
        return f"{content}/{_TEXTS}/{'unit' if self.normalised else 'raw'}"

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        weight = next(self._loaded.parameters())
        return f"{weight.device.type} {str(weight.dtype).removeprefix('torch.')}"

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has a text."""
        return bool(passage.text.strip())

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode texts under their titles: one vector per window, in passage order."""
        windows = _windows(
            [str(passage.fields.get("title") or "").strip() for passage in passages],
            [passage.text.strip() for passage in passages],
            self._tokens,
            self._room(self._loaded.prompts.get("document")),
        )
        values = self._encoded([text for several in windows for text in several], "document")
        lengths = np.array([len(several) for several in windows], dtype=np.int32)
        return Embeddings(values, lengths)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode texts with their options: one vector per question.

        Raises:
            ValueError: if the images of the questions are asked for.
        """
        if side != "text":
            raise ValueError(f"a sentence encoder reads texts, not the side {side!r}")
        texts = ["\n".join((question.text, *question.options)).strip() for question in questions]
        room = self._room(self._loaded.prompts.get("query"))
        windows = _windows([""] * len(texts), texts, self._tokens, room)
        values = self._encoded([text for several in windows for text in several], "query")
        starts = np.cumsum([0, *map(len, windows)])
        means = np.zeros((len(texts), values.shape[1]), dtype=np.float32)
        for row, (start, stop) in enumerate(pairwise(starts)):
            means[row] = values[start:stop].mean(axis=0)
        return Embeddings(self._scaled(means), np.ones(len(texts), dtype=np.int32))

    def _encoded(self, texts: Sequence[str], task: Literal["document", "query"]) -> _Rows:
        """Encode each different text once; (len(texts), d)."""
        model = self._loaded
        if not texts:
            return np.zeros((0, int(model.get_embedding_dimension())), dtype=np.float32)
        # Short texts stand together, so that little is spent on padding.
        different = sorted(set(texts), key=lambda text: (len(text), text))
        encode = model.encode_query if task == "query" else model.encode_document
        rows = encode(
            different,
            batch_size=self.batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=self.normalised,
        )
        place = {text: row for row, text in enumerate(different)}
        values = np.asarray(rows, dtype=np.float32)[[place[text] for text in texts]]
        return self._scaled(values)

    def _scaled(self, values: _Rows) -> _Rows:
        if not self.normalised or not len(values):
            return values
        # Anew in float32: a unit row in bfloat16 is off by up to half a percent.
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        scaled: _Rows = values / np.maximum(lengths, np.float32(1e-12))
        return scaled

    def _room(self, prompt: str | None) -> int | None:
        """Count the tokens that a text may have beside the prompt and the model's own marks."""
        limit = self._loaded.max_seq_length
        if limit is None or limit == np.inf:
            return None
        marks = self._loaded.tokenizer.num_special_tokens_to_add()
        return max(int(limit - marks) - (len(self._tokens([prompt])[0]) if prompt else 0), 16)

    def _tokens(self, texts: Sequence[str]) -> list[_Spans]:
        """Give the character spans of each text's tokens."""
        found = self._loaded.tokenizer(
            list(texts),
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            truncation=False,
            verbose=False,
        )
        return [[(int(a), int(b)) for a, b in spans] for spans in found["offset_mapping"]]

    @cached_property
    def _loaded(self) -> Any:
        folder = model_folder(self.model, self.revision)
        library = require("sentence_transformers")
        torch = require("torch")
        logging = require("transformers.utils.logging")
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            model = library.SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=self.trust_remote_code,
                model_kwargs={"dtype": _dtype(torch, self.dtype, device)},
            )
        finally:
            if shown:
                logging.enable_progress_bar()
        return model.eval()


def _dtype(torch: Any, wanted: Dtype, device: str) -> Any:
    if wanted == "auto":
        wanted = "bfloat16" if _computes_bfloat16(torch, device) else "float32"
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def _computes_bfloat16(torch: Any, device: str) -> bool:
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.startswith("cpu") and hasattr(torch.cpu, "get_capabilities"):
        able = torch.cpu.get_capabilities()
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return False


def _windows(
    titles: Sequence[str],
    texts: Sequence[str],
    tokens: Callable[[Sequence[str]], list[_Spans]],
    room: int | None,
) -> list[list[str]]:
    """Cut each text into windows that fit into `room` tokens under its title; None: no limit."""
    if room is None:
        return [["\n".join(filter(None, pair))] for pair in zip(titles, texts, strict=True)]
    windows = []
    heads = tokens(titles) if titles else []
    bodies = tokens(texts) if texts else []
    for title, text, head, body in zip(titles, texts, heads, bodies, strict=True):
        if len(head) + len(body) <= room:
            windows.append(["\n".join(filter(None, (title, text)))])
            continue
        if len(head) > room // 4:
            # Too long to stand over every window: it is read once, as the beginning of the text.
            text = "\n".join(filter(None, (title, text)))
            title, head, body = "", [], tokens([text])[0]
        spans = _spans(body, room - len(head) - _SLACK)
        windows.append(["\n".join(filter(None, (title, text[a:b].strip()))) for a, b in spans])
    return windows


def _spans(tokens: _Spans, size: int) -> _Spans:
    """Give overlapping character spans of at most `size` tokens, cut between words if possible."""
    spans: _Spans = []
    start = 0
    while start < len(tokens):
        stop = min(start + size, len(tokens))
        if stop < len(tokens):
            stop = _between_words(tokens, stop, earliest=start + size // 2) or stop
        spans.append((tokens[start][0], tokens[stop - 1][1]))
        if stop == len(tokens):
            break
        start = _between_words(tokens, stop - size // 8, earliest=start + 1) or stop
    return spans


def _between_words(tokens: _Spans, place: int, *, earliest: int) -> int | None:
    """Find the last token, from `place` back, that stands apart from the one before it."""
    return next(
        (at for at in range(place, earliest - 1, -1) if tokens[at][0] > tokens[at - 1][1]), None
    )
