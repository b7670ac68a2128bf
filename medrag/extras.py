"""Heavy libraries, imported where they are used and named when they are missing."""

import importlib
import sys
from types import ModuleType
from typing import Any

from medrag.errors import MissingExtraError

# `Any`, not ModuleType: the caller reads attributes of a library that mypy has not seen imported.
Library = Any

# PyMuPDF 2 imports its layout model with the ONNX runtime: two thirds of its import time, and a
# model that would decide where tables are. A module that is None in sys.modules is not imported.
_UNWANTED = {"pymupdf": "pymupdf.layout"}


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
    unwanted = _UNWANTED.get(module)
    if unwanted is None or module in sys.modules or unwanted in sys.modules:
        return importlib.import_module(module)
    sys.modules[unwanted] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(module)
    finally:
        del sys.modules[unwanted]
