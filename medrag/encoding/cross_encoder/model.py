"""A cross-encoder of sentence-transformers: pairs of texts to numbers, none of them cut off."""

import copy
import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import Halving
from medrag.checkpoints.files import configuration
from medrag.checkpoints.loading import check_held, check_words, reading
from medrag.checkpoints.numerics import Dtype, chosen_device, chosen_dtype
from medrag.encoding.text.texts import Text, joined
from medrag.encoding.text.windows import LEAST_ROOM, Spans, windows, words
from medrag.errors import RecipeError
from medrag.extras import require

_LOGGER = logging.getLogger(__name__)
EXPECTED = "a cross-encoder, which gives one number for two texts"
# What sentence-transformers says of a model that it saved.
_SAVED = "config_sentence_transformers.json"
# Where nothing says how much a model reads: what MedCPT's and most others were trained on.
_USUAL = 512
# What models without a limit say: transformers writes 1e30.
_ENDLESS = 1 << 30
_PROBE = ("heart", "The heart pumps blood through two circuits.")


class Pair(NamedTuple):
    """A question and as much of a passage as the model reads at once.

    Attributes:
        n: tokens of both, with the model's own marks.
    """

    query: str
    text: str
    n: int


def load(folder: Path, *, device: str | None, dtype: Dtype, trust_remote_code: bool) -> Any:
    """Load a CrossEncoder for inference, in one data type; its numbers stay as they are.

    Raises:
        RecipeError: if the folder holds none, or one with several numbers for a pair.
    """
    torch, place = require("torch"), chosen_device(device)
    chosen = chosen_dtype(torch, dtype, place)
    check_held(folder, EXPECTED, configs=("modules.json", "config.json"))
    check_words(folder)
    saved = configuration(folder / _SAVED).get("model_type", "CrossEncoder")
    if saved != "CrossEncoder":
        raise RecipeError(
            f"{folder} holds a {saved} ({_SAVED}), expected {EXPECTED}; name another folder, or "
            "use it as the encoder of a channel"
        )
    with reading(folder, EXPECTED, pooled=True):
        model = require("sentence_transformers").CrossEncoder(
            str(folder),
            device=place,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            model_kwargs={"dtype": chosen},
            # Given, so that nothing is imported that the folder names; logits order as well.
            activation_fn=torch.nn.Identity(),
        )
        n_numbers = int(model.num_labels)
    if n_numbers != 1:
        raise RecipeError(
            f"{folder} gives {n_numbers} numbers for a pair, expected {EXPECTED}; a classifier of "
            "entailment is for a verifier of kind entailment"
        )
    return model.to(dtype=chosen).eval()


class PairModel:
    """Read questions with passages, in windows where a passage is too long.

    Args:
        folder: of the model, for errors.
        model: of `load`.
        tokens: of a pair at most; None for what the model reads.
        batches: how many tokens go through the model at once.

    Raises:
        RecipeError: if the model reads too few tokens for two texts, or does not run.
    """

    def __init__(self, folder: Path, model: Any, tokens: int | None, batches: Halving) -> None:
        self.folder = folder
        self.model = model
        self.batches = batches
        # A tokenizer keeps settings of its last call: two threads must not use one at once.
        self._lock = threading.Lock()
        with reading(folder, EXPECTED, pooled=True):
            self._tokenizer = copy.deepcopy(model.tokenizer)
            self.limit = min(_limit(model), tokens or _ENDLESS)
            mask = self._features([Pair(*_PROBE, 0)])["attention_mask"]
            self.marks = int(mask.sum()) - sum(self.count(_PROBE))
        if self.room < 2 * LEAST_ROOM:
            raise RecipeError(
                f"{folder} reads {self.limit} tokens at once, of which {max(self.room, 0)} are "
                f"left for two texts, which need {2 * LEAST_ROOM}; allow more tokens, or name a "
                "model with a longer limit"
            )

    @property
    def room(self) -> int:
        """Count the tokens that a question and a passage may have together."""
        return self.limit - self.marks

    @cached_property
    def _prompt(self) -> str | None:
        name = self.model.default_prompt_name
        return None if name is None else self.model.prompts.get(name)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of texts, without the model's own marks."""
        with self._lock:
            read = self._tokenizer(list(texts), add_special_tokens=False, **_WHOLE)["input_ids"]
        return [len(ids) for ids in read]

    def pairs(self, query: str, texts: Sequence[Text]) -> list[list[Pair]]:
        """Pair a question with the windows of each text, at least one.

        A question that takes more than half of the room is cut there, which the log tells.
        """
        if not texts:
            return []
        asked = self._shortened(query)
        n_asked = self.count([asked])[0]
        titles, bodies = zip(*texts, strict=True)
        room, excess = self.room - n_asked, 1
        while excess > 0:
            cut = windows(titles, bodies, self._spans, max(room, LEAST_ROOM // 2))
            written = [[joined(*window) for window in several] for several in cut]
            counts = iter(self.count([text for several in written for text in several]))
            found = [
                [Pair(asked, text, next(counts) + n_asked + self.marks) for text in several]
                for several in written
            ]
            # Parts may have a few tokens more alone than they had within the whole.
            longest = max(pair.n for several in found for pair in several)
            excess = longest - self.limit if room > LEAST_ROOM // 2 else 0
            room -= max(excess, 1)
        return found

    def scores(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """Score pairs, in any batch the same up to rounding; (n,)."""
        found = np.empty(len(pairs))
        for batch, values in self.batches.run(
            lambda places: self._run([pairs[place] for place in places]),
            [max(p.n, 1) for p in pairs],
        ):
            found[batch] = values
        return found

    def _run(self, batch: Sequence[Pair]) -> NDArray[np.float64]:
        torch = require("torch")
        features = self._features(batch)
        with torch.inference_mode():
            on_device = {
                name: each.to(self.model.device) if isinstance(each, torch.Tensor) else each
                for name, each in features.items()
            }
            scores = self.model(on_device)["scores"].float().cpu().numpy()
        return np.asarray(scores, dtype=np.float64).reshape(len(batch))

    def _features(self, batch: Sequence[Pair]) -> dict[str, Any]:
        with self._lock:
            written = [(pair.query, pair.text) for pair in batch]
            return dict(self.model.preprocess(written, prompt=self._prompt))

    def _shortened(self, query: str) -> str:
        [spans] = self._spans([query])
        most = self.room // 2
        if len(spans) <= most:
            return query
        _LOGGER.warning(
            "a question of %d tokens is cut to %d, half of what %s reads at once",
            len(spans), most, self.folder.name,
        )  # fmt: skip
        return query[: spans[most - 1][1]]

    def _spans(self, texts: Sequence[str]) -> list[Spans]:
        if not self._tokenizer.is_fast:
            return words(texts)
        with self._lock:
            found = self._tokenizer(
                list(texts), add_special_tokens=False, return_offsets_mapping=True, **_WHOLE
            )
        return [[(int(a), int(b)) for a, b in spans] for spans in found["offset_mapping"]]


def _limit(model: Any) -> int:
    """Find how many tokens a model reads: what it says, and what it has places for."""
    places = getattr(model.config, "max_position_embeddings", None)
    known = [model.max_seq_length, model.tokenizer.model_max_length, places]
    return min((int(n) for n in known if isinstance(n, int) and 0 < n < _ENDLESS), default=_USUAL)


_WHOLE: dict[str, Any] = {
    "truncation": False,
    "padding": False,
    "return_attention_mask": False,
    "verbose": False,
}
