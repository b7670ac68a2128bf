"""Post JSON to one address of a server, and read JSON or a stream of events."""

import json
import logging
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPException, HTTPResponse
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from medrag.endpoint.addresses import checked
from medrag.endpoint.events import EventReader, pieces_of
from medrag.endpoint.failures import (
    UNDER_WAY,
    BrokenReplyError,
    RefusedError,
    UnansweredError,
    retry_after,
)
from medrag.endpoint.keys import NAMED, read_key
from medrag.endpoint.timed import NoRedirects, Timed, TimedResponse
from medrag.errors import MedragError
from medrag.hosts import is_this_machine

_LOGGER = logging.getLogger(__name__)
# Worth another try: the server was busy, starting, or gone for a moment. 524 and 529 are not of
# HTTP: a proxy that waited in vain, and a server with too much to do.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 524, 529})
_LONGEST_WAIT = 60.0
# More overflows what the system counts time in.
_LONGEST_TIME = 86_400.0
# Of what a server says about an error; the rest is seldom for people.
_TOLD = 300
# A vector of 4,096 numbers is 100 kB of JSON; a batch of 64 of them 6 MB.
_LARGEST = 512 << 20
# A token with its twenty likeliest others is 4 kB.
_LARGEST_EVENT = 4 << 20
_INPUT_REFUSED = "it may be too long for the model"
# A shorter key ("EMPTY", "none") stands in for one, and is a word that a reply may hold.
_LEAST_KEY = 8
_SAFE_TO_REPEAT = (ConnectionRefusedError, socket.gaierror)


class StreamReader(Protocol):
    """Takes the events of one answer as they come.

    Attributes:
        finished: whether what came is a whole answer. Some servers end without the "[DONE]" that
            says so.
    """

    @property
    def finished(self) -> bool: ...
    def add(self, event: Any) -> None:
        """Take the JSON of one event.

        Raises:
            BrokenReplyError: if it is none of an answer, so that all is asked for once more.
        """
        ...


_Reader = TypeVar("_Reader", bound=StreamReader)
_Taken = TypeVar("_Taken")


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
        stall: seconds that may pass without a byte once the first event of a stream has come.
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
        stall: float = 60.0,
        allow_http: bool = False,
        refused: str = _INPUT_REFUSED,
    ) -> None:
        for name, seconds in (("timeout", timeout), ("stall", stall)):
            if not 0 < seconds <= _LONGEST_TIME:  # false of NaN, too
                raise ValueError(f"{name} must be above 0 and a day at most, got {seconds}")
        if not 0 <= wait <= _LONGEST_TIME:
            raise ValueError(f"wait must be at least 0 and a day at most, got {wait}")
        if tries < 1:
            raise ValueError(f"tries must be at least 1, got {tries}")
        self.url = checked(url, allow_http=allow_http)
        # In messages: a query may hold a token.
        self.shown = urlunsplit(urlsplit(self.url)._replace(query=""))
        self.key_variable = key_variable
        self.timeout = timeout
        self.tries = tries
        self.wait = wait
        self.stall = stall
        self.refused = refused
        handlers: list[urllib.request.BaseHandler] = [NoRedirects(), Timed()]
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

    @property
    def secret(self) -> str:
        """The key where it is one that must not be told; "" else.

        A key of fewer than 8 characters is no secret, and may be a word of a text.
        """
        key = self._key()
        return key if len(key) >= _LEAST_KEY else ""

    def without_key(self, text: str) -> str:
        """Write "[key]" for the key in what the server sent, before it is kept or shown."""
        return self._without_key(text) if self.secret else text

    def post(self, body: Mapping[str, Any], *, again: Callable[[bool], None] | None = None) -> Any:
        """Send a JSON object and give the JSON that comes back.

        Args:
            again: told before every further try whether the last one may have been charged for:
                it was under way when it broke. What it raises ends the tries.

        Raises:
            RecipeError: if the key's variable is empty.
            RefusedError: if the server refuses, also after the last try.
            UnansweredError: if no whole answer comes in any try.
            MedragError: if the answer is no JSON, or too large.
        """
        return self._tried(body, "application/json", self._whole, again)

    def stream(
        self,
        body: Mapping[str, Any],
        reader: Callable[[], _Reader],
        *,
        again: Callable[[bool], None] | None = None,
    ) -> _Reader:
        """Send a JSON object and read the server-sent events that come back, as they come.

        A stream that breaks is asked for once more, whole: the connection ends early, nothing
        comes for `stall` seconds or all of it takes longer than `timeout`, an event is no JSON.
        It is whole with "[DONE]", or where it ends after the reader has finished. A server that
        cannot stream and answers with JSON gives a single event.

        Args:
            reader: makes one reader for each try. What its `add` raises, other than
                `BrokenReplyError`, ends the tries.
            again: as of `post`.

        Returns:
            The reader of the whole answer.

        Raises:
            MedragError: as of `post`.
        """

        def read(response: HTTPResponse) -> _Reader:
            made = reader()
            self._events(response, made)
            return made

        return self._tried(body, "text/event-stream, application/json", read, again)

    def _tried(
        self,
        body: Mapping[str, Any],
        accept: str,
        take: Callable[[HTTPResponse], _Taken],
        again: Callable[[bool], None] | None,
    ) -> _Taken:
        request = urllib.request.Request(  # noqa: S310 - `checked` allows http and https only
            self.url, data=json.dumps(body).encode(), headers=self._headers(accept), method="POST"
        )
        tried = 0
        while True:
            tried += 1
            after, charged = None, True
            try:
                with self._opened(request) as response:
                    return take(response)
            except urllib.error.HTTPError as error:
                told, after = self._told(error), retry_after(error.headers.get("Retry-After"))
                passing = error.code in _PASSING and (after or 0) <= _LONGEST_WAIT
                if not passing or tried == self.tries:
                    raise RefusedError(self._refused(error.code, told, after), error.code) from None
                trouble, charged = f"status {error.code}", error.code in UNDER_WAY
            except BrokenReplyError as error:
                trouble = f"no answer ({self._without_key(str(error))})"
                charged = not isinstance(error.__cause__, _SAFE_TO_REPEAT)
                if tried == self.tries:
                    raise UnansweredError(self._unanswered(trouble), charged) from None
            if again is not None:
                again(charged)
            self._rest(after if after is not None else self.wait * 2 ** (tried - 1), trouble)

    def _rest(self, seconds: float, trouble: str) -> None:
        seconds = min(seconds, _LONGEST_WAIT)
        _LOGGER.warning("%s: %s; trying again in %.3g s", self.shown, trouble, seconds)
        time.sleep(seconds)

    def _opened(self, request: urllib.request.Request) -> HTTPResponse:
        try:
            response: HTTPResponse = self._opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError:
            raise
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None)
            cause = reason if isinstance(reason, OSError) else error
            raise BrokenReplyError(str(reason or error)) from cause
        return response

    def _whole(self, response: HTTPResponse) -> Any:
        return self._json(self._bytes(response))

    def _bytes(self, response: HTTPResponse) -> bytes:
        try:
            raw = response.read(_LARGEST + 1)
        except (OSError, HTTPException) as error:
            raise BrokenReplyError(str(error) or type(error).__name__) from error
        if response.length and len(raw) <= _LARGEST:
            # http.client is silent where an answer of known length ends early.
            raise BrokenReplyError(f"{response.length} bytes are missing")
        if len(raw) > _LARGEST:
            raise MedragError(f"{self.shown} answered with more than {_LARGEST >> 20} MB; ask less")
        return raw

    def _json(self, raw: bytes) -> Any:
        try:
            return json.loads(raw)
        # Brackets within brackets, thousands deep, exhaust the reader.
        except (ValueError, RecursionError) as error:
            raise MedragError(
                f"{self.shown} answered something else than JSON; is it the address of an "
                "OpenAI-compatible server?"
            ) from error

    def _events(self, response: HTTPResponse, reader: StreamReader) -> None:
        pieces: Iterable[bytes] = pieces_of(response, _LARGEST)
        if "event-stream" not in response.headers.get("Content-Type", ""):
            raw = self._bytes(response)
            if not raw.lstrip().startswith((b"data:", b"event:", b"id:", b":", b"\xef\xbb\xbf")):
                reader.add(self._json(raw))
                return
            pieces = [raw]
        parts = EventReader(most=_LARGEST_EVENT)
        for piece in pieces:
            if _taken(parts.add(piece), reader):
                return
            if isinstance(response, TimedResponse):
                response.expect(self.stall)
        if not _taken(parts.close(), reader) and not reader.finished:
            raise BrokenReplyError("the stream ended before the answer did")

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": accept}
        if self.key_variable is not None:
            key = read_key(self.key_variable, self.shown)
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _unanswered(self, trouble: str) -> str:
        return (
            f"{self.shown} gave {trouble} in {self.tries} tries; is the server running, and is the "
            f"address right? A slow one may need a larger timeout (now {self.timeout:g} s)"
        )

    def _refused(self, status: int, told: str, after: float | None) -> str:
        says = f": {told}" if told else ""
        return f"{self.shown} answered with status {status}{says}; {self._way_out(status, after)}"

    def _way_out(self, status: int, after: float | None) -> str:
        if status in (401, 403):
            held = self.key_variable or f"an environment variable, and name it {NAMED}"
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


def _taken(events: list[bytes], reader: StreamReader) -> bool:
    """Give events to a reader; True where one of them is the last."""
    for raw in events:
        if raw.strip() == b"[DONE]":
            return True
        try:
            event = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise BrokenReplyError("an event of the stream is no JSON") from error
        reader.add(event)
    return False
