"""Ask a generator only as far as the tokens of each question last."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from medrag.protocols import Generator
from medrag.records import Generation, Prompt, Usage
from medrag.retrieval.asking.replying import (
    Count,
    each_outcome,
    of_written,
    prompt_count,
    replies,
    reply_room,
    taken,
)

SPENT = "the budget of tokens is spent"


class Reply(NamedTuple):
    """What became of one prompt.

    Attributes:
        made: the generation, or why there is none.
        charged: tokens that it took: by the usage that was told, or estimated.
        exact: whether they were told.
        usage: of the generation; None where the generator was not asked.
    """

    made: Generation | Exception
    charged: int
    exact: bool
    usage: Usage | None


def paid_replies(
    generator: Generator,
    prompts: Sequence[Prompt | Exception],
    owners: Sequence[int],
    left: Mapping[int, int],
) -> list[Reply]:
    """Generate for the prompts that can be paid, in one batch.

    Set aside for each is what its prompt takes and what a reply may take at most, so that no
    question goes beyond its tokens while the generator keeps to its `max_tokens` (to 1,024 where it
    names none). A prompt that failed is charged with all that was set aside.

    Args:
        prompts: errors stand for those that could not be written.
        owners: which question pays for each.
        left: tokens that each question has.
    """
    purse = dict(left)
    made: dict[int, Reply] = {}
    reserved: dict[int, Count] = {}
    counts = _counts(generator, prompts)
    for at, (count, owner) in enumerate(zip(counts, owners, strict=True)):
        if isinstance(count, Exception):
            made[at] = Reply(count, 0, exact=True, usage=None)
        elif (cost := count.tokens + reply_room(generator)) > purse[owner]:
            made[at] = Reply(RuntimeError(SPENT), 0, exact=True, usage=None)
        else:
            purse[owner] -= cost
            reserved[at] = Count(cost, count.exact)
    asked = {at: prompt for at in reserved if isinstance(prompt := prompts[at], Prompt)}
    given = replies(generator, list(asked.values()))
    for (at, prompt), outcome in zip(asked.items(), given, strict=True):
        made[at] = _reply(generator, prompt, outcome, reserved[at])
    return [made[at] for at in range(len(prompts))]


def _counts(generator: Generator, prompts: Sequence[Prompt | Exception]) -> list[Count | Exception]:
    """Count the tokens of each prompt; an error where there is none, or it cannot be counted."""
    return of_written(
        lambda several: each_outcome(
            lambda some: [prompt_count(generator, each) for each in some],
            several,
            "counting tokens",
        ),
        prompts,
    )


def _reply(
    generator: Generator, prompt: Prompt, made: Generation | Exception, reserved: Count
) -> Reply:
    if isinstance(made, Exception):
        return Reply(made, reserved.tokens, exact=False, usage=Usage())
    charged = taken(generator, prompt, made)
    return Reply(made, charged.tokens, charged.exact, made.usage)
