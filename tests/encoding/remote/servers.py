"""Servers of embeddings on this machine, and an encoder that asks them."""

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from medrag.encoding.remote import RemoteEncoder

Answer = tuple[int, dict[str, str], Any]


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Server:
    """An embedding server; `answer` takes a request and the number of those before it."""

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


def vector(text: str) -> list[float]:
    """Count four letters; never all zero."""
    return [float(text.count(letter)) for letter in "aeo"] + [1.0]


def inputs(body: dict[str, Any]) -> list[str]:
    """Read what is to be encoded in each of the shapes; a picture is told by its mean colour."""
    if "messages" in body:
        [message] = body["messages"]
        return [pixels(part["image_url"]["url"]) for part in message["content"]]
    listed = [each["image"] if isinstance(each, dict) else each for each in body["input"]]
    return [pixels(each) if each.startswith("data:") else each for each in listed]


def pixels(url: str) -> str:
    head, _, content = url.partition(",")
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    colour = np.asarray(image).reshape(-1, 3).mean(axis=0).round().astype(int)
    return "a" * colour[0] + "e" * colour[1] + "o" * colour[2] + f" {image.size}"


def embed(request: Request, number: int) -> Answer:
    rows = [
        {"object": "embedding", "index": index, "embedding": vector(text)}
        for index, text in enumerate(inputs(request.body))
    ]
    # In any order: the index tells which is which.
    return 200, {}, {"object": "list", "model": request.body["model"], "data": rows[::-1]}


def remote(server: Server, **options: Any) -> RemoteEncoder:
    return RemoteEncoder(url=server.url, model="some-model", **{"wait": 0.001, **options})


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
