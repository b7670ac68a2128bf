"""Which weights of two towers are trained, by their names."""

import re
from collections.abc import Collection

# A block of a transformer, or a stage of a convolutional network, by its number.
_BLOCK = re.compile(r"^(?P<tower>.*?)\b(?:resblocks|blocks|layers|layer|stages)\.(?P<n>\d+)\.")
_STAGE = re.compile(r"^(?P<tower>.*?)\blayer(?P<n>\d+)\.")
# What stands before the first block.
_BEFORE = re.compile(
    r"embed|pos_|(?:^|\.)(?:visual\.)?(?:conv\d|bn\d|ln_pre|pre_layrnorm|stem)\b|class_embedding"
)


def trained_names(names: Collection[str], layers: int | None) -> set[str]:
    """Choose the last blocks of each tower, and what stands behind them.

    Embeddings and earlier blocks are left as they are; norms behind the last block, projections
    and the temperature are trained.

    Args:
        names: of the weights, such as "visual.transformer.resblocks.11.ln_1.weight".
        layers: blocks (of a ResNet stages) of each tower; None for all weights.

    Raises:
        ValueError: if no block is found, or there are fewer than `layers` in a tower.
    """
    if layers is None:
        return set(names)
    places = {name: found for name in names if (found := _block(name))}
    depths: dict[str, int] = {}
    first: dict[str, int] = {}
    for tower, number in places.values():
        depths[tower] = max(depths.get(tower, 0), number)
        first[tower] = min(first.get(tower, number), number)
    if not depths:
        raise ValueError("the towers have no numbered blocks; leave out layers to train them whole")
    lowest = {tower: depth + 1 - layers for tower, depth in depths.items()}
    if short := [tower for tower in depths if lowest[tower] < first[tower]]:
        n = depths[short[0]] - first[short[0]] + 1
        raise ValueError(f"layers is {layers}, but the tower {short[0]!r} has {n} blocks")
    late = {name for name, place in places.items() if place[1] >= lowest[place[0]]}
    return late | {name for name in names if name not in places and not _BEFORE.search(name)}


def _block(name: str) -> tuple[str, int] | None:
    found = _STAGE.match(name) or _BLOCK.match(name)
    return (found["tower"], int(found["n"])) if found else None
