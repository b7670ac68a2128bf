"""What a model reads of one prompt: tokens, their positions, and the pictures among them."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require

# Whose prompts can be read together, or in two goes: their attention looks back only (or, for
# gemma3, within a picture), and their pictures can be told apart.
_WITH_PICTURES = frozenset({
    "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "gemma3", "llava", "idefics3", "smolvlm",
})  # fmt: skip
_OF_TEXT = frozenset({
    "gemma2", "gemma3_text", "llama", "mistral", "phi3", "qwen2", "qwen3", "qwen3_moe",
})  # fmt: skip
_STACKED = frozenset({"idefics3", "smolvlm"})
# Numbers of a picture that are looked at first.
_COMPARED = 64
_KEYS = frozenset({"pixel_values", "image_grid_thw", "pixel_attention_mask"})

Tensor = Any


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture, or the part of one, that stands for a run of picture tokens.

    Attributes:
        n_tokens: how many of them.
        tensors: what the model takes of it, one or more rows each.
    """

    n_tokens: int
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Reading:
    """One prompt, or a stretch of it, ready to be read.

    Attributes:
        ids: (n,) tokens.
        positions: (1 or 3, n); None where the model finds them itself.
        tiles: the pictures among the tokens, in order.
        pictures: what the model takes of all pictures at once, where they cannot be told apart.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64] | None
    tiles: tuple[Tile, ...]
    pictures: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.ids)


def readable(
    model: Any,
    ids: Sequence[int] | NDArray[np.int64],
    pictures: Mapping[str, Tensor],
    token_types: Mapping[str, Tensor] | None = None,
) -> Reading:
    """Make a prompt ready to be read.

    Args:
        model: of transformers, without an adapter's wrapper.
        ids: (n,) tokens.
        pictures: what the processor made of the pictures of this prompt alone.
        token_types: (n,) each, what else it says of tokens; for models that are not known here.
    """
    tokens = np.asarray(ids, dtype=np.int64)
    tiles = _tiles(model.config, tokens, pictures)
    if tiles is None:
        types = {name: each[None] for name, each in (token_types or {}).items()}
        return Reading(tokens, None, (), {**pictures, **types})
    positions = _positions(model, tokens, pictures)
    return Reading(tokens, positions, tiles, {})


def image_token(config: Any) -> int | None:
    """Give the token that stands for a patch of a picture."""
    found = getattr(config, "image_token_id", None)
    return getattr(config, "image_token_index", None) if found is None else found


def keyed(readings: Sequence[Reading], config: Any) -> list[NDArray[np.int64]]:
    """Number what prompts say and show, to find out where they do alike.

    Returns:
        (n,) of each prompt: its tokens, but for those of pictures, which have a negative number
        for each different picture.
    """
    known: dict[bytes, list[tuple[int, Tile]]] = {}
    keys = []
    for reading in readings:
        shown = [
            number for tile in reading.tiles for number in [_number(tile, known)] * tile.n_tokens
        ]
        key = reading.ids.copy()
        if shown:
            key[reading.ids == image_token(config)] = shown
        keys.append(key)
    return keys


def divided(reading: Reading, n: int, config: Any) -> tuple[Reading, Reading]:
    """Divide a prompt into what is read first and the rest.

    Args:
        n: of the tokens read first, no picture across it (see `whole`).
    """
    shown = int((reading.ids[:n] == image_token(config)).sum())
    counts = np.cumsum([0, *(tile.n_tokens for tile in reading.tiles)])
    k = int(np.searchsorted(counts, shown))
    places = reading.positions
    before, behind = (None, None) if places is None else (places[:, :n], places[:, n:])
    first = Reading(reading.ids[:n], before, reading.tiles[:k], {})
    rest = Reading(reading.ids[n:], behind, reading.tiles[k:], {})
    return first, rest


def whole(reading: Reading, n: int, config: Any) -> int:
    """Lower a number of tokens until no picture stands across it."""
    at = np.flatnonzero(reading.ids == image_token(config))
    shown = int((at < n).sum())
    counts = np.cumsum([0, *(tile.n_tokens for tile in reading.tiles)])
    begun = int(np.searchsorted(counts, shown, side="right")) - 1
    return n if counts[begun] == shown else int(at[counts[begun]])


def picture_inputs(tiles: Sequence[Tile], config: Any) -> dict[str, Tensor]:
    """Put tiles together as the model takes them, in order; empty without any."""
    if not tiles:
        return {}
    torch = require("torch")
    joined = {}
    for name in tiles[0].tensors:
        several = [tile.tensors[name] for tile in tiles]
        if config.model_type in _STACKED:
            several = _one_size(torch, several)
        rows = torch.cat(several)
        # The models count pictures by rows, but take them all in one row as well.
        joined[name] = rows[None] if config.model_type in _STACKED else rows
    return joined


def _tiles(
    config: Any, ids: NDArray[np.int64], pictures: Mapping[str, Tensor]
) -> tuple[Tile, ...] | None:
    """Tell the pictures apart; None where that cannot be done for sure."""
    family = config.model_type
    n = int((ids == image_token(config)).sum())
    if family in _OF_TEXT and not pictures:
        return ()
    if family not in _WITH_PICTURES or not set(pictures) <= _KEYS:
        return None
    if not pictures:
        return () if n == 0 else None
    if family in _STACKED:
        pictures = {name: rows[0] for name, rows in pictures.items()}
    if "image_grid_thw" in pictures:
        return _tiles_of_grids(config, n, pictures)
    k = len(pictures["pixel_values"])
    if k == 0 or n % k:
        return None
    return tuple(
        Tile(n // k, {name: rows[i : i + 1] for name, rows in pictures.items()}) for i in range(k)
    )


def _tiles_of_grids(config: Any, n: int, pictures: Mapping[str, Tensor]) -> tuple[Tile, ...] | None:
    grids = pictures["image_grid_thw"]
    merged = config.vision_config.spatial_merge_size**2
    tiles, start = [], 0
    for i, grid in enumerate(grids.tolist()):
        end = start + prod(grid)
        rows = {
            "pixel_values": pictures["pixel_values"][start:end],
            "image_grid_thw": grids[i : i + 1],
        }
        tiles.append(Tile(prod(grid) // merged, rows))
        start = end
    fits = start == len(pictures["pixel_values"]) and n == sum(tile.n_tokens for tile in tiles)
    return tuple(tiles) if fits else None


def _number(tile: Tile, known: dict[bytes, list[tuple[int, Tile]]]) -> int:
    """Give a picture the number of the one that it equals, or else the next below."""
    torch = require("torch")
    values = tile.tensors["pixel_values"].flatten()
    # Few pictures agree in a few numbers, and those that do are compared whole.
    some = values[:: max(1, len(values) // _COMPARED)].float().numpy().tobytes()
    alike = known.setdefault(some, [])
    for number, other in alike:
        pairs = ((rows, other.tensors[name]) for name, rows in tile.tensors.items())
        if all(torch.equal(one, two) for one, two in pairs):
            return number
    number = -1 - sum(map(len, known.values()))
    alike.append((number, tile))
    return number


def _positions(
    model: Any, ids: NDArray[np.int64], pictures: Mapping[str, Tensor]
) -> NDArray[np.int64]:
    """Give the positions of tokens: three numbers each where the model has rows and columns."""
    find = getattr(getattr(model, "model", None), "get_rope_index", None)
    counted = np.arange(len(ids), dtype=np.int64)[None]
    if find is None:
        return counted
    if "image_grid_thw" not in pictures:
        return np.repeat(counted, 3, axis=0)
    torch = require("torch")
    rows = torch.from_numpy(ids)[None]
    inputs = {"image_grid_thw": pictures["image_grid_thw"].cpu()}
    if "mm_token_type_ids" in inspect.signature(find).parameters:
        inputs["mm_token_type_ids"] = (rows == image_token(model.config)).int()
    placed, _ = find(rows, **inputs)
    found: NDArray[np.int64] = placed[:, 0].numpy().astype(np.int64)
    return found


def _one_size(torch: Any, several: Sequence[Tensor]) -> list[Tensor]:
    """Pad pictures, or masks of them, with zeros to the largest height and width."""
    height, width = (max(each.shape[axis] for each in several) for axis in (-2, -1))
    pad = torch.nn.functional.pad
    return [pad(each, (0, width - each.shape[-1], 0, height - each.shape[-2])) for each in several]
