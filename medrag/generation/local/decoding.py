"""Go on token by token until each row has ended."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from medrag.extras import require
from medrag.generation.local.forward import Runner, State
from medrag.generation.local.readings import Tensor
from medrag.generation.local.sampling import Chooser


@dataclass(slots=True)
class Written:
    """What a model wrote.

    Attributes:
        tokens: without the one that ends it.
        log_probabilities: of the tokens, as the model gave them: before temperature and penalty.
        ended: whether the model ended it; else it was cut.
    """

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    ended: bool = False


def written(
    runner: Runner,
    state: State,
    chooser: Chooser,
    *,
    most: int,
    stops: Collection[int],
    told: Callable[[list[int]], None] | None = None,
) -> list[Written]:
    """Write on from what was read.

    Rows that have ended are left out as soon as they are half of the batch.

    Args:
        state: of the prompts; is used up.
        most: tokens of each row, at least 1.
        stops: tokens that end a text.
        told: is given the tokens of the first row after each step.

    Returns:
        For each row of the state.
    """
    found = [Written() for _ in range(state.n_rows)]
    rows = list(range(state.n_rows))
    while rows:
        step = _next(state, chooser)
        going = [
            place for place, row in enumerate(rows)
            if _goes_on(found[row], step, place, most=most, stops=stops)
        ]  # fmt: skip
        if told is not None:
            told(found[0].tokens)
        chosen = step.chosen
        if 2 * len(going) <= len(rows):
            rows = [rows[place] for place in going]
            if not rows:
                break
            state, chosen = runner.selected(state, going), chosen[going]
            chooser.keep(going)
        runner.step(state, chosen)
    return found


class _Step(NamedTuple):
    """The next token of each row: as a tensor, as a list, and how likely the model held it."""

    chosen: Tensor
    tokens: list[int]
    log_probabilities: list[float]


def _goes_on(text: Written, step: _Step, place: int, *, most: int, stops: Collection[int]) -> bool:
    """Add a row's token to its text, and tell whether another follows."""
    if text.ended or len(text.tokens) >= most:
        return False
    text.ended = step.tokens[place] in stops
    if not text.ended:
        text.tokens.append(step.tokens[place])
        text.log_probabilities.append(step.log_probabilities[place])
    return not text.ended and len(text.tokens) < most


def _next(state: State, chooser: Chooser) -> _Step:
    torch = require("torch")
    logits = state.logits.float()
    chosen = chooser.choose(logits)
    told = logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)
    # At once, so that a device is waited for only once.
    tokens, log_probabilities = torch.stack((chosen.double(), told.double())).tolist()
    return _Step(chosen, [int(each) for each in tokens], log_probabilities)
