import math
from collections import Counter

import numpy as np

from medrag.evaluation.text_measures import cider_d, counted

Reports = tuple[list[str], list[list[str]]]


def runs(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def slow_cider(answers: list[list[str]], references: list[list[list[str]]]) -> list[float]:
    """Compare weighted counts by the definition, in dictionaries."""

    def weighted(words: list[str], n: int) -> dict[tuple[str, ...], float]:
        return {
            run: count * (math.log(len(answers)) - math.log(max(holding[n][run], 1)))
            for run, count in runs(words, n).items()
        }

    holding = {
        n: Counter(run for each in references for run in {r for t in each for r in runs(t, n)})
        for n in range(1, 5)
    }
    values = []
    for answer, each in zip(answers, references, strict=True):
        total = 0.0
        for reference in each:
            delta = max(len(answer) - 1, 0) - max(len(reference) - 1, 0)
            for n in range(1, 5):
                left, right = weighted(answer, n), weighted(reference, n)
                norm = math.hypot(*left.values()) * math.hypot(*right.values())
                dot = sum(min(left[run], right[run]) * right[run] for run in left.keys() & right)
                total += (dot / norm if norm else 0) * math.exp(-(delta**2) / 72)
        values.append(10 * total / 4 / len(each))
    return values


def test_cider_is_the_slow_definition(reports: Reports) -> None:
    answers = [text.split() for text in reports[0]]
    references = [[text.split() for text in each] for each in reports[1]]
    expected = slow_cider(answers, references)
    # Sums of a few hundred terms in another order.
    np.testing.assert_allclose(cider_d(counted(answers, references)), expected, atol=1e-10)


def test_an_answer_equal_to_its_only_reference_has_ten() -> None:
    texts = [["a", "b", "c", "d"], ["e", "f", "g", "h"]]
    found = cider_d(counted(texts, [[text] for text in texts]))
    np.testing.assert_allclose(found, [10, 10])


def test_words_that_every_reference_holds_count_nothing() -> None:
    found = cider_d(counted([["a"], ["a"]], [[["a"]], [["a"]]]))
    np.testing.assert_array_equal(found, [0, 0])


def test_without_an_answer_there_is_no_value() -> None:
    assert np.isnan(cider_d(counted([None], [[["a"]]]))[0])
