"""Late interaction: each vector of a question meets its best match among those of a passage."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from medrag.indexing.backends import check_questions
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow


class LateInteractionSearch:
    """Search packed multi-vectors by MaxSim, exactly."""

    def __init__(self, *, store: Store, name: str) -> None:
        self.store = store
        self.name = name

    def search(
        self, questions: Embeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        check_questions(questions, k, self.store.channel(self.name).d, self.name)
        ends = np.cumsum(questions.lengths)
        rankings = []
        for end, length, wanted in zip(ends, questions.lengths, filters, strict=True):
            mask = self.store.row_mask(wanted)
            scored = []
            for block in self.store.vectors(self.name):
                stops = np.cumsum(block.lengths)
                for row, stop, n in zip(block.rows, stops, block.lengths, strict=True):
                    if mask[row]:
                        products = (
                            questions.values[end - length : end] @ block.values[stop - n : stop].T
                        )
                        scored.append(ScoredRow(int(row), float(products.max(axis=1).sum())))
            rankings.append(sorted(scored, key=lambda hit: (-hit.score, hit.row))[:k])
        return rankings


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    return False


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    return None
