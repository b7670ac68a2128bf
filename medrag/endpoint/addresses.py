"""Addresses of servers: divided, completed, and refused where they are not safe."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from medrag.endpoint.keys import NAMED
from medrag.errors import RecipeError
from medrag.hosts import is_this_machine

# Of an address; the rest is seldom for people.
_TOLD = 300
# A machine and its port. Labels of a name are not longer than the net allows; a name such as "a..b"
# breaks Python's resolver.
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?"
    r"|\[(?P<address>[0-9A-Fa-f:.]+)(?:%25[A-Za-z0-9._-]+)?\])(?::[0-9]*)?"
)


def completed(url: str, path: str) -> str:
    """Complete the address of an OpenAI-compatible server to that of one service.

    Args:
        url: with or without the "/v1", or the whole address already.
        path: of the service below it, such as "embeddings" or "chat/completions".

    Raises:
        RecipeError: if the address is malformed.
    """
    parts = _parts(url)
    found = parts.path.rstrip("/")
    if not found.endswith(f"/{path}"):
        found += f"/{path}" if found.endswith("/v1") else f"/v1/{path}"
    return urlunsplit(parts._replace(path=found))


def checked(url: str, *, allow_http: bool) -> str:
    """Give an address without its fragment.

    Raises:
        RecipeError: if it is malformed, holds a password, or is plain http to another machine.
    """
    parts = _parts(url)
    if parts.username is not None or parts.password is not None:
        raise RecipeError(
            f"the address of {parts.hostname} holds a password; put it into an environment "
            f"variable and name that {NAMED}"
        )
    if parts.scheme == "http" and not (allow_http or is_this_machine(parts.hostname)):
        raise RecipeError(
            f"{_shown(url)} is not encrypted, and {parts.hostname} is another machine: all on the "
            "way could read what is sent; use https, or in a network you trust allow it where you "
            "named the server (allow_http in a recipe)"
        )
    return urlunsplit(parts._replace(fragment=""))


def _parts(url: str) -> SplitResult:
    """Divide the address of a server.

    Raises:
        RecipeError: if it is malformed.
    """
    # Of the text as it came: line breaks and blanks at its ends are dropped in silence later.
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise _malformed(url, "it holds blanks, control characters or letters beyond ASCII")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _malformed(url, "the brackets of its host are wrong") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _malformed(url, "it does not begin with http(s)://HOST")
    # Python's own messages are not told: where slashes are wrong, they hold pieces of a password.
    if not _is_port(parts):
        raise _malformed(url, "its port is no number from 1 to 65535")
    if not _is_host(parts):
        raise _malformed(url, "no machine has such a name")
    return parts


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_host(parts: SplitResult) -> bool:
    found = _HOST.fullmatch(parts.netloc.rpartition("@")[2])
    if found is None or found.group("address") is None:
        return found is not None
    try:
        return ipaddress.ip_address(found.group("address")).version == 6
    except ValueError:
        return False


def _malformed(url: str, problem: str) -> RecipeError:
    return RecipeError(
        f"{_shown(url)!r} is no address of a server: {problem}; expected http(s)://HOST[:PORT]/..."
    )


def _shown(url: str) -> str:
    """Give an address for a message, without a query and without what may be a password."""
    if "@" in url:
        return "...@..."
    bare = url.partition("?")[0].partition("#")[0]
    return bare if len(bare) <= _TOLD else f"{bare[:_TOLD]}..."
