"""Servers of JSON on this machine that answer as a test says."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
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


class Server:
    """A server of JSON; `answer` takes a request and the number of those before it."""

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
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, each in headers.items():
                    self.send_header(name, each)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

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
