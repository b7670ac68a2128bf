"""Boxes and points as models write them, in the numbers that they write."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from medrag.generation.loose_json import Json, Keyed, Listed, loose_json

_YEARS = range(1900, 2101)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_N = r"\s{0,3}([-+]?\d{1,9}(?:\.\d{1,20})?)\s{0,3}"
_PAIR = re.compile(rf"\({_N},{_N}\)\s{{0,3}}(?:,|-|–|to|and)?\s{{0,3}}\({_N},{_N}\)")
_TAGGED = re.compile(
    r"<(?:\|box_start\||box|bbox)>(?P<box>[^<>]{1,200})"
    r"|<(?:\|point_start\||point)>(?P<point>[^<>]{1,100})"
    r"|<x(?P<x0>\d{1,4})><y(?P<y0>\d{1,4})><x(?P<x1>\d{1,4})><y(?P<y1>\d{1,4})>"
    r"|(?P<loc>(?:<loc_\d{1,4}>){4})|(?P<yloc>(?:<loc\d{4}>){4})"
    r"|<points? (?P<marked>[^<>]{1,20000})>",
    re.IGNORECASE,
)
_REF = re.compile(r"<(?:ref|obj|\|object_ref_start\|)>([^<>]{0,200})", re.IGNORECASE)
_MOLMO = re.compile(r'x(\d{0,4})="([\d.]{1,12})" ?y\1="([\d.]{1,12})"')
_ALT = re.compile(r'alt="([^"]{0,200})"')
_IMAGE = re.compile(r"\b(?:image|picture|img|scan|photo)[ _]?#?(\d{1,3})\b", re.IGNORECASE)
_IMAGE_KEYS = ("image", "image_index", "image_number", "img", "picture", "picture_number")
_LABEL_KEYS = ("label", "name", "class", "object", "finding", "category", "description")
_SCALES = {"x0": 100.0, "loc": 1000.0, "yloc": 1024.0}
_BOX_KEY = re.compile(r"box|region|roi\b|rect|location|coord|position")
_POINT_KEY = re.compile(r"point|cent(?:er|re|roid)\b|location|coord|position")
_CORNERS = (
    ("x1", "y1", "x2", "y2"), ("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"), ("left", "top", "right", "bottom"),
)  # fmt: skip
_SIZED = (("x", "y", "w", "h"), ("x", "y", "width", "height"))


@dataclass(frozen=True, slots=True)
class Place:
    """A point or a box as written.

    Attributes:
        start: where in the text it stands.
        numbers: (x, y) or (x0, y0, x1, y1), whatever the order written.
        full: the greatest number of the form's own scale; None where it has none.
        image: as JSON names it; None where it does not.
        bare: whether nothing but the numbers says that it is a box.
    """

    start: int
    numbers: tuple[float, ...]
    full: float | None = None
    label: str = ""
    image: int | None = None
    bare: bool = False


def written_places(text: str, *, n_evidence: int) -> list[Place]:
    """Read the boxes and points of a text, in the order written.

    Read are:

    - JSON, also broken, with "bbox_2d", "bbox", "boxes", "point_2d", "points" and the like
      (Qwen2.5-VL, PointDetectCount), with four named corners or a corner and a size, and bare lists
      of four numbers;
    - "box_2d" (Gemma, MedGemma): y before x, in thousandths;
    - <box>(x0,y0),(x1,y1)</box>, <|box_start|>...<|box_end|>, <bbox>[x0, y0, x1, y1]</bbox>,
      <point>(x,y)</point>, and (x0, y0), (x1, y1) without tags;
    - <x12><y34><x56><y78> in hundredths (MAIRA-2), <loc_1><loc_2><loc_3><loc_4> in thousandths
      (Florence-2), <loc0001>... with y first, in 1024ths (PaliGemma), and <point x="1.5" y="2"> in
      hundredths (Molmo).

    Args:
        n_evidence: a bare list of whole numbers from 1 to this is one of citation markers, and one
            of four years is one of years.
    """
    places = list(_tagged(text))
    text = _blanked(text, _TAGGED.finditer(text))
    roots = loose_json(text)
    for root in roots:
        places += _walked(root)
    rest = _without(text, [(root.start, root.end) for root in roots])
    for match in _PAIR.finditer(rest):
        places.append(Place(match.start(), tuple(map(float, match.groups())), bare=True))
    kept = [place for place in places if not (place.bare and _cites(place, n_evidence))]
    return sorted(kept, key=lambda place: place.start)


def named_images(text: str) -> list[tuple[int, int]]:
    """Find where a text names a picture ("image 2"), and the number that it gives, from 1."""
    return [(match.start(), int(match.group(1))) for match in _IMAGE.finditer(text)]


def _blanked(text: str, matches: Iterable[re.Match[str]]) -> str:
    """Blank out what was read, so that it is not read again in another form."""
    return _without(text, [match.span() for match in matches])


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    pieces, last = [], 0
    for start, end in spans:
        pieces += [text[last:start], " " * (end - start)]
        last = end
    return "".join([*pieces, text[last:]])


def _cites(place: Place, n_evidence: int) -> bool:
    whole = all(number == int(number) for number in place.numbers if abs(number) < 1e9)
    marks = all(1 <= number <= n_evidence for number in place.numbers)
    return whole and (marks or all(number in _YEARS for number in place.numbers))


def _tagged(text: str) -> Iterator[Place]:
    labels = [(match.start(), match.group(1)) for match in _REF.finditer(text)]
    for match in _TAGGED.finditer(text):
        before = bisect_left(labels, (match.start(), ""))
        label = labels[before - 1][1] if before else ""
        for place in _in_tag(match):
            yield place if place.label else replace(place, label=label)


def _in_tag(match: re.Match[str]) -> Iterator[Place]:
    start, form = match.start(), match.lastgroup or ""
    if form == "marked":
        alt = _ALT.search(match["marked"])
        for point in _MOLMO.finditer(match["marked"]):
            numbers = tuple(float(each) for each in point.groups()[1:] if each.count(".") < 2)
            if len(numbers) == 2:
                yield Place(start, numbers, 100.0, alt.group(1) if alt else "")
        return
    written = match[form] if form in ("box", "point", "loc", "yloc") else match.group()
    numbers = tuple(float(each) for each in _NUMBER.findall(written))
    n = 2 if form == "point" else 4
    # Of a tag that holds something else besides, nothing is known.
    for i in range(0, len(numbers) if len(numbers) % n == 0 else 0, n):
        four = numbers[i : i + n]
        four = (four[1], four[0], four[3], four[2]) if form == "yloc" else four
        yield Place(start, four, _SCALES.get("x0" if form == "y1" else form))


@dataclass(frozen=True, slots=True)
class _Under:
    """What is known of a value from what holds it. `key` is "" for the outermost."""

    key: str = ""
    label: str = ""
    image: int | None = None


def _walked(root: Listed | Keyed) -> Iterator[Place]:
    """Visit lists and objects in order, without recursion."""
    stack: list[tuple[Json, _Under]] = [(root, _Under())]
    while stack:
        value, under = stack.pop()
        if isinstance(value, Keyed):
            inner = _told(value, under)
            if place := _cornered(value, inner):
                yield place
            stack += reversed(list(_children(value, inner)))
        elif isinstance(value, Listed):
            if place := _numbered(value, under):
                yield place
            else:
                stack += [(each, under) for each in reversed(value.values)]


def _told(keyed: Keyed, under: _Under) -> _Under:
    """Take label and picture from an object, where it tells them."""
    lower = {key.lower(): value for key, value in keyed.values.items()}
    labels = [lower[key] for key in _LABEL_KEYS if isinstance(lower.get(key), str)]
    images = [_index(lower[key]) for key in _IMAGE_KEYS if key in lower]
    image = next((each for each in images if each is not None), under.image)
    return _Under(under.key, str(labels[0]) if labels else under.label, image)


def _index(value: Json) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        named = re.fullmatch(r"\D{0,20}(\d{1,3})", value.strip())
        return int(named.group(1)) if named else None
    return int(value) if value in range(1000) else None


def _children(keyed: Keyed, under: _Under) -> Iterator[tuple[Json, _Under]]:
    labels = keyed.values.get("labels")
    for key, value in keyed.values.items():
        named = _IMAGE.fullmatch(key)
        image = int(named.group(1)) if named else under.image
        inner = replace(under, key=key.lower(), image=image)
        if _match_up(value, labels) and isinstance(value, Listed) and isinstance(labels, Listed):
            for each, label in zip(value.values, labels.values, strict=True):
                yield each, replace(inner, label=label if isinstance(label, str) else "")
        elif isinstance(value, Listed | Keyed):
            yield value, inner


def _match_up(values: Json, labels: Json) -> bool:
    """Tell whether a list of lists has as many labels beside it."""
    if not isinstance(values, Listed) or not isinstance(labels, Listed):
        return False
    nested = all(isinstance(each, Listed) for each in values.values)
    return nested and len(values.values) == len(labels.values)


def _cornered(keyed: Keyed, under: _Under) -> Place | None:
    """Read named corners, a corner with a size, or a named point."""
    lower = {key.lower(): value for key, value in keyed.values.items()}
    for names in _CORNERS:
        if numbers := _floats([lower.get(name) for name in names]):
            return Place(keyed.start, numbers, label=under.label, image=under.image)
    for names in _SIZED:
        if numbers := _floats([lower.get(name) for name in names]):
            x, y, w, h = numbers
            box = (x, y, x + w, y + h)
            return Place(keyed.start, box, label=under.label, image=under.image)
    point = _floats([lower.get("x"), lower.get("y")])
    return Place(keyed.start, point, label=under.label, image=under.image) if point else None


def _numbered(listed: Listed, under: _Under) -> Place | None:
    """Read a list of numbers as what its key says that it is."""
    pairs = [_floats(each.values) for each in listed.values if isinstance(each, Listed)]
    is_box = bool(_BOX_KEY.search(under.key))
    if len(pairs) == len(listed.values) == 2 and is_box and all(pairs):
        numbers = tuple(number for pair in pairs for number in pair)
        numbers = numbers if len(numbers) == 4 else ()
    else:
        numbers = _floats(listed.values)
    place = Place(listed.start, numbers, label=under.label, image=under.image)
    if len(numbers) == 4 and under.key.startswith("box_2d"):
        y0, x0, y1, x1 = numbers
        return replace(place, numbers=(x0, y0, x1, y1), full=1000.0)
    if len(numbers) == 4 and (is_box or not under.key):
        return replace(place, bare=not under.key)
    return place if len(numbers) == 2 and _POINT_KEY.search(under.key) else None


def _floats(values: Sequence[Json]) -> tuple[float, ...]:
    """Give values as numbers; nothing if one of them is none."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return tuple(map(float, numbers)) if len(numbers) == len(values) else ()
