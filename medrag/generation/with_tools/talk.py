"""How far a prompt has come in the loop of tools, and what came of each call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medrag.codec import to_json
from medrag.errors import InputFileError
from medrag.generation.calls import read_calls
from medrag.generation.with_tools.telling import UNANSWERED
from medrag.images import identified
from medrag.images.marking import touched
from medrag.images.pointing import shown_size, unmarked, with_marks
from medrag.images.reading import origin
from medrag.records import (
    Box,
    Generation,
    ImageRef,
    Prompt,
    Question,
    QuestionRegion,
    ToolResult,
)
from medrag.records.usage import summed

_MOST_MARKS = 9


@dataclass(frozen=True, slots=True)
class Talk:
    """How far one prompt has come.

    Attributes:
        prompt: what the model is to be given next, with all turns so far.
        images: by their number, the first being 1.
        replies: of the model.
        failures: calls that could not be made.
        looked: whether the model was shown a part again.
        closed: whether it was asked to answer without tools.
        done: whether its last reply is the answer.
    """

    prompt: Prompt
    images: tuple[ImageRef, ...]
    replies: tuple[Generation, ...] = ()
    regions: tuple[QuestionRegion, ...] = ()
    trace: tuple[Mapping[str, Any], ...] = ()
    failures: int = 0
    looked: bool = False
    closed: bool = False
    done: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call, and its line of the trace."""

    step: Mapping[str, Any]
    text: str
    images: tuple[ImageRef, ...] = ()
    regions: tuple[QuestionRegion, ...] = ()
    failed: bool = False


def outcome_of(result: ToolResult, talk: Talk, step: Mapping[str, Any]) -> Outcome:
    """Check what a tool gave: pictures that can be read, regions of pictures that it was given."""
    # Read now: a picture that cannot be read would fail the whole prompt later.
    images = tuple(identified(image) for image in result.images)
    for region in result.regions:
        if not 0 <= region.image < len(talk.images):
            raise RuntimeError(f"the tool gave a region of picture {region.image + 1}")
    found = {
        "text": result.text,
        "boxes": [[*map(float, each.box)] for each in result.regions if each.box is not None],
        "images": [to_json(image) for image in images],
    }
    told = {key: value for key, value in found.items() if value}
    return Outcome({**step, **told}, result.text or "Done.", images, result.regions)


def outlined(generation: Generation, talk: Talk) -> Outcome | None:
    """Draw the places that an answer names onto the question's pictures; None without any."""
    by_image: dict[ImageRef, list[Box]] = {}
    known = {unmarked(image) for image in talk.images}
    for region in generation.regions:
        question = talk.prompt.question
        image = question.images[region.image] if region.image < len(question.images) else None
        if not isinstance(image, ImageRef) or unmarked(image) not in known or region.box is None:
            continue
        if _lies_in(region.box, image):
            by_image.setdefault(image, []).append(region.box)
    if not by_image:
        return None
    shown = tuple(
        identified(with_marks(unmarked(image), boxes[:_MOST_MARKS]))
        for image, boxes in by_image.items()
    )
    boxes = [list(box) for several in by_image.values() for box in several]
    step = {"turn": len(talk.replies), "tool": "mark", "arguments": {}, "boxes": boxes}
    step["images"] = [to_json(image) for image in shown]
    return Outcome(step, "Here are the places that you named, outlined in green.", shown)


def _lies_in(box: Box, image: ImageRef) -> bool:
    try:
        touched(box, *shown_size(image))
    except (ValueError, InputFileError):
        return False
    return True


def in_question(
    region: QuestionRegion, images: Sequence[ImageRef], question: Question
) -> QuestionRegion | None:
    """Say where a region of a shown picture lies in the question's; None for another picture."""
    given = images[region.image]
    for place, own in enumerate(question.images):
        if not isinstance(own, ImageRef) or _file(own) != _file(given):
            continue
        start, own_start = origin(given), origin(own)
        x, y = start.left - own_start.left, start.top - own_start.top
        x, y = x / start.unit, y / start.unit
        box, point = region.box, region.point
        return replace(
            region,
            image=place,
            box=box and (box[0] + x, box[1] + y, box[2] + x, box[3] + y),
            point=point and (point[0] + x, point[1] + y),
        )
    return None


def _file(image: ImageRef) -> ImageRef:
    """Give the whole of a picture, of which references may show parts."""
    return replace(unmarked(image), box=None)


def finished(talk: Talk, *, calls: bool) -> Generation:
    """Put the answer of a talk together from all its turns.

    Args:
        calls: whether a reply may be a call; the last one then is no answer.
    """
    last = talk.replies[-1]
    thoughts = "\n\n".join(each.thoughts for each in talk.replies if each.thoughts)
    whole = replace(
        last,
        usage=summed([each.usage for each in talk.replies]),
        thoughts=thoughts,
        regions=tuple(dict.fromkeys((*talk.regions, *last.regions))),
        trace=(*talk.trace, *last.trace),
    )
    if calls and read_calls(last.text).calls:
        return replace(
            whole, text=UNANSWERED, abstained=True, confidence=None, log_probabilities=None
        )
    return whole
