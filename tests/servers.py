"""Servers of JSON on this machine that answer as a test says."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Answer = tuple[int, dict[str, str], Any]
Serve = Callable[[Callable[["Request", int], Answer]], "Server"]


def serving() -> Iterator[Serve]:
    """Give the function that starts servers, and end them all when the test is over."""
    servers: list[Server] = []

    def start(answer: Callable[[Request, int], Answer]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Pieces(NamedTuple):
    """A body that is sent piece by piece, of a length that is not told.

    `pause`: seconds before each piece; `drop`: end the connection without the end of the body.
    """

    pieces: Sequence[bytes]
    pause: float = 0.0
    drop: bool = False


class Cut(NamedTuple):
    """A body of which the connection ends after so many bytes; all of its length is told."""

    content: bytes
    after: int


class Server:
    """A server of JSON; `answer` takes a request and the number of those before it.

    The value that it gives is sent as JSON, or as it is: bytes, `Pieces`, `Cut`.
    """

    def __init__(self, answer: Callable[[Request, int], Answer]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, dict(self.headers), json.loads(raw))
                with server._lock:
                    number = len(server.requests)
                    server.requests.append(request)
                status, headers, value = server.answer(request, number)
                # Whoever has heard enough hangs up.
                with suppress(OSError):
                    self.send_response(status)
                    for name, each in headers.items():
                        self.send_header(name, each)
                    self._send(value)

            def _send(self, value: Any) -> None:
                if isinstance(value, Pieces):
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for each in value.pieces:
                        time.sleep(value.pause)
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(each), each))
                    if not value.drop:
                        self.wfile.write(b"0\r\n\r\n")
                    return
                if not isinstance(value, bytes | Cut):
                    value = json.dumps(value).encode()
                whole = value.content if isinstance(value, Cut) else value
                self.send_header("Content-Length", str(len(whole)))
                self.end_headers()
                self.wfile.write(whole[: value.after] if isinstance(value, Cut) else whole)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def forwarding(url: str) -> Callable[[Request, int], Answer]:
    """Answer as another server does: what stands before it may then make faults of its own."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answer(request: Request, number: int) -> Answer:
        asked = urllib.request.Request(  # noqa: S310 - a server of the test
            url + request.path,
            data=json.dumps(request.body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with opener.open(asked, timeout=300) as response:
                kind = {"Content-Type": response.headers.get("Content-Type", "")}
                return response.status, kind, response.read()
        except urllib.error.HTTPError as error:
            return error.code, {}, error.read()

    return answer


FAULTS = ("busy", "error", "drop", "junk", "empty", "strange", "slow")


def faulty(
    answer: Callable[[Request, int], Answer], faults: Sequence[str | None]
) -> Callable[[Request, int], Answer]:
    """Answer like another server, but for faults: the first request meets the first, and so on.

    "busy": 429 with Retry-After; "error": 500; "drop": the connection ends in the middle; "junk":
    bytes that are neither JSON nor events; "empty": no choices; "strange": JSON of another shape;
    "slow": the answer byte by byte. None: no fault.
    """

    def one(request: Request, number: int) -> Answer:
        fault = faults[number] if number < len(faults) else None
        if fault == "busy":
            return 429, {"Retry-After": "0.01"}, {"error": {"message": "too many requests"}}
        if fault == "error":
            return 500, {}, b"<html>Internal error</html>"
        status, headers, value = answer(request, number)
        whole = _content(value)
        made: dict[str | None, Any] = {
            "drop": Cut(whole, len(whole) // 2),
            "junk": b"\xff\xfe{]" + whole[:20],
            "empty": {"object": "chat.completion", "choices": []},
            "strange": [{"choices": 7}],
            "slow": Pieces([bytes([each]) for each in whole], 0.0002),
        }
        if fault in ("empty", "strange"):
            headers = {"Content-Type": "application/json"}
        return status, headers, made.get(fault, value)

    return one


def _content(value: Any) -> bytes:
    if isinstance(value, Pieces):
        return b"".join(value.pieces)
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class Dripping(threading.Thread):
    """Answer one request after the other, byte by byte, for as long as anyone listens."""

    def __init__(self, head: bytes, drops: bytes) -> None:
        super().__init__()
        self.head, self.drops, self.asked = head, drops, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                self.asked += 1
                with connection, suppress(OSError):
                    connection.recv(1 << 16)
                    connection.sendall(self.head)
                    for drop in self.drops:
                        time.sleep(0.02)
                        connection.sendall(bytes([drop]))

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.join()
