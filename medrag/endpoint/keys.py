"""The keys of servers, which stand in environment variables and in no message."""

import os
import re

from medrag.errors import RecipeError

# How a user names the variable of the key.
NAMED = "(key_variable in a recipe, --key-variable of a command)"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_key(variable: str, url: str) -> str:
    """Read the key of a server from an environment variable.

    Args:
        url: of the server, as a message shows it.

    Raises:
        RecipeError: if the variable is empty, holds what no header takes, or has a name that none
            has.
    """
    if not _VARIABLE.fullmatch(variable):
        # Not shown: it may be the key itself.
        raise RecipeError(
            f"the environment variable with the key of {url} has a name that no variable has; give "
            "the name of the variable, not the key"
        )
    key = os.environ.get(variable, "").strip()
    if not key:
        raise RecipeError(
            f"the environment variable {variable} is empty; put the key of {url} into it, or name "
            f"no variable if the server needs no key {NAMED}"
        )
    if not key.isascii() or not key.isprintable():
        # Python's own error would show the key.
        raise RecipeError(
            f"the environment variable {variable} holds characters that no key has (a line break, "
            "say); set it to the key alone"
        )
    return key
