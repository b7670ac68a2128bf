"""Measure a retriever on questions whose documents are known."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from medrag.errors import EvaluationError
from medrag.evaluation.beir import Qrels
from medrag.evaluation.measures import Measure, measured, parse_measure
from medrag.evaluation.statistics import Interval, bootstrap_interval
from medrag.protocols import Progress, Retriever
from medrag.records import Filter, Hit, Passage, Question

MEASURES = ("nDCG@10", "Recall@10", "Recall@100", "MRR@10", "Hit@1")
_BATCH = 64
# Passages asked for at most, for each document that the deepest measure looks at.
_PASSAGES_PER_DOCUMENT = 10


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Means over questions, how sure they are, and the values behind them.

    Attributes:
        n_queries: questions with at least one relevant document; only these count.
        measures: by name, such as "nDCG@10".
        intervals: 95% percentile bootstrap over questions.
        per_query: question id to measure to value.
        n_missing: relevant documents that the index lacks, each once; they count as not found.
            None if it was not looked at.
    """

    n_queries: int
    measures: Mapping[str, float]
    intervals: Mapping[str, Interval]
    per_query: Mapping[str, Mapping[str, float]]
    n_missing: int | None = None


def evaluate_retrieval(
    retriever: Retriever,
    questions: Sequence[Question],
    qrels: Qrels,
    *,
    measures: Sequence[str] = MEASURES,
    documents: Collection[str] | None = None,
    filters: Sequence[Filter] | None = None,
    drop_same_id: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> RetrievalScores:
    """Retrieve for each question and compare with its judgements, passages pooled to documents.

    A document stands where its best passage stands; passages are asked for until the deepest
    measure's k documents are filled, the retriever has no more, or ten passages for each of the k
    were seen.

    Args:
        qrels: question id to document name to grade.
        documents: names of the index's documents (`document_of` of its passages), to tell a
            benchmark of another library from a poor ranking.
        filters: one per question; None allows every passage.
        drop_same_id: leave out the document that has the question's own id, as BEIR does for
            benchmarks whose queries are documents (ArguAna, Quora).
        seed: of the intervals.

    Raises:
        EvaluationError: if no question has a relevant document, or the index has none of them.
        ValueError: if a measure has no such name, or filters and questions differ in number.
    """
    parsed = [parse_measure(name) for name in measures]
    wanted = [Filter()] * len(questions) if filters is None else list(filters)
    if len(wanted) != len(questions):
        raise ValueError(f"{len(questions)} questions need as many filters: {len(wanted)}")
    asked = [
        (question, allowed)
        for question, allowed in zip(questions, wanted, strict=True)
        if any(grade > 0 for grade in qrels.get(question.id, {}).values())
    ]
    n_missing = _missing([question for question, _ in asked], qrels, documents)
    k = max((measure.k or 1000 for measure in parsed), default=1)
    per_query: dict[str, dict[str, float]] = {}
    if progress:
        progress.start("questions", len(asked), "questions")
    for start in range(0, len(asked), _BATCH):
        batch = asked[start : start + _BATCH]
        for question, ranking in _document_rankings(retriever, batch, k, drop_same_id):
            per_query[question.id] = {
                str(measure): measured(measure, ranking, qrels[question.id]) for measure in parsed
            }
        if progress:
            progress.advance("questions", len(batch))
    if progress:
        progress.finish("questions")
    return _summary(per_query, parsed, seed, n_missing)


def document_of(passage: Passage) -> str:
    """Name the document that a passage belongs to: its `doc_id`, or else its file."""
    return str(passage.fields.get("doc_id") or passage.source.document)


def pooled(hits: Sequence[Hit]) -> list[str]:
    """Rank documents by their best passage; equal ones in the order of their passages."""
    return list(dict.fromkeys(document_of(hit.passage) for hit in hits))


def _document_rankings(
    retriever: Retriever, asked: Sequence[tuple[Question, Filter]], k: int, drop_same_id: bool
) -> list[tuple[Question, list[str]]]:
    rankings: dict[int, list[str]] = {}
    open_ = list(range(len(asked)))
    depth, deepest = k + drop_same_id, k * _PASSAGES_PER_DOCUMENT + drop_same_id
    while open_:
        found = retriever.retrieve(
            [asked[i][0] for i in open_], depth, [asked[i][1] for i in open_]
        )
        left = []
        for i, hits in zip(open_, found, strict=True):
            names = pooled(hits)
            if drop_same_id:
                names = [name for name in names if name != asked[i][0].id]
            # What was found first stays first: a deeper measure must not change a shallow one.
            rankings[i] = list(dict.fromkeys([*rankings.get(i, []), *names]))[:k]
            if len(rankings[i]) < k and len(hits) >= depth and depth < deepest:
                left.append(i)
        open_, depth = left, min(depth * 4, deepest)
    return [(asked[i][0], rankings[i]) for i in range(len(asked))]


def _missing(
    questions: Sequence[Question], qrels: Qrels, documents: Collection[str] | None
) -> int | None:
    if not questions:
        raise EvaluationError("no question has a document that is judged relevant")
    if documents is None:
        return None
    relevant = {
        name for question in questions for name, grade in qrels[question.id].items() if grade > 0
    }
    lost = sorted(relevant - set(documents))
    if len(lost) == len(relevant):
        raise EvaluationError(
            f"the index has none of the {len(relevant)} relevant documents, such as {lost[0]!r}; "
            f"its documents are named like {next(iter(documents), 'nothing: it is empty')!r}: "
            "build it from the benchmark's corpus.jsonl"
        )
    return len(lost)


def _summary(
    per_query: Mapping[str, Mapping[str, float]],
    parsed: Sequence[Measure],
    seed: int,
    n_missing: int | None,
) -> RetrievalScores:
    values = {str(one): [row[str(one)] for row in per_query.values()] for one in parsed}
    return RetrievalScores(
        n_queries=len(per_query),
        measures={name: sum(column) / len(column) for name, column in values.items()},
        intervals={name: bootstrap_interval(column, seed=seed) for name, column in values.items()},
        per_query=per_query,
        n_missing=n_missing,
    )
