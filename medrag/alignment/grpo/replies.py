"""Replies as rewards read them, out of the tokens that the policy drew."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from medrag.alignment.rewards import Example, Reward, WeightedRewards
from medrag.errors import MedragError
from medrag.generation.local.inputs import prompt_text
from medrag.generation.local.loading import Loaded
from medrag.generation.local.replies import special_tokens

# Tags that stay in a reply also where a tokenizer holds them for special tokens.
_TAGS = ("<think>", "</think>", "<answer>", "</answer>", "<tool_call>", "</tool_call>")
_OPENING = "<think>"

Log = Callable[[str, float], None]


class ReplyReader:
    """Decode replies as inference does, with the tags that rewards look for.

    Args:
        loaded: the policy.
        examples: whose prompts are replied to.
    """

    def __init__(self, *, loaded: Loaded, examples: Sequence[Example]) -> None:
        self.loaded = loaded
        self.examples = examples
        preset = loaded.preset
        self.opening = preset.think[0] if preset is not None and preset.think else _OPENING
        named = (preset.think, preset.answer) if preset is not None else ()
        kept = {tag.lower() for tag in (*_TAGS, *(tag for pair in named if pair for tag in pair))}
        unspoken = [each for each in special_tokens(loaded.tokenizer) if each.lower() not in kept]
        self._beginnings: dict[int, str] = {}
        self.unspoken = re.compile("|".join(map(re.escape, unspoken)) or "(?!)")

    def text(self, place: int, tokens: Sequence[int]) -> str:
        """Give the reply to the prompt at a place, up to the first token that ends it.

        Where the prompt ends inside thoughts, the reply begins with their opening tag.
        """
        ends = set(self.loaded.eos)
        until = next((n for n, token in enumerate(tokens) if token in ends), len(tokens))
        written = self.loaded.tokenizer.decode(list(tokens[:until]), skip_special_tokens=False)
        return f"{self._begun(place)}{self.unspoken.sub('', written)}"

    def _begun(self, place: int) -> str:
        if place not in self._beginnings:
            prompt = prompt_text(self.loaded, self.examples[place].prompt)
            thinks = prompt.rstrip().lower().endswith(self.opening.lower())
            self._beginnings[place] = self.opening if thinks else ""
        return self._beginnings[place]


def reward_functions(rewards: WeightedRewards, reader: ReplyReader) -> list[Callable[..., Any]]:
    """Make the functions by which TRL asks for rewards, one for each, in order."""
    return [_function(reward, reader) for reward in rewards.rewards]


def _function(reward: Reward, reader: ReplyReader) -> Callable[..., Any]:
    # TRL hands every column of its rows to every function by keyword, and more from version to
    # version.
    def rewarded(
        *, completion_ids: Sequence[Sequence[int]], place: Sequence[int], log_metric: Log, **_: Any
    ) -> list[float | None]:
        replies = [reader.text(at, each) for at, each in zip(place, completion_ids, strict=True)]
        found = dict(reward.parts(replies, [reader.examples[at] for at in place]))
        values = found.pop(reward.name)
        if np.isinf(values).any():
            first = reader.examples[place[int(np.isinf(values).argmax())]]
            raise MedragError(f"the reward {reward.name} is infinite for example {first.id}")
        for name, each in found.items():
            if not np.isnan(each).all():
                log_metric(f"parts/{reward.name}/{name}", float(np.nanmean(each)))
        return [None if np.isnan(value) else float(value) for value in values]

    rewarded.__name__ = reward.name
    return rewarded
