"""Where a node of LlamaIndex stands, out of the metadata that readers give it.

Readers agree on few names. Read are "regions" (as a retriever of medrag gives them); a page,
from 1, of "page", "page_number", or "page_label" (as LlamaIndex's reader of PDFs has it); boxes of
"boxes", "bboxes", "box", "bbox" or "bounding_box": four numbers (x0, y0, x1, y1), or an object with
these names, or with x, y, w and h. They count points from the top left of the page, or the pixels
of a picture.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_PAGES = ("page", "page_number", "page_label")
_BOXES = ("boxes", "bboxes")
_BOX = ("box", "bbox", "bounding_box")
_CORNERS = ("x0", "y0", "x1", "y1")
_SIZED = (("x", "y", "w", "h"), ("x", "y", "width", "height"))

# More is no page, but a number of something else.
_MOST_PAGES = 10**9

JsonRegion = dict[str, Any]


def regions_of(metadata: Mapping[str, Any], *, numbered: bool) -> list[JsonRegion]:
    """List the pages and boxes that metadata name, as {"page": 7, "box": [x0, y0, x1, y1]}.

    Args:
        numbered: whether a "page_label" counts as a number of a page; see `labels_count`.

    Raises:
        ValueError: if a box is in no form that is known, for half a place would be a wrong one.
    """
    told = metadata.get("regions")
    if isinstance(told, list) and all(isinstance(each, Mapping) for each in told):
        return [_region(each) for each in told]
    page, boxes = _page(metadata, numbered=numbered), list(_boxes(metadata))
    if boxes:
        return [{"page": page, "box": box} for box in boxes]
    return [] if page is None else [{"page": page, "box": None}]


def check_pages(several: Iterable[Mapping[str, Any]]) -> None:
    """Refuse the metadata of one document whose pages count from 0.

    Raises:
        ValueError: if one is page 0.
    """
    for metadata in several:
        for name in _PAGES[:-1]:
            if metadata.get(name) in (0, "0") and metadata[name] is not False:
                raise ValueError(f"{name!r} counts from 0; pages of medrag count from 1: add 1")


def labels_count(several: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether the "page_label" of the nodes of one document may be the number of a page.

    Labels are what is printed on a page. Where some are no numbers ("xii"), the others count from
    another page than the first.
    """
    labels = [each.get("page_label") for each in several]
    return all(_number(label) is not None for label in labels if label is not None)


def _region(told: Mapping[str, Any]) -> JsonRegion:
    box = told.get("box")
    return {"page": _number(told.get("page")), "box": None if box is None else _edges(box)}


def _page(metadata: Mapping[str, Any], *, numbered: bool) -> int | None:
    for name in _PAGES if numbered else _PAGES[:-1]:
        page = _number(metadata.get(name))
        if page is not None:
            return page
    return None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    return value if type(value) is int and 1 <= value < _MOST_PAGES else None


def _boxes(metadata: Mapping[str, Any]) -> Iterable[list[float]]:
    for name in _BOXES:
        if metadata.get(name) is not None:
            several = metadata[name]
            if not isinstance(several, Sequence) or isinstance(several, str):
                raise ValueError(f"{name!r} holds {str(several)[:60]!r}, expected a list of boxes")
            return [_edges(each) for each in several]
    return [_edges(metadata[name]) for name in _BOX if metadata.get(name) is not None][:1]


def _edges(box: Any) -> list[float]:
    edges: Any = box
    if isinstance(box, Mapping):
        edges = [box.get(name) for name in _CORNERS]
        for names in _SIZED:
            if all(_is_number(box.get(name)) for name in names):
                x, y, w, h = (box[name] for name in names)
                edges = [x, y, x + w, y + h]
    listed = list(edges) if isinstance(edges, Sequence) and not isinstance(edges, str) else []
    if len(listed) != 4 or not all(map(_is_number, listed)):
        raise ValueError(
            f"the box {str(box)[:80]} is neither [x0, y0, x1, y1] nor an object with x0, y0, x1 "
            "and y1; write it so, in points from the top left, or take it out of the metadata"
        )
    x0, y0, x1, y1 = (float(edge) for edge in listed)
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"the box {str(box)[:80]} has no area: x0 < x1 and y0 < y1 are meant")
    return [x0, y0, x1, y1]


def _is_number(value: Any) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    # A whole number of hundreds of digits is no float.
    return real and abs(value) <= sys.float_info.max
