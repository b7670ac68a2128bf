"""A closer look at a part of a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from medrag.images.pointing import shown_size
from medrag.records import ImageRef, QuestionRegion, ToolResult
from medrag.tools.places import (
    COORDINATES,
    Coordinates,
    check_coordinates,
    chosen_image,
    part_of,
    read_box,
    read_name,
    widened,
)


class CropTool:
    """Show a part of a picture on its own, as large as the model takes pictures.

    Its arguments: "image", the number of the picture (1 without it), "box", [left, top, right,
    bottom], and "name", what the part is called (not needed). The region of the result is the box
    itself, in pixels of the given picture; what is shown may be larger by the margin.

    Args:
        coordinates: what the numbers of a box count: pixels of the "original" picture,
            "unit" for fractions of its sides, "thousand" for thousandths. Choose what the model
            was trained to write, as of its generator.
        margin: shown around the box on each side, as a share of the box's own sides.
        least_side: pixels; a smaller box is shown with what lies around it.

    Raises:
        ValueError: if a setting is out of range.

    Source:
        "Think Twice to See More" (ViTAR), arXiv 2510.10052: act by a box, then look again.
    """

    name = "crop"

    def __init__(
        self, *, coordinates: Coordinates = "original", margin: float = 0.0, least_side: int = 32
    ) -> None:
        check_coordinates(coordinates)
        if not 0 <= margin <= 2:
            raise ValueError(f"margin must be from 0 to 2, got {margin}")
        if least_side < 1:
            raise ValueError(f"least_side must be at least 1, got {least_side}")
        self.coordinates: Coordinates = coordinates
        self.margin = margin
        self.least_side = least_side

    @property
    def about(self) -> str:
        return (
            'look at a part of a picture enlarged. Arguments: "image", the number of the picture; '
            f'"box", [left, top, right, bottom] {COORDINATES[self.coordinates]}.'
        )

    @property
    def identity(self) -> str:
        """What the result depends on beside the arguments."""
        return f"crop-{self.coordinates}-{self.margin:g}-{self.least_side}"

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        """Cut the part out.

        Raises:
            ValueError: if there is no such picture, or no such part in it.
            InputFileError: if the picture cannot be read.
        """
        place = chosen_image(arguments, images)
        size = shown_size(images[place])
        box = read_box(arguments.get("box"), size, self.coordinates)
        around = widened(box, size, margin=self.margin, least=self.least_side)
        x0, y0, x1, y1 = around
        text = f"Pixels {x0:g} to {x1:g} across and {y0:g} to {y1:g} down of picture {place + 1}."
        region = QuestionRegion(place, box, name=read_name(arguments))
        return ToolResult(text, (part_of(images[place], around),), (region,))
