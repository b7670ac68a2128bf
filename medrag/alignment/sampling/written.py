"""Pairs of the right answer and a plausible wrong one, written for the purpose."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from medrag.alignment.sampling.asking import (
    Made,
    Ready,
    Wrong,
    asked,
    check_any_reply,
    cleaned,
    failed_reply,
    pair_of,
    problem_with,
    ready,
)
from medrag.evaluation.scorers.correctness import is_yes_no
from medrag.prompting.templates import letter
from medrag.protocols import Generator
from medrag.records import Generation, Item
from medrag.retrieval.asking.replying import replies

_WRITER = "the writer"
NO_WRITER = "nobody was given to write a wrong answer"
NO_OTHER = "the question has no other option"
_YES_NO = re.compile(r"(?P<word>yes|no)(?P<end>[.!]?)", re.IGNORECASE)


def written_pairs(
    items: Iterable[Item],
    *,
    writer: Generator | None,
    benchmark: str,
    seed: int = 0,
    with_pictures: bool = False,
    template: str | None = None,
    key: bytes | None = None,
) -> Made:
    """Reject a plausible wrong answer to each item.

    Of a yes or no question whose reference is the bare word it is the other word, of one with
    options another option, drawn by the seed and the item's id; a model is asked for all others.

    Args:
        items: of a split that is trained on, each with a reference.
        writer: a model that reads question and reference; None leaves out what it would write.
        benchmark: begins the ids of pairs.
        seed: of the options.
        with_pictures: show the writer the pictures of the question; it must then take as many.
        template: of the prompt; None for the question's own.
        key: of pseudonyms; None reads this user's key if an item names anybody.

    Returns:
        Pairs of family "written": the reference over the wrong answer, both with the clean
        pictures. What a writer wrote is left out where it is right, empty, cut, or declines.

    Raises:
        MedragError: if a picture cannot be read, or the writer failed on every prompt.

    Source:
        MMedPO, arXiv 2412.06141. The wording is our own.
    """
    left_out: Counter[str] = Counter()
    prepared_items = ready(items, template=template, key=key, left_out=left_out)
    open_ones = [each for each in prepared_items if not is_bare(each)]
    written = iter(_written(open_ones, writer, with_pictures=with_pictures))
    pairs = []
    for each in prepared_items:
        wrong = other_answer(each, seed) if is_bare(each) else next(written)
        if wrong.text:
            pairs.append(pair_of(each, wrong.text, "written", benchmark))
        else:
            left_out[wrong.problem] += 1
    return Made(tuple(pairs), dict(left_out))


def is_bare(each: Ready) -> bool:
    """Tell whether an item's other answers need no writing: options, or a bare yes or no."""
    if each.item.kind in ("choice", "choices"):
        return True
    return is_yes_no(each.item) and _YES_NO.fullmatch(each.right) is not None


def other_answer(each: Ready, seed: int) -> Wrong:
    """Give another answer to a closed item, in the form of the right one.

    Of a question that asks for several options, it is one option that is not among them.
    """
    item = each.item
    if found := _YES_NO.fullmatch(each.right):
        other = "no" if found["word"].lower() == "yes" else "yes"
        cased = other.upper() if found["word"].isupper() else other
        return Wrong((cased.capitalize() if found["word"].istitle() else cased) + found["end"])
    options = item.question.options
    others = [place for place, text in enumerate(options) if text not in item.references]
    if not others:
        return Wrong(problem=NO_OTHER)
    place = random.Random(f"{seed} {item.id}").choice(others)
    return Wrong(f"{letter(place)}. {options[place]}")


def _written(
    items: Sequence[Ready], writer: Generator | None, *, with_pictures: bool
) -> list[Wrong]:
    if writer is None:
        return [Wrong(problem=NO_WRITER)] * len(items)
    outcomes = replies(
        writer, [asked("write", each, {}, with_pictures=with_pictures) for each in items]
    )
    check_any_reply(outcomes, _WRITER)
    return [_read(*each) for each in zip(items, outcomes, strict=True)]


def _read(each: Ready, reply: Generation | Exception) -> Wrong:
    if isinstance(reply, Exception):
        return Wrong(problem=failed_reply(_WRITER, reply))
    text = cleaned(reply.text)
    problem = problem_with(each, text, reply.finish_reason)
    return Wrong(problem=problem) if problem else Wrong(text)
