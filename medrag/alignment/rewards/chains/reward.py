"""A reward for chains of answers that are right, and that agree with each other."""

from collections.abc import Mapping, Sequence

import numpy as np

from medrag.alignment.rewards.answers import answer_text
from medrag.alignment.rewards.chains.judging import Verdict, judge, said_of
from medrag.alignment.rewards.chains.rules import RuleTree
from medrag.alignment.rewards.example import Example
from medrag.alignment.rewards.protocol import Floats, check_same
from medrag.alignment.rewards.tagged import tags_of


class RuleReward:
    """Give the weighted mean of right answers and of kept rules, of replies that answer a chain.

    "consistent" is the share of checks that hold: each question that is asked must be answered by
    one allowed answer, and each rule whose "if" holds must be kept. "right" is the share of the
    example's reference answers that were given; without references, consistency alone counts.

    Args:
        tree: the questions and rules.
        right, consistent: weights of the two.
        think, answer: tags by which the policy sets thoughts and answer apart.

    Raises:
        ValueError: if a weight is negative, both are 0, or a tag is none.

    Source:
        Sun et al., Dr-LLaVA, arXiv 2405.19567: correctness of each answer, and agreement with
        symbolic rules over the conversation. Its released matching of keywords finds two-letter
        words inside others; here whole words alone count.
    """

    name = "rules"

    def __init__(
        self,
        *,
        tree: RuleTree,
        right: float = 1.0,
        consistent: float = 1.0,
        think: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
    ) -> None:
        if min(right, consistent) < 0 or right + consistent <= 0:
            raise ValueError(
                f"right and consistent must be at least 0, and one above, got {right} and "
                f"{consistent}"
            )
        self.tree = tree
        self.weights = right, consistent
        self.tags = tags_of(think, answer)

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give each reply 0 to 1; never nan.

        Raises:
            ValueError: if an example's chain names a question or an answer that the rules lack.
        """
        return self.parts(replies, examples)[self.name]

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Tell the rewards, "right" (nan without references) and "consistent"."""
        check_same(replies, examples)
        columns = np.full((3, len(replies)), np.nan)
        for place, (reply, example) in enumerate(zip(replies, examples, strict=True)):
            self._check(example)
            verdict = self.verdict(reply)
            right = _right(verdict, example.chain)
            values = np.array([right, verdict.consistency])
            weights = np.where(np.isnan(values), 0.0, self.weights)
            mean = np.nansum(values * weights) / weights.sum() if weights.any() else np.nan
            columns[:, place] = mean, *values
        return {"rules": columns[0], "right": columns[1], "consistent": columns[2]}

    def verdict(self, reply: str) -> Verdict:
        """Say what a reply answers, and name each rule that it breaks."""
        return judge(self.tree, said_of(answer_text(reply, self.tags), self.tree))

    def _check(self, example: Example) -> None:
        for name, answer in example.chain.items():
            asked = self.tree.questions.get(name)
            if asked is None or answer not in asked.answers:
                known = ", ".join(asked.answers if asked is not None else self.tree.questions)
                raise ValueError(
                    f"the chain of {example.id} holds {name}: {answer}, which {self.tree.label} "
                    f"does not know; known are {known}"
                )


def _right(verdict: Verdict, chain: Mapping[str, str]) -> float:
    if not chain:
        return float("nan")
    return sum(verdict.answers[name] == answer for name, answer in chain.items()) / len(chain)
