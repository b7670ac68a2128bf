"""Parts of a report that fit into so many tokens, cut where sentences end."""

from collections.abc import Sequence

from medrag.language import sentences
from medrag.language.estimating import text_tokens
from medrag.language.known import read_as
from medrag.records import Passage
from medrag.retrieval.history.regions import seen

_CUT = "…"


def shortened(passage: Passage, tokens: int) -> str:
    """Give the first sentences of what a report says was seen, as many as fit; "" for none."""
    language = read_as(passage.source.language)
    told = [text[start:end] for text in seen(passage) for start, end in sentences(text, language)]
    return fitting(told, tokens)


def fitting(told: Sequence[str], tokens: int | None) -> str:
    """Join as many sentences as fit into a number of tokens, and say by "…" that some are left out.

    A first sentence that is too long by itself is cut after a word.
    """
    whole = " ".join(told)
    if tokens is None or text_tokens(whole) <= tokens:
        return whole
    kept = next(
        (" ".join(told[:n]) for n in range(len(told) - 1, 0, -1)
         if text_tokens(f"{' '.join(told[:n])} {_CUT}") <= tokens),
        "",
    )  # fmt: skip
    words = [] if kept else (told[0].split() if told else [])
    while words and text_tokens(f"{' '.join(words)} {_CUT}") > tokens:
        words.pop()
    kept = kept or " ".join(words)
    return f"{kept} {_CUT}" if kept else ""
