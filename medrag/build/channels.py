"""Channels of an index: which a build may make."""

import re
from collections.abc import Mapping
from pathlib import Path

from medrag.build.plan import ChannelPlan
from medrag.errors import RecipeError
from medrag.indexing.manifest import ChannelEntry

KINDS = ("lexical", "dense", "sparse", "graph")
ENCODED = ("dense", "sparse")
_NAME = re.compile("[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*")


def check_channels(
    held: Mapping[str, ChannelEntry], asked: Mapping[str, ChannelPlan], folder: Path
) -> None:
    """Refuse channels that cannot be built, or that contradict those of the index.

    Raises:
        RecipeError: if so; says which and why.
    """
    for name, plan in asked.items():
        kind = plan.spec.get("kind")
        if not _NAME.fullmatch(name):
            raise RecipeError(f"a channel's name is letters, digits, _ and -, got {name!r}")
        if kind not in KINDS:
            raise RecipeError(f"channel {name!r} has kind {kind!r}; expected one of {KINDS}")
        if (kind in ENCODED) != (plan.encoder is not None):
            raise RecipeError(
                f"channel {name!r} of kind {kind!r}: only those of {ENCODED} have an encoder"
            )
        if name in held and held[name].kind != kind:
            raise RecipeError(
                f"channel {name!r} of {folder} is of kind {held[name].kind!r}, not {kind!r}; "
                "give the new one another name"
            )
    for name, entry in held.items():
        if entry.has_vectors and name not in asked:
            raise RecipeError(
                f"{folder} has the channel {name!r}, which this build was not given; give it as "
                "well, so that new passages get their vectors"
            )
