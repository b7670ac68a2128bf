"""A picture with the part in question outlined, to look at once more."""

from collections.abc import Mapping, Sequence
from typing import Any

from medrag.images.pointing import shown_size, with_marks
from medrag.records import ImageRef, QuestionRegion, ToolResult
from medrag.tools.places import (
    COORDINATES,
    Coordinates,
    check_coordinates,
    chosen_image,
    read_box,
    read_name,
    told,
)

_MOST = 9


class MarkTool:
    """Show a picture with boxes drawn onto it; several are numbered.

    Its arguments: "image", the number of the picture (1 without it), "box", [left, top, right,
    bottom], or "boxes", a list of up to 9 such, and "name", what the part is called (not needed).
    The regions of the result are the boxes, in pixels of the given picture.

    Args:
        coordinates: as of `CropTool`.

    Raises:
        ValueError: if the coordinates are not known.

    Source:
        "Think Twice to See More" (ViTAR), arXiv 2510.10052: rethink with the marked image.
    """

    name = "mark"

    def __init__(self, *, coordinates: Coordinates = "original") -> None:
        check_coordinates(coordinates)
        self.coordinates: Coordinates = coordinates

    @property
    def about(self) -> str:
        return (
            'look at a picture with a box drawn onto it. Arguments: "image", the number of the '
            f'picture; "box", [left, top, right, bottom] {COORDINATES[self.coordinates]}.'
        )

    @property
    def identity(self) -> str:
        """What the result depends on beside the arguments."""
        return f"mark-{self.coordinates}"

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        """Draw the boxes.

        Raises:
            ValueError: if there is no such picture, or no such part in it.
            InputFileError: if the picture cannot be read.
        """
        place = chosen_image(arguments, images)
        size = shown_size(images[place])
        boxes = [read_box(each, size, self.coordinates) for each in _asked(arguments)]
        name = read_name(arguments)
        corners = "; ".join("({:g}, {:g}) to ({:g}, {:g})".format(*box) for box in boxes)
        text = f"Picture {place + 1} with pixels {corners} outlined in green."
        regions = tuple(QuestionRegion(place, box, name=name) for box in boxes)
        return ToolResult(text, (with_marks(images[place], boxes),), regions)


def _asked(arguments: Mapping[str, Any]) -> Sequence[Any]:
    boxes = arguments.get("boxes")
    if boxes is None:
        return [arguments.get("box")]
    if not isinstance(boxes, list | tuple) or not 1 <= len(boxes) <= _MOST:
        raise ValueError(f'"boxes" must be a list of 1 to {_MOST} boxes, got {told(boxes)}')
    return boxes
