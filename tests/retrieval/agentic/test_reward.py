"""The reward of a router's decision."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.retrieval.agentic import DecisionPath, hierarchical_reward, reward_of_reply
from tests.retrieval.agentic.mutating import PARTITIONS, SOUND

NONE = DecisionPath(False)
PLAIN = DecisionPath(True, 2)
BREAST = DecisionPath(True, 2, True, "Breast")


@pytest.mark.parametrize(
    ("path", "reference", "reward"),
    [
        # whether to search: wrong either way, or rightly not
        (NONE, PLAIN, 0),
        (PLAIN, NONE, 0),
        (NONE, NONE, 4),
        # 1 for searching; the number and the classifier are wrong
        (DecisionPath(True, 3, True, "Breast"), PLAIN, 1),
        (DecisionPath(True, 1), BREAST, 1),
        # 1, and 1 for the number or for the classifier alone
        (DecisionPath(True, 2, True, "Breast"), PLAIN, 2),
        (DecisionPath(True, 3, True, "Skin"), BREAST, 2),
        # 1 and 2 for rightly no classifier; 1, 1 and 1 without the partition, or without the number
        (DecisionPath(True, 3), PLAIN, 3),
        (DecisionPath(True, 2, True, "Skin"), BREAST, 3),
        (DecisionPath(True, 3, True, "Breast"), BREAST, 3),
        # all of it
        (PLAIN, PLAIN, 4),
        (BREAST, BREAST, 4),
    ],
)
def test_each_branch_has_its_value(
    path: DecisionPath, reference: DecisionPath, reward: int
) -> None:
    assert hierarchical_reward(path, reference) == reward


PATH = st.just(NONE) | st.builds(
    lambda n, name: DecisionPath(True, n, name is not None, name),
    st.integers(1, 4),
    st.sampled_from([None, *PARTITIONS]),
)


@given(PATH, PATH)
def test_only_the_reference_itself_has_the_whole_reward(
    path: DecisionPath, reference: DecisionPath
) -> None:
    reward = hierarchical_reward(path, reference)
    assert reward in (0, 1, 2, 3, 4)
    assert (reward == 4) == (path == reference)


def test_all_five_values_occur() -> None:
    paths = [NONE, PLAIN, BREAST, DecisionPath(True, 3), DecisionPath(True, 3, True, "Skin")]
    assert {hierarchical_reward(*pair) for pair in product(paths, paths)} == {0, 1, 2, 3, 4}


def test_a_reply_is_read_and_scored() -> None:
    reference = DecisionPath(True, 1, True, "Breast")
    assert reward_of_reply(SOUND[2], reference, PARTITIONS) == 4
    assert reward_of_reply(SOUND[0], reference, PARTITIONS) == 0
    assert reward_of_reply(SOUND[3], reference, PARTITIONS) == 1
    assert reward_of_reply(SOUND[0], NONE, PARTITIONS) == 4


def test_what_is_no_decision_has_no_reward_even_where_nothing_was_to_be_searched_for() -> None:
    assert reward_of_reply("I need no tool.", NONE, PARTITIONS) == 0
    assert reward_of_reply(SOUND[2][:-5], DecisionPath(True, 1), PARTITIONS) == 0
