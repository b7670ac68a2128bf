from medrag.records import Hit, Passage, Source
from medrag.retrieval.asking.joining import joined, ranked_in_order


def hit(name: str, summary: str = "") -> Hit:
    return Hit(Passage(name, "text", name, Source("c", "d", "0")), 0.5, 7, summary=summary)


def test_different_summaries_of_one_passage_are_told_once_each() -> None:
    found = joined(
        [hit("p", "a"), hit("q")], [hit("p", "b"), hit("p", "a"), hit("q"), hit("r", "c")]
    )
    assert [(each.passage.id, each.summary) for each in found] == [
        ("p", "a\nb"), ("q", ""), ("r", "c"),
    ]  # fmt: skip


def test_hits_in_order_are_ranked_by_their_place() -> None:
    found = ranked_in_order([hit("p"), hit("q"), hit("r")], 2)
    assert [(each.passage.id, each.rank, each.score) for each in found] == [
        ("p", 1, 1.0), ("q", 2, 0.5),
    ]  # fmt: skip
