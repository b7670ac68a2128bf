"""What is known of classes and concepts, asked of a generator."""

from collections.abc import Sequence
from dataclasses import replace

from medrag.concepts.book import ConceptBook
from medrag.concepts.prompts import prior_prompt
from medrag.concepts.sifting import Judge, said

_VALUES = {True: 1, False: -1, None: 0}


def with_prior(
    book: ConceptBook, classes: Sequence[str], judge: Judge, *, modality: str = "medical image"
) -> ConceptBook:
    """Ask of every class whether it shows each concept; no clear reply counts as not known.

    Source:
        KnoBo, arXiv 2405.14839 (parameter prior).
    """
    prompts = [
        prior_prompt(name, concept.question, modality=modality)
        for name in classes
        for concept in book.concepts
    ]
    replies = [_VALUES[said(reply)] for reply in (judge.judge(prompts) if prompts else [])]
    n = len(book.concepts)
    rows = tuple(tuple(replies[at * n : (at + 1) * n]) for at in range(len(classes)))
    return replace(book, classes=tuple(classes), prior=rows)
