"""Settings that nothing can be learned by."""

from dataclasses import replace
from typing import Any

import pytest

from medrag.alignment.grpo import GrpoSettings
from medrag.alignment.grpo.settings import check_grpo, check_sizes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("replies", 1), ("max_tokens", 0), ("iterations", 0), ("beta", -0.1), ("epsilon", 0.0),
        ("epsilon", 1.0), ("epsilon_high", 0.0), ("temperature", 0.0), ("top_p", 0.0),
        ("entropy", -1.0), ("entropy_limit", 0.5), ("loss", "ppo"), ("scale", "all"),
        ("beta", float("nan")),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        check_grpo(replace(GrpoSettings(), **{name: value}))


def test_the_defaults_are_none_of_these() -> None:
    check_grpo(GrpoSettings())
    check_grpo(GrpoSettings(epsilon_high=0.28, entropy=1.0, loss="dapo"))


def test_a_step_must_hold_whole_groups_and_a_checkpoint_whole_uses_of_replies() -> None:
    with pytest.raises(ValueError, match=r"12 replies .* groups of 8"):
        check_sizes(GrpoSettings(), per_step=12, save_every=None)
    with pytest.raises(ValueError, match="save_every is 3"):
        check_sizes(GrpoSettings(iterations=2), per_step=16, save_every=3)
    check_sizes(GrpoSettings(iterations=2), per_step=16, save_every=4)
