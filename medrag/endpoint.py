"""Post JSON to one address of a server: patient with a busy one, careful with keys."""

import email.utils
import io
import ipaddress
import json
import logging
import math
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from medrag.errors import MedragError, RecipeError
from medrag.hosts import is_this_machine

_LOGGER = logging.getLogger(__name__)
# Worth another try: the server was busy, starting, or gone for a moment.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 60.0
# Of what a server says about an error; the rest is seldom for people.
_TOLD = 300
# A vector of 4,096 numbers is 100 kB of JSON; a batch of 64 of them 6 MB.
_LARGEST = 512 << 20
_INPUT_REFUSED = "it may be too long for the model"
# A machine and its port. Labels of a name are not longer than the net allows; a name such as "a..b"
# breaks Python's resolver.
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?"
    r"|\[(?P<address>[0-9A-Fa-f:.]+)(?:%25[A-Za-z0-9._-]+)?\])(?::[0-9]*)?"
)
# How a user names the variable of the key.
_NAMED = "(key_variable in a recipe, --key-variable of a command)"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A shorter key ("EMPTY", "none") stands in for one, and is a word that a reply may hold.
_LEAST_KEY = 8


class Endpoint:
    """One address that takes and gives JSON.

    Args:
        url: http or https. Without TLS only this machine is spoken to, unless `allow_http`:
            passages and pictures of patients would cross the network for all to read.
        key_variable: the environment variable that holds the server's key; None to send none. The
            key is read at each request and appears in no message.
        timeout: seconds for one request until its answer is there whole, however slowly it drips
            in; another try has as many again.
        tries: of one request that fails in passing (429, 5xx, no connection, no whole answer in
            time).
        wait: seconds before the second try, doubled each time; a `Retry-After` of the server goes
            first. The wait is at most 60 s.
        refused: the way out that a message tells where the server refuses the input itself.

    Raises:
        ValueError: if a number is out of range.
        RecipeError: if the address is malformed, holds a password, or is plain http to another
            machine.
    """

    def __init__(
        self,
        *,
        url: str,
        key_variable: str | None = None,
        timeout: float = 120.0,
        tries: int = 6,
        wait: float = 1.0,
        allow_http: bool = False,
        refused: str = _INPUT_REFUSED,
    ) -> None:
        if timeout <= 0 or wait < 0:
            raise ValueError(f"timeout must be positive, wait at least 0; got {timeout}, {wait}")
        if tries < 1:
            raise ValueError(f"tries must be at least 1, got {tries}")
        self.url = _checked(url, allow_http=allow_http)
        # In messages: a query may hold a token.
        self.shown = urlunsplit(urlsplit(self.url)._replace(query=""))
        self.key_variable = key_variable
        self.timeout = timeout
        self.tries = tries
        self.wait = wait
        self.refused = refused
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects(), _Timed()]
        if is_this_machine(urlsplit(self.url).hostname):
            # A proxy of the company would look for this machine on its own.
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def check_key(self) -> None:
        """Read the key and forget it, so that a missing one is told before anything is sent.

        Raises:
            RecipeError: if the key's variable is empty, or holds what no header takes.
        """
        if self.key_variable is not None:
            read_key(self.key_variable, self.shown)

    def without_key(self, text: str) -> str:
        """Write "[key]" for the key in what the server sent, before it is kept or shown.

        A key of fewer than 8 characters stays: it is no secret, and may be a word of the text.
        """
        return self._without_key(text) if len(self._key()) >= _LEAST_KEY else text

    def post(self, body: Mapping[str, Any]) -> Any:
        """Send a JSON object and give the JSON that comes back.

        Raises:
            RecipeError: if the key's variable is empty.
            MedragError: if the server refuses, or fails after the last try.
        """
        request = urllib.request.Request(  # noqa: S310 - `_checked` allows http and https only
            self.url, data=json.dumps(body).encode(), headers=self._headers(), method="POST"
        )
        tried = 0
        while True:
            tried += 1
            try:
                return self._sent(request)
            except urllib.error.HTTPError as error:
                told, after = self._told(error), _retry_after(error.headers.get("Retry-After"))
                passing = error.code in _PASSING and (after or 0) <= _LONGEST_WAIT
                if not passing or tried == self.tries:
                    raise MedragError(self._refused(error.code, told, after)) from None
                trouble = f"status {error.code}"
            except (OSError, HTTPException) as error:
                trouble, after = f"no answer ({self._reason(error)})", None
                if tried == self.tries:
                    raise MedragError(
                        f"{self.shown} gave {trouble} in {self.tries} tries; is the server "
                        "running, and is the address right? A slow one may need a larger timeout "
                        f"(now {self.timeout:g} s)"
                    ) from None
            seconds = after if after is not None else self.wait * 2 ** (tried - 1)
            seconds = min(seconds, _LONGEST_WAIT)
            _LOGGER.warning("%s: %s; trying again in %.3g s", self.shown, trouble, seconds)
            time.sleep(seconds)

    def _sent(self, request: urllib.request.Request) -> Any:
        with self._opener.open(request, timeout=self.timeout) as response:
            raw = response.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise MedragError(f"{self.shown} answered with more than {_LARGEST >> 20} MB; ask less")
        try:
            return json.loads(raw)
        # Brackets within brackets, thousands deep, exhaust the reader.
        except (ValueError, RecursionError) as error:
            raise MedragError(
                f"{self.shown} answered something else than JSON; is it the address of an "
                "OpenAI-compatible server?"
            ) from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key_variable is not None:
            key = read_key(self.key_variable, self.shown)
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _refused(self, status: int, told: str, after: float | None) -> str:
        says = f": {told}" if told else ""
        return f"{self.shown} answered with status {status}{says}; {self._way_out(status, after)}"

    def _way_out(self, status: int, after: float | None) -> str:
        if status in (401, 403):
            held = self.key_variable or f"an environment variable, and name it {_NAMED}"
            return f"put a valid key into {held}"
        if status == 404:
            return "check the address and the name of the model"
        if status in (400, 413, 422):
            return self.refused
        if 300 <= status < 400:
            return "it moved: give the new address"
        if after is not None and after > _LONGEST_WAIT:
            return f"it asks to wait {after:.0f} s: try again then"
        if status in _PASSING:
            return f"it did so in {self.tries} tries: try again later"
        return "its own log may say why"

    def _reason(self, error: OSError | HTTPException) -> str:
        return self._without_key(str(getattr(error, "reason", None) or error))

    def _told(self, error: urllib.error.HTTPError) -> str:
        try:
            text = error.read(1 << 16).decode("utf-8", "replace")
        except (OSError, HTTPException):
            return ""
        try:
            value = json.loads(text)
            found = value.get("error", value) if isinstance(value, dict) else value
            text = str(found.get("message", found) if isinstance(found, dict) else found)
        except (ValueError, RecursionError):
            pass  # Not JSON: told as it is.
        return " ".join(self._without_key(text).split())[:_TOLD]

    def _without_key(self, text: str) -> str:
        key = self._key()
        return text.replace(key, "[key]") if key else text

    def _key(self) -> str:
        return os.environ.get(self.key_variable or "", "").strip()


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
            "no variable if the server needs no key (key_variable in a recipe, --key-variable of a "
            "command)"
        )
    if not key.isascii() or not key.isprintable():
        # Python's own error would show the key.
        raise RecipeError(
            f"the environment variable {variable} holds characters that no key has (a line break, "
            "say); set it to the key alone"
        )
    return key


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


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: the key and the passages are for one server only."""

    def http_error_302(self, *_: Any, **__: Any) -> None:
        # Before the new address is read: it may be malformed.
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _Timed(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """A request ends when its time is over; a socket's own limit begins anew with every byte."""

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> HTTPResponse:
        ends = time.monotonic() + float(req.timeout or 0)

        def connection(*args: Any, **more: Any) -> Any:
            made = http_class(*args, **more)
            made.response_class = partial(_TimedResponse, ends=ends)
            return made

        return super().do_open(connection, req, **options)


class _TimedResponse(HTTPResponse):
    """An answer, its head included, that is read until a moment of the monotonic clock."""

    def __init__(self, sock: socket.socket, *args: Any, ends: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedBytes(sock, ends))


class _TimedBytes(io.RawIOBase):
    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _checked(url: str, *, allow_http: bool) -> str:
    parts = _parts(url)
    if parts.username is not None or parts.password is not None:
        raise RecipeError(
            f"the address of {parts.hostname} holds a password; put it into an environment "
            f"variable and name that {_NAMED}"
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


def _retry_after(said: str | None) -> float | None:
    """Read seconds, or a date, as HTTP writes them; None where it says neither."""
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        seconds = _until(said)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _until(date: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError, IndexError):
        return math.nan
