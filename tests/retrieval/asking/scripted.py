"""Models that say what a test has written for them, and what they were given."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from medrag.records import Generation, ImageRef, Prompt, Usage

Said = str | Generation | Exception


class Scripted:
    """Says what a function of the prompt gives; an exception is raised."""

    name = "scripted"

    def __init__(self, say: Callable[[Prompt], Said]) -> None:
        self.say = say
        self.seen: list[Prompt] = []
        self.batches: list[int] = []

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        self.batches.append(len(prompts))
        said = [self.say(prompt) for prompt in prompts]
        for each in said:
            if isinstance(each, Exception):
                raise each
        self.seen += prompts
        return [each if isinstance(each, Generation) else Generation(str(each)) for each in said]


class Counting(Scripted):
    """Counts words as tokens, pictures as 50, tells its usage, and writes 30 words at most."""

    name = "counting"
    room: int | None = None
    max_images: int | None = None
    trained_multi_image = True
    context_pixels = None
    least_pixels = 1
    max_tokens = 30

    def count_tokens(self, prompt: Prompt) -> int:
        n_words = sum(len(text.split()) for text in texts_of(prompt))
        return n_words + 50 * len(images_of(prompt))

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        made = super().generate(prompts)
        return [
            replace(each, usage=Usage(self.count_tokens(prompt), min(30, len(each.text.split()))))
            for prompt, each in zip(prompts, made, strict=True)
        ]


def parts_of(prompt: Prompt) -> list[str | ImageRef]:
    return [*prompt.parts, *(part for turn in prompt.turns for part in turn.parts)]


def texts_of(prompt: Prompt) -> list[str]:
    told = [part for part in parts_of(prompt) if isinstance(part, str)]
    return [*told, *(turn.reply for turn in prompt.turns)]


def images_of(prompt: Prompt) -> list[ImageRef]:
    return [part for part in parts_of(prompt) if isinstance(part, ImageRef)]


def in_turn(*replies: Said) -> Callable[[Prompt], Said]:
    """Say one reply after the other, whatever is asked; the last one again and again."""
    left: list[Any] = list(replies)
    return lambda prompt: left.pop(0) if len(left) > 1 else left[0]
