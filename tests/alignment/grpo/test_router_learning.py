"""A tiny router learns from the reward of its decisions."""

from pathlib import Path

import numpy as np
import pytest

from tests.alignment.grpo.router_learning import learnt
from tests.alignment.grpo.tiny_router import SIGNS, split

pytest.importorskip("trl")


def test_no_question_is_in_two_parts_and_the_start_knows_half_of_the_signs() -> None:
    rows = split(seed=0, n_start=40, n_rewarded=56, n_test=80)
    asked = [row.question.text for part in (rows.start, rows.rewarded, rows.test) for row in part]
    assert len(asked) == len(set(asked)) == 176
    told = " ".join(row.question.text for row in rows.start).replace("?", "").split()
    assert set(SIGNS) & set(told) <= set(SIGNS[:4])


@pytest.mark.slow
def test_the_reward_makes_a_router_better_than_its_supervised_start(tmp_path: Path) -> None:
    found = learnt(tmp_path, seed=11, n_steps=40)
    assert np.nanmean(found.start["valid"]) > 0.9
    assert found.gain.interval.low > 0
