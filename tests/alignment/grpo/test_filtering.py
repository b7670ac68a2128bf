"""Which prompts are worth learning from."""

from collections.abc import Sequence

import numpy as np
import pytest

from medrag.alignment.grpo import filter_by_pass_rate, pass_rates
from medrag.alignment.rewards import AnswerReward
from medrag.records import Generation, Item, Prompt, Question
from tests.alignment.rewards.made import closed, example


class _Alternating:
    """Draws yes, no, yes, no."""

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        return [[Generation(("yes", "no")[draw % 2]) for draw in range(n)] for _ in prompts]


def test_a_pass_rate_is_the_share_of_replies_that_are_good_enough() -> None:
    report = Item("r", Question("Write."), ("x",), "report")
    examples = [example(closed("yes")), example(report)]
    rates = pass_rates(_Alternating(), examples, AnswerReward(), draws=5)
    # yes, no, yes, no, yes: 3 of 5; the reward does not apply to a report.
    np.testing.assert_allclose(rates, [0.6, np.nan])


def test_what_always_or_never_passes_is_left_out() -> None:
    examples = [example(closed(), evidence=(str(n),)) for n in range(5)]
    kept = filter_by_pass_rate(examples, [0.0, 0.5, 1.0, float("nan"), 0.25])
    assert kept == [examples[1], examples[4]]
    assert filter_by_pass_rate(examples, [0.1, 0.5, 0.9, 0.7, 0.3], lowest=0.3, highest=0.7) == [
        examples[1]
    ]


def test_bounds_that_hold_nothing_and_rates_of_others_are_refused() -> None:
    with pytest.raises(ValueError, match="lowest must be below highest"):
        filter_by_pass_rate([example()], [0.5], lowest=0.6, highest=0.4)
    with pytest.raises(ValueError, match="1 examples need as many rates"):
        filter_by_pass_rate([example()], [])
    with pytest.raises(ValueError, match="draws must be at least 1"):
        pass_rates(_Alternating(), [example()], AnswerReward(), draws=0)
