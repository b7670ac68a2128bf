"""Pictures of evidence: where on a page a passage stands, and the images it holds.

A picture becomes a data URI of bounded size, with its boxes drawn. What cannot be read becomes a
sentence that says so: an answer must be readable where its originals are not.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.images import read_image, within
from medrag.ingestion.llama_index import NODES
from medrag.records import Box, ImageRef, Passage, Question, QuestionRegion
from medrag.reporting.answer_regions import Outline, outlines_of
from medrag.reporting.words import shortened

if TYPE_CHECKING:
    from PIL import Image

_DPI = 132
# What a question's regions count the pixels of, where its picture is a page.
_ASKED_DPI = 144
_POINTS_PER_INCH = 72
_CONTEXT = 34.0  # points above and below what is marked
_LONGEST = 1400
_IMAGE_LONGEST = 900
_PAPER = 235
_MARGIN = 22
_PAGES = 2
_IMAGES = 4
_ALT_CHARACTERS = 120
_MARK = (214, 96, 12)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to show, or why there is none.

    Attributes:
        alt: what it shows, for those who cannot see it.
        place: where it is from, such as "page 7"; may be empty.
        uri: a data URI; None if the original could not be read.
        width, height: in pixels; 0 without a picture.
        problem: why there is no picture; empty if there is one.
        outlines: places to draw over it, in pixels of the original.
        size: width and height of the original, which the outlines count.
    """

    alt: str
    place: str = ""
    uri: str | None = None
    width: int = 0
    height: int = 0
    problem: str = ""
    outlines: tuple[Outline, ...] = ()
    size: tuple[int, int] = (0, 0)


def passage_pictures(passage: Passage, root: Path | None) -> tuple[Picture, ...]:
    """Draw where a passage stands on its pages, or else the images that it holds.

    Args:
        root: of the passage's corpus on this machine; None if it is not here.
    """
    pages = _pages(passage)
    if pages:
        drawn = [_page_picture(passage, root, page) for page in pages[:_PAGES]]
        return (*drawn, *_more(len(pages) - _PAGES, "page"))
    drawn = [_image_picture(passage, root, image) for image in passage.images[:_IMAGES]]
    return (*drawn, *_more(len(passage.images) - _IMAGES, "picture"))


def question_pictures(
    question: Question, regions: Sequence[QuestionRegion] = ()
) -> tuple[Picture, ...]:
    """Show the images of a question, with outlines of its own regions and of those of an answer."""
    return tuple(
        _question_picture(image, number, question.regions, regions)
        for number, image in enumerate(question.images)
    )


def encoded(picture: "Image.Image", longest: int) -> tuple[str, int, int]:
    """Give a picture as a data URI with width and height, scaled down to its longest side."""
    from PIL import Image

    scale = longest / max(picture.size)
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=82, method=4)
    code = base64.b64encode(out.getvalue()).decode("ascii")
    return f"data:image/webp;base64,{code}", picture.width, picture.height


def _pages(passage: Passage) -> list[int]:
    # Nodes of LlamaIndex name pages of a document that does not lie beside them.
    if passage.source.document.endswith(NODES):
        return []
    return sorted({region.page for region in passage.source.regions if region.page is not None})


def _more(n: int, noun: str) -> tuple[Picture, ...]:
    if n < 1:
        return ()
    return (Picture(alt="", problem=f"{n} more {noun}{'s' if n > 1 else ''} not shown"),)


def _page_picture(passage: Passage, root: Path | None, page: int) -> Picture:
    source = passage.source
    blank = Picture(alt=f"Page {page} of {source.document}", place=f"page {page}")
    read = _read(ImageRef(source.document, page=page), root)
    if isinstance(read, str):
        return replace(blank, problem=read)
    scale = _DPI / _POINTS_PER_INCH
    boxes = [region.box for region in source.regions if region.page == page and region.box]
    pixels = [_scaled(box, scale) for box in merged(boxes)]
    marked = _cut(_marked(read, pixels, veil=True), pixels, _CONTEXT * scale)
    return _with_picture(blank, marked, _LONGEST)


def _image_picture(passage: Passage, root: Path | None, image: ImageRef) -> Picture:
    blank = Picture(
        alt=f"{passage.kind}: {shortened(passage.text, _ALT_CHARACTERS)}", place=_place_of(image)
    )
    read = _read(replace(image, box=None) if image.page is None else image, root)
    if isinstance(read, str):
        return replace(blank, problem=read)
    own = [image.box] if image.box and image.page is None else []
    boxes = [*own, *(r.box for r in passage.source.regions if r.page is None and r.box)]
    return _with_picture(blank, _marked(read, boxes), _IMAGE_LONGEST)


def _question_picture(
    image: ImageRef | str | Path,
    number: int,
    asked: Sequence[QuestionRegion],
    answered: Sequence[QuestionRegion],
) -> Picture:
    ref = image if isinstance(image, ImageRef) else ImageRef(str(image))
    blank = Picture(alt=f"Picture {number + 1} of the question", place=Path(ref.path).name)
    read = _read(ref, Path(ref.path).parent, dpi=_ASKED_DPI)
    if isinstance(read, str):
        named = (*outlines_of(asked, number, "asked"), *outlines_of(answered, number, "answer"))
        return replace(blank, problem=read, outlines=named)
    size = (read.shape[1], read.shape[0])
    outlines = (
        *outlines_of(asked, number, "asked", image=ref, size=size),
        *outlines_of(answered, number, "answer", image=ref, size=size),
    )
    plain = _with_picture(blank, _marked(read, ()), _IMAGE_LONGEST)
    return replace(plain, outlines=outlines, size=size)


def _with_picture(blank: Picture, picture: "Image.Image", longest: int) -> Picture:
    uri, width, height = encoded(picture, longest)
    return replace(blank, uri=uri, width=width, height=height)


def trace_pictures(
    images: Sequence[ImageRef], question: Question, roots: Iterable[Path], *, longest: int
) -> tuple[Picture, ...]:
    """Show pictures that a model looked at on its way, small.

    Only pictures of the question and of the corpora are read, whatever a path says.
    """
    own = [Path(each.path if isinstance(each, ImageRef) else each) for each in question.images]
    shown = []
    for image in images:
        blank = Picture(alt="A picture that the model looked at", place=_place_of(image))
        path = Path(image.path)
        root = path.parent if path in own else next((r for r in roots if _lies_in(path, r)), None)
        read = _read(image, root, dpi=_ASKED_DPI)
        if isinstance(read, str):
            shown.append(replace(blank, problem=read))
        else:
            shown.append(_with_picture(blank, _marked(read, ()), longest))
    return tuple(shown)


def _lies_in(path: Path, root: Path) -> bool:
    return path.is_absolute() and path.is_relative_to(root.absolute())


def _read(ref: ImageRef, root: Path | None, *, dpi: int = _DPI) -> NDArray[np.uint8] | str:
    """Give the pixels, or say why there are none."""
    if root is None:
        return "The original is not on this machine."
    try:
        path = within(root.absolute(), ref.path)
        if not path.is_file():
            return f"The original is missing: {ref.path}"
        return read_image(replace(ref, path=str(path)), dpi=dpi)
    except (InputFileError, OSError) as error:
        return f"The original cannot be read: {error}"


def merged(boxes: Sequence[Box]) -> list[Box]:
    """Join boxes that lie one below the other in a column, as the lines of a paragraph do."""
    joined: list[Box] = []
    for box in boxes:
        near = next((i for i, other in enumerate(joined) if _adjoin(box, other)), None)
        if near is None:
            joined.append(box)
            continue
        other = joined[near]
        joined[near] = (
            min(box[0], other[0]), min(box[1], other[1]),
            max(box[2], other[2]), max(box[3], other[3]),
        )  # fmt: skip
    return joined if len(joined) == len(boxes) else merged(joined)


def _adjoin(a: Box, b: Box, gap: float = 7.0) -> bool:
    overlap = min(a[2], b[2]) - max(a[0], b[0])
    apart = max(a[1], b[1]) - min(a[3], b[3])
    return apart <= gap and overlap >= 0.5 * min(a[2] - a[0], b[2] - b[0])


def _scaled(box: Box, scale: float) -> Box:
    x0, y0, x1, y1 = (value * scale for value in box)
    return (x0, y0, x1, y1)


def _marked(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], *, veil: bool = False
) -> "Image.Image":
    """Draw boxes on a picture; with a veil, what lies outside of them steps back."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(pixels)
    if not boxes:
        return picture
    if veil:
        picture = _veiled(picture, boxes)
    draw = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / 420))
    for x0, y0, x1, y1 in boxes:
        edges = (min(x0, x1) - 4, min(y0, y1) - 4, max(x0, x1) + 4, max(y0, y1) + 4)
        draw.rounded_rectangle(edges, radius=5, outline=_MARK, width=width)
    return picture


def _veiled(picture: "Image.Image", boxes: Sequence[Box]) -> "Image.Image":
    from PIL import Image, ImageDraw

    mask = Image.new("L", picture.size, 88)
    draw = ImageDraw.Draw(mask)
    for x0, y0, x1, y1 in boxes:
        draw.rectangle((x0 - 4, y0 - 4, x1 + 4, y1 + 4), fill=0)
    return Image.composite(Image.new("RGB", picture.size, (246, 246, 244)), picture, mask)


def _cut(picture: "Image.Image", boxes: Sequence[Box], context: float) -> "Image.Image":
    """Keep the rows of a page that hold the boxes and some about them, without its side margins."""
    top, bottom = 0, picture.height
    if boxes:
        top = max(0, round(min(box[1] for box in boxes) - context))
        bottom = min(picture.height, round(max(box[3] for box in boxes) + context))
    if top >= bottom:
        return picture
    left, right = _inked(np.asarray(picture)[top:bottom])
    return picture.crop((left, top, right, bottom))


def _inked(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Find the columns that hold anything but paper, and a small margin."""
    columns = np.flatnonzero(pixels.min(axis=(0, 2)) < _PAPER)
    if not columns.size:
        return 0, pixels.shape[1]
    return max(0, int(columns[0]) - _MARGIN), min(pixels.shape[1], int(columns[-1]) + _MARGIN)


def _place_of(image: ImageRef) -> str:
    parts = [Path(image.path).name]
    parts += [f"page {image.page}"] if image.page is not None else []
    parts += [f"frame {image.frame}"] if image.frame is not None else []
    if image.axis is not None and image.slice is not None:
        parts.append(f"{('x', 'y', 'z')[image.axis]} = {image.slice}")
    return ", ".join(parts)
