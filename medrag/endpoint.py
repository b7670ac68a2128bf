"""Post JSON to one address of a server: patient with a busy one, careful with keys."""

import email.utils
import io
import json
import logging
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit, urlunsplit

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
        RecipeError: if the address is none, holds a password, or is plain http to another machine.
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
            held = self.key_variable or "an environment variable, and name it as key_variable"
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
        except ValueError:
            pass  # Not JSON: told as it is.
        return " ".join(self._without_key(text).split())[:_TOLD]

    def _without_key(self, text: str) -> str:
        key = os.environ.get(self.key_variable or "", "").strip()
        return text.replace(key, "[key]") if key else text


def read_key(variable: str, url: str) -> str:
    """Read the key of a server from an environment variable.

    Args:
        url: of the server, as a message shows it.

    Raises:
        RecipeError: if the variable is empty, or holds what no header takes.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise RecipeError(
            f"the environment variable {variable} is empty; put the key of {url} into it, or say "
            "key_variable: null for a server without keys"
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
    """
    parts = urlsplit(url)
    found = parts.path.rstrip("/")
    if not found.endswith(f"/{path}"):
        found += f"/{path}" if found.endswith("/v1") else f"/v1/{path}"
    return urlunsplit(parts._replace(path=found))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: the key and the passages are for one server only."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


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
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RecipeError(f"{url!r} is no address of a server; expected http(s)://HOST[:PORT]/...")
    if parts.username is not None or parts.password is not None:
        raise RecipeError(
            f"the address of {parts.hostname} holds a password; put it into an environment "
            "variable and name that as key_variable"
        )
    if parts.scheme == "http" and not (allow_http or is_this_machine(parts.hostname)):
        raise RecipeError(
            f"{url} is not encrypted, and {parts.hostname} is another machine: all on the way "
            "could read what is sent; use https, or say allow_http: true in a network you trust"
        )
    return urlunsplit(parts._replace(fragment=""))


def _retry_after(said: str | None) -> float | None:
    """Read seconds, or a date, as HTTP writes them; None where it says neither."""
    if not said:
        return None
    try:
        return max(float(said), 0.0)
    except ValueError:
        pass  # A date, then.
    try:
        return max(email.utils.parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None
