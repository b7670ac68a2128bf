"""Choose the next token of each row: the likeliest, or one drawn by a seed of the row's own."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from medrag.extras import require
from medrag.records import ImageRef, Prompt

Tensor = Any


@dataclass(frozen=True, slots=True)
class Choosing:
    """How tokens are chosen.

    Attributes:
        temperature: that logits of drawn rows are divided by.
        top_p: draw from the fewest likeliest tokens that hold this share of the probability.
        repetition_penalty: logits of tokens that stand in the prompt or the text are divided by
            this where they are positive, and multiplied by it where not.

    Source:
        Holtzman et al., ICLR 2020 (top-p); Keskar et al., 2019, arXiv:1909.05858 (penalty).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0


def check_penalty(penalty: float) -> None:
    """Refuse a repetition penalty that is none.

    Raises:
        ValueError: if it is not positive.
    """
    if not (penalty > 0 and isfinite(penalty)):
        raise ValueError(f"repetition_penalty must be positive, got {penalty}")


def seed_of(prompt: Prompt, seed: int, draw: int) -> int:
    """Derive the seed of one draw from what a prompt says and shows, so that no batch moves it.

    Pictures count by their pixels where they were decoded, not by where they lie.
    """
    told = [*prompt.parts, *(each for turn in prompt.turns for each in (turn.reply, *turn.parts))]
    words = [_named(part) if isinstance(part, ImageRef) else part for part in told]
    digest = hashlib.sha256(repr((seed, draw, words)).encode())
    return int.from_bytes(digest.digest()[:8], "little")


class Chooser:
    """Choose tokens for rows that go on together.

    Args:
        how: temperature, top-p and penalty.
        seeds: of each row; None for the likeliest token.
        read: (tokens,) ids of each row's prompt, which a penalty counts.
    """

    def __init__(
        self, how: Choosing, seeds: Sequence[int | None], read: Sequence[Sequence[int]]
    ) -> None:
        self.how = how
        self._generators = [None if seed is None else np.random.default_rng(seed) for seed in seeds]
        self._read = read
        self._met: Tensor | None = None

    def choose(self, logits: Tensor) -> Tensor:
        """Choose one token of each row.

        Args:
            logits: (rows, vocabulary) float32, as the model gave them; stays as it is.

        Returns:
            (rows,) int64.
        """
        torch = require("torch")
        scores = self._penalised(torch, logits)
        chosen = scores.argmax(dim=-1)
        drawn = [row for row, each in enumerate(self._generators) if each is not None]
        if drawn:
            uniform = [self._generators[row].random() for row in drawn]  # type: ignore[union-attr]
            rows = torch.tensor(drawn, device=logits.device)
            chosen[rows] = _drawn(torch, scores[rows], uniform, self.how)
        if self._met is not None:
            self._met[torch.arange(len(chosen), device=chosen.device), chosen] = True
        return chosen

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        self._generators = [self._generators[row] for row in rows]
        if self._met is not None:
            self._met = self._met[list(rows)]

    def _penalised(self, torch: Any, logits: Tensor) -> Tensor:
        penalty = self.how.repetition_penalty
        if penalty == 1:
            return logits
        if self._met is None:
            self._met = torch.zeros(logits.shape, dtype=torch.bool, device=logits.device)
            for row, ids in enumerate(self._read):
                # A token for pictures may lie beyond what the head can say.
                known = [each for each in set(ids) if each < logits.shape[1]]
                self._met[row, known] = True
        lowered = torch.where(logits > 0, logits / penalty, logits * penalty)
        return torch.where(self._met, lowered, logits)


def _drawn(torch: Any, scores: Tensor, uniform: Sequence[float], how: Choosing) -> Tensor:
    """Draw by where a number in [0, 1) falls among the summed probabilities, likeliest first."""
    probabilities, tokens = (
        (scores / how.temperature).softmax(-1).double().sort(dim=-1, descending=True, stable=True)
    )
    summed = probabilities.cumsum(-1)
    # The likeliest token always stays, however little it has.
    outside = summed - probabilities >= how.top_p
    outside[:, 0] = False
    summed = probabilities.masked_fill(outside, 0).cumsum(-1)
    wanted = torch.tensor(uniform, dtype=torch.float64, device=scores.device)[:, None]
    places = torch.searchsorted(summed, wanted * summed[:, -1:], right=True)
    last = (~outside).sum(-1, keepdim=True) - 1
    return tokens.gather(-1, places.minimum(last))[:, 0]


def _named(image: ImageRef) -> str:
    where = image.sha256 or (image.path, image.page, image.frame, image.axis, image.slice)
    return repr((where, image.box, image.marks))
