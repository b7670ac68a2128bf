"""Generators that say what a test has written, tools that say one thing, and their prompts."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medrag.prompting.templates import build_prompt
from medrag.records import (
    Generation,
    Hit,
    ImageRef,
    Passage,
    Prompt,
    Question,
    Selection,
    Source,
    ToolResult,
    Usage,
)

ANSWER = "The disc is bright [1]."


def call(tool: str = "crop", **arguments: Any) -> str:
    return json.dumps({"tool": tool, "arguments": arguments})


LOOK = call(box=[10, 20, 50, 60])


class Scripted:
    """Says the replies that are written for a question, one a turn."""

    name = "scripted"

    def __init__(self, *replies: str | Generation, **by_question: Sequence[str]) -> None:
        self.replies, self.by_question = replies, by_question
        self.seen: list[list[Prompt]] = []

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        self.seen.append(list(prompts))
        return [self._reply(prompt) for prompt in prompts]

    def _reply(self, prompt: Prompt) -> Generation:
        script = self.by_question.get(prompt.question.text, self.replies)
        reply = script[len(prompt.turns)]
        usage = Usage(100, 10, 0.5)
        return Generation(reply, usage=usage) if isinstance(reply, str) else reply


class Able(Scripted):
    """Can all that a generator can."""

    room: int | None = 10_000
    max_images: int | None = 8
    trained_multi_image = True
    context_pixels = None
    least_pixels = 100

    def count_tokens(self, prompt: Prompt) -> int:
        told = [*prompt.parts, *(part for turn in prompt.turns for part in turn.parts)]
        return sum(len(part) for part in told if isinstance(part, str))

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> Generation:
        generation = self.generate([prompt])[0]
        for letter in generation.text:
            tell(letter)
        return generation

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        return [[Generation(f"draw {i} after {len(p.turns)}") for i in range(n)] for p in prompts]


class Saying:
    """A tool that says one thing."""

    name, about = "say", "says it."

    def __init__(self, said: ToolResult | Exception) -> None:
        self.said = said

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def hit(text: str, *images: ImageRef) -> Hit:
    return Hit(Passage(text, "text", text, Source("c", "d", "0"), images), 1.0, 1)


def asked(*images: ImageRef, text: str = "Is it bright?", hits: Sequence[Hit] = ()) -> Prompt:
    return build_prompt(Question(text, images), Selection(tuple(hits) or (hit("A bright disc."),)))


def told(prompt: Prompt) -> str:
    """All that the model reads, but for its own replies."""
    parts = [*prompt.parts, *(part for turn in prompt.turns for part in turn.parts)]
    return "\n".join(part for part in parts if isinstance(part, str))
