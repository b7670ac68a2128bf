"""Rankings, against a plain sort of everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.indexing.ranking import best_of, top
from medrag.records import ScoredRow

# Few different scores, so that ties are common.
_rankings = st.dictionaries(st.integers(0, 99), st.integers(-2, 2).map(float), max_size=60)


def plainly(scored: dict[int, float], k: int) -> list[ScoredRow]:
    ordered = sorted(scored.items(), key=lambda pair: (-pair[1], pair[0]))
    return [ScoredRow(row, score) for row, score in ordered[:k]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(scored=_rankings, k=st.integers(1, 70))
def test_the_best_rows_come_first_and_equal_ones_by_row(
    dtype: type[np.floating], scored: dict[int, float], k: int
) -> None:
    rows = np.fromiter(scored, np.int64)
    scores = np.fromiter(scored.values(), dtype)
    assert top(rows, scores, k) == plainly(scored, k)


@given(rankings=st.lists(_rankings, max_size=4), k=st.integers(1, 70))
def test_a_row_of_several_rankings_counts_with_its_best_score(
    rankings: list[dict[int, float]], k: int
) -> None:
    best: dict[int, float] = {}
    for row, score in (pair for each in rankings for pair in each.items()):
        best[row] = max(score, best.get(row, score))
    found = best_of([plainly(each, k) for each in rankings], k)
    # What is best of all is among the best of the ranking that it has its score from.
    assert found == plainly(best, k)
