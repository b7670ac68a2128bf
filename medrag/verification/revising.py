"""What becomes of claims that their evidence does not support: flagged, taken out, or redone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from medrag.language import neutralised, without_markers
from medrag.records import Answer, Claim, Exchange, Prompt, Quantity
from medrag.verification.attaching import without_attached
from medrag.verification.quantities import measures
from medrag.verification.statements import Stated, stated

Unsupported = Literal["flag", "remove", "redo"]

STEP = "removed"
NOTHING_LEFT = "The evidence that was found supports no answer to this question."
# Of a claim that is quoted back to the model.
_QUOTED = 300
_BULLETS = " \t-*•–—0123456789.)("
_REDO = """\
Some statements of your answer do not follow from the numbered evidence:

{claims}

Write the whole answer again, in the same form. Leave such a statement out, or correct it to what \
the evidence says; end every sentence with the marker of the evidence that supports it. If the \
evidence does not answer the question, say so."""


def failed(answer: Answer) -> tuple[int, ...]:
    """List the claims that their evidence contradicts or does not support, by their place."""
    return tuple(
        number
        for number, claim in enumerate(answer.claims)
        if claim.support in ("contradicted", "unsupported")
    )


def removed(answer: Answer) -> Answer:
    """Take the claims out that their evidence contradicts or does not support.

    Their sentences leave the text with their markers, and lines that held nothing else; citations
    that no marker points to any more, and numbers that the text no longer gives, leave as well.
    Headings and questions stay. If no statement is left, the answer abstains with `NOTHING_LEFT`.

    Returns:
        The answer itself where nothing has failed. Else the trace says what was taken out:
        {"step": "removed", "claims": [{"claim": place, "text": ..., "support": ...}]}; "claim" and
        the steps before it count in the answer as it was then.
    """
    gone = failed(answer)
    if not gone or answer.abstained:
        return answer
    told = [
        {"claim": n, "text": answer.claims[n].text, "support": answer.claims[n].support}
        for n in gone
    ]
    trace = (*answer.trace, {"step": STEP, "claims": told})
    places = stated(answer)
    found = {each.claim for each in places}
    left = [each for each in places if each.states and each.claim not in gone]
    # A claim that is not in the text cannot be cut out of it: nothing of the text is kept then.
    if not left or not found.issuperset(gone):
        return _nothing_left(answer, trace)
    text = _without(answer.text, [each for each in places if each.claim in gone])
    claims = tuple(claim for n, claim in enumerate(answer.claims) if n not in gone)
    used = {marker for claim in claims for marker in claim.markers}
    return replace(
        answer,
        text=text,
        claims=claims,
        citations=tuple(each for each in answer.citations if each.marker in used),
        quantities=tuple(each for each in answer.quantities if _given(each, text)),
        trace=trace,
    )


def taken_out(answer: Answer) -> tuple[Claim, ...]:
    """Give the claims that `removed` took out of an answer, as its trace tells them."""
    return tuple(
        Claim(each["text"], support=each["support"])
        for step in answer.trace
        if step.get("step") == STEP and isinstance(step.get("claims"), list | tuple)
        for each in step["claims"]
        if isinstance(each, Mapping)
        and isinstance(each.get("text"), str)
        and each.get("support") in ("contradicted", "unsupported")
    )


def redo_prompt(prompt: Prompt, answer: Answer) -> Prompt:
    """Go on with a prompt: what the model said, and which of its claims to mend, and why.

    Args:
        prompt: that the answer was given to.
        answer: verified.

    Raises:
        ValueError: if no claim failed.
    """
    gone = failed(answer)
    if not gone:
        raise ValueError("every claim of the answer is supported or unchecked: nothing to redo")
    lines = [_told(n + 1, answer.claims[n]) for n in gone]
    asked = _REDO.format(claims="\n".join(lines))
    exchange = Exchange(without_attached(answer), (asked,))
    return replace(prompt, turns=(*prompt.turns, exchange))


def _told(number: int, claim: Claim) -> str:
    quoted = neutralised(" ".join(claim.text.split()))
    if len(quoted) > _QUOTED:
        quoted = f"{quoted[:_QUOTED].rstrip()}…"
    cited = ", ".join(f"[{marker}]" for marker in claim.markers)
    if claim.support == "contradicted":
        why = f"{cited or 'the evidence'} says otherwise"
    else:
        why = f"{cited} does not say so" if cited else "no evidence is cited for it"
    return f'{number}. "{quoted}": {why}.'


def _nothing_left(answer: Answer, trace: tuple[Mapping[str, Any], ...]) -> Answer:
    return replace(
        answer,
        text=NOTHING_LEFT,
        claims=(),
        citations=(),
        regions=(),
        quantities=(),
        abstained=True,
        trace=trace,
    )


def _without(text: str, cuts: Sequence[Stated]) -> str:
    """Cut sentences out, and with them lines of which nothing but a bullet is left."""
    lines: list[str] = []
    start = 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        here = [
            (max(c.start, start), min(c.end, end)) for c in cuts if c.start < end > start < c.end
        ]
        kept = _line(line, [(a - start, b - start) for a, b in here])
        if kept is not None:
            lines.append(kept)
        start = end
    return "".join(lines).strip()


def _line(line: str, cuts: Sequence[tuple[int, int]]) -> str | None:
    if not cuts:
        return line
    pieces: list[str] = []
    last = 0
    for start, end in cuts:
        pieces.append(line[last:start])
        last = end
    pieces.append(line[last:])
    if not without_markers("".join(pieces)).strip(_BULLETS + "\r\n"):
        return None
    # The blank that stood before a sentence goes with it, but for the last, before the line's end.
    joined = pieces[0]
    for piece in pieces[1:]:
        joined = (
            joined.rstrip(" ") + piece
            if piece.strip() and joined.strip()
            else joined + piece.lstrip(" ")
        )
    return joined


def _given(quantity: Quantity, text: str) -> bool:
    """Tell whether a text still gives a number, in whatever unit."""
    wanted = measures(f"{quantity.value:g} {quantity.unit}".strip())
    return any(one.holds(other) for one in wanted for other in measures(text))
