"""Items with pictures, and models that say what a test wants."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medrag.records import Generation, Item, Prompt, Question


class Model:
    """Write what a function makes of the last part of a prompt, and keep the prompts."""

    name = "model"

    def __init__(self, write: Callable[[str], str]) -> None:
        self.write = write
        self.prompts: list[Prompt] = []

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        self.prompts += prompts
        return [Generation(self.write(str(prompt.parts[-1]))) for prompt in prompts]


class Sampler:
    """Draw the given answers, whatever is asked; "length::text" was cut."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.n: list[int] = []

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        self.n.append(n)
        drawn = [text.rpartition("::") for text in self.texts]
        made = [Generation(text, finish_reason=end or "stop") for end, _, text in drawn]
        return [made for _ in prompts]


class Broken:
    """Fail on every prompt, or on those that hold a word."""

    name = "broken"

    def __init__(self, word: str = "") -> None:
        self.word = word

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [each[0] for each in self.sample(prompts, 1)]

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        for prompt in prompts:
            if any(self.word in part for part in prompt.parts if isinstance(part, str)):
                raise RuntimeError("no memory")
        return [[Generation('{"answer": 1}')] * n for _ in prompts]


def picture(folder: Path, name: str = "a", shade: int = 90) -> str:
    """Write a picture of one shade with a gradient, 12 x 8."""
    pixels = np.full((8, 12, 3), shade, np.uint8)
    pixels[:, :, 0] = np.arange(12) * 20
    Image.fromarray(pixels).save(folder / f"{name}.png")
    return str(folder / f"{name}.png")


def item(name: str, text: str, *references: str, image: str | None = None, **given: Any) -> Item:
    """Make an item; what a question has is told apart by name."""
    named = ("options", "subject", "study", "domain", "regions")
    of_question = {key: given.pop(key) for key in named if key in given}
    images = () if image is None else (image,)
    return Item(name, Question(text, images=images, id=name, **of_question), references, **given)
