"""Heavy libraries, imported where they are used and named when they are missing."""

import importlib
import sys
from types import ModuleType
from typing import Any

from medrag.errors import MissingExtraError

# `Any`, not ModuleType: the caller reads attributes of a library that mypy has not seen imported.
Library = Any

# PyMuPDF 2 imports a layout model and a Markdown writer with the ONNX runtime: most of its import
# time, and a model that would decide where tables are. It goes on without them where they are
# missing, and a module that is None in sys.modules counts as missing.
_UNWANTED = {"pymupdf": ("pymupdf.layout", "pymupdf4llm")}


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
    if module in sys.modules:
        return importlib.import_module(module)
    unwanted = [name for name in _UNWANTED.get(module, ()) if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unwanted))  # type: ignore[arg-type]
    try:
        return importlib.import_module(module)
    finally:
        for name in unwanted:
            del sys.modules[name]
