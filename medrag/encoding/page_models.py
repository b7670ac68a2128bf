"""Late-interaction models of pages: loading them, and their vectors token by token.

Inputs of equal shape stand in one batch and others never do, so that nothing is ever padded: a
page's vectors are the same whatever it is encoded with, and no vector is one of padding.
"""

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.batching import Halving
from medrag.encoding.numerics import Dtype, chosen_dtype
from medrag.encoding.reading import Reader, Text
from medrag.encoding.windows import joined
from medrag.errors import RecipeError
from medrag.extras import require

Task = Literal["document", "query"]

# Classes of transformers, by the model type of config.json, without "ForRetrieval".
NATIVE: Mapping[str, str] = {
    "colpali": "ColPali",
    "colqwen2": "ColQwen2",
    "colmodernvbert": "ColModernVBert",
}
# Kinds that sentence-transformers reads; the second is PyLate's.
_SAVED_AS = ("MultiVectorEncoder", "ColBERT")
# Pages of many sizes wait for others of theirs: so many batches of them at most.
_WAITING_BATCHES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One input as a model takes it: tensors on the CPU, each with a first dimension of batches."""

    features: Mapping[str, Any]

    @property
    def n_tokens(self) -> int:
        return int(self.features["input_ids"].shape[1])

    @property
    def shape(self) -> tuple[Any, ...]:
        """Tell inputs apart that cannot stand in one batch."""
        return tuple((name, tuple(each.shape)) for name, each in sorted(self.features.items()))


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """The vectors of one input.

    Attributes:
        values: (n_tokens, d) unit rows.
        identities: (n_tokens,) of the tokens, in the tokenizer's vocabulary; empty where the model
            pools by itself, so that a vector is of no token.
    """

    values: NDArray[np.float32]
    identities: NDArray[np.int64]


class NativeModel:
    """ColPali, ColQwen2 or ColModernVBERT by the classes of transformers."""

    # Of passages: their texts are what only questions are made of.
    modalities: tuple[str, ...] = ("image",)

    def __init__(self, *, folder: Path, device: str, dtype: Dtype) -> None:
        library, torch = require("transformers"), require("torch")
        kind = getattr(library, f"{NATIVE[model_type(folder)]}ForRetrieval")
        self.processor = native_processor(folder)
        self.tokenizer = self.processor.tokenizer
        with _silently():
            loaded = kind.from_pretrained(
                folder, dtype=chosen_dtype(torch, dtype, device), local_files_only=True
            )
        self.module = loaded.to(device).eval()
        self.device = device
        self.d = int(self.module.config.embedding_dim)
        self._lock = Lock()

    def windows(self, texts: Sequence[Text], task: Task) -> list[list[str]]:
        """Give each text as one: these models have room for thousands of tokens."""
        del task
        return [[joined(*text)] for text in texts]

    def of_picture(self, picture: Any) -> Prepared:
        """Prepare an image of Pillow."""
        with self._lock:
            return _prepared(self.processor.process_images(images=[picture], return_tensors="pt"))

    def of_text(self, text: str, task: Task) -> Prepared:
        """Prepare a question. These models read no other texts."""
        if task != "query":
            raise ValueError("ColPali and its like read pictures of passages, and no texts of them")
        with self._lock:
            return _prepared(self.processor.process_queries(text=[text], return_tensors="pt"))

    def vectors(self, batch: Sequence[Prepared], task: Task) -> list[TokenVectors]:
        """Encode inputs of one shape."""
        del task
        with require("torch").inference_mode():
            features = _stacked(batch, self.device)
            embeddings = self.module(**features).embeddings
            return _rows(embeddings, features["attention_mask"], features["input_ids"])


class MultiVectorModel:
    """Any MultiVectorEncoder of sentence-transformers, which reads PyLate and ColBERT as well."""

    def __init__(self, *, folder: Path, device: str, dtype: Dtype, trust_remote_code: bool) -> None:
        library = require("sentence_transformers")
        chosen = chosen_dtype(require("torch"), dtype, device)
        with _silently():
            loaded = library.MultiVectorEncoder(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                model_kwargs={"dtype": chosen},
            )
        # Layers behind the transformer load in float32, whatever it is in.
        self.module = loaded.to(dtype=chosen).eval()
        self.processor = self.module.processor
        self.tokenizer = self.module.tokenizer
        self.modalities = _modalities(self.module)
        self.device = device
        self.d = int(self.module.get_embedding_dimension())
        self._lock = Lock()
        self._readers: dict[Task, Reader] = {}

    def windows(self, texts: Sequence[Text], task: Task) -> list[list[str]]:
        """Give each text as what the model reads at once: ColBERT takes 32 tokens of a question."""
        with self._lock:
            if task not in self._readers:
                self._readers[task] = Reader(
                    # A copy: a tokenizer keeps settings of its last call.
                    tokenizer=copy.deepcopy(self.tokenizer),
                    limit=_limit(self.module[0], task),
                    prompt=self.module.prompts.get(task) or "",
                )
            several = self._readers[task].read(texts)
        return [[window.text for window in each] for each in several]

    def of_picture(self, picture: Any) -> Prepared:
        """Prepare an image of Pillow."""
        return self._of(picture, "document")

    def of_text(self, text: str, task: Task) -> Prepared:
        """Prepare a question, or the text of a passage, under the model's prompt for it."""
        return self._of(text, task)

    def vectors(self, batch: Sequence[Prepared], task: Task) -> list[TokenVectors]:
        """Encode inputs of one shape."""
        with require("torch").inference_mode():
            features = _stacked(batch, self.device)
            identities = features["input_ids"]
            found = self.module(features, task=task)
            return _rows(found["token_embeddings"], found["attention_mask"], identities)

    def _of(self, value: Any, task: Task) -> Prepared:
        prompt = self.module.prompts.get(task)
        with self._lock:
            return _prepared(self.module.preprocess([value], prompt=prompt, task=task))


PageModel = NativeModel | MultiVectorModel


def load_model(
    folder: Path, *, device: str, dtype: Dtype, trust_remote_code: bool = False
) -> PageModel:
    """Load a late-interaction model by what its folder holds.

    Raises:
        RecipeError: if the folder holds another kind of model.
    """
    if not is_saved_encoder(folder) and model_type(folder) in NATIVE:
        return NativeModel(folder=folder, device=device, dtype=dtype)
    # sentence-transformers would give any other model a projection of random numbers.
    if is_saved_encoder(folder):
        return MultiVectorModel(
            folder=folder, device=device, dtype=dtype, trust_remote_code=trust_remote_code
        )
    raise RecipeError(
        f"{folder} holds no late-interaction model (model type {model_type(folder)!r}); expected "
        f"one of {', '.join(NATIVE)}, or a MultiVectorEncoder, PyLate or ColBERT model; a model "
        "with one vector for a text or picture is of the encoder kinds sentence, clip or image"
    )


def encoded(
    model: PageModel, inputs: Iterable[Prepared], task: Task, halving: Halving
) -> list[TokenVectors]:
    """Encode inputs as they come, those of one shape together; in the order of the inputs.

    An input waits for others of its shape until they fill a batch, but no more than a few batches
    wait at a time.
    """
    found: dict[int, TokenVectors] = {}
    waiting: dict[tuple[Any, ...], list[tuple[int, Prepared]]] = {}

    def encode(group: Sequence[tuple[int, Prepared]]) -> None:
        def together(batch: list[int]) -> list[TokenVectors]:
            return model.vectors([group[place][1] for place in batch], task)

        for batch, rows in halving.run(together, [each.n_tokens for _, each in group]):
            found.update(zip([group[place][0] for place in batch], rows, strict=True))

    for at, each in enumerate(inputs):
        group = waiting.setdefault(each.shape, [])
        group.append((at, each))
        if (len(group) + 1) * each.n_tokens > halving.budget:
            encode(waiting.pop(each.shape))
        elif _n_waiting(waiting) > _WAITING_BATCHES * halving.budget:
            encode(waiting.pop(max(waiting, key=lambda shape: len(waiting[shape]))))
    for group in waiting.values():
        encode(group)
    return [found[at] for at in range(len(found))]


def is_saved_encoder(folder: Path) -> bool:
    """Tell whether a folder is of sentence-transformers, PyLate or Stanford's ColBERT."""
    saved = _json(folder / "config_sentence_transformers.json")
    is_late = saved.get("model_type") in _SAVED_AS or "query_prefix" in saved
    is_stanford = "HF_ColBERT" in (_json(folder / "config.json").get("architectures") or ())
    return (is_late and (folder / "modules.json").is_file()) or is_stanford


def model_type(folder: Path) -> str:
    """Read the model type of config.json; "" where there is none."""
    return str(_json(folder / "config.json").get("model_type") or "")


def native_processor(folder: Path) -> Any:
    """Load the processor of a model of `NATIVE`."""
    kind = getattr(require("transformers"), f"{NATIVE[model_type(folder)]}Processor")
    return kind.from_pretrained(folder, local_files_only=True)


def image_backend(folder: Path) -> str:
    """Name what scales pictures for a model: "torchvision", "pil", or "none" for one of texts.

    The two scale a little differently, so that vectors of one are not those of the other.
    """
    if not any((folder / name).is_file() for name in _PROCESSORS):
        return "none"
    image_processor = require("transformers").AutoImageProcessor.from_pretrained(
        folder, local_files_only=True
    )
    return "pil" if type(image_processor).__name__.endswith("Pil") else "torchvision"


_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecipeError(f"{path} is not JSON: {error}") from error
    return values if isinstance(values, dict) else {}


def _modalities(module: Any) -> tuple[str, ...]:
    """Tell what a model of sentence-transformers reads of passages."""
    known = tuple(name for name in ("text", "image") if name in module.modalities)
    # A processor of transformers' own retrievers writes every text as a question.
    if getattr(module[0], "transformer_task", None) == "retrieval":
        return tuple(name for name in known if name != "text")
    return known


def _limit(transformer: Any, task: Task) -> int | None:
    """Count the tokens that a text may have; beyond them sentence-transformers cuts it off."""
    expansion = getattr(transformer, "query_expansion", None) if task == "query" else None
    limits = (
        expansion["length"] if expansion else getattr(transformer, f"{task}_length", None),
        getattr(transformer, "max_seq_length", None),
    )
    known = [int(limit) for limit in limits if limit is not None]
    return min(known) if known else None


def _prepared(features: Mapping[str, Any]) -> Prepared:
    """Keep what a model takes: tensors, without the labels that processors add for training."""
    torch = require("torch")
    kept = {name: each for name, each in features.items() if torch.is_tensor(each)}
    kept.pop("labels", None)
    return Prepared(kept)


def _stacked(batch: Sequence[Prepared], device: str) -> dict[str, Any]:
    torch = require("torch")
    first = batch[0].features
    return {name: torch.cat([one.features[name] for one in batch]).to(device) for name in first}


def _rows(embeddings: Any, mask: Any, identities: Any) -> list[TokenVectors]:
    """Take the scored tokens of each input, as unit rows of float32."""
    torch = require("torch")
    masks = mask.bool()
    values = torch.nn.functional.normalize(embeddings.float(), dim=-1).cpu()
    of_tokens = masks.shape == identities.shape
    masks, identities = masks.cpu(), identities.cpu()
    return [
        TokenVectors(
            one[kept].numpy(),
            names[kept].numpy() if of_tokens else np.zeros(0, dtype=np.int64),
        )
        for one, kept, names in zip(values, masks, identities, strict=True)
    ]


def _n_waiting(waiting: Mapping[tuple[Any, ...], Sequence[tuple[int, Prepared]]]) -> int:
    return sum(each.n_tokens for group in waiting.values() for _, each in group)


@contextmanager
def _silently() -> Iterator[None]:
    """Keep the progress bars of loading from being drawn."""
    logging = require("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
