"""From the text of an answer to its claims and to what their markers point to."""

from dataclasses import dataclass

from medrag.language import leading_markers, markers, sentences, without_markers
from medrag.language.known import prompt_language
from medrag.records import Citation, Claim, Prompt


@dataclass(frozen=True, slots=True)
class Cited:
    """An answer's text, read.

    Attributes:
        claims: its sentences in order, without their markers.
        citations: one per marker used, ascending.
        error: names each marker that points to nothing; None if all resolve.
    """

    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    error: str | None


def cite(text: str, prompt: Prompt) -> Cited:
    """Split an answer into claims and resolve its markers: [1], [1, 2], [1][2] and [1-3].

    Markers after a full stop belong to the sentence that it ends. A text of markers alone gives
    citations and no claim.
    """
    claims = []
    for piece in _pieces(text, prompt_language(prompt)):
        bare = without_markers(piece)
        if any(char.isalnum() for char in bare):
            claims.append(Claim(bare, markers(piece, len(prompt.evidence)).numbers))
    used = markers(text, len(prompt.evidence))
    citations = tuple(
        Citation(number, prompt.evidence[number - 1].passage, prompt.evidence[number - 1].score)
        for number in used.numbers
    )
    return Cited(tuple(claims), citations, _error(used.broken, len(prompt.evidence)))


def _pieces(text: str, language: str) -> list[str]:
    """Split into sentences, moving markers after a full stop to the sentence before it."""
    pieces: list[str] = []
    last = 0
    for start, end in sentences(text, language):
        lead = leading_markers(text[start:end])
        if pieces and lead and "\n" not in text[last:start]:
            pieces[-1] += " " + text[start : start + lead].strip()
            start += lead
        if text[start:end].strip():
            pieces.append(text[start:end].strip())
        last = end
    return pieces


def _error(broken: tuple[str, ...], n: int) -> str | None:
    if not broken:
        return None
    holds = f"markers 1 to {n}" if n else "no evidence"
    verb = "points" if len(broken) == 1 else "point"
    return f"{', '.join(broken)} {verb} to nothing: the prompt holds {holds}"
