"""Libraries of vectors, and the slow and obvious search of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.scanning.choosing import Scanner
from medrag.indexing.scanning.library import Library
from medrag.indexing.storage import Block
from medrag.records import ScoredRow


class Case(NamedTuple):
    blocks: list[Block]
    questions: NDArray[np.float32]
    mask: NDArray[np.bool_]


KINDS = ("unit", "coarse", "doubles", "long", "tiny", "skewed", "negative")


def library(
    rng: np.random.Generator,
    *,
    n_blocks: int = 3,
    most: int = 40,
    d: int = 8,
    n_questions: int = 3,
    kind: str = "unit",
    several: bool = True,
    allowed: float = 0.7,
) -> Case:
    """Make blocks of vectors, questions, and a mask of the rows that they may see.

    Args:
        most: passages of a block at most.
        kind: "coarse" holds small whole numbers, so that many scores tie; "doubles" repeats few
            vectors; "long" and "tiny" are far from unit length; "skewed" has one large number in
            each vector; of "negative" no score is above 0.
        several: whether passages may have more than one vector.
    """
    sizes = rng.integers(0, most + 1, size=n_blocks)
    # Rows with gaps: some passages of an index have no vector in a channel.
    order = rng.permutation(int(sizes.sum()) + 5)
    blocks = []
    for size in sizes:
        rows, order = np.sort(order[:size]), order[size:]
        longest = 4 if several else 2
        lengths = rng.integers(1, longest, size=size).astype(np.int32)
        blocks.append(Block(rows, lengths, values(rng, (int(lengths.sum()), d), kind)))
    questions = values(rng, (n_questions, d), "coarse" if kind == "negative" else kind)
    if kind == "negative":
        questions = np.abs(questions)
    return Case(blocks, questions, rng.random(int(sizes.sum()) + 5) < allowed)


def values(rng: np.random.Generator, shape: tuple[int, int], kind: str) -> Any:
    if kind == "coarse":
        return rng.integers(-2, 3, size=shape).astype(np.float32)
    if kind == "negative":
        return -rng.integers(0, 3, size=shape).astype(np.float32)
    drawn = rng.standard_normal(shape).astype(np.float32)
    if kind == "doubles":
        drawn = drawn[rng.integers(0, max(1, min(3, len(drawn))), size=len(drawn))]
    if kind == "skewed":
        drawn[np.arange(len(drawn)), rng.integers(0, shape[1], len(drawn))] *= 1000
    if kind in ("long", "tiny"):
        return drawn * np.float32(1e6 if kind == "long" else 1e-20)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def naive(
    blocks: Sequence[Block],
    questions: NDArray[np.float32],
    k: int,
    mask: NDArray[np.bool_],
) -> list[list[ScoredRow]]:
    """Score every passage in double precision, and sort."""
    rankings = []
    for question in questions.astype(np.float64):
        scored = []
        for block in blocks:
            parts = np.split(block.values.astype(np.float64), np.cumsum(block.lengths)[:-1])
            for row, vectors in zip(block.rows, parts, strict=False):
                if mask[row]:
                    best = max(np.einsum("ij,j->i", vectors, question))
                    scored.append(ScoredRow(int(row), float(np.float32(best))))
        rankings.append(sorted(scored, key=lambda hit: (-hit.score, hit.row))[:k])
    return rankings


def ranked(
    scan: Scanner,
    held: Library,
    questions: NDArray[np.float32],
    k: int,
    mask: NDArray[np.bool_],
) -> list[list[ScoredRow]]:
    """Rank the candidates of a scan."""
    found = scan.candidates(questions, k, mask)
    return [held.ranked(places, each, k) for places, each in zip(found, questions, strict=True)]
