"""Prompts that fit into a generator: what is shown smaller, told in words, cut, or left out.

All prompts that may be written for a question stand on one ladder, each with a little less than the
one before; the first that fits is taken, so that more room never gives less.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from medrag.prompting.templates import (
    Extent,
    Template,
    full_extent,
    n_images_of,
    sentence_ends,
    template_for,
    written,
)
from medrag.protocols import Generator, Limited
from medrag.records import Hit, ImageRef, Omission, Prompt, Question, Selection

# Rungs between a whole text and its first sentence, and of all texts, so that few prompts need
# to be counted.
_CUTS, _ALL_CUTS = 24, 512
# Where a generator names no bound for images of the evidence, they are halved from so often.
_HALVINGS = 6


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt that fits, and what it lacks of the selection, by marker."""

    prompt: Prompt
    left_out: tuple[Omission, ...] = ()


def limits_of(generator: Generator) -> Limited | None:
    """Give a generator that says how much it reads; None for one that reads whatever it gets."""
    return cast("Limited", generator) if hasattr(generator, "count_tokens") else None


def fit(
    question: Question,
    selection: Selection,
    *,
    template: str | None = None,
    generator: Limited | None = None,
) -> Fitted:
    """Write the prompt that shows as much of a selection as a generator reads.

    Images of the evidence beyond `max_images`, and all of them for a generator that was not trained
    on several, are told in words: the text of the passage, with its caption. Where the prompt is
    still too long, in this order: images of the evidence are shown smaller, down to `least_pixels`;
    they are told in words, those of the lowest rank first; the passage of the lowest rank is cut
    sentence by sentence and then left out, then the next one. Before the first passage is cut,
    earlier turns are left out, the oldest first. The other markers keep their meaning: the evidence
    of the prompt begins as `selection.kept` does. Pictures of the question stay.

    Args:
        template: a name, or the path of a file; None for "choice" where the question has options,
            else "vqa".
        generator: what it reads; None for the whole prompt. Prompts are counted a dozen times
            at most, once where all of it fits.

    Raises:
        ValueError: if the question has more images than the generator takes, or does not fit
            even alone.
        RecipeError: if there is no such template, or its file breaks a rule.
    """
    kept, read = selection.kept, template_for(question, template)
    whole = full_extent(question, kept)
    if generator is None:
        return Fitted(written(question, kept, read, whole))
    n_images = _images_taken(question, whole.n_images, generator)
    first = replace(whole, n_images=n_images, pixels=generator.context_pixels)
    extent, prompt = _first_fitting(question, kept, read, first, generator)
    return Fitted(prompt, _left_out(kept, first, extent, generator))


def _images_taken(question: Question, n_images: int, generator: Limited) -> int:
    """Say how many images of the evidence the generator takes beside those of the question."""
    asked = sum(isinstance(image, ImageRef) for image in question.images)
    most = generator.max_images
    if most is not None and asked > most:
        raise ValueError(
            f"the question has {_number(asked, 'image')}, but the generator takes {most} at most; "
            "ask about fewer, or choose a generator that takes more"
        )
    if not generator.trained_multi_image:
        return 0
    return n_images if most is None else min(n_images, most - asked)


def _first_fitting(
    question: Question, hits: Sequence[Hit], template: Template, first: Extent, generator: Limited
) -> tuple[Extent, Prompt]:
    prompt = written(question, hits, template, first)
    if generator.room is None or (took := generator.count_tokens(prompt)) <= generator.room:
        return first, prompt
    rungs = list(_rungs(hits, first, generator.least_pixels))
    last = written(question, hits, template, rungs[-1]) if rungs else prompt
    took = generator.count_tokens(last) if rungs else took
    if took > generator.room:
        raise ValueError(
            f"the question alone takes {took} tokens, but the generator has room for "
            f"{generator.room}; ask in fewer words or of fewer pictures, or choose a generator "
            "that reads more"
        )
    low, high, best = 0, len(rungs) - 1, last
    while low < high:  # rungs[high] fits and is `best`; none before `low` does
        middle = (low + high) // 2
        tried = written(question, hits, template, rungs[middle])
        if generator.count_tokens(tried) <= generator.room:
            high, best = middle, tried
        else:
            low = middle + 1
    return rungs[high], best


def _rungs(hits: Sequence[Hit], first: Extent, least_pixels: int) -> Iterator[Extent]:
    """Go down from a whole extent to the question alone, a little less with each step."""
    at = first
    if first.n_images:
        for pixels in _pixels(first.pixels, least_pixels):
            at = replace(first, pixels=pixels)
            yield at
    for n_images in reversed(range(first.n_images)):
        at = replace(at, n_images=n_images)
        yield at
    for n_hits in reversed(range(1, len(hits) + 1)):
        if n_hits == 1:
            for n_turns in reversed(range(first.n_turns)):
                at = replace(at, n_turns=n_turns)
                yield at
        for n_sentences in _cuts(hits[n_hits - 1], _ALL_CUTS // len(hits)):
            yield replace(at, n_hits=n_hits, n_sentences=n_sentences)
        at = replace(at, n_hits=n_hits - 1)
        yield at
    for n_turns in reversed(range(at.n_turns)):  # those of a question without evidence
        yield replace(at, n_turns=n_turns)


def _pixels(start: int | None, least: int) -> Iterator[int]:
    """Halve from a number of pixels down to the least."""
    pixels = start if start is not None else 2 * least * 2**_HALVINGS
    while pixels > least:
        pixels = max(least, pixels // 2)
        yield pixels


def _cuts(hit: Hit, most: int) -> list[int]:
    """Say to how many sentences a text is cut, descending to the first one; evenly if to many."""
    n = len(sentence_ends(hit.passage))
    steps = min(_CUTS, most, n - 1)
    return sorted({1 + step * (n - 1) // steps for step in range(steps)}, reverse=True)


def _left_out(
    hits: Sequence[Hit], first: Extent, extent: Extent, generator: Limited
) -> tuple[Omission, ...]:
    """List what an extent lacks, by marker; what belongs to the question comes first."""
    lacks: list[Omission] = []
    if gone := first.n_turns - extent.n_turns:
        told = f"{gone} of {_number(first.n_turns, 'earlier turn')} left out"
        lacks.append(Omission(0, "text", told))
    before = 0
    for marker, hit in enumerate(hits, start=1):
        own = n_images_of(hit)
        if marker > extent.n_hits:
            lacks.append(Omission(marker, "passage", "left out for want of room"))
            continue
        shown = min(own, max(0, extent.n_images - before))
        taken = min(own, max(0, first.n_images - before))
        before += own
        if shown and extent.pixels != first.pixels:
            lacks.append(Omission(marker, "shrunk", _shrunk(first.pixels, extent.pixels)))
        if shown < own:
            why = "for want of room" if shown < taken else _why(generator)
            lacks.append(
                Omission(marker, "image", f"{own - shown} of {_number(own, 'image')} told in "
                         f"words: {why}")
            )  # fmt: skip
        if marker == extent.n_hits and extent.n_sentences is not None:
            n = len(sentence_ends(hit.passage))
            kept = f"{extent.n_sentences} of {_number(n, 'sentence')} kept"
            lacks.append(Omission(marker, "text", kept))
    return tuple(lacks)


def _shrunk(first: int | None, pixels: int | None) -> str:
    return f"at most {pixels} pixels" + (f" in the place of {first}" if first else "")


def _why(generator: Limited) -> str:
    if not generator.trained_multi_image:
        return "the generator was not trained on several"
    return f"the generator takes {_number(generator.max_images or 0, 'image')}"


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
