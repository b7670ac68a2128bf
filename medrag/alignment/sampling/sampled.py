"""Pairs of the right answer and the most hallucinated of a model's own."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medrag.alignment.sampling.asking import (
    EQUAL,
    Made,
    Ready,
    Wrong,
    asked,
    check_any_reply,
    cleaned,
    failed_reply,
    numbered,
    pair_of,
    problem_with,
    ready,
    same_words,
)
from medrag.protocols import Generator, Sampling
from medrag.records import Generation, Item
from medrag.retrieval.asking.replying import each_outcome, replies

_SAMPLER, _JUDGE = "the sampler", "the judge"
NOTHING_WRONG = "the judge found no answer wrong"
UNREAD = "the judge named no answer that there is"
_OBJECT = re.compile(r"\{[^{}]*\}")
_NAMED = re.compile(
    r"\banswer\b[\"'*\s]*(?:is|[:=#])?[\"'*\s#]*([0-9]{1,3})(?![0-9.,/]*[0-9])", re.I
)
_BARE = re.compile(r"[\s*\"#]*([0-9]{1,3})[\s*\".]*")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """An item, and the answers to it that may be wrong, each once."""

    ready: Ready
    texts: tuple[str, ...]


def sampled_pairs(
    items: Iterable[Item],
    *,
    sampler: Sampling,
    judge: Generator,
    benchmark: str,
    n: int = 5,
    with_pictures: bool = False,
    template: str | None = None,
    key: bytes | None = None,
) -> Made:
    """Draw answers of the model to be aligned, and reject the most hallucinated of them.

    Drawn answers that are right, empty, cut, or decline are not shown to the judge; it may say
    that none of the others is wrong, and there is no pair then. What an answer cites is taken
    away, as there is no evidence.

    Args:
        items: of a split that is trained on, each with a reference.
        sampler: the model to be aligned; its seed and temperature are its own.
        judge: a model that reads question, reference and answers.
        benchmark: begins the ids of pairs.
        n: answers to draw for each item.
        with_pictures: show the judge the pictures of the question; it must then take as many.
        template: of the prompt; None for the question's own.
        key: of pseudonyms; None reads this user's key if an item names anybody.

    Returns:
        Pairs of family "sampled": the reference over the answer, both with the clean pictures.

    Raises:
        ValueError: if n is not positive.
        MedragError: if a picture cannot be read, or a model failed on every prompt.

    Source:
        MMedPO, arXiv 2412.06141. The wording is our own.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    left_out: Counter[str] = Counter()
    prepared_items = ready(items, template=template, key=key, left_out=left_out)
    drawn = _drawn(prepared_items, sampler, n, left_out)
    prompts = [
        asked("pick", each.ready, {"answers": numbered(each.texts)}, with_pictures=with_pictures)
        for each in drawn
    ]
    judged = replies(judge, prompts)
    check_any_reply(judged, _JUDGE)
    pairs = []
    for each, reply in zip(drawn, judged, strict=True):
        picked = _picked(each, reply)
        if picked.text:
            pairs.append(pair_of(each.ready, picked.text, "sampled", benchmark))
        else:
            left_out[picked.problem] += 1
    return Made(tuple(pairs), dict(left_out))


def read_choice(reply: str, n: int) -> int | None:
    """Read which of n answers a judge names, from 1; 0 for none of them.

    It is looked for as "answer" of a JSON object, then behind the word, then as all of the reply.

    Returns:
        None where nothing or several are named, or one that is not there.
    """
    named = _of_objects(reply) or [int(each) for each in _NAMED.findall(reply)]
    if not named and (found := _BARE.fullmatch(reply)):
        named = [int(found.group(1))]
    once = set(named)
    if len(once) != 1:
        return None
    [number] = once
    return number if 0 <= number <= n else None


def _drawn(
    items: Sequence[Ready], sampler: Sampling, n: int, left_out: Counter[str]
) -> list[_Drawn]:
    outcomes = each_outcome(
        lambda several: _checked(sampler.sample([each.prompt for each in several], n), several),
        items,
        _SAMPLER,
    )
    check_any_reply(outcomes, _SAMPLER)
    found = []
    for each, outcome in zip(items, outcomes, strict=True):
        if isinstance(outcome, Exception):
            left_out[failed_reply(_SAMPLER, outcome)] += 1
            continue
        texts, problems = _wrong(each, outcome)
        if texts:
            found.append(_Drawn(each, texts))
        else:
            left_out[_only(problems)] += 1
    return found


def _checked(drawn: list[list[Generation]], asked_items: Sequence[Ready]) -> list[list[Generation]]:
    if len(drawn) != len(asked_items):
        raise ValueError(f"answers to {len(drawn)} of {len(asked_items)} prompts")
    return drawn


def _wrong(each: Ready, drawn: Sequence[Generation]) -> tuple[tuple[str, ...], list[str]]:
    """Give the drawn answers that may be wrong, and what keeps the others out."""
    texts: list[str] = []
    problems = []
    for generation in drawn:
        text = cleaned(generation.text)
        problem = problem_with(each, text, generation.finish_reason)
        if problem:
            problems.append(problem)
        elif not any(same_words(text, other) for other in texts):
            texts.append(text)
    return tuple(texts), problems


def _only(problems: Sequence[str]) -> str:
    """Name why no answer is left: the reason of all, or that some are right."""
    kinds = set(problems)
    return kinds.pop() if len(kinds) == 1 else f"of all drawn answers: {EQUAL}, or it is none"


def _picked(each: _Drawn, reply: Generation | Exception) -> Wrong:
    if isinstance(reply, Exception):
        return Wrong(problem=failed_reply(_JUDGE, reply))
    number = read_choice(reply.text, len(each.texts))
    if number is None:
        return Wrong(problem=UNREAD)
    if number == 0:
        return Wrong(problem=NOTHING_WRONG)
    return Wrong(text=each.texts[number - 1])


def _of_objects(reply: str) -> list[int]:
    named = []
    for found in _OBJECT.findall(reply):
        try:
            value = json.loads(found)
        except (ValueError, RecursionError):
            continue
        number = value.get("answer") if isinstance(value, dict) else None
        if isinstance(number, str) and number.strip().isdecimal() and len(number) < 5:
            number = int(number)
        if type(number) is int:
            named.append(number)
    return named
