"""What a generator makes of a batch of prompts, of which some may fail."""

import logging
from collections.abc import Sequence

from medrag.errors import BudgetSpentError, MedragError
from medrag.protocols import Generator
from medrag.records import Generation, Prompt

# What a generator may meet in one prompt; a TypeError is a bug and is let through.
FAILURES = (MedragError, OSError, RuntimeError, ValueError, LookupError, ArithmeticError)

_LOGGER = logging.getLogger(__name__)


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
            _LOGGER.warning("the generator failed on one prompt: %s", error)
            return [error]
    return [each for prompt in prompts for each in outcomes(generator, [prompt])]


def _checked(generator: Generator, prompts: Sequence[Prompt]) -> list[Generation]:
    generations = generator.generate(prompts)
    if len(generations) != len(prompts):
        raise ValueError(
            f"{generator.name} gave {len(generations)} texts for {len(prompts)} prompts"
        )
    return generations
