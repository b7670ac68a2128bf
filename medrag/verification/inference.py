"""Cross-encoders of natural language inference: what a premise makes of a hypothesis."""

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import Halving
from medrag.checkpoints.files import configuration
from medrag.checkpoints.loading import auto_tokenizer, check_held, check_words, reading
from medrag.checkpoints.numerics import Dtype, chosen_device, chosen_dtype, moved
from medrag.errors import RecipeError
from medrag.extras import require

Label = Literal["entailment", "neutral", "contradiction"]
# One number per token, by the names that the model takes.
_Columns = Mapping[str, Sequence[int]]

EXPECTED = "a classifier of pairs of sentences (entailment, neutral, contradiction)"
# What models call their classes, without case, blanks and hyphens.
_NAMES: Mapping[str, Label] = {
    "entailment": "entailment", "entailed": "entailment", "entails": "entailment",
    "entail": "entailment", "supported": "entailment", "supports": "entailment",
    "support": "entailment",
    "neutral": "neutral", "notentailment": "neutral", "nonentailment": "neutral",
    "notentailed": "neutral", "notsupported": "neutral", "unsupported": "neutral",
    "notenoughinfo": "neutral",
    "contradiction": "contradiction", "contradictory": "contradiction",
    "contradicted": "contradiction", "contradicts": "contradiction",
    "contradict": "contradiction", "refuted": "contradiction", "refutes": "contradiction",
}  # fmt: skip
_BETWEEN = re.compile(r"[\s_-]+")
# Tokens in one pass: as much as suits the caches of a CPU, or the threads of a GPU.
_BUDGETS = {"cpu": 2048, "cuda": 16384}
# Where the configuration does not say how much a model reads (T5): what they were trained on.
_USUAL = 512
# What tokenizers without a limit say: transformers writes 1e30.
_ENDLESS = 1 << 30
# Positions that these count from, one after that of padding.
_OFFSET = ("roberta", "camembert", "mpnet", "longformer", "data2vec-text", "xmod", "ibert")


class Verdict(NamedTuple):
    """What a premise makes of a hypothesis: three probabilities that add up to 1."""

    entailment: float
    neutral: float
    contradiction: float


def labels_of(folder: Path, labels: Sequence[str] | None) -> tuple[Label, ...]:
    """Read what the classes of a model mean.

    Args:
        folder: of the model.
        labels: names in the order of its classes, in place of those in its config.json.

    Returns:
        A label per class. Of a model of two classes, "not_entailment" counts as neutral.

    Raises:
        RecipeError: if a name says nothing ("LABEL_0"), none is entailment, or there are as many
            names as classes not.
    """
    config = configuration(folder / "config.json")
    written = config.get("id2label")
    held = {int(k): str(v) for k, v in written.items()} if isinstance(written, dict) else {}
    names = [held[number] for number in sorted(held)] if labels is None else list(labels)
    if labels is not None and held and len(held) != len(labels):
        raise RecipeError(
            f"labels names {len(labels)} classes, {', '.join(labels)}, but the model in {folder} "
            f"has {len(held)}; name each, in order"
        )
    found = [_NAMES.get(_BETWEEN.sub("", name).lower()) for name in names]
    told = tuple(label for label in found if label is not None)
    if len(told) < len(names) or len(set(told)) < len(told) or "entailment" not in told:
        raise RecipeError(
            f"the classes of the model in {folder} are called "
            f"{', '.join(map(repr, names)) or 'nothing'}, expected entailment and neutral or "
            "contradiction or both, each once; look at the model's card, and name its classes in "
            "order, such as labels: [contradiction, entailment, neutral]"
        )
    return told


class Inference:
    """Run one checkpoint on pairs of texts.

    Args:
        folder: of the model.
        labels: of `labels_of`.
        device, dtype, batch_tokens, trust_remote_code: see
            `medrag.verification.entailment.EntailmentVerifier`.

    Attributes:
        model: of torch.
        limit: tokens of a pair at most, with the model's own marks.

    Raises:
        RecipeError: if the folder holds no such model.
    """

    def __init__(
        self,
        folder: Path,
        labels: tuple[Label, ...],
        *,
        device: str | None,
        dtype: Dtype,
        batch_tokens: int | None,
        trust_remote_code: bool,
    ) -> None:
        place = chosen_device(device)
        chosen = chosen_dtype(require("torch"), dtype, place)
        check_held(folder, EXPECTED)
        check_words(folder)
        self.labels = labels
        self.tokenizer = auto_tokenizer(folder, trust_remote_code=trust_remote_code)
        with reading(folder, EXPECTED, pooled=True):
            model = require("transformers").AutoModelForSequenceClassification.from_pretrained(
                str(folder),
                dtype=chosen,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
            )
        # Some models hold parts that load in float32, whatever the rest is in.
        self.model = model.to(device=place, dtype=chosen).eval()
        self.limit = _limit(self.model.config, self.tokenizer)
        kind = place.partition(":")[0]
        self.batches = Halving(budget=batch_tokens or _BUDGETS.get(kind, _BUDGETS["cpu"]))
        # A tokenizer keeps settings of its last call: two threads must not use one at once.
        self._lock = threading.Lock()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of texts, without the model's own marks."""
        if not texts:
            return []
        with self._lock:
            read = self.tokenizer(list(texts), add_special_tokens=False, **_WHOLE)["input_ids"]
        return [len(ids) for ids in read]

    def room(self) -> int:
        """Count the tokens that a premise and a hypothesis may have together."""
        return self.limit - int(self.tokenizer.num_special_tokens_to_add(pair=True))

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """Judge pairs of premise and hypothesis; in any batch the same, up to rounding."""
        if not pairs:
            return []
        premises, hypotheses = zip(*pairs, strict=True)
        # Windows are counted sentence by sentence; the few tokens that joined ones may have in
        # excess are of the premise's end, and a position too many would end the run.
        with self._lock:
            read = self.tokenizer(
                list(premises), list(hypotheses), padding=False, verbose=False,
                truncation="only_first", max_length=self.limit, return_attention_mask=True,
            )  # fmt: skip
        rows = [{name: read[name][row] for name in read} for row in range(len(pairs))]
        costs = [len(row["input_ids"]) for row in rows]
        found = np.empty((len(pairs), len(self.labels)), dtype=np.float32)
        for batch, values in self.batches.run(lambda b: self._run([rows[i] for i in b]), costs):
            found[batch] = values
        return [self._verdict(row) for row in found]

    def _run(self, rows: Sequence[_Columns]) -> NDArray[np.float32]:
        inputs = moved(_padded(rows, self.tokenizer), self.model)
        with require("torch").inference_mode():
            logits = self.model(**inputs).logits.float()
        if logits.shape[1] != len(self.labels):
            raise RecipeError(
                f"the model gives {logits.shape[1]} classes, but {len(self.labels)} are named "
                f"({', '.join(self.labels)}); its config.json belongs to another model, get its "
                "files again"
            )
        probabilities: NDArray[np.float32] = logits.softmax(dim=1).cpu().numpy()
        return probabilities

    def _verdict(self, row: NDArray[np.float32]) -> Verdict:
        said = dict(zip(self.labels, map(float, row), strict=True))
        return Verdict(
            said.get("entailment", 0.0), said.get("neutral", 0.0), said.get("contradiction", 0.0)
        )


def _padded(rows: Sequence[_Columns], tokenizer: Any) -> dict[str, NDArray[np.int64]]:
    """Put rows of one batch side by side, each (n, length of the longest), with their mask."""
    width = max(len(row["input_ids"]) for row in rows)
    fill = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}
    return {
        name: np.array(
            [[*row[name], *[fill.get(name, 0)] * (width - len(row[name]))] for row in rows],
            dtype=np.int64,
        )
        for name in rows[0]
    }


def _limit(config: Any, tokenizer: Any) -> int:
    """Find how many tokens a model reads: what it has places for, and its tokenizer allows."""
    places = getattr(config, "max_position_embeddings", None)
    if isinstance(places, int) and any(kind in config.model_type for kind in _OFFSET):
        places -= (config.pad_token_id or 0) + 1
    allowed = tokenizer.model_max_length
    known = [each for each in (places, allowed) if isinstance(each, int) and 0 < each < _ENDLESS]
    return min(known, default=_USUAL)


_WHOLE: Mapping[str, Any] = {
    "truncation": False,
    "padding": False,
    "return_attention_mask": False,
    "verbose": False,
}
