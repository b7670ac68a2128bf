"""Texts to token ids, whole: a text that a model cannot read at once becomes several windows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.text.texts import Text, joined
from medrag.encoding.text.windows import LEAST_ROOM, Spans, windows, words
from medrag.errors import RecipeError

# What models without a limit say: transformers writes 1e30.
ENDLESS = 1 << 30
_MASK = "attention_mask"


class Window(NamedTuple):
    """What a model reads at once.

    Attributes:
        n: tokens, with those of the prompt and the model's own marks.
        text: as it is written, without the prompt.
        columns: one number per token by the names that the model takes; empty where the model
            makes them itself.
    """

    n: int
    text: str
    columns: Mapping[str, Sequence[int]]


class Reader:
    """Tokenise texts under their titles without cutting anything off.

    Args:
        tokenizer: of transformers.
        limit: tokens that the model reads at once; None for no limit.
        prompt: stands before every window.
        pairs: whether title and text are the two segments of a pair, else one text of two lines.
        marks: tokens that a window has beside its title and text (the prompt's, the model's own);
            None where the tokenizer alone adds them.
    """

    def __init__(
        self,
        *,
        tokenizer: Any,
        limit: float | None,
        prompt: str = "",
        pairs: bool = False,
        marks: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.limit = None if limit is None or limit >= ENDLESS else int(limit)
        self.prompt = prompt
        self.pairs = pairs
        self.marks = marks

    def read(self, texts: Sequence[Text]) -> list[list[Window]]:
        """Give the windows of each text, at least one.

        Raises:
            RecipeError: if the prompt leaves too little room for a text.
        """
        whole = self._read(texts)
        if self.limit is None:
            return [[window] for window in whole]
        long = [place for place, window in enumerate(whole) if window.n > self.limit]
        found = [[window] for window in whole]
        for place, several in zip(long, self._cut([texts[i] for i in long]), strict=True):
            found[place] = several
        return found

    def room(self) -> int:
        """Count the tokens that a title and a text may have together.

        Raises:
            RecipeError: if that is too few for a passage.
        """
        return self._enough((self.limit or ENDLESS) - self._beside())

    def _enough(self, room: int) -> int:
        if room < LEAST_ROOM:
            raise RecipeError(
                f"the model reads {self.limit} tokens at once, and with the prompt "
                f"{self.prompt!r} and its own marks {max(room, 0)} are left for a passage, which "
                f"needs {LEAST_ROOM}; use a shorter prompt, or a model with a longer limit"
            )
        return room

    def _cut(self, texts: Sequence[Text]) -> list[list[Window]]:
        """Cut texts, and cut again those of whose windows one is still too long."""
        limit = self.limit or 0
        found: list[list[Window]] = [[] for _ in texts]
        waiting = list(range(len(texts)))
        room = self.room() if texts else 0
        while waiting:
            titles, bodies = zip(*(texts[place] for place in waiting), strict=True)
            several = windows(titles, bodies, self._spans, room)
            read = iter(self._read([window for each in several for window in each]))
            excess = 0
            for place, each in zip(waiting, several, strict=True):
                found[place] = [next(read) for _ in each]
                excess = max(excess, max(window.n for window in found[place]) - limit)
            waiting = [i for i in waiting if any(w.n > limit for w in found[i])]
            room = self._enough(room - max(excess, 1)) if waiting else room
        return found

    def _beside(self) -> int:
        if self.marks is not None:
            return self.marks
        prompt = len(self._plain([self.prompt])[0]) if self.prompt else 0
        return int(self.tokenizer.num_special_tokens_to_add(pair=self.pairs)) + prompt

    def _read(self, texts: Sequence[Text]) -> list[Window]:
        if not texts:
            return []
        written = [joined(*text) for text in texts]
        if self.marks is not None:
            counts = map(len, self._plain(written))
            return [
                Window(n + self.marks, text, {}) for n, text in zip(counts, written, strict=True)
            ]
        if self.pairs:
            first, second = zip(*texts, strict=True)
            read = self.tokenizer(list(first), list(second), **_WHOLE)
        else:
            read = self.tokenizer([self.prompt + text for text in written], **_WHOLE)
        columns = dict(read)
        rows = zip(*columns.values(), strict=True)
        return [
            Window(len(row[0]), text, dict(zip(columns, row, strict=True)))
            for row, text in zip(rows, written, strict=True)
        ]

    def _plain(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        ids: Sequence[Sequence[int]] = self.tokenizer(
            list(texts), add_special_tokens=False, **_WHOLE
        )["input_ids"]
        return ids

    def _spans(self, texts: Sequence[str]) -> list[Spans]:
        """Give the character spans of each text's tokens, or of its words where they are unknown.

        Windows of words may hold too many tokens; they are counted afterwards.
        """
        if not self.tokenizer.is_fast:
            return words(texts)
        found = self.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, **_WHOLE
        )
        return [[(int(a), int(b)) for a, b in spans] for spans in found["offset_mapping"]]


def padded(tokenizer: Any, batch: Sequence[Window]) -> dict[str, NDArray[np.int64]]:
    """Put windows of one batch side by side, each (n, length of the longest), with their mask."""
    width = max(window.n for window in batch)
    fill = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}
    left = tokenizer.padding_side == "left"
    found = {
        name: np.full((len(batch), width), fill.get(name, 0), dtype=np.int64)
        for name in batch[0].columns
    }
    found[_MASK] = np.zeros((len(batch), width), dtype=np.int64)
    for row, window in enumerate(batch):
        place = slice(width - window.n, width) if left else slice(0, window.n)
        for name, values in window.columns.items():
            found[name][row, place] = values
        found[_MASK][row, place] = 1
    return found


_WHOLE: Mapping[str, Any] = {
    "truncation": False,
    "padding": False,
    "return_attention_mask": False,
    "verbose": False,
}
