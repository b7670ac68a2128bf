"""How likely a model holds each option to be the answer."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from medrag.extras import require
from medrag.generation.local.forward import Runner, State
from medrag.generation.local.replies import special_tokens

OptionForm = Literal["text", "letter", "lettered"]


def option_tokens(
    tokenizer: Any, options: Sequence[str], form: OptionForm, prompt: str
) -> tuple[tuple[int, ...], ...]:
    """Give the tokens of each option, as a model would write it after a prompt.

    Args:
        tokenizer: of transformers.
        form: "text", "letter" ("A"), or "lettered" ("A. text").
        prompt: whose last characters say whether a blank belongs before the option.

    Raises:
        ValueError: if an option has no tokens.
    """
    blank = " " if options and _wants_blank(tokenizer, prompt) else ""
    found = []
    for place, option in enumerate(options):
        letter = chr(ord("A") + place)
        text = {"text": option.strip(), "letter": letter}.get(form, f"{letter}. {option.strip()}")
        ids = tokenizer.encode(blank + text, add_special_tokens=False)
        if not ids:
            raise ValueError(f"option {letter} is empty, and cannot be scored; leave it out")
        found.append(tuple(int(each) for each in ids))
    return tuple(found)


def option_scores(
    runner: Runner, state: State, row: int, options: Sequence[Sequence[int]]
) -> tuple[float, ...]:
    """Score the options of one question by their likelihood after what was read.

    All options are read at once, on from one copy of the prompt's cache. The mean makes options
    of unequal length comparable.

    Args:
        state: of the prompts, before anything was written; stays as it is.
        row: of the question's prompt.
        options: tokens of each, at least one.

    Returns:
        The mean log-probability of the tokens of each, natural, at most 0.

    Source:
        Brown et al., NeurIPS 2020, section 2.4 (scoring by likelihood per token).
    """
    torch = require("torch")
    n = max(len(option) for option in options)
    ids = np.zeros((len(options), n), dtype=np.int64)
    for place, option in enumerate(options):
        ids[place, : len(option)] = option
    tokens = torch.from_numpy(ids).to(state.logits.device)
    several = runner.selected(state, [row] * len(options))
    logits = several.logits[:, None].float()
    if n > 1:
        followed = runner.follow(several, tokens[:, :-1])
        logits = torch.cat((logits, followed.float()), dim=1)
    told = logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0].double().tolist()
    return tuple(
        sum(each[: len(option)]) / len(option) for each, option in zip(told, options, strict=True)
    )


def _wants_blank(tokenizer: Any, prompt: str) -> bool:
    """Tell whether words after a prompt begin with a blank that the tokenizer does not add."""
    if not prompt or prompt[-1].isspace() or prompt.endswith(tuple(special_tokens(tokenizer))):
        return False
    adds = tokenizer.convert_ids_to_tokens(tokenizer.encode("A", add_special_tokens=False))
    return not adds[0].startswith("\u2581")
