"""Order hits by how clearly a reader answers from each of them alone."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

from medrag.protocols import Generator, PassageRows
from medrag.records import Generation, Hit, Part, Prompt, Question
from medrag.retrieval.asking.replying import of_written, prompts_for, replies
from medrag.retrieval.asking.showing import Asked, found_images, written
from medrag.retrieval.asking.uncertainty import option_entropy, token_doubt
from medrag.retrieval.asking.wording import wording
from medrag.retrieval.checking import check_choice, check_positive

By = Literal["auto", "options", "tokens"]
NAME = "likelihood"

_LOGGER = logging.getLogger(__name__)


class _Place(NamedTuple):
    question: int
    hit: int


class LikelihoodReranker:
    """Score each hit by how sure a reader is of the answer that it gives from this hit alone.

    No right answer is needed. With "options", the score is 1 - H(p) / log(n), where p is the
    softmax of the mean log-probabilities of the n options: 1 if one option has all, 0 if all are
    alike. With "tokens" it is exp of the mean log-probability of the tokens of the answer. Both
    are in [0, 1]. That a reader is sure does not say that it is right: a hit that misleads clearly
    stands as high as one that helps.

    Read are the first hits of each ranking, those of a batch of questions together; the others are
    left out. A hit that the reader fails on, or tells nothing of, keeps its order behind the others
    with a score of 0. Where it tells nothing of any, the ranking stays as it was, cut.

    Args:
        generator: the reader; must give scores of options, or probabilities of tokens.
        rows: the passages of the index.
        n_hits: read of each ranking at most.
        by: "auto" takes "options" for a question that every hit has scores of options for, else
            "tokens": the two are never mixed in one ranking.

    Raises:
        ValueError: if a setting is out of range.

    Source:
        JOMED and CLARE score contexts by the likelihood of the right answer to train a retriever;
        this is their label-free counterpart at question time.
    """

    # It asks a model; those around it must not be asked twice for one answer.
    repeatable = False

    def __init__(
        self, *, generator: Generator, rows: PassageRows, n_hits: int = 20, by: By = "auto"
    ) -> None:
        check_positive(n_hits=n_hits)
        check_choice("by", by, get_args(By))
        self.generator = generator
        self.rows = rows
        self.n_hits = n_hits
        self.by = by

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        """Order the first hits of each ranking anew.

        Raises:
            ValueError: if questions and rankings differ in number.
        """
        if len(questions) != len(rankings):
            raise ValueError(f"{len(questions)} questions need as many rankings: {len(rankings)}")
        cut = [list(ranking[: self.n_hits]) for ranking in rankings]
        places = [_Place(q, h) for q, hits in enumerate(cut) for h in range(len(hits))]
        read = dict(zip(places, self._read(questions, cut, places), strict=True))
        return [
            self._ordered(hits, [read[_Place(q, h)] for h in range(len(hits))])
            for q, hits in enumerate(cut)
        ]

    def _read(
        self,
        questions: Sequence[Question],
        rankings: Sequence[Sequence[Hit]],
        places: Sequence[_Place],
    ) -> list[Generation | None]:
        """Have each hit read alone; None where that failed."""
        words = wording(__package__, "reading")

        def prompt(place: _Place) -> Prompt:
            hit = rankings[place.question][place.hit]
            images = (found_images(hit.passage, self.rows),)
            asked = Asked(questions[place.question], (hit,), images, {})
            return written(asked, words, self.generator)

        made = of_written(
            lambda several: replies(self.generator, several), prompts_for(prompt, places)
        )
        return [each if isinstance(each, Generation) else None for each in made]

    def _ordered(self, hits: Sequence[Hit], read: Sequence[Generation | None]) -> list[Hit]:
        scores = self._scores(read)
        if all(score is None for score in scores):
            if hits:
                _LOGGER.warning("%s tells nothing to order hits by", self.generator.name)
            return list(hits)
        known = [(score or 0.0, score is not None) for score in scores]
        # A known score of 0 still stands before what nothing is known of.
        order = sorted(range(len(hits)), key=lambda at: (*(-each for each in known[at]), at))
        return [
            _scored(hits[at], known[at][0], rank, is_known=known[at][1])
            for rank, at in enumerate(order, start=1)
        ]

    def _scores(self, read: Sequence[Generation | None]) -> list[float | None]:
        by_options = [option_entropy(made.option_scores) if made else None for made in read]
        whole = all(each is not None for made, each in zip(read, by_options, strict=True) if made)
        if self.by == "options" or (self.by == "auto" and whole):
            doubts = by_options
        else:
            doubts = [token_doubt(made.log_probabilities) if made else None for made in read]
        return [None if doubt is None else min(1.0, max(0.0, 1 - doubt)) for doubt in doubts]


def _scored(hit: Hit, score: float, rank: int, *, is_known: bool) -> Hit:
    parts = {**hit.parts, NAME: Part(rank, score)} if is_known else hit.parts
    return replace(hit, score=score, rank=rank, parts=parts)
