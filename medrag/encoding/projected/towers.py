"""The encoders under the heads, from what a folder says of them."""

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import Any

from medrag.checkpoints.numerics import Dtype
from medrag.errors import RecipeError
from medrag.protocols import Encoder

# Those that run on this machine, with no code of others. A folder may come from someone else, and
# what it says of its encoders is no recipe that a user has read.
_KINDS: Mapping[str, str] = {
    "clip": "medrag.encoding.clip:ClipEncoder",
    "descriptor": "medrag.encoding.descriptor:DescriptorEncoder",
    "image": "medrag.encoding.image:ImageEncoder",
    "sentence": "medrag.encoding.sentence:SentenceEncoder",
}
_REFUSED = frozenset({"trust_remote_code", "device", "dtype"})


def tower(told: Mapping[str, Any], *, device: str | None = None, dtype: Dtype = "auto") -> Encoder:
    """Make an encoder of a kind and its keywords, as a recipe would say them.

    Args:
        told: such as {"kind": "sentence", "model": "minilm"}.
        device, dtype: of encoders that have them.

    Raises:
        RecipeError: if it is no such encoder, or would run code that comes with a model.
    """
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RecipeError(
            f"expected an encoder of kind {', '.join(_KINDS)} under a head, got {kind!r}; pictures "
            "and texts are read by encoders of this machine"
        )
    module, _, name = _KINDS[kind].partition(":")
    made = getattr(import_module(module), name)
    known = signature(made).parameters
    options = {key: value for key, value in told.items() if key != "kind"}
    if strange := sorted(key for key in options if key not in known or key in _REFUSED):
        raise RecipeError(f"an encoder of kind {kind!r} under a head takes no {', '.join(strange)}")
    given = {"device": device, "dtype": dtype}
    options |= {key: value for key, value in given.items() if key in known}
    try:
        encoder: Encoder = made(**options)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"encoder {dict(told)}: {error}") from error
    return encoder
