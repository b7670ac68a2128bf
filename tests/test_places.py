"""A place is said as a person would look it up."""

from dataclasses import replace

import pytest

from medrag.places import place_in_document
from medrag.records import Passage, Region, Source

PASSAGE = Passage("1", "text", "lung", Source("c", "book.pdf", ""))


@pytest.mark.parametrize(
    ("pages", "place"),
    [((), ""), ((4,), "page 4"), ((5, 4, 4), "pages 4 and 5"), ((1, 2, 3), "pages 1, 2 and 3")],
)
def test_pages_are_listed_once_and_in_order(pages: tuple[int, ...], place: str) -> None:
    regions = tuple(Region(page) for page in pages)
    passage = replace(PASSAGE, source=replace(PASSAGE.source, regions=regions))
    assert place_in_document(passage) == place


def test_without_pages_the_span_says_the_place() -> None:
    passage = replace(PASSAGE, fields={"span": "line 12, characters 0-900"})
    assert place_in_document(passage) == "line 12, characters 0-900"
