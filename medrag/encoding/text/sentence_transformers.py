"""Models of sentence-transformers, and one side of them: questions or passages."""

import copy
import logging
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from medrag.checkpoints.batching import Halving
from medrag.checkpoints.files import configuration
from medrag.checkpoints.loading import check_held, check_words, reading
from medrag.checkpoints.numerics import Dtype, chosen_device, chosen_dtype
from medrag.encoding.text.reading import ENDLESS, Reader, Window, padded
from medrag.encoding.text.texts import Text, joined
from medrag.errors import RecipeError
from medrag.extras import require

Task = Literal["query", "document"]
Kind = Literal["SentenceTransformer", "SparseEncoder", "MultiVectorEncoder"]

_LOGGER = logging.getLogger(__name__)
_EXPECTED = "a model of sentence-transformers that reads texts"
# What sentence-transformers says of a model that it saved.
_SAVED = "config_sentence_transformers.json"
# Where sentence-transformers looks for the prompt of a task, first to last.
_PROMPTS: Mapping[Task, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}
# Two texts of different lengths: reading them shows what the model adds, and how it pads.
_PROBE = ("heart", "The heart pumps blood through two circuits.")


def load(
    kind: Kind, folder: Path, *, device: str | None, dtype: Dtype, trust_remote_code: bool
) -> Any:
    """Load a model of sentence-transformers for inference, all of it in one data type.

    Raises:
        RecipeError: if the folder holds none, or one of another kind.
    """
    place = chosen_device(device)
    chosen = chosen_dtype(require("torch"), dtype, place)
    check_held(folder, _EXPECTED, configs=("modules.json", "config.json"))
    check_words(folder)
    saved = configuration(folder / _SAVED).get("model_type", kind)
    if saved != kind and kind != "MultiVectorEncoder":
        # The library would convert it, without the layers that make its vectors.
        raise RecipeError(
            f"{folder} holds a {saved} ({_SAVED}), expected a {kind}; name another folder, or "
            "use the encoder kind that reads it: sentence, sparse, or page with reads: texts"
        )
    with reading(folder, _EXPECTED):
        model = getattr(require("sentence_transformers"), kind)(
            str(folder),
            device=place,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            model_kwargs={"dtype": chosen},
        )
    # Layers behind the transformer load in float32, whatever it is in.
    return model.to(dtype=chosen).eval()


def prompt_of(model: Any, task: Task) -> str:
    """Give what a model wants written before every text of a task, or ""."""
    names = [name for name in _PROMPTS[task] if name in model.prompts]
    name = names[0] if names else model.default_prompt_name
    return "" if name is None else str(model.prompts.get(name) or "")


def token_limit(module: Any, task: Task) -> float | None:
    """Give how many tokens the module that reads texts takes at most; it would cut off the rest."""
    expansion = getattr(module, "query_expansion", None) if task == "query" else None
    kwargs = (getattr(module, "processing_kwargs", None) or {}).get("text") or {}
    limits = (
        getattr(module, "max_seq_length", None),
        expansion["length"] if expansion else getattr(module, f"{task}_length", None),
        kwargs.get("max_length"),
    )
    return min((each for each in limits if each is not None), default=None)


class TaskModel:
    """Read texts for one task of a model, and run it on them.

    Token ids go to the model straight from the tokenizer where that is what the model would do
    itself; else (routes of several kinds, chat templates) it prepares its own batches. A model
    without a tokenizer of transformers gets its texts whole.

    Args:
        folder: of the model, for errors.
        model: a SentenceTransformer or a SparseEncoder.
        task: which prompt, and which route of a `Router`, is taken.
        batches: see `TextModel`.
        prompt: in place of the model's own; None for that.
        window: tokens of a window at most, where that is less than the model reads.

    Raises:
        RecipeError: (also at first use) if the model takes no texts.
    """

    def __init__(
        self,
        folder: Path,
        model: Any,
        task: Task,
        batches: Halving,
        *,
        prompt: str | None = None,
        window: int | None = None,
    ) -> None:
        self.folder = folder
        self.window = window
        self.model = model
        self.batches = batches
        self.task: Task = task
        self.prompt = prompt_of(model, task) if prompt is None else prompt
        self._torch = require("torch")
        # A tokenizer keeps settings of its last call: two threads must not use one at once.
        self._lock = threading.Lock()
        self._extras: dict[str, Any] | None = None
        with reading(folder, _EXPECTED):
            self._first = _first_module(model, task)
            self._reader = self._made_reader()

    @cached_property
    def d(self) -> int:
        """Numbers in a vector: of one that was made, since not every model knows."""
        with reading(self.folder, _EXPECTED):
            [[window, *_]] = self.read([("", _PROBE[0])])
            return int(self.run([window]).shape[1])

    def read(self, texts: Sequence[Text]) -> list[list[Window]]:
        """Give the windows of each text, at least one."""
        if self._reader is None:
            written = [joined(*text) for text in texts]
            return [[Window(len(text) + 1, text, {})] for text in written]
        with self._lock:
            return self._reader.read(texts)

    def run(self, batch: list[Window]) -> Any:
        """Give the vectors of windows: a tensor (n, d) of float32 on the model's device."""
        torch = self._torch
        with torch.inference_mode():
            features = self._features(batch)
            device = self.model.device
            for name, value in features.items():
                if isinstance(value, torch.Tensor):
                    features[name] = value.to(device)
            rows = self.model(features, task=self.task)["sentence_embedding"]
            return rows[:, : getattr(self.model, "truncate_dim", None)].float()

    def _features(self, batch: list[Window]) -> dict[str, Any]:
        if self._extras is None or self._reader is None:
            return dict(
                self.model.preprocess(
                    [window.text for window in batch], prompt=self.prompt or None, task=self.task
                )
            )
        return {**self._extras, **self._tensors(batch)}

    def _tensors(self, batch: Sequence[Window]) -> dict[str, Any]:
        columns = padded(self._first.tokenizer, batch)
        return {name: self._torch.from_numpy(values) for name, values in columns.items()}

    def _made_reader(self) -> Reader | None:
        tokenizer: Any = getattr(self._first, "tokenizer", None)
        limit = token_limit(self._first, self.task)
        if self.window is not None:
            limit = min(self.window, ENDLESS if limit is None else limit)
        if not hasattr(tokenizer, "num_special_tokens_to_add") or not hasattr(tokenizer, "is_fast"):
            _tell_cuts(limit)
            return None
        # A copy: batches that the model prepares use its own, beside the thread that reads.
        mine = copy.deepcopy(tokenizer)
        direct = Reader(tokenizer=mine, limit=limit, prompt=self.prompt)
        endless = Reader(tokenizer=mine, limit=None, prompt=self.prompt)
        windows = [window for [window] in endless.read([("", text) for text in _PROBE])]
        if direct.limit is not None and any(window.n > direct.limit for window in windows):
            direct.room()
        theirs = dict(
            self.model.preprocess(list(_PROBE), prompt=self.prompt or None, task=self.task)
        )
        self._extras = self._shared(theirs, self._tensors(windows))
        if self._extras is not None:
            return direct
        if "input_ids" not in theirs or "attention_mask" not in theirs:
            _tell_cuts(limit)
            return None
        bare = len(mine(_PROBE[1], add_special_tokens=False)["input_ids"])
        marks = int(theirs["attention_mask"][1].sum()) - bare
        return Reader(tokenizer=mine, limit=limit, prompt=self.prompt, marks=marks)

    def _shared(self, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give what the model adds to a batch beside its tensors; None if the tensors differ."""
        torch = self._torch
        tensors = {name: each for name, each in theirs.items() if isinstance(each, torch.Tensor)}
        same = tensors.keys() == ours.keys() and all(
            torch.equal(each, ours[name]) for name, each in tensors.items()
        )
        return {k: v for k, v in theirs.items() if k not in tensors} if same else None


def _tell_cuts(limit: float | None) -> None:
    """Say that a model cuts texts, where its tokens cannot be counted to prevent it."""
    if limit is not None and limit < ENDLESS:
        _LOGGER.warning(
            "the model cuts texts off after %d tokens, which cannot be counted here", limit
        )


def _first_module(model: Any, task: Task) -> Any:
    """Give the module that reads the texts of a task: the first, or the first of its route."""
    first = model[0]
    routes = getattr(first, "sub_modules", None)
    if routes is None:
        return first
    mappings = getattr(first, "route_mappings", {})
    wanted = [mappings.get(key) for key in ((task, "text"), (task, None), (None, "text"))]
    names = [*filter(None, wanted), task, "text", getattr(first, "default_route", None)]
    return next((routes[name][0] for name in names if name in routes), first)
