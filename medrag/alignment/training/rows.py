"""Pairs as a model reads them: the prompt that a generator would get, and an answer behind it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medrag.alignment.pairs.pair import Parts, PreferencePair
from medrag.errors import MedragError, RecipeError
from medrag.extras import require
from medrag.generation.local.inputs import PromptInputs, encode
from medrag.generation.local.loading import Loaded
from medrag.generation.local.messages import neutral
from medrag.generation.local.options import option_tokens
from medrag.generation.local.readings import Reading, readable
from medrag.images import kept_open, read_image
from medrag.images.given import png
from medrag.records import ImageRef, Prompt, Question

# Rows that are kept with their pictures, so that later epochs need not read these again.
_KEPT_BYTES = 1 << 30
# Pairs that an error names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt with an answer behind it.

    Attributes:
        reading: both, as one text.
        n_answer: how many of its last tokens are the answer's, the one that ends it included.
    """

    reading: Reading
    n_answer: int


@dataclass(frozen=True, slots=True)
class Example:
    """The rows of one pair: that of the chosen answer, and where asked for of the rejected one."""

    place: int
    rows: tuple[Row, ...]


def encoded_row(loaded: Loaded, parts: Parts, answer: str) -> Row:
    """Put an answer behind a prompt, which is token for token what a generator reads.

    The answer is what the model would have to write: its tokens, and the one that ends a reply.

    Raises:
        InputFileError: if a picture cannot be read.
        RecipeError: if the model takes no pictures, its replies have no end, or begin inside
            thoughts.
    """
    images = tuple(part for part in parts if isinstance(part, ImageRef))
    inputs = encode(loaded, Prompt(Question("", images), (), parts))
    _check_spoken(loaded, inputs)
    answered = answer_tokens(loaded, inputs, answer)
    ids = np.concatenate((inputs.ids.numpy(), np.asarray(answered, dtype=np.int64)))
    base = getattr(loaded.model, "get_base_model", lambda: loaded.model)()
    types = _lengthened(inputs, len(answered))
    return Row(readable(base, ids, inputs.pictures, types), len(answered))


def answer_tokens(loaded: Loaded, inputs: PromptInputs, answer: str) -> tuple[int, ...]:
    """Give the tokens of an answer behind a prompt, with the one that ends a reply."""
    told = neutral(answer, loaded.template)
    [tokens] = option_tokens(loaded.tokenizer, (told,), "text", inputs.text)
    return (*tokens, end_token(loaded))


def end_token(loaded: Loaded) -> int:
    """Give the token that ends a reply: that of the chat template, else the tokenizer's.

    Raises:
        RecipeError: if neither names one.
    """
    tokenizer = loaded.tokenizer
    named = loaded.template.ends or tokenizer.eos_token
    if not named:
        raise RecipeError(
            f"{loaded.name} names no token that ends a reply (eos_token of its tokenizer), and "
            "would learn answers without an end; name one"
        )
    return int(tokenizer.convert_tokens_to_ids(named))


class Examples:
    """The examples of pairs, made when they are asked for; the first of them are kept.

    Pictures of a rejected side that noise is for are made anew whenever they are read, always the
    same.

    Args:
        loaded: the model that is tuned.
        both: whether rejected sides are read too.
        max_length: tokens of a row, at most; None for what the model reads.
    """

    def __init__(
        self,
        loaded: Loaded,
        pairs: Sequence[PreferencePair],
        *,
        both: bool,
        max_length: int | None = None,
    ) -> None:
        self.pairs = pairs
        self._loaded = loaded
        self._both = both
        self._most = min(filter(None, (max_length, loaded.context)), default=None)
        self._kept: dict[int, Example] = {}
        self._n_bytes = 0

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, place: int) -> Example:
        if place in self._kept:
            return self._kept[place]
        with kept_open():
            example = self._made(place)
        size = sum(_n_bytes(row.reading) for row in example.rows)
        if self._n_bytes + size <= _KEPT_BYTES:
            self._kept[place] = example
            self._n_bytes += size
        return example

    def check(self) -> None:
        """Read every example once, so that nothing is found missing in the middle of training.

        Raises:
            MedragError: naming the pair, and the picture that cannot be read.
            RecipeError: naming pairs that are too long.
        """
        long = []
        for place, pair in enumerate(self.pairs):
            n = max(len(row.reading) for row in self[place].rows)
            if self._most is not None and n > self._most:
                long.append(f"{pair.id} ({n})")
        if long:
            raise RecipeError(
                f"{len(long)} of {len(self.pairs)} pairs take more than {self._most} tokens with "
                f"their answers, such as {', '.join(long[:_NAMED])}; leave them out, or raise "
                "max_length, or lower max_pixels"
            )

    def _made(self, place: int) -> Example:
        pair = self.pairs[place]
        try:
            rows = [encoded_row(self._loaded, pair.prompt, pair.chosen)]
            if self._both:
                with rejected_prompt(pair) as parts:
                    rows.append(encoded_row(self._loaded, parts, pair.rejected))
        except MedragError as error:
            raise type_of(error)(f"pair {pair.id}: {error}") from error
        return Example(place, tuple(rows))


def type_of(error: MedragError) -> type[MedragError]:
    """Give the class under which an error may be told with more words."""
    return RecipeError if isinstance(error, RecipeError) else MedragError


@contextmanager
def rejected_prompt(pair: PreferencePair) -> Iterator[Parts]:
    """Give what the rejected answer of a pair was said of; noised pictures last as long as this."""
    if pair.rejected_prompt is not None or pair.noise is None:
        yield pair.prompt if pair.rejected_prompt is None else pair.rejected_prompt
        return
    with tempfile.TemporaryDirectory(prefix="medrag-") as folder:
        yield _noised(pair, Path(folder))


def _noised(pair: PreferencePair, folder: Path) -> Parts:
    # It is needed for pairs with noise only.
    from medrag.alignment.corruption import corrupted

    parts, shown = list(pair.prompt), -1
    for place, part in enumerate(pair.prompt):
        if not isinstance(part, ImageRef):
            continue
        shown += 1
        if shown in pair.noised and pair.noise is not None:
            path = folder / f"{shown}.png"
            path.write_bytes(png(corrupted(read_image(part), pair.noise)))
            parts[place] = ImageRef(str(path))
    return tuple(parts)


def _check_spoken(loaded: Loaded, inputs: PromptInputs) -> None:
    """Refuse a model whose reply begins inside thoughts, of which pairs hold none."""
    think = None if loaded.preset is None else loaded.preset.think
    if think is not None and inputs.text.rstrip().lower().endswith(think[0].lower()):
        raise RecipeError(
            f"{loaded.name} begins its replies by {think[0]}, and pairs hold answers without "
            "thoughts; tune a model that answers at once, or by rewards"
        )


def _lengthened(inputs: PromptInputs, n: int) -> dict[str, Any]:
    torch = require("torch")
    return {name: torch.cat((each, each.new_zeros(n))) for name, each in inputs.token_types.items()}


def _n_bytes(reading: Reading) -> int:
    several = [*(tile.tensors for tile in reading.tiles), reading.pictures]
    return int(reading.ids.nbytes) + sum(
        int(each.numel() * each.element_size()) for tensors in several for each in tensors.values()
    )
