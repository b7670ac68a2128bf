"""What an index may not do merely because somebody opens it: run code, talk to other machines."""

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from medrag.config.place import Place
from medrag.hosts import is_this_machine

TRUST_VARIABLE = "MEDRAG_TRUST_REMOTE_CODE"
# Hosts that questions may be sent to, separated by commas; this machine always may.
HOSTS_VARIABLE = "MEDRAG_ALLOW_HOSTS"


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


def refuse_foreign_hosts(spec: Mapping[str, Any], place: Place, *, what: str = "questions") -> None:
    """Refuse a channel that sends something to another machine, unless this user has allowed it.

    Args:
        what: would be sent.

    Raises:
        RecipeError: if the encoder or the store has a `url` of a host that is neither this machine
            nor among those of the environment.
    """
    allowed = {h.strip() for h in os.environ.get(HOSTS_VARIABLE, "").split(",")}
    for part in ("encoder", "store"):
        for url in _urls(spec.get(part)):
            host = _host(url)
            if not host or not (is_this_machine(host) or host in allowed):
                raise place.at(part).error(
                    f"{what} would be sent to {host or url!r}; if you trust it: "
                    f"export {HOSTS_VARIABLE}={host or 'HOST'}"
                )


def refuse_foreign(channels: Mapping[str, Mapping[str, Any]], folder: str) -> None:
    """Refuse to keep up what an index says, and not this user: it may come from someone else.

    Whoever looks after an index sends its passages to its stores, with the user's key for them; who
    adds to it, also to its encoders.

    Args:
        channels: specification of each, without what the user said; without encoders where nothing
            is encoded.

    Raises:
        RecipeError: if one would run code of its own, or send passages to another machine, and the
            environment does not allow it.
    """
    for name, spec in channels.items():
        place = Place(folder, ("channels", name))
        refuse_foreign_code(spec, place)
        refuse_foreign_hosts(spec, place, what="passages")


def _urls(part: Any) -> Iterator[str]:
    """Find the `url` of a component, and of those nested in it."""
    if isinstance(part, Mapping):
        if part.get("url"):
            yield str(part["url"])
        for each in part.values():
            yield from _urls(each)


def _host(url: str) -> str | None:
    """Give the host of an address that can be read in one way only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return None if "\\" in url or "@" in parts.netloc else parts.hostname
