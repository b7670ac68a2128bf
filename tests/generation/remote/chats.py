"""Chats of a made-up model: prompts, whole replies, and replies in events."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medrag.generation.remote import RemoteGenerator
from medrag.records import Generation, Hit, ImageRef, Passage, Prompt, Question, Source
from tests.servers import Answer, Pieces, Request, Server

STREAM = {"Content-Type": "text/event-stream"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


def prompt(text: str, *images: ImageRef, **options: Any) -> Prompt:
    """A prompt that says a text under pictures of its question."""
    return Prompt(Question(text, images=images), (), (*images, text), **options)


def hit() -> Hit:
    return Hit(Passage("p1", "text", "Four chambers.", Source("c", "d", "0" * 64)), 1.0, 1)


def picture(folder: Path, name: str = "a.png", size: tuple[int, int] = (60, 40)) -> ImageRef:
    """A picture of noise, (width, height)."""
    draw = np.random.default_rng(len(name)).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(draw).save(folder / name)
    return ImageRef(str(folder / name))


def remote(server: Server | str, **options: Any) -> RemoteGenerator:
    url = server if isinstance(server, str) else server.url
    return RemoteGenerator(url=url, **{"model": "m", "wait": 0.001, "tries": 3, **options})


def only(generator: RemoteGenerator, asked: Prompt) -> Generation:
    """The reply to a single prompt."""
    (generation,) = generator.generate([asked])
    return generation


def said(request: Request) -> str:
    """The last thing that was said to the model."""
    content = request.body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return str(next(part["text"] for part in reversed(content) if part["type"] == "text"))


def whole(text: str | None, *, finish: str = "stop", **more: Any) -> Answer:
    """A reply as one JSON; `more` are keys of its message, and "logprobs" of its choice."""
    choice = {"index": 0, "finish_reason": finish, "logprobs": more.pop("logprobs", None)}
    message = {"role": "assistant", "content": text, **more}
    return 200, {}, {"choices": [{**choice, "message": message}], "usage": USAGE}


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def events(pieces: Sequence[str], *, key: str = "content", finish: str = "stop") -> list[bytes]:
    """A reply in events: a role, the pieces, an end, the usage, and [DONE]."""
    deltas: list[dict[str, str]] = [{"role": "assistant"}, *({key: each} for each in pieces)]
    choices = [{"index": 0, "delta": each, "finish_reason": None} for each in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    made = [event({"choices": [each]}) for each in choices]
    return [*made, event({"choices": [], "usage": USAGE}), b"data: [DONE]\n\n"]


def cut(text: str, n: int = 3) -> list[str]:
    """Cut a text into pieces of n characters."""
    return [text[start : start + n] for start in range(0, len(text), n)]


def saying(text_of: Callable[[str], str]) -> Callable[[Request, int], Answer]:
    """Answer every request, streamed or not, by a function of what was said last."""

    def answer(request: Request, number: int) -> Answer:
        text = text_of(said(request))
        if request.body.get("stream"):
            return 200, STREAM, Pieces(events(cut(text)))
        return whole(text)

    return answer


def log_probabilities(tokens: Sequence[tuple[str, float]], *, raw: bool = True) -> dict[str, Any]:
    """The "logprobs" of a choice."""
    return {
        "content": [
            {
                "token": token,
                "logprob": value,
                "bytes": list(token.encode()) if raw else None,
                "top_logprobs": [],
            }
            for token, value in tokens
        ]
    }
