"""The words of answers and evidence: markers that lead somewhere, sentences that support."""

import re
from collections.abc import Collection, Sequence

from medrag.language import LANGUAGES, markers, sentences, stems
from medrag.language.markers import MARKER
from medrag.reporting.markup import Html, element, joined

# Share of a claim's stems that a sentence must hold to be shown as its ground.
_LEAST = 0.5
# Share of a row's stems that a claim must hold to be taken from it.
_REPEATED = 0.8


def linked(answer: str, known: Collection[int], anchor: str) -> tuple[Html, dict[int, str]]:
    """Turn the markers of an answer into links to their evidence.

    Args:
        known: markers that have a citation; another one is shown as broken.
        anchor: what the ids of this answer begin with.

    Returns:
        The answer's paragraphs, and the id of the first place of each marker.
    """
    first: dict[int, str] = {}
    paragraphs = []
    for paragraph in re.split(r"\n+", answer.strip()):
        pieces: list[str] = []
        end = 0
        for match in MARKER.finditer(paragraph):
            pieces.append(paragraph[end : match.start()].rstrip())
            pieces.append(_links(match.group(), known, anchor, first))
            end = match.end()
        pieces.append(paragraph[end:])
        paragraphs.append(element("p", *pieces, dir="auto"))
    return joined(*paragraphs), first


def highlighted(passage: str, claims: Sequence[str], language: str) -> Html:
    """Mark the sentences of a passage that claims rest on: the nearest one of each claim."""
    if language not in LANGUAGES or not claims:
        return joined(passage)
    spans = sentences(passage, language)
    held = [set(stems(passage[start:end], language)) for start, end in spans]
    chosen = {best for claim in claims if (best := _nearest(claim, held, language)) is not None}
    pieces: list[str] = []
    last = 0
    for number in sorted(chosen):
        start, end = spans[number]
        pieces += [passage[last:start], element("mark", passage[start:end])]
        last = end
    return joined(*pieces, passage[last:])


def shortened(words: str, n: int) -> str:
    """Put words on one line of at most `n` characters."""
    folded = " ".join(words.split())
    return folded if len(folded) <= n else folded[: n - 1] + "…"


def repeated(row: str, claims: Sequence[str], language: str) -> bool:
    """Tell whether a claim holds nearly all words of a table's row."""
    if language not in LANGUAGES:
        return False
    held = set(stems(row, language))
    least = _REPEATED * len(held)
    return bool(held) and any(len(held & set(stems(c, language))) >= least for c in claims)


def _nearest(claim: str, held: Sequence[set[str]], language: str) -> int | None:
    wanted = set(stems(claim, language))
    if not wanted or not held:
        return None
    shares = [len(wanted & each) / len(wanted) for each in held]
    best = max(range(len(shares)), key=lambda i: (shares[i], -len(held[i])))
    return best if shares[best] >= _LEAST else None


def _links(marker: str, known: Collection[int], anchor: str, first: dict[int, str]) -> Html:
    read = markers(marker, max(known, default=0))
    numbers = [number for number in read.numbers if number in known]
    if read.broken or len(numbers) < len(read.numbers) or not numbers:
        told = "This marker points to nothing."
        return element("span", marker, class_="broken", title=told)
    return joined(*(_link(number, anchor, first) for number in numbers))


def _link(number: int, anchor: str, first: dict[int, str]) -> Html:
    place = f"{anchor}m{number}"
    own = None if number in first else place
    first.setdefault(number, place)
    return element(
        "a", str(number), class_="marker", id=own, href=f"#{anchor}e{number}",
        aria_label=f"Evidence {number}",
    )  # fmt: skip
