"""What a generator makes of a batch of prompts, of which some may fail."""

import logging
from collections.abc import Sequence

from medrag.errors import FAILURES, BudgetSpentError
from medrag.protocols import Generator, Sampling
from medrag.records import Generation, Prompt

_LOGGER = logging.getLogger(__name__)
_MORE = "let it write more (max_tokens)"


def outcomes(generator: Generator, prompts: Sequence[Prompt]) -> list[Generation | Exception]:
    """Generate for each prompt; where the batch fails, prompt by prompt.

    Raises:
        BudgetSpentError: if a server may be asked no more; that is no failure of one prompt.
    """
    try:
        return list(_checked(generator, prompts))
    except BudgetSpentError:
        raise
    except FAILURES as error:
        if len(prompts) == 1:
            return [error]
    made = [each for prompt in prompts for each in outcomes(generator, [prompt])]
    if failed := [each for each in made if isinstance(each, Exception)]:
        # Of one prompt alone the answer says why.
        _LOGGER.warning(
            "the generator failed on %d of %d prompts, on the first because: %s",
            len(failed),
            len(made),
            failed[0],
        )
    return made


def drawn(generator: Sampling, prompts: Sequence[Prompt], n: int) -> list[tuple[Generation, ...]]:
    """Draw n texts for each prompt; where the batch fails, prompt by prompt.

    Returns:
        For each prompt its texts; none where they could not be drawn, for the answer is there.

    Raises:
        BudgetSpentError: if a server may be asked no more.
    """
    try:
        return [tuple(several) for several in generator.sample(prompts, n)]
    except BudgetSpentError:
        raise
    except FAILURES as error:
        if len(prompts) == 1:
            _LOGGER.warning("no further texts could be drawn for one prompt: %s", error)
            return [()]
    return [each for prompt in prompts for each in drawn(generator, [prompt], n)]


def trouble(generation: Generation) -> str | None:
    """Say what is wrong with a text that came; None if nothing is."""
    is_empty = not (generation.text.strip() or generation.abstained or generation.regions)
    if is_empty and generation.finish_reason == "stop":
        return "the model wrote no answer"
    if is_empty:
        return f"the model wrote no answer before its reply was cut; {_MORE}"
    return f"the answer was cut; {_MORE}" if generation.finish_reason == "length" else None


def _checked(generator: Generator, prompts: Sequence[Prompt]) -> list[Generation]:
    generations = generator.generate(prompts)
    if len(generations) != len(prompts):
        raise ValueError(
            f"{generator.name} gave {len(generations)} texts for {len(prompts)} prompts"
        )
    return generations
