"""Teaching the reader from nothing, on lessons that are never the same twice."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require

from .lessons import Lesson, lesson
from .pictures import GRID
from .reader import WINDOW, new_reader

_NOT_LEARNT = -100
# Weight of the token that ends a reply beside that of its words: it is learnt at once.
_END_WEIGHT = 0.1
_WARM_UP, _COOLING = 50, 0.3
Say = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Teaching:
    """How the reader is taught.

    Attributes:
        steps: of the optimiser.
        batch: lessons of a step, with about ten questions each.
        learning_rate: at its highest.
        width, layers: of the language model.
        seed: of the first weights and the lessons.
    """

    steps: int = 600
    batch: int = 12
    learning_rate: float = 2e-3
    width: int = 96
    layers: int = 3
    seed: int = 0


class Packed(NamedTuple):
    """Lessons as tensors of n rows and l tokens.

    All questions of a lesson stand behind one another. Each sees the beginning and itself, and has
    the positions that it would have alone, so that its reply is that to its own prompt.

    Attributes:
        ids, positions: int64 (n, l).
        question: int64 (n, l), 0 for the beginning, from 1 for the questions, -1 for padding.
        replies: int64 (n, l), the token that is to follow where a reply is learnt, else -100.
        pixels: uint8 (n, 32, 32, 3).
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    question: NDArray[np.int64]
    replies: NDArray[np.int64]
    pixels: NDArray[np.uint8]


def teach_reader(folder: Path, teaching: Teaching, *, say: Say | None = None) -> None:
    """Teach a reader from nothing, and save it so that `LocalGenerator` loads it.

    Args:
        folder: made if it is not there; what is in it is written over.
        say: is told step and loss, every 50 steps.

    Raises:
        ValueError: if a number is not positive.
    """
    if min(teaching.steps, teaching.batch, teaching.learning_rate) <= 0:
        raise ValueError(f"steps, batch and learning_rate must be positive, got {teaching}")
    torch = require("torch")
    model, processor = new_reader(seed=teaching.seed, width=teaching.width, layers=teaching.layers)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=teaching.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    pace = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step, teaching.steps))
    draw = random.Random(f"lessons {teaching.seed}")
    model.train()
    for step in range(1, teaching.steps + 1):
        packed = pack([lesson(draw) for _ in range(teaching.batch)], processor.tokenizer)
        loss = _loss(model, packed, processor)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        pace.step()
        if say is not None and step % 50 == 0:
            say(step, float(loss.detach()))
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)


def pack(lessons: Sequence[Lesson], tokenizer: Any) -> Packed:
    """Write lessons as token ids; what stands behind the last question is padding."""
    rows = [_row(each, tokenizer) for each in lessons]
    longest = max(len(row) for row in rows)
    blank = (tokenizer.pad_token_id, 0, -1, _NOT_LEARNT)
    filled = np.array([row + [blank] * (longest - len(row)) for row in rows], dtype=np.int64)
    return Packed(
        filled[..., 0], filled[..., 1], filled[..., 2], filled[..., 3],
        np.stack([each.pixels for each in lessons]),
    )  # fmt: skip


def seen(packed: Packed) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which token sees which, (n, l, l): in the layers that see all, and in the first one."""
    number, place = packed.question, packed.positions
    own = (number[:, :, None] == number[:, None, :]) | (number[:, None, :] == 0)
    earlier = np.tril(np.ones((number.shape[1],) * 2, dtype=bool))
    whole = own & earlier
    near = whole & (place[:, :, None] - place[:, None, :] < WINDOW)
    return whole, near


def masks_of(packed: Packed) -> dict[str, Any]:
    """Write what is seen as transformers adds it to attention scores, by the kind of layer."""
    torch = require("torch")
    diagonal = np.eye(packed.ids.shape[1], dtype=bool)
    found = {}
    for kind, each in zip(("full_attention", "sliding_attention"), seen(packed), strict=True):
        # Padding sees itself, since a row without anything has no softmax.
        kept = torch.from_numpy(each | diagonal)[:, None]
        found[kind] = torch.zeros(kept.shape).masked_fill(~kept, torch.finfo(torch.float32).min)
    return found


def normalised(pixels: NDArray[np.uint8], processor: Any) -> Any:
    """Make pixels (n, 32, 32, 3) the float32 tensor (n, 3, 32, 32) that the processor makes."""
    torch = require("torch")
    images = processor.image_processor
    scaled = (pixels / 255 - np.array(images.image_mean)) / np.array(images.image_std)
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))


def _row(one: Lesson, tokenizer: Any) -> list[tuple[int, int, int, int]]:
    """Give id, position, question and reply of each token."""
    beginning = one.beginning.replace("<image>", "<image> " * GRID * GRID)
    ids = tokenizer(beginning, add_special_tokens=False)["input_ids"]
    row = [(token, place, 0, _NOT_LEARNT) for place, token in enumerate(ids)]
    for number, (asked, answer) in enumerate(one.asked, start=1):
        words = tokenizer(asked, add_special_tokens=False)["input_ids"]
        said = tokenizer(answer, add_special_tokens=False)["input_ids"]
        replies = [*[_NOT_LEARNT] * (len(words) - 1), *said, tokenizer.eos_token_id]
        words += said
        places = range(len(ids), len(ids) + len(words))
        row += list(zip(words, places, [number] * len(words), replies, strict=True))
    return row


def _pace(step: int, steps: int) -> float:
    """Give the share of the learning rate: it rises, stays, and falls over the last steps."""
    return min((step + 1) / _WARM_UP, 1.0, (steps - step) / (_COOLING * steps))


def _loss(model: Any, packed: Packed, processor: Any) -> Any:
    torch = require("torch")
    replies = torch.from_numpy(packed.replies)
    learnt = replies != _NOT_LEARNT
    states = model.model(
        input_ids=torch.from_numpy(packed.ids),
        position_ids=torch.from_numpy(packed.positions),
        attention_mask=masks_of(packed),
        pixel_values=normalised(packed.pixels, processor),
        use_cache=False,
    ).last_hidden_state
    wanted = replies[learnt]
    each = torch.nn.functional.cross_entropy(
        model.lm_head(states[learnt]), wanted, reduction="none"
    )
    ends = wanted == processor.tokenizer.eos_token_id
    weights = torch.where(ends, _END_WEIGHT, 1.0)
    return (each * weights).sum() / weights.sum()
