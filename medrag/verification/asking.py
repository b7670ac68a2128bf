"""A generator that judges: any of those that answer questions, local or remote."""

import logging
from collections import Counter
from collections.abc import Sequence

from medrag.errors import FAILURES, BudgetSpentError, MedragError
from medrag.protocols import Generator
from medrag.records import Generation, Prompt, Question

_LOGGER = logging.getLogger(__name__)


class GeneratorJudge:
    """Give prompts to a generator as questions without evidence; equal prompts once.

    Its temperature, and how much it writes, are its own: a generator that draws gives other
    verdicts each time.

    Attributes:
        name: that of the generator.
        failures: prompts that got no reply, by reason, since the judge was made.
    """

    def __init__(self, *, generator: Generator) -> None:
        self.generator = generator
        self.name = generator.name
        self.failures: Counter[str] = Counter()

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        """Give the reply to each prompt, in order; None where the generator failed or said nothing.

        A batch on which it fails is tried again in halves.

        Raises:
            MedragError: if every prompt failed; says why the first did.
        """
        once = list(dict.fromkeys(prompts))
        found = dict(zip(once, self._outcomes(once), strict=True))
        outcomes = [found[each] for each in prompts]
        reasons = [str(each) for each in outcomes if isinstance(each, Exception)]
        self.failures.update(reasons)
        if reasons and len(reasons) == len(outcomes):
            raise MedragError(f"{self.name} judged none of {len(outcomes)} prompts: {reasons[0]}")
        if reasons:
            _LOGGER.warning(
                "%s gave no reply to %d of %d prompts, the first because: %s",
                self.name, len(reasons), len(outcomes), reasons[0],
            )  # fmt: skip
        return [None if isinstance(each, Exception) else each for each in outcomes]

    def _outcomes(self, prompts: Sequence[str]) -> list[str | Exception]:
        if not prompts:
            return []
        asked = [Prompt(Question(text), evidence=(), parts=(text,)) for text in prompts]
        try:
            generations = self.generator.generate(asked)
            if len(generations) != len(prompts):
                raise ValueError(f"{len(generations)} texts for {len(prompts)} prompts")
        except BudgetSpentError:
            raise
        except FAILURES as error:
            if len(prompts) == 1:
                return [error]
            half = len(prompts) // 2
        else:
            return [_said(each) for each in generations]
        # Outside the except clause: the error's traceback would keep the batch's memory.
        return [*self._outcomes(prompts[:half]), *self._outcomes(prompts[half:])]


def _said(generation: Generation) -> str | Exception:
    text = generation.text.strip()
    if text:
        return text
    return MedragError(f"an empty reply (finish_reason: {generation.finish_reason!r})")
