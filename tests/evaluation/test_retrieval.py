from collections.abc import Mapping, Sequence

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.retrieval import document_of, evaluate_retrieval, pooled
from medrag.records import Filter, Hit, Passage, Question, Source


def hits_of(*documents: str) -> list[Hit]:
    return [
        Hit(
            Passage(f"{name}-{rank}", "text", "words", Source("c", "file", "0"),
                    fields={"doc_id": name}),
            1 / rank,
            rank,
        )
        for rank, name in enumerate(documents, start=1)
    ]  # fmt: skip


class Fixed:
    """A retriever that knows its rankings, and remembers how deep it was asked."""

    def __init__(self, rankings: Mapping[str, Sequence[str]]) -> None:
        self.rankings = rankings
        self.asked: list[tuple[str, int, Filter]] = []

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        self.asked += [(q.id, k, f) for q, f in zip(questions, filters, strict=True)]
        return [hits_of(*self.rankings[question.id])[:k] for question in questions]


def test_a_document_stands_where_its_best_passage_stands() -> None:
    retriever = Fixed({"q": ["a", "a", "b", "a", "c"]})
    scores = evaluate_retrieval(
        retriever, [Question("?", id="q")], {"q": {"b": 1}}, measures=["MRR@10", "Hit@1", "Hit@2"]
    )
    assert scores.measures == {"MRR@10": 0.5, "Hit@1": 0, "Hit@2": 1}


def test_more_passages_are_asked_for_until_the_documents_fill_the_depth() -> None:
    retriever = Fixed({"q": ["a"] * 15 + ["b", "c"], "r": ["b", "c"]})
    questions = [Question("?", id="q"), Question("?", id="r")]
    scores = evaluate_retrieval(
        retriever, questions, {"q": {"b": 1}, "r": {"c": 1}}, measures=["Hit@2"]
    )
    assert scores.measures["Hit@2"] == 1
    # r had its two documents at once; q asked for 2, 8, and at most ten for each of the two.
    assert [(name, k) for name, k, _ in retriever.asked] == [
        ("q", 2),
        ("r", 2),
        ("q", 8),
        ("q", 20),
    ]


def test_a_deeper_measure_does_not_change_a_shallow_one() -> None:
    class Fickle(Fixed):
        def retrieve(
            self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
        ) -> list[list[Hit]]:
            hits = super().retrieve(questions, k, filters)
            return [ranking[::-1] if k > 3 else ranking for ranking in hits]

    questions, qrels = [Question("?", id="q")], {"q": {"a": 1}}
    for measures in (["Hit@1"], ["Hit@1", "Hit@3"]):
        scores = evaluate_retrieval(
            Fickle({"q": ["a", "a", "b", "c"]}), questions, qrels, measures=measures
        )
        assert scores.measures["Hit@1"] == 1


def test_only_questions_with_a_relevant_document_count() -> None:
    retriever = Fixed({"q": ["a"], "r": ["a"], "s": ["a"]})
    questions = [Question("?", id=name) for name in "qrs"]
    scores = evaluate_retrieval(
        retriever, questions, {"q": {"a": 1}, "r": {"a": 0}}, measures=["Hit@1"]
    )
    assert (scores.n_queries, scores.measures["Hit@1"]) == (1, 1)
    assert list(scores.per_query) == ["q"]


def test_means_come_with_intervals_and_with_the_values_behind_them() -> None:
    rankings = {str(n): ["a" if n % 2 else "b"] for n in range(40)}
    scores = evaluate_retrieval(
        Fixed(rankings),
        [Question("?", id=name) for name in rankings],
        {name: {"a": 1} for name in rankings},
        measures=["hit@1"],
    )
    assert scores.measures == {"Hit@1": 0.5}
    assert scores.per_query["0"] == {"Hit@1": 0}
    low, high = scores.intervals["Hit@1"]
    # The standard error of 20 of 40 is 0.079.
    assert 0.3 < low < 0.4
    assert 0.6 < high < 0.7


def test_the_document_of_the_questions_own_id_counts_unless_the_benchmark_says_otherwise() -> None:
    retriever = Fixed({"q": ["q", "a"]})
    questions, qrels = [Question("?", id="q")], {"q": {"a": 1}}
    kept = evaluate_retrieval(retriever, questions, qrels, measures=["Hit@1"])
    dropped = evaluate_retrieval(retriever, questions, qrels, measures=["Hit@1"], drop_same_id=True)
    assert (kept.measures["Hit@1"], dropped.measures["Hit@1"]) == (0, 1)


def test_each_question_keeps_its_filter() -> None:
    retriever = Fixed({"q": ["a"], "r": ["a"]})
    filters = [Filter(not_subjects=frozenset({"p-1"})), Filter()]
    evaluate_retrieval(
        retriever,
        [Question("?", id="r"), Question("?", id="q")],
        {"q": {"a": 1}},
        filters=filters,
        measures=["Hit@1"],
    )
    assert retriever.asked == [("q", 1, filters[1])]


def test_an_index_of_another_library_is_told_apart_from_a_poor_ranking() -> None:
    questions, qrels = [Question("?", id="q")], {"q": {"a": 1, "b": 1, "c": 0}}
    with pytest.raises(EvaluationError, match="none of the 2 relevant documents, such as 'a'"):
        evaluate_retrieval(Fixed({"q": ["x"]}), questions, qrels, documents={"x", "c"})
    scores = evaluate_retrieval(Fixed({"q": ["b"]}), questions, qrels, documents={"b", "c"})
    assert scores.n_missing == 1
    assert scores.measures["Recall@10"] == 0.5


def test_a_task_without_relevant_documents_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no question has a document"):
        evaluate_retrieval(Fixed({}), [Question("?", id="q")], {"q": {"a": 0}})


def test_as_many_filters_as_questions_are_needed() -> None:
    with pytest.raises(ValueError, match="1 questions need as many filters: 0"):
        evaluate_retrieval(Fixed({}), [Question("?", id="q")], {"q": {"a": 1}}, filters=[])


def test_progress_is_told_of_every_question() -> None:
    class Counter:
        def __init__(self) -> None:
            self.events: list[tuple[object, ...]] = []

        def start(self, stage: str, total: int | None, unit: str) -> None:
            self.events.append((stage, total, unit))

        def advance(self, stage: str, n: int = 1) -> None:
            self.events.append((stage, n))

        def finish(self, stage: str) -> None:
            self.events.append((stage,))

    counter = Counter()
    rankings = {str(n): ["a"] for n in range(70)}
    evaluate_retrieval(
        Fixed(rankings),
        [Question("?", id=name) for name in rankings],
        {name: {"a": 1} for name in rankings},
        measures=["Hit@1"],
        progress=counter,
    )
    assert counter.events == [
        ("questions", 70, "questions"),
        ("questions", 64),
        ("questions", 6),
        ("questions",),
    ]


def test_a_passage_without_a_document_name_belongs_to_its_file() -> None:
    passage = Passage("1", "text", "words", Source("c", "folder/book.pdf", "0"))
    assert document_of(passage) == "folder/book.pdf"
    assert pooled([*hits_of("a", "b", "a"), Hit(passage, 0.1, 4)]) == ["a", "b", "folder/book.pdf"]
