"""Ask about the part of a picture that a question points at, rather than about all of it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from medrag.images.pointing import region_views, shown_size
from medrag.images.reading import origin
from medrag.protocols import Retriever
from medrag.records import Box, Filter, Hit, ImageRef, Question, Retrieved
from medrag.retrieval.checking import check_positive
from medrag.retrieval.tracing import asked, is_repeatable

Shown = Literal["crop", "both"]


class RegionRetriever:
    """A retriever that gets the parts of pictures that a question points at as its pictures.

    A box, the box about a mask, and the surroundings of a point are cut out, without marks. A
    region that is named only, and a question without regions, change nothing. Filters are those of
    the whole question, so that its own pictures stay excluded.

    Args:
        retriever: what is asked.
        shown: "crop": the parts alone; "both": the whole pictures as well.
        margin: shown around a part on each side, as a share of its own sides.
        least_side: pixels; a smaller part is shown with what lies around it.

    Raises:
        ValueError: if a setting is out of range; when asked, as `region_views`.
        InputFileError: (when asked) if a picture or a mask cannot be read.
    """

    def __init__(
        self,
        *,
        retriever: Retriever,
        shown: Shown = "crop",
        margin: float = 0.1,
        least_side: int = 32,
    ) -> None:
        if shown not in ("crop", "both"):
            raise ValueError(f"shown must be 'crop' or 'both', got {shown!r}")
        if not 0 <= margin < math.inf:
            raise ValueError(f"margin must be at least 0 and finite, got {margin}")
        check_positive(least_side=least_side)
        self.retriever = retriever
        self.shown: Shown = shown
        self.margin = margin
        self.least_side = least_side

    @property
    def repeatable(self) -> bool:
        return is_repeatable(self.retriever)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages for each question, at most k each."""
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """The same, with the parts that were looked at as a first step."""
        pointed = [self._pointed(question) for question in questions]
        found = asked(self.retriever, pointed, k, filters)
        return [
            each if now is question else replace(each, trace=(_step(now), *each.trace))
            for each, now, question in zip(found, pointed, questions, strict=True)
        ]

    def _pointed(self, question: Question) -> Question:
        places = [
            (question.images[view.region.image], view.box)
            for view in region_views(question)
            if view.box is not None
        ]
        if not places:
            return question
        parts = [self._part(_reference(image), box) for image, box in places]
        whole = question.images if self.shown == "both" else ()
        return replace(question, images=(*dict.fromkeys((*whole, *parts)),), regions=())

    def _part(self, image: ImageRef, box: Box) -> ImageRef:
        x0, y0, x1, y1 = self._widened(box, shown_size(image))
        start = origin(image)
        whole = (
            start.left + x0 * start.unit,
            start.top + y0 * start.unit,
            start.left + x1 * start.unit,
            start.top + y1 * start.unit,
        )
        return replace(image, box=whole, marks=(), sha256=None, phash=None)

    def _widened(self, box: Box, size: tuple[int, int]) -> Box:
        """Add the margin, and make small boxes larger; whole pixels within the picture."""
        edges = [0.0] * 4
        for axis, whole in enumerate(size):
            low, high = box[axis], box[axis + 2]
            around = max((high - low) * self.margin, (self.least_side - (high - low)) / 2)
            edges[axis] = float(max(math.floor(low - around), 0))
            edges[axis + 2] = float(min(math.ceil(high + around), whole))
        return edges[0], edges[1], edges[2], edges[3]


def _reference(image: object) -> ImageRef:
    return image if isinstance(image, ImageRef) else ImageRef(str(image))


def _step(question: Question) -> dict[str, object]:
    parts = [image.box for image in question.images if isinstance(image, ImageRef) and image.box]
    return {"step": "region", "boxes": [[round(edge, 1) for edge in box] for box in parts]}
