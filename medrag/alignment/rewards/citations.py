"""How much of a reply rests on what it cites."""

from collections.abc import Mapping, Sequence

import numpy as np

from medrag.alignment.rewards.answers import answer_text
from medrag.alignment.rewards.example import Example
from medrag.alignment.rewards.protocol import Floats, check_same
from medrag.alignment.rewards.tagged import tags_of
from medrag.evaluation.grounding import claim_support
from medrag.prompting.citation import cite
from medrag.protocols import Verifier
from medrag.records import Answer, Selection


class CitationReward:
    """Give the share of a reply's sentences that the passages they cite support.

    A sentence without a marker, and one whose markers point to nothing, is not supported; a reply
    that states nothing has 0. The reward does not apply (nan) to prompts without evidence, and to
    replies of which the verifier could check no sentence. It does not ask whether the answer is
    right, and a short reply that copies one sentence has all of it: weigh it beside `AnswerReward`.

    Args:
        verifier: that says which claims are supported.
        think, answer: tags by which the policy sets thoughts and answer apart.

    Raises:
        ValueError: if a tag is none.
    """

    name = "citations"

    def __init__(
        self,
        *,
        verifier: Verifier,
        think: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
    ) -> None:
        self.verifier = verifier
        self.tags = tags_of(think, answer)

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give each reply 0 to 1, or nan; asks the verifier once for all."""
        return self.parts(replies, examples)[self.name]

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Tell the rewards, the share of sentences "cited", and whether all markers "resolve"."""
        check_same(replies, examples)
        places = [at for at, each in enumerate(examples) if each.prompt.evidence]
        columns = np.full((3, len(replies)), np.nan)
        answers = [self._answer(replies[at], examples[at]) for at in places]
        if places:
            columns[0, places] = claim_support(answers, self.verifier).shares
        for at, answer in zip(places, answers, strict=True):
            claims = answer.claims
            if not claims:
                columns[0, at] = 0.0
            cited = sum(bool(claim.markers) for claim in claims)
            columns[1:, at] = cited / len(claims) if claims else 0.0, answer.error is None
        return {"citations": columns[0], "cited": columns[1], "resolve": columns[2]}

    def _answer(self, reply: str, example: Example) -> Answer:
        text, prompt = answer_text(reply, self.tags), example.prompt
        cited = cite(text, prompt)
        return Answer(
            prompt.question,
            text,
            claims=cited.claims,
            citations=cited.citations,
            selection=Selection(prompt.evidence),
            error=cited.error,
        )
