from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from medrag.protocols import Channel
from medrag.records import KINDS, Filter, Hit, Part, Passage, Question, ScoredRow, Source
from medrag.retrieval.channels import ChannelsRetriever

SOURCE = Source("corpus", "book.txt", "0" * 64)


class Rows:
    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        return [Passage(str(row), "text", f"passage {row}", SOURCE) for row in rows]


class Fixed:
    """A channel that gives the same ranking to every question, and remembers what it was asked."""

    def __init__(self, *rows: int) -> None:
        self.rows = rows
        self.asked: list[tuple[Question, int, Filter]] = []

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        self.asked += [(q, k, f) for q, f in zip(questions, filters, strict=True)]
        ranking = [ScoredRow(row, 10.0 - place) for place, row in enumerate(self.rows)]
        return [ranking[:k] for _ in questions]


class ByText(Fixed):
    """A channel that ranks the rows that a question's text lists."""

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        super().search(questions, k, filters)
        found = [[int(word) for word in q.text.split() if word.isdigit()] for q in questions]
        return [[ScoredRow(row, 1.0) for row in dict.fromkeys(rows)] for rows in found]


def retrieved(
    channels: Mapping[str, Channel], question: Question | None = None, k: int = 10, **options: Any
) -> list[Hit]:
    retriever = ChannelsRetriever(rows=Rows(), channels=channels, **options)
    return retriever.retrieve([question or Question("what?")], k, [Filter()])[0]


def rows_of(hits: Sequence[Hit]) -> list[int]:
    return [int(hit.passage.id) for hit in hits]


def test_a_passage_that_two_channels_find_stands_above_one_that_a_single_channel_finds() -> None:
    hits = retrieved({"lexical": Fixed(4, 6, 7), "text": Fixed(7, 5)})
    # 7: (0.1 + 1) / 2; 4: 1 / 2; 6: 0.55 / 2; 5: 0.1 / 2
    assert rows_of(hits) == [7, 4, 6, 5]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert [hit.score for hit in hits] == pytest.approx([0.55, 0.5, 0.275, 0.05])


def test_ranks_can_be_fused_instead_of_scores() -> None:
    hits = retrieved({"lexical": Fixed(4, 7), "text": Fixed(7, 5)}, fusion="rrf")
    assert rows_of(hits) == [7, 4, 5]
    assert [hit.score for hit in hits] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])


def test_a_hit_tells_rank_and_score_in_each_channel_that_found_it() -> None:
    hits = retrieved({"lexical": Fixed(4, 7), "text": Fixed(7, 5)})
    assert hits[0].parts == {"lexical": Part(2, 9.0), "text": Part(1, 10.0)}
    assert hits[1].parts == {"lexical": Part(1, 10.0)}


def test_equal_scores_stand_in_the_order_of_rows() -> None:
    assert rows_of(retrieved({"a": Fixed(9), "b": Fixed(3)})) == [3, 9]


def test_a_channel_that_cannot_use_the_question_changes_nothing() -> None:
    alone = retrieved({"lexical": Fixed(4, 7)})
    with_silent = retrieved({"lexical": Fixed(4, 7), "image": Fixed()})
    assert alone == with_silent
    assert alone[0].score == 1


def test_no_channel_finding_anything_gives_no_hits() -> None:
    assert retrieved({"lexical": Fixed(), "image": Fixed()}) == []


def test_a_multiple_choice_question_is_asked_with_its_options() -> None:
    channel = Fixed(1)
    hits = retrieved({"lexical": channel}, Question("which?", options=("the eye", "the ear")))
    assert channel.asked[0][0].text == "which?\nthe eye\nthe ear"
    assert channel.asked[0][0].options == ()
    assert hits[0].query == "which?\nthe eye\nthe ear"


def test_option_queries_bring_in_the_evidence_of_a_single_option() -> None:
    question = Question("1", options=("2", "3"))
    hits = retrieved({"lexical": ByText()}, question, option_queries=True)
    by_row = {int(hit.passage.id): hit for hit in hits}
    assert set(by_row) == {1, 2, 3}
    # 3 is third of the whole question, and second of the query for its own option.
    assert by_row[3].query == "1\n3"
    assert by_row[3].parts["lexical"].rank == 2


def test_option_queries_belong_to_the_question_that_has_the_options() -> None:
    retriever = ChannelsRetriever(rows=Rows(), channels={"c": ByText()}, option_queries=True)
    questions = [
        Question("1", options=("2", "3")),
        Question("8"),
        Question("9", options=("1", "4")),
    ]
    rankings = retriever.retrieve(questions, 10, [Filter()] * 3)
    assert [set(rows_of(ranking)) for ranking in rankings] == [{1, 2, 3}, {8}, {9, 1, 4}]


def test_each_question_is_searched_with_its_own_filter() -> None:
    channel = Fixed(1)
    retriever = ChannelsRetriever(
        rows=Rows(), channels={"lexical": channel}, cases_need_picture=False
    )
    filters = [Filter(domains=frozenset({"radiology"})), Filter()]
    retriever.retrieve([Question("a"), Question("b")], 5, filters)
    assert [allowed for _, _, allowed in channel.asked] == filters


def test_channels_are_asked_for_more_rows_than_are_wanted() -> None:
    channel = Fixed(1, 2, 3)
    hits = retrieved({"lexical": channel}, k=2, depth=50)
    assert (channel.asked[0][1], len(hits)) == (50, 2)
    retrieved({"lexical": channel}, k=200, depth=50)
    assert channel.asked[1][1] == 200


def test_a_channel_of_weight_zero_is_shown_but_does_not_rank() -> None:
    hits = retrieved({"a": Fixed(1, 2), "b": Fixed(2, 3)}, weights={"b": 0})
    assert rows_of(hits) == [1, 2]
    assert hits[1].parts["b"] == Part(1, 10.0)


def test_a_question_that_only_channels_of_weight_zero_answer_gets_no_hits() -> None:
    assert retrieved({"a": Fixed(), "b": Fixed(1)}, weights={"b": 0}) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"imgae": 1}}, r"weights name \['imgae'\], but the channels are \['a'\]"),
        ({"weights": {"a": -1}}, "weights must be at least 0"),
        ({"weights": {"a": 0}}, "not all 0"),
        ({"c": 0}, "c must be positive"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"fusion": "sum"}, "fusion must be"),
        ({"channels": {}}, "at least one channel"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ChannelsRetriever(**{"rows": Rows(), "channels": {"a": Fixed()}, **options})


def test_a_wrong_k_or_number_of_filters_is_refused() -> None:
    retriever = ChannelsRetriever(rows=Rows(), channels={"a": Fixed(1)})
    with pytest.raises(ValueError, match="k must be at least 1"):
        retriever.retrieve([Question("a")], 0, [Filter()])
    with pytest.raises(ValueError, match="1 questions need as many filters: 0"):
        retriever.retrieve([Question("a")], 1, [])


def test_no_questions_give_no_rankings() -> None:
    assert ChannelsRetriever(rows=Rows(), channels={"a": Fixed(1)}).retrieve([], 3, []) == []


PICTURE = Question("what?", images=("a.png",))


def kinds_asked(channel: Fixed) -> list[frozenset[str]]:
    return [allowed.kinds or frozenset(KINDS) for _, _, allowed in channel.asked]


def test_a_question_without_a_picture_gets_no_cases_unless_it_asks_for_them() -> None:
    channel = Fixed(1)
    retriever = ChannelsRetriever(rows=Rows(), channels={"lexical": channel})
    cases = Filter(kinds=frozenset({"case", "text"}))
    retriever.retrieve([Question("a"), PICTURE, Question("b")], 5, [Filter(), Filter(), cases])
    assert ["case" in kinds for kinds in kinds_asked(channel)] == [False, True, True]


def test_facts_come_from_the_graph_alone_where_there_is_one() -> None:
    lexical, graph = Fixed(1), Fixed(2)
    retrieved({"lexical": lexical, "graph": graph})
    assert ["fact" in kinds for kinds in kinds_asked(lexical) + kinds_asked(graph)] == [False, True]
    alone = Fixed(1)
    retrieved({"lexical": alone})
    assert "fact" in kinds_asked(alone)[0]


def test_a_filter_for_facts_alone_reaches_every_channel() -> None:
    lexical = Fixed(1)
    retriever = ChannelsRetriever(rows=Rows(), channels={"lexical": lexical, "graph": Fixed(2)})
    facts = Filter(kinds=frozenset({"fact"}))
    retriever.retrieve([Question("a")], 5, [facts])
    assert [allowed for _, _, allowed in lexical.asked] == [facts]


class Weak(Fixed):
    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        found = super().search(questions, k, filters)
        return [[ScoredRow(row, score / 100) for row, score in ranking] for ranking in found]


def test_a_graph_weighs_as_little_as_its_best_score_says() -> None:
    # best score 0.1 of 0.5: a weight of 0.2, times 1.5 of a graph
    hits = retrieved({"lexical": Fixed(4, 6), "graph": Weak(7)})
    assert [(int(h.passage.id), h.score) for h in hits] == [
        (4, pytest.approx(1 / 1.3)),
        (7, pytest.approx(0.3 / 1.3)),
        (6, pytest.approx(0.1 / 1.3)),
    ]


def test_a_question_with_words_and_a_picture_is_asked_deeper() -> None:
    channels = {"lexical": Fixed(*range(5)), "image": Fixed(*range(5))}
    hits = retrieved(channels, PICTURE, depth=1, picture_depth=3, k=1)
    assert channels["lexical"].asked[0][1] == 3
    assert len(hits) == 1
    retrieved(channels, Question("what?"), depth=1, picture_depth=3, k=1)
    assert channels["lexical"].asked[-1][1] == 1


def test_how_a_picture_looks_weighs_more_than_how_it_is_asked_about() -> None:
    hits = retrieved({"lexical": Fixed(4), "image": Fixed(7)}, PICTURE)
    assert [(int(h.passage.id), h.score) for h in hits] == [
        (7, pytest.approx(0.6)),
        (4, pytest.approx(0.4)),
    ]


def test_a_picture_weight_must_be_positive() -> None:
    with pytest.raises(ValueError, match="picture_weight must be positive and finite, got 0"):
        ChannelsRetriever(rows=Rows(), channels={"a": Fixed(1)}, picture_weight=0)


def test_shares_of_the_best_can_be_fused_with_words_weighing_less() -> None:
    hits = retrieved(
        {"lexical": Fixed(4, 7), "text": Fixed(7, 5)}, fusion="share_of_best", lexical_weight=0.25
    )
    # 7: 0.9 by words and 1 by vectors; 5 and 4 lack one of them: 0.9 - 0.1 / 2 = 0.85 there
    assert rows_of(hits) == [7, 5, 4]
    expected = [(0.25 * 0.9 + 1) / 1.25, (0.25 * 0.85 + 0.9) / 1.25, (0.25 + 0.85) / 1.25]
    assert [hit.score for hit in hits] == pytest.approx(expected)


def test_a_weight_of_words_does_not_matter_where_there_are_no_others() -> None:
    assert rows_of(retrieved({"text": Fixed(7, 5)}, lexical_weight=0.25)) == [7, 5]
    assert rows_of(retrieved({"lexical": Fixed(7, 5)}, lexical_weight=0.25)) == [7, 5]


def test_a_weight_of_words_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="lexical_weight must be positive and finite, got 0"):
        ChannelsRetriever(rows=Rows(), channels={"text": Fixed(1)}, lexical_weight=0)
