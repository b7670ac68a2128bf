"""Markers for sentences that have none: those of the evidence that says the same."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from medrag.records import Answer, Citation, Claim, Hit
from medrag.verification.comparing import conflicts
from medrag.verification.contradictions import known_language
from medrag.verification.reading import Unit, merged, units
from medrag.verification.statements import Stated, stated

STEP = "attached"
# Shares of equal sentences may differ by the order of their sums.
_ROUNDING = 1e-12


def attached(answer: Answer, evidence: Sequence[Hit], *, least: float) -> Answer:
    """Give each claim without a marker that of the evidence which supports it best, if any does.

    A sentence of the evidence supports a claim by the share of the claim's words that it has, each
    weighed by how few sentences of all the evidence have it (idf). It must have every number of the
    claim, and neither it nor another sentence of its passage that speaks of the same may stand
    against the claim. Of equal shares the better rank gives the marker.

    Headings, questions, the bare letter of an option and sentences that say that nothing is known
    get none; nor does an answer that abstained. Markers that are there stay as they are, so that
    doing it twice changes nothing.

    Args:
        answer: as it was cited; its supports are not read.
        evidence: of the prompt, in its order: marker n means evidence[n - 1].
        least: share, in (0, 1].

    Returns:
        The answer with markers in its text, before the full stop, and in claims and citations. Its
        trace says which were attached: {"step": "attached", "markers": [{"claim": place in the
        claims, "marker": number, "start": ..., "end": characters of the new text}]}.

    Raises:
        ValueError: if `least` is out of range.
    """
    if not 0 < least <= 1:
        raise ValueError(f"least must be above 0 and at most 1, got {least}")
    if answer.abstained or not evidence:
        return answer
    library = _Library(evidence)
    chosen = [
        (place, marker)
        for place in stated(answer)
        if place.states and not answer.claims[place.claim].markers
        if (marker := library.marker(answer.claims[place.claim], least)) is not None
    ]
    return _with_markers(answer, evidence, chosen) if chosen else answer


def without_attached(answer: Answer) -> str:
    """Give the text as it was before markers were attached.

    Only of an answer whose text has not been changed since.
    """
    text = answer.text
    for step in reversed(answer.trace):
        if step.get("step") == STEP:
            for each in reversed(step["markers"]):
                text = text[: each["start"]] + text[each["end"] :]
    return text


class _Sentence(NamedTuple):
    marker: int
    unit: Unit


class _Library:
    """The sentences of the evidence, and how rare their words are."""

    def __init__(self, evidence: Sequence[Hit]) -> None:
        self.sentences = [
            _Sentence(number, unit)
            for number, hit in enumerate(evidence, start=1)
            for unit in units(hit.passage.text, known_language(hit.passage))
        ]
        self.language = known_language(evidence[0].passage)
        self.counts = Counter(key for each in self.sentences for key in each.unit.keys)

    def marker(self, claim: Claim, least: float) -> int | None:
        """Find the evidence that supports a claim best, and well enough."""
        read = units(claim.text, self.language)
        if not any(unit.keys for unit in read):
            return None
        whole = merged(read)
        best: tuple[float, int] | None = None
        for each in self.sentences:
            share = self._share(whole, each.unit)
            better = share >= least and (best is None or share > best[0] + _ROUNDING)
            if better and self._agrees(read, whole, each):
                best = (share, each.marker)
        return best[1] if best else None

    def _share(self, claim: Unit, sentence: Unit) -> float:
        held = sum(self._rarity(key) for key in claim.keys & sentence.keys)
        return held / sum(self._rarity(key) for key in claim.keys)

    def _rarity(self, key: str) -> float:
        n = len(self.sentences)
        return math.log((n + 1) / (self.counts[key] + 0.5)) + 1e-9

    def _agrees(self, read: Sequence[Unit], whole: Unit, found: _Sentence) -> bool:
        if any(not any(m.holds(e) for e in found.unit.measures) for m in whole.measures):
            return False
        passage = [each.unit for each in self.sentences if each.marker == found.marker]
        return not any(conflicts(unit, claim) for unit in passage for claim in read)


def _with_markers(
    answer: Answer, evidence: Sequence[Hit], chosen: Sequence[tuple[Stated, int]]
) -> Answer:
    claims = list(answer.claims)
    pieces: list[str] = []
    steps: list[dict[str, Any]] = []
    last = length = 0
    for place, marker in chosen:
        claims[place.claim] = replace(claims[place.claim], markers=(marker,))
        pieces += [answer.text[last : place.insert], f" [{marker}]"]
        length += len(pieces[-2])
        end = length + len(pieces[-1])
        steps.append({"claim": place.claim, "marker": marker, "start": length, "end": end})
        last, length = place.insert, end
    known = {citation.marker: citation for citation in answer.citations}
    for _, marker in chosen:
        hit = evidence[marker - 1]
        known.setdefault(marker, Citation(marker, hit.passage, hit.score))
    return replace(
        answer,
        text="".join([*pieces, answer.text[last:]]),
        claims=tuple(claims),
        citations=tuple(known[marker] for marker in sorted(known)),
        trace=(*answer.trace, {"step": STEP, "markers": steps}),
    )
