"""Read a PDF again at the regions of a passage, and compare what stands there with its text."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from medrag.extras import require
from medrag.records import Passage, Region

_LINE_END_HYPHEN = re.compile(r"(?<=\w)[-‐\u00ad]\s+(?=\w)")
_HYPHENS = str.maketrans("", "", "-‐\u00ad^")


class Provenance(NamedTuple):
    """How a passage and its regions agree, counted in words.

    `inside`: of the words of the passage, the share that stands in its boxes. `own`: of the words
    in its boxes, the share that belongs to the passage.
    """

    inside: float
    own: float


def provenance(passage: Passage, root: Path) -> Provenance:
    """Compare a passage with the words on the pages at its regions.

    Both sides are folded: NFKC, words broken at line ends joined, hyphens and white space ignored.
    A region without box is its whole page.
    """
    path = root / passage.source.document
    there = Counter(folded(words_at(path, passage.source.regions)))
    said = Counter(folded(passage.text.split()))
    shared = (there & said).total()
    return Provenance(
        shared / said.total() if said else 1.0, shared / there.total() if there else 1.0
    )


def words_at(path: Path, regions: Sequence[Region]) -> list[str]:
    """Read the words whose centres lie in regions of a PDF, each once, region by region."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    for region in regions:
        for index, (x, y, word) in enumerate(
            _page_words(path, path.stat().st_mtime_ns, region.page or 1)
        ):
            x0, y0, x1, y1 = region.box or (float("-inf"),) * 2 + (float("inf"),) * 2
            key = (region.page or 1, index)
            if key not in seen and x0 <= x <= x1 and y0 <= y <= y1:
                seen.add(key)
                found.append(word)
    return found


def folded(words: Iterable[str]) -> list[str]:
    """Fold words so that two ways of reading the same print compare equal."""
    text = unicodedata.normalize("NFKC", " ".join(words))
    return _LINE_END_HYPHEN.sub("", text).translate(_HYPHENS).split()


@lru_cache(maxsize=4096)
def _page_words(path: Path, changed: int, number: int) -> tuple[tuple[float, float, str], ...]:
    pymupdf = require("pymupdf")
    with pymupdf.open(path) as document:
        page = document[number - 1]
        # Page.get_text leaves the rotation of the page out; regions are as displayed.
        words = [
            (pymupdf.Rect(word[:4]) * page.rotation_matrix, word[4])
            for word in page.get_text("words")
        ]
        return tuple(((b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2, word) for b, word in words)
