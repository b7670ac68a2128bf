"""Pairs of an earlier and a current picture, by what is like the question's in both."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.protocols import Channel, PassageRows, VectorChannel
from medrag.records import Filter, Hit, Kind, Part, Question, Retrieved, ScoredRow
from medrag.retrieval.channels import query_text
from medrag.retrieval.checking import check_asked, check_factors, check_positive
from medrag.retrieval.fusion import weighted_sum_fusion

_DECIMALS = 12
_TWO = 2
_SIDES = ("prior", "current")

Floats = NDArray[np.float32]


class PairsRetriever:
    """For a question with two pictures, of before and of now, the pairs that changed alike.

    A pair is a passage of two pictures, the earlier one first: a report or a case about a change.
    Its score is the sum of two cosines, earlier with earlier and current with current, in [-2, 2];
    both stand in `Hit.parts` as "prior" and "current". Two views of one study look like a pair, so
    name the corpora that hold pairs where an index holds both. A question of any other number of
    pictures gets nothing.

    Cost: the channel is searched twice, once with each picture of the question, and passages are
    read for all that either search found; the encoder meets each picture twice. A passage that is
    not among the `depth` best by either of its pictures is not found.

    Args:
        rows: the passages of the index.
        channel: of vectors, one for each picture, which is asked with pictures.
        depth: rows asked of the channel for each picture; never fewer than k.
        kinds: of passages that are pairs.
        corpora: that hold pairs; all of them where none is named.
        text: a channel that is asked with the question's words and options as well; its scores and
            the pairs', each scaled to [0.1, 1], are averaged, and pairs that it alone finds count.
        text_weight: of that channel, beside 1 of the pairs.

    Raises:
        ValueError: if a number is out of range, or the channel is none of pictures' vectors.

    Source:
        Zhang et al., TemMed-Bench, arXiv 2509.25143, 2025 (pairwise image retrieval).
    """

    def __init__(
        self,
        *,
        rows: PassageRows,
        channel: VectorChannel,
        depth: int = 200,
        kinds: tuple[Kind, ...] = ("report", "case"),
        corpora: tuple[str, ...] = (),
        text: Channel | None = None,
        text_weight: float = 0.5,
    ) -> None:
        check_positive(depth=depth)
        if not kinds:
            raise ValueError("kinds names nothing; name kinds of passages, such as [report]")
        check_factors(text_weight=text_weight)
        if not channel.has_vectors or channel.side != "image":
            raise ValueError("pairs need a channel of vectors that is asked with pictures")
        self.rows = rows
        self.channel = channel
        self.depth = depth
        self.kinds = frozenset(kinds)
        self.corpora = frozenset(corpora)
        self.text = text
        self.text_weight = text_weight

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank pairs for each question; see `retrieve_traced`."""
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Rank pairs for each question, at most k each; equal scores by ascending row.

        Raises:
            ValueError: if k is below 1, questions and filters differ in number, or the encoder
                gives a picture several vectors.
        """
        check_asked(questions, k, filters)
        found = [Retrieved((), (_step(note="not of two pictures"),)) for _ in questions]
        allowed = [self._allowed(wanted) for wanted in filters]
        usable = [
            n
            for n, question in enumerate(questions)
            if len(question.images) == _TWO and allowed[n] is not None
        ]
        if not usable:
            return found
        asked = [questions[n] for n in usable]
        wanted = [allowed[n] or Filter() for n in usable]
        pictures = [_alone(question, side) for question in asked for side in range(_TWO)]
        vectors = self._vectors(pictures).reshape(len(asked), _TWO, -1)
        depth = max(k, self.depth)
        rows = self.channel.search(pictures, depth, [each for each in wanted for _ in range(_TWO)])
        worded = self._worded(asked, depth, wanted)
        for place, n in enumerate(usable):
            candidates = [*rows[_TWO * place], *rows[_TWO * place + 1], *worded[place]]
            found[n] = self._ranked(asked[place], vectors[place], candidates, worded[place], k)
        return found

    def _allowed(self, wanted: Filter) -> Filter | None:
        """Narrow a filter to what may be a pair; None where it leaves nothing."""
        kinds = wanted.kinds & self.kinds if wanted.kinds else self.kinds
        corpora = wanted.corpora & self.corpora if wanted.corpora else self.corpora
        if not kinds or (self.corpora and not corpora):
            return None
        return replace(wanted, kinds=kinds, corpora=corpora or wanted.corpora)

    def _vectors(self, pictures: Sequence[Question]) -> Floats:
        embeddings = self.channel.encoder.encode_questions(pictures, "image")
        if (embeddings.lengths != 1).any():
            raise ValueError(
                f"{self.channel.encoder.name} gives a picture several vectors, but pairs need one "
                "for each; name a channel of single vectors"
            )
        return _unit(embeddings.values)

    def _worded(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        if self.text is None:
            return [[] for _ in questions]
        worded = [replace(q, text=query_text(q), options=(), images=()) for q in questions]
        return self.text.search(worded, k, filters)

    def _ranked(
        self,
        question: Question,
        vectors: Floats,
        candidates: Sequence[ScoredRow],
        worded: Sequence[ScoredRow],
        k: int,
    ) -> Retrieved:
        rows = sorted({each.row for each in candidates})
        rows, cosines = self._cosines(rows, vectors)
        if not rows:
            return Retrieved((), (_step(candidates=len(candidates), pairs=0),))
        scores = self._scores(rows, cosines.sum(axis=1), worded)
        # Rounded, so that the last bits of a sum do not order equal scores.
        best = np.lexsort((np.array(rows), -np.round(scores, _DECIMALS)))[:k]
        parts = _parts(rows, cosines, worded)
        passages = self.rows.passages_at([rows[place] for place in best])
        hits = tuple(
            Hit(passage, float(scores[place]), rank, question.text, parts[place])
            for rank, (place, passage) in enumerate(zip(best, passages, strict=True), start=1)
        )
        return Retrieved(hits, (_step(candidates=len(candidates), pairs=len(rows)),))

    def _cosines(
        self, rows: Sequence[int], vectors: Floats
    ) -> tuple[list[int], NDArray[np.float64]]:
        """Compare the pairs among rows with a question's, picture by picture.

        Returns:
            The rows that are pairs, and their cosines, (n_pairs, 2).
        """
        embeddings = self.channel.vectors_at(rows)
        starts = np.concatenate(([0], np.cumsum(embeddings.lengths)))
        passages = self.rows.passages_at(rows)
        places = [
            place
            for place, passage in enumerate(passages)
            if len(passage.images) == _TWO and embeddings.lengths[place] == _TWO
        ]
        cosines = np.zeros((len(places), _TWO))
        for number, place in enumerate(places):
            held = _unit(embeddings.values[starts[place] : starts[place + 1]])
            cosines[number] = (held * vectors).sum(axis=1)
        return [rows[place] for place in places], cosines

    def _scores(
        self, rows: Sequence[int], sums: NDArray[np.float64], worded: Sequence[ScoredRow]
    ) -> NDArray[np.float64]:
        said = {each.row: each.score for each in worded}
        told = np.array([said.get(row, np.nan) for row in rows])
        if np.isnan(told).all():
            return sums
        return weighted_sum_fusion(np.array([sums, told]), weights=(1.0, self.text_weight))


def _alone(question: Question, side: int) -> Question:
    return replace(question, text="", options=(), images=(question.images[side],), regions=())


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), dtype=np.float32)


def _parts(
    rows: Sequence[int], cosines: NDArray[np.float64], worded: Sequence[ScoredRow]
) -> list[dict[str, Part]]:
    """Give each pair its rank and cosine by either picture, and by words where these found it."""
    ranks = np.argsort(np.argsort(-cosines, axis=0, kind="stable"), axis=0, kind="stable") + 1
    said = {each.row: Part(rank, each.score) for rank, each in enumerate(worded, start=1)}
    parts = []
    for row, own, ranked in zip(rows, cosines.tolist(), ranks.tolist(), strict=True):
        sides = zip(_SIDES, ranked, own, strict=True)
        told = {name: Part(rank, cosine) for name, rank, cosine in sides}
        parts.append(told | ({"text": said[row]} if row in said else {}))
    return parts


def _step(**further: Any) -> dict[str, Any]:
    return {"step": "pairs", **further}
