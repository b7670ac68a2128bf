"""Ask every channel of an index, and fuse their rankings into one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from medrag.protocols import Channel, PassageRows
from medrag.records import KINDS, Filter, Hit, Part, Question, ScoredRow
from medrag.retrieval.checking import (
    check_asked,
    check_factors,
    check_names,
    check_positive,
    check_weights,
)
from medrag.retrieval.fusion import (
    reciprocal_rank_fusion,
    share_of_best_fusion,
    weighted_sum_fusion,
)

Fusion = Literal["rrf", "weighted_sum", "share_of_best"]
_DECIMALS = 12
# The best score in a graph of a question that gives the name of a concept.
_NAMED = 0.5


class ChannelsRetriever:
    """Every channel that a question can use, fused; a channel that cannot use it has no say.

    A hit's score is the fused one, also where only one channel answered: 1 for a passage that
    every channel that answered ranks first ("weighted_sum", "share_of_best"), or the sum of
    1 / (c + rank) ("rrf").
    It orders the hits of one question and says nothing of how good the best one is; the scores of
    the channels themselves are in `Hit.parts`.

    The query of a multiple-choice question is its text followed by its options. A question with
    words and a picture is asked deeper, so that what is like it in both stands in every ranking,
    and above what is like it in one.

    Args:
        rows: the passages of the index that the channels search.
        channels: by name; the names appear in `Hit.parts`.
        weights: of channels in the fusion; 1 where a name is missing. A weight of 0 leaves a
            channel in `Hit.parts` only.
        fusion: "weighted_sum" of scores, scaled in each ranking, or "rrf" by rank alone. BM25 and
            MiniLM by sum and by rank: nDCG@10 0.725 and 0.716 on SciFact, hit@1 0.797 and 0.785
            from a textbook's questions to its modules. "share_of_best" divides scores by the best
            of their ranking, and so keeps how close together they lie; it needs a `lexical_weight`
            well below 1: at 0.35 nDCG@10 0.733 on SciFact's training claims, where the sum has
            0.733, and 0.902 from a figure's alt text to its caption, where the sum has 0.863.
        c: damping of reciprocal ranks.
        depth: rows asked of each channel; never fewer than k.
        picture_depth: the same for a question with words and a picture, where it is more: of a
            hundred rows of a picture channel most are of a dozen pictures, each with its cases.
        picture_weight: of the channels whose name has "image" in it, for such a question, times
            their own: how a picture looks says more of it than how it is asked about.
        cases_need_picture: leave cases out for a question without a picture, unless its filter
            asks for them: how another patient's picture was read answers nothing without one.
        lexical_weight: of the channels whose name has "lexical" in it, times their own.
        graph: the channel of terms and facts, where there is one of that name. It alone brings
            facts, as by words a fact stands above all for being short; and it weighs as much as
            the best score of its ranking, which says how well the question is named. None treats
            all channels alike.
        graph_weight: of the graph, times its own, where it names what is asked: facts stand in no
            other ranking.
        option_queries: ask for each option apart, with the question's text, besides the whole;
            finds evidence for an option that the others would drown, at as many times the cost.

    Raises:
        ValueError: if there is no channel, a weight names none, or a number is out of range.
    """

    def __init__(
        self,
        *,
        rows: PassageRows,
        channels: Mapping[str, Channel],
        weights: Mapping[str, float] | None = None,
        fusion: Fusion = "weighted_sum",
        c: float = 60.0,
        depth: int = 100,
        picture_depth: int = 2000,
        picture_weight: float = 1.5,
        cases_need_picture: bool = True,
        lexical_weight: float = 1.0,
        graph: str | None = "graph",
        graph_weight: float = 1.5,
        option_queries: bool = False,
    ) -> None:
        _check(channels, weights or {}, fusion, c, min(depth, picture_depth))
        check_factors(
            picture_weight=picture_weight, graph_weight=graph_weight, lexical_weight=lexical_weight
        )
        self.rows = rows
        self.channels = dict(channels)
        self.weights = {name: float((weights or {}).get(name, 1.0)) for name in channels}
        self.fusion = fusion
        self.c = c
        self.depth = depth
        self.picture_depth = max(depth, picture_depth)
        self.picture_weight = picture_weight
        self.graph_weight = graph_weight
        self.cases_need_picture = cases_need_picture
        self.lexical_weight = lexical_weight
        self.graph = graph if graph in channels else None
        self.option_queries = option_queries

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages for each question, at most k each; equal scores by ascending row.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        check_asked(questions, k, filters)
        queries = [_queries(question, self.option_queries) for question in questions]
        asked = [query for several in queries for query in several]
        masks = [wanted for wanted, several in zip(filters, queries, strict=True) for _ in several]
        found = {name: self._search(name, asked, k, masks) for name in self.channels}
        fused, start = [], 0
        for several in queries:
            lists = [
                _Ranking(name, query.text, found[name][start + place])
                for place, query in enumerate(several)
                for name in self.channels
            ]
            fused.append(self._fused([one for one in lists if one.scored], k))
            start += len(several)
        return self._hits(fused)

    def _search(
        self, name: str, asked: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        depths = [max(k, self._depth(question)) for question in asked]
        allowed = [self._allowed(name, q, f) for q, f in zip(asked, filters, strict=True)]
        found = self.channels[name].search(asked, max(depths, default=k), allowed)
        return [ranking[:depth] for ranking, depth in zip(found, depths, strict=True)]

    def _depth(self, question: Question) -> int:
        return self.picture_depth if question.images and question.text else self.depth

    def _allowed(self, name: str, question: Question, wanted: Filter) -> Filter:
        """Leave out the kinds that a channel should not bring for a question."""
        out: set[str] = set()
        if self.cases_need_picture and not question.images and "case" not in wanted.kinds:
            out.add("case")
        if self.graph not in (None, name) and wanted.kinds != {"fact"}:
            out.add("fact")
        kinds = (wanted.kinds or frozenset(KINDS)) - out
        return replace(wanted, kinds=kinds) if out else wanted

    def _hits(self, fused: Sequence[Sequence["_Fused"]]) -> list[list[Hit]]:
        # Read once for all questions: those of one book ask for the same passages.
        rows = sorted({one.row for ranking in fused for one in ranking})
        passages = dict(zip(rows, self.rows.passages_at(rows), strict=True))
        return [
            [
                Hit(passages[one.row], one.score, rank, one.query, one.parts)
                for rank, one in enumerate(ranking, start=1)
            ]
            for ranking in fused
        ]

    def _weight(self, ranking: "_Ranking") -> float:
        weight = self.weights[ranking.channel]
        if "image" in ranking.channel and ranking.query:
            return weight * self.picture_weight
        if "lexical" in ranking.channel:
            return weight * self.lexical_weight
        if ranking.channel != self.graph:
            return weight
        return weight * self.graph_weight * min(1.0, ranking.scored[0].score / _NAMED)

    def _fused(self, rankings: Sequence["_Ranking"], k: int) -> list["_Fused"]:
        weights = np.array([self._weight(ranking) for ranking in rankings])
        if not weights.any():
            return []
        union = np.unique([one.row for ranking in rankings for one in ranking.scored])
        rows = union.astype(np.int64)
        ranks = np.zeros((len(rankings), len(rows)), dtype=np.int64)
        scores = np.full(ranks.shape, np.nan)
        for i, ranking in enumerate(rankings):
            columns = np.searchsorted(rows, [one.row for one in ranking.scored])
            ranks[i, columns] = np.arange(1, len(columns) + 1)
            scores[i, columns] = [one.score for one in ranking.scored]
        fused = self._scores(ranks, scores, weights)
        # Rounded, so that the last bits of a sum do not order equal scores.
        best = np.lexsort((rows, -np.round(fused, _DECIMALS)))
        counted: NDArray[np.bool_] = np.any(ranks[weights > 0] > 0, axis=0)
        return [
            _Fused(
                int(rows[column]),
                float(fused[column]),
                *_parts(rankings, ranks[:, column], scores[:, column]),
            )
            for column in best[counted[best]][:k]
        ]

    def _scores(
        self,
        ranks: NDArray[np.int64],
        scores: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        if self.fusion == "rrf":
            return reciprocal_rank_fusion(ranks, c=self.c, weights=weights)
        if self.fusion == "share_of_best":
            return share_of_best_fusion(scores, weights=weights)
        return weighted_sum_fusion(scores, weights=weights)


class _Ranking(NamedTuple):
    channel: str
    query: str
    scored: list[ScoredRow]


class _Fused(NamedTuple):
    row: int
    score: float
    query: str
    parts: dict[str, Part]


def query_text(question: Question) -> str:
    """Join a question's text and options, one per line: what a channel is asked."""
    return "\n".join(part for part in (question.text, *question.options) if part)


def _queries(question: Question, option_queries: bool) -> list[Question]:
    whole = replace(question, text=query_text(question), options=())
    if not option_queries or len(question.options) < 2:
        return [whole]
    return [whole] + [
        replace(question, text=f"{question.text}\n{option}", options=())
        for option in question.options
    ]


def _parts(
    rankings: Sequence[_Ranking], ranks: np.ndarray, scores: np.ndarray
) -> tuple[str, dict[str, Part]]:
    """Give the query that ranked a passage best, and the best part of each channel."""
    parts: dict[str, Part] = {}
    query, best = "", 0
    for ranking, rank, score in zip(rankings, ranks.tolist(), scores.tolist(), strict=True):
        if rank and (ranking.channel not in parts or rank < parts[ranking.channel].rank):
            parts[ranking.channel] = Part(rank, score)
        if rank and (not best or rank < best):
            query, best = ranking.query, rank
    return query, parts


def _check(
    channels: Mapping[str, Channel],
    weights: Mapping[str, float],
    fusion: Fusion,
    c: float,
    depth: int,
) -> None:
    if not channels:
        raise ValueError("a retriever needs at least one channel")
    check_names("weights", weights, channels, "channels")
    check_weights(weights, channels)
    if fusion not in get_args(Fusion):
        raise ValueError(f"fusion must be one of {list(get_args(Fusion))}, got {fusion!r}")
    if c <= 0:
        raise ValueError(f"c must be positive, got {c}")
    check_positive(depth=depth)
