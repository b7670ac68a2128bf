"""Where lesions lie, as a grounding tool says: the noise of each item, and how sure the tool is."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medrag.alignment.corruption.heat_maps import write_heat_map
from medrag.alignment.noise import Noise, check_step
from medrag.errors import FAILURES
from medrag.images import read_image
from medrag.pipeline import prepared
from medrag.protocols import Tool
from medrag.records import Box, ImageRef, Item, Question, ToolResult
from medrag.retrieval.asking.replying import LET_THROUGH

# What the paper looks for where no disease is named.
DISEASE = "disease"
NO_PICTURE = "the question has no picture, or several"
NOT_FOUND = "the tool found nothing"
_SURE = re.compile(r"\b(?:confidence|score)\s*[:=]?\s*(0(?:\.[0-9]+)?|1(?:\.0+)?)(?![0-9.])", re.I)


@dataclass(frozen=True, slots=True)
class Grounded:
    """What a tool found in the pictures of items.

    Attributes:
        noises: by the item's id, for `noised_pairs`.
        confidences: in [0, 1], by the item's id, of those whose result tells one.
        left_out: items without a noise, by reason.
    """

    noises: Mapping[str, Noise] = field(hash=False)
    confidences: Mapping[str, float] = field(hash=False)
    left_out: Mapping[str, int] = field(hash=False)


def grounded(
    items: Iterable[Item],
    *,
    tool: Tool,
    step: int,
    folder: Path,
    targets: Mapping[str, str] | None = None,
    seed: int = 0,
    key: bytes | None = None,
) -> Grounded:
    """Ask a grounding tool where each item's lesion lies, and noise that.

    One box is named as it is; several become a heat map. A tool's result has no field for its
    confidence: it is read from the words "confidence 0.87" or "score 0.87", of which the largest
    counts.

    Args:
        items: each with one picture; others are left out.
        tool: takes the arguments "target" and "image", and gives regions.
        step: of the noise, see `medrag.alignment.corruption.lesion_mask`.
        folder: for heat maps.
        targets: what to look for, by the item's id; "disease" for all others.
        seed: of the noise.
        key: of pseudonyms; None reads this user's key if an item names anybody.

    Raises:
        ValueError: if there is no such step.
        MedragError: if a picture cannot be read, or a heat map cannot be written.
        RecipeError, MissingExtraError, BudgetSpentError: as the tool raises them.

    Source:
        MMedPO, arXiv 2412.06141, whose grounding tool is MedKLIP.
    """
    check_step(step)
    given = list(items)
    questions = prepared([item.question for item in given], key)
    noises: dict[str, Noise] = {}
    confidences: dict[str, float] = {}
    left_out: Counter[str] = Counter()
    for item, question in zip(given, questions, strict=True):
        found = _asked(tool, question, (targets or {}).get(item.id, DISEASE))
        if isinstance(found, str):
            left_out[found] += 1
            continue
        noise = Noise("lesion_mask", seed=seed, step=step)
        noises[item.id] = _placed(noise, found.boxes, question, folder)
        if math.isfinite(found.confidence):
            confidences[item.id] = found.confidence
    return Grounded(noises, confidences, dict(left_out))


def read_confidence(text: str) -> float:
    """Read the largest confidence that a tool's words tell; nan without any."""
    said = [float(each) for each in _SURE.findall(text)]
    return max(said, default=math.nan)


@dataclass(frozen=True, slots=True)
class _Found:
    boxes: tuple[Box, ...]
    confidence: float


def _asked(tool: Tool, question: Question, target: str) -> _Found | str:
    """Give the places that the tool tells, or why there are none."""
    pictures = [image for image in question.images if isinstance(image, ImageRef)]
    if len(pictures) != 1:
        return NO_PICTURE
    try:
        result = tool.call({"target": target, "image": 1}, pictures)
    except LET_THROUGH:
        raise
    except FAILURES as error:
        return f"the tool failed ({type(error).__name__})"
    boxes = _boxes(result)
    return _Found(boxes, read_confidence(result.text)) if boxes else NOT_FOUND


def _boxes(result: ToolResult) -> tuple[Box, ...]:
    held = [region.box for region in result.regions if region.image == 0]
    return tuple(dict.fromkeys(box for box in held if box is not None))


def _placed(noise: Noise, boxes: tuple[Box, ...], question: Question, folder: Path) -> Noise:
    if len(boxes) == 1:
        return replace(noise, box=boxes[0])
    [picture] = [image for image in question.images if isinstance(image, ImageRef)]
    height, width = read_image(picture).shape[:2]
    return replace(noise, heat_map=write_heat_map(boxes, (height, width), folder))
