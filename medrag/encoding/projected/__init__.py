"""Pictures put into a space of texts by a linear head that was trained on pairs."""

from medrag.encoding.projected.encoder import ProjectedEncoder
from medrag.encoding.projected.files import (
    Heads,
    Towers,
    read_heads,
    read_towers,
    write_projected,
)
from medrag.encoding.projected.towers import tower

__all__ = [
    "Heads",
    "ProjectedEncoder",
    "Towers",
    "read_heads",
    "read_towers",
    "tower",
    "write_projected",
]
