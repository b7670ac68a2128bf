"""What a model remembers of the tokens it has read: keys and values, with room to go on."""

import copy
from functools import cache
from typing import Any

from medrag.extras import require

# Room for so many tokens is made at a time, or for an eighth of those that are there.
_LEAST_ROOM = 64


def new_cache(config: Any) -> Any:
    """Make an empty cache for a model of transformers."""
    made = require("transformers").DynamicCache(config=config)
    plain = require("transformers.cache_utils").DynamicLayer
    made.layers = [_roomy()() if type(layer) is plain else layer for layer in made.layers]
    return made


def copied(held: Any) -> Any:
    """Copy a cache as far as going on with one of the two would change the other.

    Keys and values are never written to, only followed; running sums of a layer are.
    """
    again = copy.copy(held)
    again.layers = [
        copy.deepcopy(layer) if hasattr(layer, "recurrent_states") else copy.copy(layer)
        for layer in held.layers
    ]
    for layer in again.layers:
        if hasattr(layer, "room"):
            layer.room = None
    return again


@cache
def _roomy() -> Any:
    """Make the class of a layer that writes behind what it holds.

    The layer of transformers copies all keys and values at each token: as much traffic again as
    attention itself causes.
    """
    torch = require("torch")
    plain: Any = require("transformers.cache_utils").DynamicLayer

    class RoomyLayer(plain):  # type: ignore[misc]
        keys: Any
        values: Any
        room: tuple[Any, Any] | None = None

        def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            if not self.is_initialized:
                held: tuple[Any, Any] = super().update(keys, values)
                return held
            n, added = self.get_seq_length(), keys.shape[-2]
            if self.room is None or self.room[0].shape[-2] < n + added:
                self.room = (self._more(self.keys, keys, n), self._more(self.values, values, n))
            for room, new in zip(self.room, (keys, values), strict=True):
                room[..., n : n + added, :] = new
            self.keys, self.values = (room[..., : n + added, :] for room in self.room)
            return self.keys, self.values

        @staticmethod
        def _more(held: Any, new: Any, n: int) -> Any:
            size = n + new.shape[-2]
            shape = (*new.shape[:-2], size + max(_LEAST_ROOM, size // 8), new.shape[-1])
            room = torch.empty(shape, dtype=new.dtype, device=new.device)
            if n:
                room[..., :n, :] = held
            return room

    return RoomyLayer
