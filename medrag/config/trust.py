"""What an index may not do merely because somebody opens it: run code, talk to other machines."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from medrag.config.place import Place

TRUST_VARIABLE = "MEDRAG_TRUST_REMOTE_CODE"
# Hosts that questions may be sent to, separated by commas; this machine always may.
HOSTS_VARIABLE = "MEDRAG_ALLOW_HOSTS"
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def refuse_foreign_code(spec: Mapping[str, Any], place: Place) -> None:
    """Refuse an encoder that runs code of its own, unless this user has allowed that.

    An index may come from someone else, and asks for its encoder when it is merely searched.

    Raises:
        RecipeError: if the specification says `trust_remote_code` and the environment does not.
    """
    encoder = _foreign_code(spec.get("encoder"))
    if encoder is None:
        return
    if os.environ.get(TRUST_VARIABLE) != "1":
        raise place.at("encoder").error(
            f"the encoder {encoder.get('model')!r} would run Python code that comes with the "
            f"model; if you trust it: export {TRUST_VARIABLE}=1"
        )


def _foreign_code(part: Any) -> Mapping[str, Any] | None:
    """Find an encoder, be it nested in another, that runs code of its own."""
    if not isinstance(part, Mapping):
        return None
    if part.get("trust_remote_code") is True:
        return part
    return next(filter(None, (_foreign_code(each) for each in part.values())), None)


def refuse_foreign_hosts(spec: Mapping[str, Any], place: Place) -> None:
    """Refuse a channel that sends questions to another machine, unless this user has allowed it.

    Raises:
        RecipeError: if the encoder or the store has a `url` of a host that is neither this machine
            nor among those of the environment.
    """
    allowed = _THIS_MACHINE | {h.strip() for h in os.environ.get(HOSTS_VARIABLE, "").split(",")}
    for part in ("encoder", "store"):
        url = _url(spec.get(part))
        host = urlsplit(url).hostname if url else None
        if url and host not in allowed:
            raise place.at(part).error(
                f"questions would be sent to {host or url!r}; if you trust it: "
                f"export {HOSTS_VARIABLE}={host or 'HOST'}"
            )


def _url(part: Any) -> str | None:
    """Find the `url` of a component, or of one nested in it."""
    if not isinstance(part, Mapping):
        return None
    nested = (_url(each) for each in part.values())
    return str(part["url"]) if part.get("url") else next(filter(None, nested), None)
