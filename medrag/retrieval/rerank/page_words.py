"""The words of a page, which stand in other passages than its picture."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from medrag.protocols import Library
from medrag.records import Filter, Hit, Kind, Passage

# Passages that hold words of a page. Figures and tables repeat what the text of it leaves out.
_WORDED: frozenset[Kind] = frozenset({"text", "figure", "table"})
_PLACE = tuple[str, str, int]


class PageWords:
    """Give pages their words: those of the texts, figures and tables that stand on them.

    At first use all passages of the index that have words are read once, and the rows of each page
    are kept. A passage on several pages counts for each. Passages that already have a text, and
    pages that another index holds, are left as they are.
    """

    def __init__(self, *, library: Library) -> None:
        self.library = library

    def given(self, hits: Sequence[Hit]) -> list[Hit]:
        """Put the words of its page into each hit that is a page without a text."""
        return [replace(hit, passage=self._worded(hit.passage)) for hit in hits]

    def _worded(self, passage: Passage) -> Passage:
        if passage.kind != "page" or passage.text.strip():
            return passage
        rows = sorted({row for place in _places(passage) for row in self._rows.get(place, ())})
        texts = [each.text for each in self.library.passages_at(rows)] if rows else []
        return replace(passage, text="\n".join(texts))

    @cached_property
    def _rows(self) -> dict[_PLACE, list[int]]:
        rows: dict[_PLACE, list[int]] = {}
        for row, passage in self.library.passages_where(Filter(kinds=frozenset(_WORDED))):
            for place in _places(passage):
                rows.setdefault(place, []).append(row)
        return rows


def _places(passage: Passage) -> list[_PLACE]:
    source = passage.source
    pages = {region.page for region in source.regions if region.page is not None}
    return [(source.corpus, source.document, page) for page in sorted(pages)]
