"""Late-interaction models: by transformers' own classes, or as sentence-transformers saves them."""

import copy
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from medrag.checkpoints.files import configuration
from medrag.checkpoints.loading import check_held, check_words, reading
from medrag.checkpoints.numerics import Dtype, chosen_dtype
from medrag.encoding.kinds import PAGE_CLASSES, PROCESSORS, is_multi_vector, reads_pictures
from medrag.encoding.page.tokens import Prepared, TokenVectors, prepared, stacked, token_vectors
from medrag.encoding.text.reading import Reader
from medrag.encoding.text.sentence_transformers import Task, load, prompt_of, token_limit
from medrag.encoding.text.texts import Text, joined
from medrag.errors import RecipeError
from medrag.extras import require

_EXPECTED = "a late-interaction model"


def load_model(
    folder: Path, *, device: str, dtype: Dtype, trust_remote_code: bool = False
) -> "PageModel":
    """Load a late-interaction model by what its folder holds.

    Raises:
        RecipeError: if the folder holds another kind of model, or is damaged.
    """
    kind = str(configuration(folder / "config.json").get("model_type") or "")
    if is_multi_vector(folder):
        return SavedModel(folder, device, dtype, trust_remote_code=trust_remote_code)
    if kind in PAGE_CLASSES:
        return NativeModel(folder, device, dtype, family=PAGE_CLASSES[kind])
    # sentence-transformers would give any other model a projection of random numbers.
    raise RecipeError(
        f"{folder} holds no late-interaction model (model type {kind!r} in config.json); expected "
        f"one of {', '.join(PAGE_CLASSES)}, or a MultiVectorEncoder, PyLate or ColBERT model; a "
        "model with one vector for a text or picture is of the encoder kinds sentence, clip or "
        "image"
    )


def image_backend(folder: Path) -> str:
    """Name what scales pictures for a model: "torchvision", "pil", or "none" for one of texts.

    The two scale a little differently, so that vectors of one are not those of the other.

    Raises:
        RecipeError: if the folder says it in a way that is not understood.
    """
    if not reads_pictures(folder):
        return "none"
    with reading(folder, f"a preparation of pictures ({' or '.join(PROCESSORS)})"):
        image_processor = require("transformers").AutoImageProcessor.from_pretrained(
            folder, local_files_only=True
        )
    return "pil" if type(image_processor).__name__.endswith("Pil") else "torchvision"


class NativeModel:
    """ColPali, ColQwen2 or ColModernVBERT by the classes of transformers."""

    # Of passages: their texts are what only questions are made of.
    modalities: tuple[str, ...] = ("image",)

    def __init__(self, folder: Path, device: str, dtype: Dtype, *, family: str) -> None:
        library, torch = require("transformers"), require("torch")
        check_held(folder, _EXPECTED)
        check_words(folder)
        with reading(folder, _EXPECTED):
            processors = getattr(library, f"{family}Processor")
            self.processor: Any = processors.from_pretrained(folder, local_files_only=True)
            self.tokenizer: Any = self.processor.tokenizer
            loaded = getattr(library, f"{family}ForRetrieval").from_pretrained(
                folder, dtype=chosen_dtype(torch, dtype, device), local_files_only=True
            )
            self.d = int(loaded.config.embedding_dim)
        self.module: Any = loaded.to(device).eval()
        self._device = device
        self._lock = Lock()

    def windows(self, texts: Sequence[Text], task: Task) -> list[list[str]]:
        """Give each text as one: these models have room for thousands of tokens."""
        del task
        return [[joined(*text)] for text in texts]

    def of_picture(self, picture: Any) -> Prepared:
        """Prepare an image of Pillow."""
        with self._lock:
            return prepared(self.processor.process_images(images=[picture], return_tensors="pt"))

    def of_text(self, text: str, task: Task) -> Prepared:
        """Prepare a question; `modalities` keeps the texts of passages away."""
        del task
        with self._lock:
            return prepared(self.processor.process_queries(text=[text], return_tensors="pt"))

    def vectors(self, batch: Sequence[Prepared], task: Task) -> list[TokenVectors]:
        """Encode inputs of one shape."""
        del task
        with require("torch").inference_mode():
            features = stacked(batch, self._device)
            embeddings = self.module(**features).embeddings
            return token_vectors(embeddings, features["attention_mask"], features["input_ids"])


class SavedModel:
    """A MultiVectorEncoder of sentence-transformers, which reads PyLate and ColBERT as well."""

    def __init__(self, folder: Path, device: str, dtype: Dtype, *, trust_remote_code: bool) -> None:
        self.module: Any = load(
            "MultiVectorEncoder",
            folder,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
        )
        with reading(folder, _EXPECTED):
            self.processor: Any = self.module.processor
            self.tokenizer: Any = self.module.tokenizer
            self.modalities = _modalities(self.module)
            self.d = int(self.module.get_embedding_dimension())
        self._device = device
        self._lock = Lock()
        self._readers: dict[Task, Reader] = {}

    def windows(self, texts: Sequence[Text], task: Task) -> list[list[str]]:
        """Give each text as what the model reads at once: ColBERT takes 32 tokens of a question."""
        with self._lock:
            if task not in self._readers:
                self._readers[task] = Reader(
                    # A copy: a tokenizer keeps settings of its last call.
                    tokenizer=copy.deepcopy(self.tokenizer),
                    limit=token_limit(self.module[0], task),
                    prompt=prompt_of(self.module, task),
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
            features = stacked(batch, self._device)
            identities = features["input_ids"]
            found = self.module(features, task=task)
            return token_vectors(found["token_embeddings"], found["attention_mask"], identities)

    def _of(self, value: Any, task: Task) -> Prepared:
        prompt = prompt_of(self.module, task) or None
        with self._lock:
            return prepared(self.module.preprocess([value], prompt=prompt, task=task))


PageModel = NativeModel | SavedModel


def _modalities(module: Any) -> tuple[str, ...]:
    """Tell what a model of sentence-transformers reads of passages."""
    known = tuple(name for name in ("text", "image") if name in module.modalities)
    # A processor of transformers' own retrievers writes every text as a question.
    if getattr(module[0], "transformer_task", None) == "retrieval":
        return tuple(name for name in known if name != "text")
    return known
