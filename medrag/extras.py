"""Heavy libraries, imported where they are used and named when they are missing."""

import importlib
from types import ModuleType
from typing import Any

from medrag.errors import MissingExtraError

# `Any`, not ModuleType: the caller reads attributes of a library that mypy has not seen imported.
Library = Any


def require(module: str, *, extra: str | None = None) -> Library:
    """Import a library now, or say what to install.

    Args:
        module: dotted name, as in an import statement.
        extra: the extra of medrag that installs it; None for a core dependency.

    Raises:
        MissingExtraError: if the library, or one that it needs, is not installed.
    """
    try:
        return _imported(module)
    except ImportError as error:
        wanted = f"medrag[{extra}]" if extra else "medrag"
        raise MissingExtraError(
            f"{module} cannot be imported ({error}); install it: pip install '{wanted}'"
        ) from error


def _imported(module: str) -> ModuleType:
    return importlib.import_module(module)
