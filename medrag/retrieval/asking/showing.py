"""Questions and hits as a model is shown them on the way to a ranking.

Both are words of others: they stand between <<< and >>>, and what could close that, read as a tag
of a chat template, or as a call in tags, is rewritten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from medrag.errors import FAILURES
from medrag.images import resolved
from medrag.language import fenced, printable, untagged
from medrag.language.joining import joined_parts
from medrag.protocols import Generator
from medrag.records import Generation, Hit, ImageRef, Passage, Prompt, Question
from medrag.retrieval.asking.replying import evidence_images, fits, most_images
from medrag.retrieval.asking.wording import Wording, filled

Parts = tuple[str | ImageRef, ...]
# Characters of one passage that a model is shown, and those of one query.
LONGEST_TEXT, LONGEST_QUERY = 6000, 500
_BREAKS = frozenset("\n\r\t\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")


@runtime_checkable
class Roots(Protocol):
    """Passages that say where the files of a corpus lie."""

    def corpus_root(self, corpus: str) -> Path: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be told of one question.

    Attributes:
        hits: to show, numbered from 1.
        images: of each hit, absolute.
        told: values of the placeholders of the wording's "ask".
    """

    question: Question
    hits: tuple[Hit, ...]
    images: tuple[tuple[ImageRef, ...], ...]
    told: Mapping[str, object]


def question_text(question: Question) -> str:
    """Write a question, its options and its earlier turns, made harmless to put in a fence."""
    letters = (chr(ord("A") + place) for place in range(len(question.options)))
    lines = [f"Earlier question: {turn.question}" for turn in question.history]
    lines += [question.text or "(a picture without words)"]
    lines += [f"{letter}. {text}" for letter, text in zip(letters, question.options, strict=True)]
    return fenced("\n".join(lines)).strip("\n")


def fenced_query(text: str) -> str:
    """Write a query, made harmless to put in a fence."""
    return fenced(text).strip("\n")


def question_images(question: Question, generator: Generator) -> tuple[ImageRef, ...]:
    """Give the pictures of a question that a generator can look at."""
    given = tuple(image for image in question.images if isinstance(image, ImageRef))
    return given[: most_images(generator)]


def hit_text(hit: Hit, *, most: int = LONGEST_TEXT) -> str:
    """Write a passage, or what a model made of it, cut and made harmless to put in a fence."""
    fields = hit.passage.fields
    words = (fields.get("title"), hit.summary or hit.passage.text, fields.get("caption"))
    held = [each for each in words if isinstance(each, str) and each]
    text = "\n".join(dict.fromkeys(held))
    return fenced(text[:most]).strip("\n") or "(a picture without text)"


def found_images(passage: Passage, rows: object) -> tuple[ImageRef, ...]:
    """Give those pictures of a passage that are on this machine, by absolute paths.

    Args:
        rows: the passages of the index; without folders of corpora, absolute paths alone count.
    """
    try:
        if isinstance(rows, Roots):
            passage = resolved(passage, rows.corpus_root(passage.source.corpus))
    except FAILURES:
        return ()
    absolute = (image for image in passage.images if Path(image.path).is_absolute())
    return tuple(image for image in absolute if Path(image.path).is_file())


def hit_parts(number: int, hit: Hit, images: Sequence[ImageRef], *, most: int) -> Parts:
    """Write a hit under its number, its words in a fence, its pictures behind."""
    parts: list[str | ImageRef] = [f"[{number}]\n<<<\n{hit_text(hit, most=most)}\n>>>"]
    for image in images:
        parts += [f"Image [{number}]:", image]
    return tuple(parts)


def written(asked: Asked, words: Wording, generator: Generator) -> Prompt:
    """Write the longest prompt that a generator has room for.

    The texts of the wording are "role", "evidence" where there are hits, and "ask". Texts of hits
    are cut, and then their pictures left out, until all of it fits.

    Raises:
        ValueError: if the question does not fit even alone.
    """
    for most, n_images in _rungs(asked, generator):
        prompt = _prompt(asked, words, generator, most, n_images)
        if fits(generator, prompt):
            return prompt
    raise ValueError("the question is longer than the generator reads; ask in fewer words")


def is_query(text: str) -> bool:
    """Tell whether a text that a model wrote may be searched for: one line, nothing hidden in it.

    Refused are blank and overlong texts, controls and characters that show nothing, halves of
    UTF-16 pairs, and tags of chat templates.
    """
    return (
        bool(text.strip())
        and len(text) <= LONGEST_QUERY
        and _BREAKS.isdisjoint(text)
        and printable(text) == text
        and untagged(text) == text
    )


def said(made: Generation) -> str:
    """Give a reply without the thoughts before it, where the generator left their tag in."""
    return made.text.rpartition("</think>")[2].strip()


def _rungs(asked: Asked, generator: Generator) -> Iterator[tuple[int, int]]:
    most = evidence_images(generator, len(question_images(asked.question, generator)))
    n_images = sum(map(len, asked.images))
    n_images = n_images if most is None else min(n_images, most)
    for length in (LONGEST_TEXT, LONGEST_TEXT // 3, LONGEST_TEXT // 10):
        yield length, n_images
    while n_images:
        n_images //= 2
        yield LONGEST_TEXT // 10, n_images
    yield 100, 0


def _prompt(asked: Asked, words: Wording, generator: Generator, most: int, n_images: int) -> Prompt:
    texts = words.texts
    parts: list[str | ImageRef] = [texts["role"]]
    if asked.hits:
        parts.append(texts["evidence"])
    for number, (hit, images) in enumerate(zip(asked.hits, asked.images, strict=True), start=1):
        parts += hit_parts(number, hit, images[:n_images], most=most)
        n_images -= len(images[:n_images])
    parts += question_images(asked.question, generator)
    told = {"question": question_text(asked.question), **asked.told}
    parts.append(filled(texts["ask"], told))
    pixels = getattr(generator, "context_pixels", None)
    return Prompt(asked.question, asked.hits, joined_parts(parts), words.label, pixels)
