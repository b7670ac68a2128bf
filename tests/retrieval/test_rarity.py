import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Filter
from medrag.retrieval.rarity import WordRarity
from tests.retrieval.shelf import Shelf, passage

SHELF = Shelf(
    passage("a", "heart heart lung"),
    passage("b", "lung", fields={"title": "Hearts"}),
    passage("c", "skin"),
    passage("d", "das Herz", language="de"),
)


def test_rarity_counts_passages_with_a_word_in_title_or_text_once() -> None:
    rarity = WordRarity(library=SHELF, sample=10)
    # Two of four passages have "heart": log(1 + 2.5 / 2.5); none "bone": log(1 + 4.5 / 0.5).
    assert rarity.of("heart") == pytest.approx(math.log(2))
    assert rarity.of("bone") == pytest.approx(math.log(10))


def test_a_language_that_is_not_known_is_read_as_english() -> None:
    shelf = Shelf(passage("a", "hearts", language="xx"), passage("b", "lungs", language="en"))
    assert WordRarity(library=shelf, sample=10).of("heart") == pytest.approx(math.log(2))


@given(st.integers(1, 6))
def test_no_more_passages_are_read_than_the_sample(sample: int) -> None:
    read: list[int] = []

    class Counting(Shelf):
        def passages_at(self, rows):  # type: ignore[no-untyped-def]
            read.extend(rows)
            return super().passages_at(rows)

    rarity = WordRarity(library=Counting(*SHELF.passages), sample=sample)
    assert rarity.of("heart") > 0
    rarity.of("lung")
    assert len(read) == min(sample, 4) == len(set(read))


def test_an_index_without_passages_makes_every_word_equally_rare() -> None:
    rarity = WordRarity(library=Shelf(), sample=10)
    assert rarity.of("heart") == rarity.of("lung") > 0
    assert list(Shelf().row_mask(Filter())) == []


def test_a_sample_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="sample must be at least 1, got 0"):
        WordRarity(library=SHELF, sample=0)
