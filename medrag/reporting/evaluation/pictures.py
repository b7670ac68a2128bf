"""Pictures of a page that holds many: small, and no more in all than the page can bear."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace

from medrag.reporting.cards import picture_figure
from medrag.reporting.evidence import Picture, encoded
from medrag.reporting.markup import Html, element

LONGEST = 560
_BEGIN = "data:image/webp;base64,"
_FULL = "Not shown: this page holds as many pictures as it can bear."


class PictureBudget:
    """Show pictures small, until those of one page reach `n_characters` of data."""

    def __init__(self, *, n_characters: int) -> None:
        self.left = n_characters

    def figures(self, pictures: Sequence[Picture], *, longest: int = LONGEST) -> Html:
        """Show pictures side by side; those beyond the budget are told in words."""
        shown = [picture_figure(self._bounded(each, longest)) for each in pictures]
        return element("div", *shown, class_="pictures") if shown else Html("")

    def _bounded(self, picture: Picture, longest: int) -> Picture:
        if picture.uri is None:
            return picture
        small = _smaller(picture, longest)
        cost = len(small.uri or "")
        if cost > self.left:
            return Picture(alt=picture.alt, place=picture.place, problem=_FULL)
        self.left -= cost
        return small


def _smaller(picture: Picture, longest: int) -> Picture:
    from PIL import Image

    if picture.uri is None or max(picture.width, picture.height) <= longest:
        return picture
    with Image.open(io.BytesIO(base64.b64decode(picture.uri.removeprefix(_BEGIN)))) as image:
        uri, width, height = encoded(image.convert("RGB"), longest)
    return replace(picture, uri=uri, width=width, height=height)
