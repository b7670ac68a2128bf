"""A small library in memory, with channels of a few lines."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.records import Filter, Hit, ImageRef, Passage, Question, ScoredRow, Source
from medrag.retrieval.guarding import allows

PICTURE = ImageRef("/q.png", sha256="f" * 64)


def made(
    number: int,
    kind: str,
    text: str,
    *,
    subject: str | None = None,
    study: str | None = None,
    sha256: str | None = None,
    **fields: object,
) -> Passage:
    images = (ImageRef("p.png", sha256=sha256),) if sha256 else ()
    source = Source("c", "d", "0" * 64, subject=subject, study=study)
    return Passage(f"p{number}", kind, text, source, images, fields)  # type: ignore[arg-type]


def fact(
    number: int, head: str, relation: str, tail: str, study: str | None = None, **more: str
) -> Passage:
    absent = relation.startswith("not_")
    text = f"There is no {head}." if absent else f"{head} {relation} {tail}."
    state = "absent" if absent else "present"
    fields = {"head": head, "relation": relation, "tail": tail, "polarity": state}
    source = {key: more.pop(key) for key in ("subject", "sha256") if key in more}
    return made(number, "fact", text, study=study, **source, **{**fields, **more})


class Shelf:
    """All passages in a list; a row is a place in it."""

    def __init__(self, *passages: Passage) -> None:
        self.passages = passages

    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        return [self.passages[row] for row in rows]

    def row_of(self, passage_id: str) -> int | None:
        return next((i for i, each in enumerate(self.passages) if each.id == passage_id), None)

    def row_mask(self, wanted: Filter) -> NDArray[np.bool_]:
        return np.array([allows(wanted, each) for each in self.passages], dtype=np.bool_)

    def passages_where(self, wanted: Filter) -> Iterator[tuple[int, Passage]]:
        return ((i, each) for i, each in enumerate(self.passages) if allows(wanted, each))


class Scored:
    """A channel that scores every passage by a function; with `leaky`, whatever a filter says."""

    def __init__(
        self, shelf: Shelf, score: Callable[[Question, Passage], float], *, leaky: bool = False
    ) -> None:
        self.shelf = shelf
        self.score = score
        self.leaky = leaky

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        found = []
        for question, wanted in zip(questions, filters, strict=True):
            mask = self.shelf.row_mask(Filter() if self.leaky else wanted)
            rows = [
                ScoredRow(row, score)
                for row, passage in enumerate(self.shelf.passages)
                if mask[row] and (score := self.score(question, passage)) > 0
            ]
            found.append(sorted(rows, key=lambda one: (-one.score, one.row))[:k])
        return found


class Given:
    """A retriever that gives the same passages to all, as far as their filter allows them."""

    def __init__(self, *scored: tuple[Passage, float], leaky: bool = False) -> None:
        self.scored = scored
        self.leaky = leaky
        self.asked: list[Question] = []

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        self.asked += questions
        return [
            [
                Hit(passage, score, rank)
                for rank, (passage, score) in enumerate(
                    [one for one in self.scored if self.leaky or allows(wanted, one[0])][:k], 1
                )
            ]
            for wanted in filters
        ]


def by_name(question: Question, passage: Passage) -> float:
    """Score terms and facts that a text names, as a graph does."""
    text = question.text.casefold()
    fields = passage.fields
    synonyms = fields.get("synonyms") or ()
    names = (
        [fields.get("name"), *synonyms]
        if passage.kind == "term"
        else [fields.get("head"), fields.get("tail")]
    )
    return float(any(name and str(name).casefold() in text for name in names))
