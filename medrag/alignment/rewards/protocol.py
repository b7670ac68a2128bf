"""What a reward is, and how several become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.rewards.example import Example

Floats = NDArray[np.float64]


class Reward(Protocol):
    """Say how good each reply is, by a rule that can be checked.

    A reply is all that the policy wrote, thoughts and tags included, whatever it is: also empty,
    endless or broken. Where the prompt ended inside thoughts, it begins with their opening tag.
    """

    @property
    def name(self) -> str: ...
    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give (n,) rewards, higher is better; nan where the reward does not apply."""
        ...

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Give what the rewards are made of, (n,) each; under `name` the rewards themselves."""
        ...


@dataclass(frozen=True, slots=True)
class Rewarded:
    """What replies were worth.

    Attributes:
        total: (n,) weighted sums over the rewards that apply; nan where none does.
        rewards: (n,) by the name of each reward, before its weight.
        parts: (n,) by "reward/part".
    """

    total: Floats
    rewards: Mapping[str, Floats]
    parts: Mapping[str, Floats] = field(default_factory=dict, hash=False)


class WeightedRewards:
    """Add up several rewards.

    Args:
        rewards: each with its weight.

    Raises:
        ValueError: if there are none, two have one name, or a weight is not finite or is 0.
    """

    name = "total"

    def __init__(self, *, rewards: Sequence[tuple[Reward, float]]) -> None:
        names = [reward.name for reward, _ in rewards]
        if not names:
            raise ValueError("there are no rewards; give at least one")
        if repeated := sorted({each for each in names if names.count(each) > 1}):
            raise ValueError(f"two rewards are called {repeated[0]!r}; name one of them anew")
        for reward, weight in rewards:
            if not np.isfinite(weight) or weight == 0:
                raise ValueError(f"the weight of {reward.name} must be a number but 0: {weight}")
        self.rewards = tuple(reward for reward, _ in rewards)
        self.weights = tuple(float(weight) for _, weight in rewards)

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give the weighted sums; see `Rewarded.total`."""
        return self.rewarded(replies, examples).total

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Give the sums under "total", each reward under its name, and its parts behind a "/"."""
        found = self.rewarded(replies, examples)
        return {self.name: found.total, **found.rewards, **found.parts}

    def rewarded(self, replies: Sequence[str], examples: Sequence[Example]) -> Rewarded:
        """Reward replies by every rule.

        Raises:
            ValueError: if replies and examples differ in number, or a reward gives another number
                of values, or infinite ones.
        """
        check_same(replies, examples)
        rewards: dict[str, Floats] = {}
        parts: dict[str, Floats] = {}
        for reward in self.rewards:
            found = dict(reward.parts(replies, examples))
            rewards[reward.name] = _checked(reward.name, found.pop(reward.name), len(replies))
            parts |= {f"{reward.name}/{part}": values for part, values in found.items()}
        table = np.stack(list(rewards.values()), axis=1)
        total = np.nansum(table * np.array(self.weights), axis=1)
        total[np.isnan(table).all(axis=1)] = np.nan
        return Rewarded(total, rewards, parts)


def check_same(replies: Sequence[str], examples: Sequence[Example]) -> None:
    """Refuse replies without an example each.

    Raises:
        ValueError: if they differ in number.
    """
    if len(replies) != len(examples):
        raise ValueError(f"{len(replies)} replies need as many examples, got {len(examples)}")


def _checked(name: str, values: Floats, n: int) -> Floats:
    if values.shape != (n,) or np.isinf(values).any():
        raise ValueError(
            f"the reward {name} gave {values.shape} values, expected ({n},), finite or nan"
        )
    return values
