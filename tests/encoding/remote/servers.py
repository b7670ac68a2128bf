"""Servers of embeddings on this machine, and an encoder that asks them."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from medrag.encoding.remote import RemoteEncoder
from tests.servers import Answer, Request, Server


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
