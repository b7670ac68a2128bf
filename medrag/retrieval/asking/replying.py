"""Ask a generator on the way to a ranking, and keep account of what it takes."""

import logging
from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple, TypeVar, cast

from medrag.errors import (
    FAILURES,
    BudgetSpentError,
    InputFileError,
    MissingExtraError,
    RecipeError,
)
from medrag.language import printable
from medrag.protocols import Generator, Limited
from medrag.records import Generation, ImageRef, Prompt

# Of a prompt whose generator does not count. Three characters of English are less than a token of
# every tokenizer in use; of other scripts a character may be one. A page is shown as about so much.
_CHARACTERS, _IMAGE = 3, 1500
_LONGEST_TOLD = 20_000
# What a reply may take of a generator that does not say.
REPLY_TOKENS = 1024
# A recipe that cannot be built, an absent library and a spent budget are no failure of one prompt.
LET_THROUGH = (RecipeError, MissingExtraError, BudgetSpentError)

Asked = TypeVar("Asked")
Given = TypeVar("Given")

_LOGGER = logging.getLogger(__name__)


class Count(NamedTuple):
    """Tokens, and whether they were counted by the generator or only estimated."""

    tokens: int
    exact: bool


def replies(generator: Generator, prompts: Sequence[Prompt]) -> list[Generation | Exception]:
    """Generate for each prompt; where the batch fails, prompt by prompt.

    Raises:
        RecipeError, MissingExtraError, BudgetSpentError: which are no failure of one prompt.
    """
    return each_outcome(lambda several: _checked(generator, several), prompts, "the generator")


def each_outcome(
    ask: Callable[[Sequence[Asked]], Sequence[Given]], asked: Sequence[Asked], what: str
) -> list[Given | Exception]:
    """Ask for all at once; where that fails, for each alone.

    Raises:
        RecipeError, MissingExtraError, BudgetSpentError: which are no failure of one.
    """
    if not asked:
        return []
    try:
        return list(ask(asked))
    except LET_THROUGH:
        raise
    except FAILURES as error:
        _LOGGER.warning("%s failed on %d at once: %s", what, len(asked), error)
        if len(asked) == 1:
            return [error]
    return [outcome for each in asked for outcome in each_outcome(ask, [each], what)]


def prompts_for(
    write: Callable[[Asked], Prompt], asked: Sequence[Asked]
) -> list[Prompt | Exception]:
    """Write a prompt for each; an error stands for one that cannot be written: `each_outcome`."""
    return each_outcome(lambda several: [write(each) for each in several], asked, "writing prompts")


def of_written(
    ask: Callable[[Sequence[Prompt]], Sequence[Given]], prompts: Sequence[Prompt | Exception]
) -> list[Given | Exception]:
    """Ask for all prompts that could be written, at once; errors stay where they stand."""
    given = iter(ask([each for each in prompts if isinstance(each, Prompt)]))
    return [each if isinstance(each, Exception) else next(given) for each in prompts]


def prompt_count(generator: Generator, prompt: Prompt) -> Count:
    """Count the tokens of a prompt, by the generator where it can, else from above.

    An estimate takes a token for 3 characters of ASCII, one for each other character, and 1,500
    for a picture.

    Raises:
        Exception: what the generator raises on a prompt that it cannot count.
    """
    if hasattr(generator, "count_tokens"):
        return Count(cast("Limited", generator).count_tokens(prompt), exact=True)
    parts = [*prompt.parts, *(part for turn in prompt.turns for part in turn.parts)]
    said = [turn.reply for turn in prompt.turns]
    texts = [part for part in parts if isinstance(part, str)]
    n_images = sum(isinstance(part, ImageRef) for part in parts)
    return Count(sum(map(estimated, [*texts, *said])) + _IMAGE * n_images, exact=False)


def estimated(text: str) -> int:
    """Estimate the tokens of a text from above."""
    n_ascii = sum(character.isascii() for character in text)
    return ceil(n_ascii / _CHARACTERS) + len(text) - n_ascii


def reply_room(generator: Generator) -> int:
    """Say how many tokens a reply takes at most, by the word of the generator if it gives one."""
    most = getattr(generator, "max_tokens", None)
    return most if isinstance(most, int) and most > 0 else REPLY_TOKENS


def taken(generator: Generator, prompt: Prompt, made: Generation) -> Count:
    """Count the tokens of a prompt and its reply, by the usage where it is told."""
    usage = made.usage
    exact = usage.prompt_tokens is not None and usage.completion_tokens is not None
    given = usage.prompt_tokens
    written = usage.completion_tokens
    if given is None:
        given = prompt_count(generator, prompt).tokens
    if written is None:
        written = estimated(made.text) + estimated(made.thoughts)
    return Count(given + written, exact)


def told(text: str) -> str:
    """Write a reply as a trace keeps it: nothing hidden in it, and of bounded length."""
    return printable(text)[:_LONGEST_TOLD]


def problem_of(error: Exception) -> str:
    """Say what went wrong, for a trace, which names no folders of this machine."""
    if isinstance(error, InputFileError):
        return told(f"{type(error).__name__}: {error.path.name}: {error.problem}")
    return told(f"{type(error).__name__}: {error}")


def most_images(generator: Generator) -> int | None:
    """Say how many images a prompt may show; 0 for a generator that looks at none, None: any."""
    if not getattr(generator, "looks", True):
        return 0
    most = getattr(generator, "max_images", None)
    return most if isinstance(most, int) else None


def evidence_images(generator: Generator, n_shown: int) -> int | None:
    """Say how many images may be shown beside those that are shown already; None for any number.

    One in all to a generator that was not trained on several.
    """
    most = most_images(generator)
    if not getattr(generator, "trained_multi_image", True):
        most = 1 if most is None else min(1, most)
    return None if most is None else max(0, most - n_shown)


def fits(generator: Generator, prompt: Prompt) -> bool:
    """Tell whether a generator that says how much it reads has room for a prompt."""
    room = getattr(generator, "room", None)
    return not isinstance(room, int) or prompt_count(generator, prompt).tokens <= room


def _checked(generator: Generator, prompts: Sequence[Prompt]) -> list[Generation]:
    made = generator.generate(prompts)
    if len(made) != len(prompts):
        raise ValueError(f"{generator.name} gave {len(made)} texts for {len(prompts)} prompts")
    return made
