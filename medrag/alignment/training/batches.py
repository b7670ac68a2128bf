"""Rows put together for one pass of a model, and the log-probabilities of their answers."""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medrag.alignment.training.rows import Example, Row
from medrag.extras import require
from medrag.generation.local.readings import image_token, picture_inputs

if TYPE_CHECKING:
    from torch import Tensor

# What of a batch is no input of the model.
_ANSWERS, _KEPT = "answers", "kept"

Batch = dict[str, Any]


def collated(examples: Sequence[Example], config: Any) -> Batch:
    """Put examples together: all chosen rows, then all rejected ones.

    Args:
        config: of the model.

    Returns:
        "places": (n,) of the pairs; "passes": the inputs of each pass of the model, one where
        rows can be read together, else as many as rows.
    """
    torch = require("torch")
    n_sides = len(examples[0].rows)
    rows = [each.rows[side] for side in range(n_sides) for each in examples]
    together = all(row.reading.positions is not None for row in rows)
    groups = [rows] if together else [[row] for row in rows]
    return {
        "places": torch.tensor([each.place for each in examples]),
        "passes": [padded(group, config) for group in groups],
    }


def padded(rows: Sequence[Row], config: Any) -> dict[str, "Tensor"]:
    """Put rows into one pass, padded at their right, where no token looks.

    Args:
        rows: of a model whose pictures can be told apart; else one.

    Returns:
        The model's inputs, with "answers": (rows, n) bool, the tokens that are the answer's; and
        "kept": (k,) the places behind which any row has one.
    """
    torch = require("torch")
    n = max(len(row.reading) for row in rows)
    padding = min({0, 1} - {image_token(config)})
    ids = np.full((len(rows), n), padding, dtype=np.int64)
    seen, answers = np.zeros(ids.shape, dtype=np.int64), np.zeros(ids.shape, dtype=bool)
    for row, ids_of, seen_of, answer in zip(rows, ids, seen, answers, strict=True):
        end = len(row.reading)
        ids_of[:end], seen_of[:end] = row.reading.ids, 1
        answer[end - row.n_answer : end] = True
    made = {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(seen),
        _ANSWERS: torch.from_numpy(answers),
        _KEPT: torch.from_numpy(np.flatnonzero(answers.any(axis=0)) - 1),
        **_pictures(rows, config),
    }
    if rows[0].reading.positions is not None:
        made["position_ids"] = torch.from_numpy(_positions(rows, n))
    if config.model_type == "gemma3":
        # Tokens of a picture look at all of it; training asks for these of texts alone as well.
        made["token_type_ids"] = (made["input_ids"] == image_token(config)).long()
    return made


def log_probabilities(model: Any, passes: Sequence[Mapping[str, "Tensor"]]) -> "Tensor":
    """Give the log-probability of the answer of each row, summed over its tokens.

    Args:
        model: of transformers, wrapped or not.
        passes: of `collated`.

    Returns:
        (rows,) float32.
    """
    joined: Tensor = require("torch").cat([_of_pass(model, each) for each in passes])
    return joined


def n_tokens(passes: Sequence[Mapping[str, "Tensor"]]) -> "Tensor":
    """Count the tokens of the answer of each row: (rows,)."""
    counts: Tensor = require("torch").cat([each[_ANSWERS].sum(dim=1) for each in passes])
    return counts


def _of_pass(model: Any, given: Mapping[str, "Tensor"]) -> "Tensor":
    torch, kept = require("torch"), given[_KEPT]
    inputs = {name: each for name, each in given.items() if name not in (_ANSWERS, _KEPT)}
    base, few = _unwrapped(model), {}
    if "logits_to_keep" in inspect.signature(base.forward).parameters:
        few = {"logits_to_keep": kept}
    for name, each in inputs.items():
        if each.is_floating_point():
            inputs[name] = each.to(base.dtype)
    logits = model(**inputs, **few, use_cache=False).logits.float()
    logits = logits if few else logits[:, kept]
    wanted = given["input_ids"][:, kept + 1, None]
    told = logits.log_softmax(-1).gather(-1, wanted)[..., 0]
    sums: Tensor = torch.where(given[_ANSWERS][:, kept + 1], told, 0).sum(dim=1)
    return sums


def _unwrapped(model: Any) -> Any:
    """Give the model of transformers below those that spread it or put adapters onto it."""
    model = getattr(model, "module", model)
    return getattr(model, "get_base_model", lambda: model)()


def _pictures(rows: Sequence[Row], config: Any) -> dict[str, "Tensor"]:
    tiles = [tile for row in rows for tile in row.reading.tiles]
    return picture_inputs(tiles, config) or dict(rows[0].reading.pictures)


def _positions(rows: Sequence[Row], n: int) -> Any:
    first = rows[0].reading.positions
    axes = 1 if first is None else len(first)
    places = np.zeros((axes, len(rows), n), dtype=np.int64)
    for at, row in enumerate(rows):
        if row.reading.positions is not None:
            places[:, at, : len(row.reading)] = row.reading.positions
    return places[0] if axes == 1 else places
