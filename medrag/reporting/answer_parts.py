"""What an answer holds beside its text and evidence, for those who check it.

Which sentences their evidence supports, the numbers given, what the model looked at on its way,
what it was not shown, what it thought aloud, and how sure it may be.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medrag.codec import image_from_json
from medrag.errors import MedragError
from medrag.records import Answer, Box, ImageRef, Quantity, QuestionRegion, Support
from medrag.reporting.answer_regions import outlines_of
from medrag.reporting.cards import picture_figure
from medrag.reporting.evidence import Picture, question_pictures, trace_pictures
from medrag.reporting.markup import Html, element, joined
from medrag.reporting.words import shortened
from medrag.verification.others import resting_on_others
from medrag.verification.revising import taken_out

_STEPS = 12
_STEP_PICTURES = 4
_STEP_LONGEST = 360
_STEP_CHARACTERS = 600
_THOUGHTS = 20_000
_QUANTITIES = 24
# From where on a confidence is called so.
_FLAGS: Mapping[Support, tuple[str, str]] = {
    "supported": ("✓", "supported"),
    "unsupported": ("?", "not supported"),
    "contradicted": ("✗", "contradicted"),
    "unchecked": ("–", "not checked"),
}
_SIGNALS = {
    "token_probability": "likelihood of each piece of the text",
    "option_probability": "likelihood of the option among the options",
    "agreement": "agreement of further drafts",
    "margin": "lead of the best passage over the next",
    "support": "share of the checked sentences that are supported",
    "confidence": "the generator's own confidence",
}


def confidence_words(confidence: float) -> str:
    """Give the confidence of an answer; nothing for what is no number.

    Not in percent: it ranks answers, and is a probability only where a calibration made it one.
    """
    return f"confidence {confidence:.2f}" if math.isfinite(confidence) else ""


def claim_flags(answer: Answer) -> Html:
    """List the sentences of an answer and whether their evidence supports them.

    Nothing where none was checked. Where all are supported, and not by records of other patients
    alone, one line says so.
    """
    checked = [claim for claim in answer.claims if claim.support != "unchecked"]
    if not checked:
        return Html("")
    n_held = sum(claim.support == "supported" for claim in checked)
    others = resting_on_others(answer)
    if n_held == len(answer.claims) and not others:
        told = "Checked: the evidence cited supports every sentence."
        return element("div", told, class_="checked")
    entries = [
        _of_another(claim.text) if n in others else _flagged(claim.text, claim.support, claim.score)
        for n, claim in enumerate(answer.claims)
    ]
    told = f"Checked: {n_held} of {len(answer.claims)} sentences supported by the evidence cited"
    told += f", {len(others)} of these by records of other patients alone" if others else ""
    return element(
        "div",
        element("div", told, class_="checked"),
        element("ul", *entries, class_="flags", aria_label="Support of each sentence"),
    )


def removed_list(answer: Answer) -> Html:
    """List the sentences that were taken out, since their evidence does not support them."""
    gone = taken_out(answer)
    if not gone:
        return Html("")
    return element(
        "div",
        element("div", "Taken out of the answer, for want of support", class_="checked"),
        element("ul", *(_flagged(each.text, each.support, None) for each in gone), class_="flags"),
    )


def quantity_list(quantities: Sequence[Quantity]) -> Html:
    """List the numbers that an answer gives."""
    if not quantities:
        return Html("")
    entries = [element("li", *_quantity(each)) for each in quantities[:_QUANTITIES]]
    left = len(quantities) - _QUANTITIES
    entries += [element("li", f"{left} more")] if left > 0 else []
    return element(
        "div",
        element("span", "Numbers given", class_="title"),
        element("ul", *entries, class_="quantities"),
        class_="numbers",
    )


def left_out(answer: Answer) -> Html:
    """Say what the model was not shown, or shown smaller, for want of room."""
    if not answer.left_out:
        return Html("")
    entries = [
        element(
            "li",
            element("b", f"[{each.marker}]" if each.marker else "the question"),
            f" {_OMITTED[each.kind]}: {each.detail}",
        )
        for each in answer.left_out
    ]
    told = f"Not all shown to the model, for want of room ({len(entries)})"
    return element("details", element("summary", told), element("ul", *entries, class_="omitted"))


def thoughts(answer: Answer) -> Html:
    """Fold away what the model thought aloud."""
    words = answer.thoughts.strip()
    if not words:
        return Html("")
    cut = "" if len(words) <= _THOUGHTS else f" … ({len(words) - _THOUGHTS} more characters)"
    note = "These are notes of the model on its way. They were not checked and are no evidence."
    return element(
        "details",
        element("summary", "What the model thought aloud"),
        element("p", note, class_="title"),
        element("div", words[:_THOUGHTS] + cut, class_="thoughts", dir="auto"),
    )


def steps(answer: Answer, roots: Mapping[str, Path]) -> Html:
    """Show what a loop did step by step: its calls, what they told, the pictures looked at."""
    if not answer.trace:
        return Html("")
    listed = [_step(step, answer, roots) for step in answer.trace[:_STEPS]]
    left = len(answer.trace) - _STEPS
    listed += [element("li", f"{left} more steps", class_="missing")] if left > 0 else []
    told = f"Steps on the way to the answer ({len(answer.trace)})"
    return element("details", element("summary", told), element("ol", *listed, class_="steps"))


def signal_rows(answer: Answer) -> list[tuple[str, str]]:
    """Name the signals that confidence is told from, with their values, in words."""
    return [
        (_SIGNALS.get(name, name.replace("_", " ")), _share(value))
        for name, value in answer.signals.items()
    ]


_OMITTED = {
    "shrunk": "shown smaller",
    "image": "told in words instead of shown",
    "text": "shortened",
    "passage": "left out",
}


def _flagged(words: str, support: Support, score: float | None) -> Html:
    sign, told = _FLAGS[support]
    # Beside "not supported" a share of words found, or a probability, would read as its opposite.
    told_too = support == "supported" and score is not None and 0 <= score <= 1
    sure = f" ({score:.0%})" if told_too else ""
    return element(
        "li",
        element("b", element("span", f"{sign} ", aria_hidden="true"), f"{told}{sure}"),
        element("span", words, dir="auto"),
        class_=support,
    )


def _of_another(words: str) -> Html:
    told = element("b", element("span", "! ", aria_hidden="true"), "supported, of another patient")
    return element("li", told, element("span", words, dir="auto"), class_="unsupported")


def _quantity(quantity: Quantity) -> list[Html]:
    value = f"{quantity.value:.6g}"
    joint = "" if quantity.unit in ("", "%", "°") else "\u00a0"
    measure = element("b", f"{value}{joint}{quantity.unit}")
    name = shortened(quantity.name, _STEP_CHARACTERS)
    named = element("span", name) if name else Html("")
    pieces = [named, measure] if quantity.unit else [measure, named]
    return [joined(*(piece for piece in pieces if piece), by=" ")]


def _step(step: Mapping[str, Any], answer: Answer, roots: Mapping[str, Path]) -> Html:
    tool = str(step.get("tool") or step.get("step") or "reply")
    known = ("tool", "step", "turn", "arguments", "text", "boxes", "images", "error")
    arguments = step.get("arguments")
    given = arguments if isinstance(arguments, Mapping) else {}
    rest = {**given, **{key: value for key, value in step.items() if key not in known}}
    told = [f"{key.replace('_', ' ')}: {shortened(_plain(v), 120)}" for key, v in rest.items()]
    error, words = step.get("error"), step.get("text")
    return element(
        "li",
        element("b", tool),
        element("span", f" {', '.join(told)}", class_="title") if told else "",
        element("p", shortened(str(words), _STEP_CHARACTERS), dir="auto") if words else "",
        element("p", f"did not work: {shortened(str(error), 200)}", class_="missing")
        if error
        else "",
        _step_pictures(step, given, answer, roots),
    )


def _step_pictures(
    step: Mapping[str, Any], given: Mapping[str, Any], answer: Answer, roots: Mapping[str, Path]
) -> Html:
    images = _images(step.get("images"))
    pictures: tuple[Picture, ...] = ()
    if images:
        pictures = trace_pictures(
            images[:_STEP_PICTURES], answer.question, roots.values(), longest=_STEP_LONGEST
        )
    elif boxes := _boxes(step.get("boxes")):
        pictures = _with_boxes(answer, given.get("image", 1), boxes)
    shown = [picture_figure(picture) for picture in pictures]
    left = len(images) - _STEP_PICTURES
    if left > 0:
        shown.append(element("p", f"{left} more pictures", class_="missing"))
    return element("div", *shown, class_="looks") if shown else Html("")


def _with_boxes(answer: Answer, number: object, boxes: Sequence[Box]) -> tuple[Picture, ...]:
    """Draw boxes that a tool found on the picture of the question that it was given."""
    n_images = len(answer.question.images)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= n_images:
        return ()
    bare = replace(answer.question, images=(answer.question.images[number - 1],), regions=())
    regions = [QuestionRegion(0, box=box) for box in boxes]
    (picture,) = question_pictures(bare)
    return (replace(picture, outlines=outlines_of(regions, 0, "step")),)


def _images(value: object) -> list[ImageRef]:
    """Read the pictures of a step; a file of answers may hold anything there."""
    found = []
    for each in value if isinstance(value, list | tuple) else ():
        try:
            image = image_from_json(each) if isinstance(each, Mapping) else None
        except (TypeError, ValueError, MedragError):
            continue
        if image is not None and isinstance(image.path, str):
            found.append(image)
    return found


def _boxes(value: object) -> list[Box]:
    found: list[Box] = []
    for each in value if isinstance(value, list | tuple) else ():
        if isinstance(each, list | tuple) and len(each) == 4 and all(map(_is_number, each)):
            x0, y0, x1, y1 = (float(edge) for edge in each)
            found.append((x0, y0, x1, y1))
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: object, depth: int = 4) -> str:
    """Write a value of JSON in words; what lies too deep is only hinted at."""
    if isinstance(value, Mapping | list | tuple) and not depth:
        return "…"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(each, depth - 1)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        nested = any(isinstance(each, Mapping) for each in value)
        return ("; " if nested else ", ").join(_plain(each, depth - 1) for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _share(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else "not known"
