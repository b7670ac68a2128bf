"""Run a model over tokens, and on from what it has read; its cache stands for what it has read."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from medrag.extras import require
from medrag.generation.local.cache import copied, new_cache
from medrag.generation.local.readings import Reading, Tensor, image_token, picture_inputs


@dataclass(slots=True)
class State:
    """What a model has read of several rows.

    Attributes:
        cache: of transformers.
        seen: (rows, slots) bool, False where a slot of the cache holds padding.
        kinds: (rows, slots) 1 where a slot holds part of a picture; None where nobody asks.
        reached: (rows,) the position that comes next; None where the model finds it itself.
        logits: (rows, vocabulary) of the token that comes next.
        padded: whether any slot holds padding.
    """

    cache: Any
    seen: Tensor
    kinds: Tensor | None
    reached: Tensor | None
    logits: Tensor
    padded: bool = False

    @property
    def n_rows(self) -> int:
        return int(self.seen.shape[0])

    @property
    def n_slots(self) -> int:
        return int(self.seen.shape[1])


class Runner:
    """Read prompts, row by row of a batch, and go on token by token.

    Rows of unequal length are padded at their left: in the cache before them, or between what all
    rows share and what they do not. The positions say what stands where, so that padding moves
    nothing; only a layer that looks back over a window of slots would count padding. Rows of such
    a model are read in rows of equal length and put together afterwards.

    Args:
        model: of transformers, with a language head.
    """

    def __init__(self, model: Any) -> None:
        self.model = getattr(model, "get_base_model", lambda: model)()
        self.config = self.model.config
        accepted = inspect.signature(self.model.forward).parameters
        self._cache_name = "cache" if "cache" in accepted else "past_key_values"
        self._few_logits = "logits_to_keep" in accepted
        self._kinds_name = "token_type_ids" if self.config.model_type == "gemma3" else None
        unused = {0, 1} - {image_token(self.config)}
        self._padding = min(unused)

    @cached_property
    def window(self) -> int | None:
        """The fewest slots that a layer looks back over; None where all look at everything."""
        layers = getattr(new_cache(self.config), "layers", [])
        found = [each.sliding_window for each in layers if getattr(each, "is_sliding", False)]
        return min(found, default=None)

    def read(self, readings: Sequence[Reading], before: State | None = None) -> State:
        """Read rows, after what they share.

        Args:
            readings: one for each row.
            before: what was read already, of one row that all go on from, or of as many rows; it
                stays as it is.
        """
        torch = require("torch")
        n = max(len(reading) for reading in readings)
        if before is not None and self._cuts(readings):
            return self._one_length_at_a_time(readings, before)
        ids = np.full((len(readings), n), self._padding, dtype=np.int64)
        seen = np.zeros(ids.shape, dtype=bool)
        placed = readings[0].positions
        axes = 0 if placed is None else len(placed)
        positions = np.zeros((axes, *ids.shape), dtype=np.int64)
        for row, reading in enumerate(readings):
            ids[row, n - len(reading) :], seen[row, n - len(reading) :] = reading.ids, True
            if reading.positions is not None:
                positions[:, row, n - len(reading) :] = reading.positions
        tiles = [tile for reading in readings for tile in reading.tiles]
        pictures = picture_inputs(tiles, self.config) or dict(readings[0].pictures)
        state = self._beginning(before, len(readings))
        state.padded |= any(len(reading) < n for reading in readings)
        reached = None if placed is None else positions.max(axis=(0, 2)) + 1
        state.reached = None if reached is None else torch.from_numpy(reached).to(self._device)
        self._forward(
            state, torch.from_numpy(ids), torch.from_numpy(seen),
            torch.from_numpy(positions) if axes else None, pictures,
        )  # fmt: skip
        return state

    def step(self, state: State, tokens: Tensor) -> None:
        """Read one more token of each row; changes the state."""
        torch = require("torch")
        seen = torch.ones((state.n_rows, 1), dtype=torch.bool, device=self._device)
        positions = None
        if state.reached is not None:
            positions = state.reached.expand(self._axes, -1)[..., None]
            state.reached = state.reached + 1
        self._forward(state, tokens[:, None], seen, positions, {})

    def follow(self, state: State, ids: Tensor) -> Tensor:
        """Give the logits after each of some tokens that follow what was read.

        Args:
            state: of as many rows; is used up.
            ids: (rows, n); what follows the end of a row may be anything.

        Returns:
            (rows, n, vocabulary).
        """
        torch = require("torch")
        positions = None
        if state.reached is not None:
            steps = torch.arange(ids.shape[1], device=self._device)
            positions = (state.reached[:, None] + steps).expand(self._axes, -1, -1)
        seen = torch.ones(ids.shape, dtype=torch.bool, device=self._device)
        return self._forward(state, ids, seen, positions, {}, keep=0)

    def selected(self, state: State, rows: Sequence[int]) -> State:
        """Give some rows of a state, each as often as it is named; the state stays as it is."""
        torch = require("torch")
        places = torch.tensor(rows, device=self._device)
        cache = copied(state.cache)
        for layer in cache.layers:
            # A model may be spread over devices.
            there = places.to(getattr(layer, "device", places.device))
            if hasattr(layer, "batch_select_indices"):
                layer.batch_select_indices(there)
            else:
                layer.reorder_cache(there)
        return State(
            cache,
            state.seen[places],
            None if state.kinds is None else state.kinds[places],
            None if state.reached is None else state.reached[places],
            state.logits[places],
            state.padded,
        )

    def _cuts(self, readings: Sequence[Reading]) -> bool:
        """Tell whether padding would stand within a window."""
        unequal = len({len(reading) for reading in readings}) > 1
        return unequal and self.window is not None

    def _one_length_at_a_time(self, readings: Sequence[Reading], before: State) -> State:
        lengths = sorted({len(reading) for reading in readings})
        states, order = [], []
        for length in lengths:
            rows = [row for row, each in enumerate(readings) if len(each) == length]
            after = before if before.n_rows == 1 else self.selected(before, rows)
            states.append(self.read([readings[row] for row in rows], after))
            order += rows
        joined = _joined(states)
        return self.selected(joined, [order.index(row) for row in range(len(order))])

    def _beginning(self, before: State | None, n_rows: int) -> State:
        torch = require("torch")
        if before is None:
            none = torch.zeros((n_rows, 0), dtype=torch.bool, device=self._device)
            kinds = none.long() if self._kinds_name else None
            return State(new_cache(self.config), none, kinds, None, none)
        cache = copied(before.cache)
        if before.n_rows != n_rows:
            for layer in cache.layers:
                # A view: the next token copies it anyway.
                layer.keys = layer.keys.expand(n_rows, -1, -1, -1)
                layer.values = layer.values.expand(n_rows, -1, -1, -1)
        kinds = None if before.kinds is None else before.kinds.expand(n_rows, -1)
        return State(
            cache, before.seen.expand(n_rows, -1), kinds, None, before.logits, before.padded
        )

    def _forward(
        self,
        state: State,
        ids: Tensor,
        seen: Tensor,
        positions: Tensor | None,
        pictures: dict[str, Tensor],
        keep: int = 1,
    ) -> Tensor:
        torch = require("torch")
        device, ids = self._device, ids.to(self._device)
        state.seen = torch.cat((state.seen, seen.to(device)), dim=1)
        inputs: dict[str, Any] = {
            name: rows.to(device, self._dtype if rows.is_floating_point() else None)
            for name, rows in pictures.items()
        }
        if state.kinds is not None:
            shown = (ids == image_token(self.config)) & (len(pictures) > 0)
            state.kinds = torch.cat((state.kinds, shown.long()), dim=1)
            if pictures:
                inputs[str(self._kinds_name)] = state.kinds
        if positions is not None:
            inputs["position_ids"] = positions[0] if len(positions) == 1 else positions
            inputs["position_ids"] = inputs["position_ids"].to(device)
        if self._few_logits:
            inputs["logits_to_keep"] = keep
        # Without a mask, attention need not look for padding at every step.
        if state.padded or positions is None:
            inputs["attention_mask"] = state.seen.long()
        inputs[self._cache_name] = state.cache
        with torch.inference_mode():
            logits = self.model(input_ids=ids, use_cache=True, **inputs).logits
        state.logits = logits[:, -1]
        return logits

    @cached_property
    def _axes(self) -> int:
        return 3 if hasattr(getattr(self.model, "model", None), "get_rope_index") else 1

    @cached_property
    def _device(self) -> Any:
        return self.model.device

    @cached_property
    def _dtype(self) -> Any:
        return self.model.dtype


def _joined(states: Sequence[State]) -> State:
    """Put states one below the other; shorter ones are padded at their left."""
    torch = require("torch")
    pad = torch.nn.functional.pad
    n = max(state.n_slots for state in states)
    longest = max(states, key=lambda state: state.n_slots)
    cache = copied(longest.cache)
    for place, layer in enumerate(cache.layers):
        several = [state.cache.layers[place] for state in states]
        slots = max(each.keys.shape[-2] for each in several)
        for name in ("keys", "values"):
            rows = [getattr(each, name) for each in several]
            padded = [pad(each, (0, 0, slots - each.shape[-2], 0)) for each in rows]
            setattr(layer, name, torch.cat(padded))
    kinds = [state.kinds for state in states if state.kinds is not None]
    return State(
        cache,
        torch.cat([pad(state.seen, (n - state.n_slots, 0)) for state in states]),
        torch.cat([pad(each, (n - each.shape[1], 0)) for each in kinds]) if kinds else None,
        None if longest.reached is None else torch.cat([state.reached for state in states]),
        torch.cat([state.logits for state in states]),
        padded=len(states) > 1 or longest.padded,
    )
