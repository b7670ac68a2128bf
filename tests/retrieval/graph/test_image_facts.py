import pytest

from medrag.records import Filter, Hit, Question
from medrag.retrieval.graph.image_facts import ImageFactsRetriever
from tests.retrieval.graph.made import PICTURE, Scored, Shelf, fact, made

ASKED = Question("what is seen?", images=(PICTURE,))


def falling(shelf: Shelf, *, leaky: bool = False) -> Scored:
    """Score passages by their place: the first best, from 1 down."""
    places = {passage.id: 1 - 0.01 * i for i, passage in enumerate(shelf.passages)}
    return Scored(shelf, lambda _, passage: places[passage.id], leaky=leaky)


def retrieved(
    shelf: Shelf, k: int = 100, wanted: Filter | None = None, **options: int
) -> list[Hit]:
    retriever = ImageFactsRetriever(rows=shelf, channel=falling(shelf), **options)
    return retriever.retrieve([ASKED], k, [wanted or Filter()])[0]


def test_seven_of_the_facts_nearest_to_the_picture_are_kept() -> None:
    shelf = Shelf(*(fact(i, f"head {i}", "suggestive_of", "x", f"s{i}") for i in range(20)))
    hits = retrieved(shelf)
    assert [hit.passage.id for hit in hits] == [f"p{i}" for i in range(7)]
    assert [hit.rank for hit in hits] == list(range(1, 8))
    assert hits[0].query == ASKED.text


def test_equal_facts_come_once_and_count_their_studies() -> None:
    # opacity: studies a, b and once more a; edema: study c
    shelf = Shelf(
        fact(0, "Opacity", "suggestive_of", "pneumonia", "a"),
        fact(1, "edema", "suggestive_of", "failure", "c"),
        fact(2, "opacity", "suggestive_of", "Pneumonia", "b"),
        fact(3, "opacity", "suggestive_of", "pneumonia", "a"),
    )
    hits = retrieved(shelf)
    assert [hit.passage.id for hit in hits] == ["p0", "p1"]
    assert [hit.parts["support"].score for hit in hits] == [2, 1]
    assert hits[0].passage.fields["support"] == 2
    assert hits[0].passage.fields["same_as"] == ["p2", "p3"]


def test_support_is_counted_beyond_the_candidates() -> None:
    facts = [fact(i, f"head {i}", "suggestive_of", "x", "s") for i in range(15)]
    again = [fact(20 + i, "head 0", "suggestive_of", "x", f"t{i}") for i in range(5)]
    assert retrieved(Shelf(*facts, *again))[0].parts["support"].score == 6


def test_a_denied_fact_is_not_the_affirmed_one() -> None:
    shelf = Shelf(
        fact(0, "effusion", "located_at", "base", "a"),
        fact(1, "effusion", "not_located_at", "base", "b"),
    )
    assert [hit.parts["support"].score for hit in retrieved(shelf)] == [1, 1]


def test_fewer_are_kept_where_fewer_are_wanted() -> None:
    shelf = Shelf(*(fact(i, f"head {i}", "suggestive_of", "x") for i in range(20)))
    assert len(retrieved(shelf, k=3)) == 3
    assert len(retrieved(shelf, keep=12)) == 12


def test_other_kinds_are_no_candidates() -> None:
    shelf = Shelf(made(0, "report", "a report"), fact(1, "a", "suggestive_of", "b"))
    assert [hit.passage.id for hit in retrieved(shelf)] == ["p1"]
    assert retrieved(shelf, wanted=Filter(kinds=frozenset({"report"}))) == []


def test_a_question_without_a_picture_gets_nothing() -> None:
    shelf = Shelf(fact(0, "a", "suggestive_of", "b"))
    retriever = ImageFactsRetriever(rows=shelf, channel=falling(shelf))
    rankings = retriever.retrieve([Question("words"), ASKED], 5, [Filter()] * 2)
    assert [len(ranking) for ranking in rankings] == [0, 1]


def test_the_trace_tells_what_was_merged() -> None:
    shelf = Shelf(*(fact(i, "a", "suggestive_of", "b", f"s{i}") for i in range(3)))
    (found,) = ImageFactsRetriever(rows=shelf, channel=falling(shelf)).retrieve_traced(
        [ASKED], 5, [Filter()]
    )
    assert found.trace == (
        {"step": "image_facts", "rows": 3, "statements": 1, "candidates": 1, "kept": 1},
    )


@pytest.mark.parametrize("options", [{"keep": 16}, {"candidates": 0}, {"counted": 0}])
def test_numbers_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    shelf = Shelf()
    with pytest.raises(ValueError, match="must be at"):
        ImageFactsRetriever(rows=shelf, channel=falling(shelf), **options)
