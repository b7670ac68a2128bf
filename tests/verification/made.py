"""Answers whose claims cite passages."""

from collections.abc import Sequence

from medrag.records import Answer, Citation, Claim, Kind, Passage, Question, Source


def passage(text: str, name: str = "p", *, kind: Kind = "text", language: str = "en") -> Passage:
    return Passage(name, kind, text, Source("c", "d.pdf", "0" * 64, language=language))


def cited(claims: Sequence[tuple[str, tuple[int, ...]]], *texts: str) -> Answer:
    """Make an answer from claims with their markers, marker n meaning the n-th text."""
    citations = tuple(
        Citation(number, passage(text, f"p{number}"), 1.0)
        for number, text in enumerate(texts, start=1)
    )
    said = " ".join(text for text, _ in claims)
    return Answer(
        Question("What is seen?"),
        said,
        claims=tuple(Claim(*claim) for claim in claims),
        citations=citations,
    )
