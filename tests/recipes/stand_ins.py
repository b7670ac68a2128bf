"""What stands in for models when every recipe is run: an encoder by words and edges, a script."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from medrag.encoding.descriptor import DescriptorEncoder
from medrag.protocols import Side
from medrag.records import Embeddings, Generation, Passage, Prompt, Question, Usage

_D = 480


class RoughEncoder:
    """Texts and pictures in one space: a word is a random direction, a picture its descriptor.

    The two halves have nothing to do with each other, but neither is empty: what an image-text
    encoder would find, this finds somewhere else.
    """

    normalised = True

    def __init__(self, *, passages: Side = "image") -> None:
        self._pictures = DescriptorEncoder()
        self._texts_alone = passages == "text"
        self.name = "rough-texts" if self._texts_alone else "rough"

    def encodes(self, passage: Passage) -> bool:
        return bool(passage.text or (passage.images and not self._texts_alone))

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        pictured = [p for p in passages if p.images and not self._texts_alone]
        found = self._pictures.encode_passages(pictured)
        ends = np.cumsum(found.lengths)
        of = {
            p.id: found.values[end - n : end]
            for p, n, end in zip(pictured, found.lengths, ends, strict=True)
        }
        rows = [of[p.id] if p.id in of else of_words(p.text)[None] for p in passages]
        return packed(rows)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        if side == "image":
            return self._pictures.encode_questions(questions, "image")
        return packed([of_words(question.text)[None] for question in questions])


def of_words(text: str) -> np.ndarray:
    total = np.full(_D, 1e-3)
    for word in re.findall(r"\w+", text.lower()):
        total += np.random.default_rng(crc32(word.encode())).normal(size=_D)
    unit: np.ndarray = (total / np.linalg.norm(total)).astype(np.float32)
    return unit


def packed(rows: Sequence[np.ndarray]) -> Embeddings:
    lengths = np.array([len(row) for row in rows], dtype=np.int32)
    none = np.zeros((0, _D), dtype=np.float32)
    return Embeddings(np.concatenate([none, *rows]), lengths)


class ScriptedGenerator:
    """Replies as a model would that knows what each prompt is for, and nothing of medicine."""

    name = "scripted"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [self._generation(prompt) for prompt in prompts]

    def _generation(self, prompt: Prompt) -> Generation:
        said = "\n".join(part for part in prompt.parts if isinstance(part, str))
        turns = len(prompt.turns)
        text = self._reply(said, prompt, turns)
        scores = tuple(-1.0 - i for i in range(len(prompt.question.options)))
        return Generation(text, (-0.1, -0.2), scores, Usage(len(said) // 4, len(text) // 4, 0.0))

    def _reply(self, said: str, prompt: Prompt, turns: int) -> str:
        words = prompt.question.text or "what is shown"
        if "<tool_call>" in said:
            call = f'{{"name": "rag", "parameters": {{"query": "{re.sub("[^a-z ]", "", words)}"}}}}'
            return f"<think>Search.</think>\n<tool_call>\n{call}\n</tool_call>"
        if "<summary>" in said:
            return "<search>heart</search>" if not turns else "<summary>A fact. [1]</summary>"
        if "short queries" in said:
            return "DONE" if "Asked so far" in said else "- what is an effusion"
        tool = next((name for name in ("chest_networks", "crop") if name in said), "")
        if tool and not turns:
            return f'{{"name": "{tool}", "arguments": {{}}}}'
        if prompt.question.options:
            return f"A. {prompt.question.options[0]}" + (" [1]." if prompt.evidence else ".")
        return "Yes [1]. The evidence says so [1]." if prompt.evidence else "Yes."


def offline(spec: Any) -> Any:
    """Put parts without weights in the place of those of a recipe that need some."""
    if isinstance(spec, list):
        return [offline(each) for each in spec]
    if not isinstance(spec, Mapping):
        return spec
    kind = spec.get("kind")
    if kind in ("clip", "sentence", "image", "medcpt"):
        return {"kind": "rough"}
    if kind == "cross_encoder":
        return {"kind": "lexical"}
    return {key: offline(value) for key, value in spec.items()}
