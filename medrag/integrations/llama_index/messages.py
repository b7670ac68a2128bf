"""The messages of a chat in LlamaIndex's own classes."""

import base64
from typing import Any

from medrag.generation.remote.messages import Chat
from medrag.integrations.llama_index.core import core


def messages_of(written: Chat) -> list[Any]:
    """Turn messages with data URLs into `ChatMessage`s of text and image blocks."""
    types = core("base.llms.types")
    return [
        types.ChatMessage(role=types.MessageRole(each["role"]), blocks=_blocks(each["content"]))
        for each in written.messages
    ]


def _blocks(content: str | list[dict[str, Any]]) -> list[Any]:
    types = core("base.llms.types")
    if isinstance(content, str):
        return [types.TextBlock(text=content)]
    return [
        types.TextBlock(text=part["text"])
        if part["type"] == "text"
        else _image(part["image_url"]["url"])
        for part in content
    ]


def _image(url: str) -> Any:
    # Not as an address: not every LLM reads those of pictures that stand in them.
    head, encoded = url.split(",", 1)
    mimetype = head.removeprefix("data:").removesuffix(";base64")
    return core("base.llms.types").ImageBlock(
        image=base64.b64decode(encoded), image_mimetype=mimetype
    )
