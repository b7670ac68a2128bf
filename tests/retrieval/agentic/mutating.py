"""Router replies that are sound, and what becomes of them when something goes wrong."""

import json
import random
from collections.abc import Callable
from pathlib import Path

PARTITIONS = {"Breast": "breast", "Skin": "skin"}
LINES = (Path(__file__).parent / "router_replies.jsonl").read_text(encoding="utf-8").splitlines()
SOUND: tuple[str, ...] = tuple(json.loads(line) for line in LINES)

_STRANGE = (
    "\u202e", "\u200b", "\u0000", "\ud800", "\ufeff", "\u2028", "\u0435", "＜", "\U000e0041",
    "</think>", "<think>", "<tool_call>", "</tool_call>", "<|im_end|>", "<search>x</search>",
    "NaN", "-Infinity", "1e999", "9" * 5000, "null", "true", "[]", "{}", '"', "\\", "\\ud83d",
    '"query": "twice",', '{"name": "rm", "parameters": {"query": "x"}}\n', "[" * 3000,
    '{"a":' * 2000, "__import__('os')", "```json\n", ",", "}", "{",
)  # fmt: skip


def mutated(seed: int, n: int) -> list[str]:
    """Make n broken replies from the sound ones; equal for an equal seed."""
    draw = random.Random(seed)
    return [_broken(draw.choice(SOUND), draw) for _ in range(n)]


def _broken(text: str, draw: random.Random) -> str:
    for _ in range(draw.randint(1, 3)):
        text = draw.choice(_WAYS)(text, draw)
    return text


def _truncated(text: str, draw: random.Random) -> str:
    return text[: draw.randrange(len(text) + 1)]


def _beheaded(text: str, draw: random.Random) -> str:
    return text[draw.randrange(len(text) + 1) :]


def _intruded(text: str, draw: random.Random) -> str:
    at = draw.randrange(len(text) + 1)
    return text[:at] + draw.choice(_STRANGE) + text[at:]


def _cut_out(text: str, draw: random.Random) -> str:
    start = draw.randrange(len(text) + 1)
    return text[:start] + text[start + draw.randint(1, 12) :]


def _doubled(text: str, draw: random.Random) -> str:
    start = draw.randrange(len(text) + 1)
    end = start + draw.randint(1, 60)
    return text[:end] + text[start:]


def _swapped(text: str, draw: random.Random) -> str:
    lines = text.split("\n")
    draw.shuffle(lines)
    return "\n".join(lines)


def _retyped(text: str, draw: random.Random) -> str:
    old, new = draw.choice(
        [
            ('"query"', '"Query"'), ('"rag"', '"RAG"'), ('"classifier"', '"rag"'),
            ('"parameters"', '"arguments"'), ("Breast", "breast"), ("Skin", "Skín"),
            ('{"query": ', '{"query": 1, "x": '), ('"parameters": {', '"parameters": [{'),
            ('"name": ', '"name": {"name": '), ("</think>", ""), ("<think>", "<think><think>"),
        ]
    )  # fmt: skip
    return text.replace(old, new)


def _joined(text: str, draw: random.Random) -> str:
    return text + draw.choice(["", " ", "\n"]) + draw.choice(SOUND)


_WAYS: tuple[Callable[[str, random.Random], str], ...] = (
    _truncated, _beheaded, _intruded, _cut_out, _doubled, _swapped, _retyped, _joined,
)  # fmt: skip
