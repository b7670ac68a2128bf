"""Models of one's own as tools: a classifier, segmenter or detector behind a JSON address."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.endpoint import Endpoint
from medrag.errors import MedragError
from medrag.images import read_image
from medrag.images.given import at_most
from medrag.images.pointing import unmarked
from medrag.language.verbal import CHATCAD, check_table, in_words
from medrag.records import Box, ImageRef, QuestionRegion, ToolResult
from medrag.shapes import ShapeError, decoder
from medrag.tools.overlays import data_url, kept
from medrag.tools.places import chosen_image, told

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_REFUSED = "see what it expects, in README.md of medrag.tools"
_LONGEST_ABOUT = 1000
# Of one reply; more is no answer to one question about a few pictures.
_MOST_TEXT, _MOST_BOXES, _MOST_FINDINGS, _MOST_IMAGES = 20_000, 100, 500, 8
_LONGEST_FINDING = 100
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A box that a server found: in pixels of the picture it was sent, the first being 1."""

    box: tuple[float, float, float, float]
    image: int = 1
    name: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server may answer; `images` are data URLs with PNG, `probabilities` in [0, 1]."""

    text: str = ""
    boxes: tuple[FoundBox, ...] = ()
    probabilities: Mapping[str, float] = field(default_factory=dict)
    images: tuple[str, ...] = ()


class EndpointTool:
    """Ask a server of one's own about pictures.

    A request is {"images": [data URLs with PNG], "arguments": {...}}: the pictures that the model
    named by "image" (a number) or "images" (a list of them), the first without either, and all
    other arguments as the model wrote them. A reply is an object with any of "text", "boxes"
    ([{"box": [left, top, right, bottom], "image", "name", "score"}], or bare lists of four numbers,
    in pixels of the pictures sent), "probabilities" ({finding: number}) and "images" (data URLs
    with PNG, such as overlays); other keys are passed over. What it says is checked, cut, and
    material for the model, no instruction.

    Args:
        name: by which the model calls it: letters, digits, - and _.
        about: tells the model in a line or two what it does and which arguments it takes.
        url, key_variable, timeout, tries, wait, allow_http: see `medrag.endpoint.Endpoint`.
        folder: where pictures of replies are kept; without one a reply with pictures is refused.
        max_pixels: of a picture that is sent; larger ones are scaled, and boxes scaled back. None
            sends them as they are.
        words: tell probabilities in the words of `table` ("Likely effusion."), for models that
            weigh words better than numbers. The most probable comes first either way.
        table: from which probability on which words hold; begins at 0 and ascends. The words hold
            {finding} once; by default ChatCAD's.

    Raises:
        ValueError: if name, about, table or a number makes no sense.
        RecipeError: if the address is malformed or not encrypted, or the key is missing.

    Source:
        The expert models of VILA-M3, arXiv 2411.12915; the networks of ChatCAD, arXiv 2302.07257.
    """

    def __init__(
        self,
        *,
        name: str,
        about: str,
        url: str,
        key_variable: str | None = None,
        folder: Path | None = None,
        max_pixels: int | None = None,
        words: bool = False,
        table: tuple[tuple[float, str], ...] = CHATCAD,
        timeout: float = 120.0,
        tries: int = 3,
        wait: float = 1.0,
        allow_http: bool = False,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"name must be letters, digits, - and _, 40 at most; got {name!r}")
        if not about.strip() or len(about) > _LONGEST_ABOUT:
            raise ValueError(f"about must have 1 to {_LONGEST_ABOUT} characters, got {len(about)}")
        if max_pixels is not None and max_pixels < 1:
            raise ValueError(f"max_pixels must be at least 1, got {max_pixels}")
        check_table(table)
        self.name = name
        self.about = " ".join(about.split())
        self.folder = folder
        self.max_pixels = max_pixels
        self.words = words
        self.table = table
        self.endpoint = Endpoint(
            url=url, key_variable=key_variable, timeout=timeout, tries=tries, wait=wait,
            allow_http=allow_http, refused=_REFUSED,
        )  # fmt: skip
        # Questions are answered before the first call: too late to miss a key.
        self.endpoint.check_key()

    @property
    def identity(self) -> str:
        """What the result depends on beside the arguments, as far as it is known here."""
        told = self.table if self.words else ()
        settings = repr([self.endpoint.shown, self.about, self.max_pixels, told])
        return f"{self.name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        """Send the pictures that are asked about, and read what comes back.

        Raises:
            ValueError: if there is no such picture.
            InputFileError: if a picture cannot be read.
            MedragError: if the server fails or its reply is not as told above.
        """
        places = _chosen(arguments, images)
        # Without outlines: no model was trained on them.
        given = [read_image(unmarked(images[place])) for place in places]
        sent = [at_most(pixels, self.max_pixels) for pixels in given]
        rest = {key: each for key, each in arguments.items() if key not in ("image", "images")}
        body = {"images": [data_url(pixels) for pixels in sent], "arguments": rest}
        reply = self._reply(self.endpoint.post(body))
        regions = [self._region(each, places, given, sent) for each in reply.boxes]
        lines = [reply.text.strip()[:_MOST_TEXT], self._told(reply.probabilities)]
        lines += [_line(found, region) for found, region in zip(reply.boxes, regions, strict=True)]
        text = "\n".join(filter(None, lines))
        shown = [self._kept(url) for url in reply.images]
        return ToolResult(text or "It found nothing.", tuple(shown), tuple(regions))

    def _reply(self, value: Any) -> Reply:
        try:
            read: Reply = decoder(Reply)(self._without_key(_known(value)))
            _check(read)
        except ShapeError as error:
            raise MedragError(
                f"{self.endpoint.shown} answered what {self.name} cannot take: "
                f"{str(error)[:_LONGEST_ERROR]}; {_REFUSED}"
            ) from error
        return read

    def _told(self, probabilities: Mapping[str, float]) -> str:
        if self.words:
            # Of two names that are cut to one, the likelier finding counts: it comes last.
            rising = sorted(probabilities.items(), key=lambda each: each[1])
            return in_words({_line_of(name): share for name, share in rising}, table=self.table)
        falling = sorted(probabilities.items(), key=lambda each: -each[1])
        return "; ".join(f"{_line_of(name)}: {share:.2f}" for name, share in falling)

    def _without_key(self, value: Any) -> Any:
        """Take the key out of all that a server calls something, before any of it is cut."""
        if not self.endpoint.secret or not isinstance(value, dict):
            return value
        words = {key: each for key, each in value.items() if key != "images"}
        return value | json.loads(self.endpoint.without_key(json.dumps(words)))

    def _region(
        self,
        found: FoundBox,
        places: Sequence[int],
        given: Sequence[NDArray[np.uint8]],
        sent: Sequence[NDArray[np.uint8]],
    ) -> QuestionRegion:
        """Scale a box back to the picture as the model was shown it."""
        if not 1 <= found.image <= len(places):
            raise MedragError(
                f"{self.endpoint.shown} found a box in picture {found.image} of the {len(places)} "
                "it was sent; the first is 1"
            )
        own, small = given[found.image - 1], sent[found.image - 1]
        scale = own.shape[1] / small.shape[1], own.shape[0] / small.shape[0]
        edges = [edge * scale[i % 2] for i, edge in enumerate(found.box)]
        left, top = max(edges[0], 0.0), max(edges[1], 0.0)
        right, bottom = min(edges[2], float(own.shape[1])), min(edges[3], float(own.shape[0]))
        if not (left < right and top < bottom):
            raise MedragError(
                f"{self.endpoint.shown} found the box {found.box} in a picture of "
                f"{small.shape[1]} x {small.shape[0]} pixels, expected left < right, top < bottom, "
                "and a part of the picture inside"
            )
        box: Box = left, top, right, bottom
        return QuestionRegion(places[found.image - 1], box, name=_line_of(found.name) or self.name)

    def _kept(self, url: str) -> ImageRef:
        if self.folder is None:
            raise MedragError(
                f"{self.endpoint.shown} answered with pictures, and {self.name} has no folder to "
                "keep them in; name one (folder)"
            )
        return kept(url, self.folder, sender=self.endpoint.shown)


def _chosen(arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> list[int]:
    several = arguments.get("images")
    if several is None:
        return [chosen_image(arguments, images)]
    if not isinstance(several, list) or not 1 <= len(several) <= _MOST_IMAGES:
        raise ValueError(f'"images" must list 1 to {_MOST_IMAGES} numbers, got {told(several)}')
    return list(dict.fromkeys(chosen_image({"image": each}, images) for each in several))


def _known(value: Any) -> Any:
    """Leave the keys of a reply that mean something; a box may be a bare list."""
    if not isinstance(value, dict):
        return value
    reply = {key: value[key] for key in Reply.__dataclass_fields__ if value.get(key) is not None}
    if isinstance(reply.get("boxes"), list):
        reply["boxes"] = [_known_box(each) for each in reply["boxes"][: _MOST_BOXES + 1]]
    return reply


def _known_box(value: Any) -> Any:
    if isinstance(value, list):
        return {"box": value}
    if not isinstance(value, dict):
        return value
    return {key: value[key] for key in FoundBox.__dataclass_fields__ if value.get(key) is not None}


def _check(reply: Reply) -> None:
    """Refuse more than anyone reads, and probabilities that are none."""
    for name, each, most in (
        ("boxes", reply.boxes, _MOST_BOXES),
        ("probabilities", reply.probabilities, _MOST_FINDINGS),
        ("images", reply.images, _MOST_IMAGES),
    ):
        if len(each) > most:
            raise ShapeError(f"expected {most} at most", name)
    for finding, probability in reply.probabilities.items():
        if not finding.strip():
            raise ShapeError("expected names of findings, found a blank", "probabilities")
        if not 0 <= probability <= 1:  # false of NaN, too
            raise ShapeError(
                f"expected a number in [0, 1], found {probability}",
                f"probabilities.{_line_of(finding)}",
            )


def _line(found: FoundBox, region: QuestionRegion) -> str:
    corners = "({:.0f}, {:.0f}) to ({:.0f}, {:.0f})".format(*(region.box or found.box))
    score = "" if found.score is None else f" (score {found.score:.2f})"
    return f"{region.name} in picture {region.image + 1}: pixels {corners}{score}"


def _line_of(text: str) -> str:
    """Put what a server calls something on one line, cut, and without halves of characters."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return " ".join(whole.split())[:_LONGEST_FINDING]
