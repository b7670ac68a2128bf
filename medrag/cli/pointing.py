"""What a question points at, as it is typed: --box, --point, --mask and --region."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.output import typed

if TYPE_CHECKING:
    from medrag.records import Question, QuestionRegion

Boxes = Annotated[
    list[str] | None,
    typer.Option(
        "--box",
        metavar="[N:]x0,y0,x1,y1",
        help="Ask about a box of the picture, in pixels; N: counts pictures from 1. May repeat.",
    ),
]
Points = Annotated[
    list[str] | None,
    typer.Option("--point", metavar="[N:]x,y", help="Ask about a point; may repeat."),
]
Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="[N:]<path>",
        help="Ask about the white part of a picture of the same size; may repeat.",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="[N:]<str>", help="Ask about a part by its name; may repeat."),
]

_NUMBERED = re.compile(r"(\d{1,4}):(.*)", re.DOTALL)


def typed_regions(
    boxes: Sequence[str], points: Sequence[str], masks: Sequence[str], names: Sequence[str]
) -> tuple["QuestionRegion", ...]:
    """Read what was typed; boxes come first, then points, masks and names.

    Raises:
        typer.BadParameter: if it is no box, point or file; says what was expected.
    """
    from medrag.records import QuestionRegion

    regions = []
    for text in boxes:
        image, rest = _numbered(text)
        x0, y0, x1, y1 = _numbers(rest, 4, "--box", "120,80,340,260")
        regions.append(QuestionRegion(image, box=(x0, y0, x1, y1)))
    for text in points:
        image, rest = _numbered(text)
        x, y = _numbers(rest, 2, "--point", "230,170")
        regions.append(QuestionRegion(image, point=(x, y)))
    for text in masks:
        # A file may be called "2:mask.png".
        image, rest = (0, text) if Path(text).is_file() else _numbered(text)
        path = Path(rest).expanduser()
        if not path.is_file():
            raise typer.BadParameter(f"{path} is not a file", param_hint="--mask")
        regions.append(QuestionRegion(image, mask=str(path.absolute())))
    for text in names:
        image, rest = _numbered(typed(text))
        name = " ".join(rest.split())
        if not name:
            raise typer.BadParameter("is blank; name a part of the picture", param_hint="--region")
        regions.append(QuestionRegion(image, name=name))
    return tuple(regions)


def check_pointing(question: "Question") -> None:
    """Refuse regions that lie outside their picture, before anything is loaded.

    Raises:
        typer.BadParameter: if one does, or the question has no such picture.
        InputFileError: if a picture or a mask cannot be read, or the two do not fit.
    """
    if not question.regions:
        return
    from medrag.images.pointing import check_regions

    try:
        check_regions(question)
    except ValueError as error:
        raise typer.BadParameter(
            f"{error}; pixels count from the top left corner, pictures from 1 in the order of "
            "--image",
            param_hint="--box, --point, --mask or --region",
        ) from error


def _numbered(text: str) -> tuple[int, str]:
    """Part the number of a picture, from 0, from what follows it; the first without."""
    match = _NUMBERED.fullmatch(text.strip())
    if match is None:
        return 0, text.strip()
    return int(match.group(1)) - 1, match.group(2).strip()


def _numbers(text: str, n: int, hint: str, example: str) -> list[float]:
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != n:
        raise typer.BadParameter(
            f"expected {n} numbers parted by commas, such as {example} or 2:{example}, got "
            f"{text!r}",
            param_hint=hint,
        )
    return numbers
