from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.protocols import Side
from medrag.records import (
    Embeddings,
    Filter,
    Hit,
    ImageRef,
    Part,
    Passage,
    Question,
    ScoredRow,
    Source,
)
from medrag.retrieval.pairs import PairsRetriever
from tests.retrieval.history.library import Shelf

# Pictures are named by their angle in degrees, and are unit vectors of the plane.
BEFORE, NOW = (ImageRef(f"{angle}", sha256=f"{angle}") for angle in (0, 90))
ASKED = Question(text="What has changed?", images=(BEFORE, NOW))


def vector(image: Any) -> list[float]:
    angle = np.radians(float(image.path))
    return [float(np.cos(angle)), float(np.sin(angle))]


def embedded(inputs: Sequence[Sequence[Any]]) -> Embeddings:
    rows = [vector(image) for images in inputs for image in images]
    lengths = np.array([len(images) for images in inputs], dtype=np.int32)
    return Embeddings(np.array(rows, dtype=np.float32).reshape(-1, 2), lengths)


class Angles:
    name = "angles"
    normalised = True

    def encodes(self, passage: Passage) -> bool:
        return bool(passage.images)

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        return embedded([passage.images for passage in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        return embedded([question.images for question in questions])


class Pictures:
    """A channel of pictures in memory; a passage is as good as the best of its pictures."""

    has_vectors = True
    side: Side = "image"
    encoder = Angles()

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def vectors_at(self, rows: Sequence[int]) -> Embeddings:
        return embedded([self.shelf.passages[row].images for row in rows])

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        return [self._search(q, k, f) for q, f in zip(questions, filters, strict=True)]

    def _search(self, question: Question, k: int, wanted: Filter) -> list[ScoredRow]:
        (asked,) = np.array([vector(image) for image in question.images])
        scored = [
            ScoredRow(row, max(float(asked @ vector(image)) for image in passage.images))
            for row, passage in self.shelf.passages_where(wanted)
            if passage.images
        ]
        return sorted(scored, key=lambda each: (-each.score, each.row))[:k]


class Worded(Pictures):
    """A channel of words, which likes the last rows best."""

    side: Side = "text"

    def _search(self, question: Question, k: int, wanted: Filter) -> list[ScoredRow]:
        rows = [row for row, _ in self.shelf.passages_where(wanted)]
        return [ScoredRow(row, float(row)) for row in reversed(rows)][:k]


def pair(*angles: float, kind: Any = "report", corpus: str = "changes", **source: Any) -> Passage:
    name = " ".join(map(str, angles))
    images = tuple(ImageRef(str(angle), sha256=str(angle)) for angle in angles)
    return Passage(name, kind, "It grew.", Source(corpus, "r.csv", "0", **source), images)


def retrieved(
    passages: Sequence[Passage],
    question: Question = ASKED,
    k: int = 10,
    wanted: Filter = Filter(),  # noqa: B008 - frozen
    **options: Any,
) -> list[Hit]:
    shelf = Shelf(*passages)
    if options.pop("words", False):
        options["text"] = Worded(shelf)
    retriever = PairsRetriever(rows=shelf, channel=Pictures(shelf), **options)
    return retriever.retrieve([question], k, [wanted])[0]


def test_pairs_are_ranked_by_the_sum_of_both_cosines() -> None:
    hits = retrieved([pair(0, 60), pair(0, 90), pair(60, 90), pair(90, 0)])
    assert [hit.passage.id for hit in hits] == ["0 90", "0 60", "60 90", "90 0"]
    # cos 0 + cos 0; cos 0 + cos 30; cos 60 + cos 0; cos 90 + cos 90
    expected = [2, 1 + np.sqrt(3) / 2, 0.5 + 1, 0]
    np.testing.assert_allclose([hit.score for hit in hits], expected, atol=1e-6)


def test_a_hit_tells_rank_and_cosine_of_either_side() -> None:
    first = retrieved([pair(0, 60), pair(60, 90)])[0]
    assert first.parts["prior"] == Part(1, pytest.approx(1))
    assert first.parts["current"] == Part(2, pytest.approx(np.sqrt(3) / 2))


@pytest.mark.parametrize("images", [(), (BEFORE,), (BEFORE, NOW, NOW)])
def test_a_question_of_another_number_of_pictures_gets_nothing(images: tuple[Any, ...]) -> None:
    assert retrieved([pair(0, 90)], Question(text="x", images=images)) == []


def test_passages_of_another_number_of_pictures_are_no_pairs() -> None:
    assert [hit.passage.id for hit in retrieved([pair(0), pair(0, 90, 0), pair(10, 90)])] == [
        "10 90"
    ]


def test_kinds_and_corpora_that_hold_pairs_can_be_named() -> None:
    passages = [pair(0, 90, kind="figure"), pair(0, 80, corpus="views"), pair(0, 70)]
    assert [hit.passage.id for hit in retrieved(passages)] == ["0 80", "0 70"]
    assert [h.passage.id for h in retrieved(passages, corpora=("changes",))] == ["0 70"]
    figures = Filter(kinds=frozenset({"figure"}))
    assert retrieved(passages, wanted=figures) == []
    assert len(retrieved(passages, wanted=figures, kinds=("figure",))) == 1
    views = Filter(corpora=frozenset({"views"}))
    assert retrieved(passages, wanted=views, corpora=("changes",)) == []


def test_the_guard_holds() -> None:
    passages = [pair(0, 90), pair(1, 80, subject="p"), pair(2, 80, study="s"), pair(3, 80)]
    wanted = Filter(
        not_images=frozenset({"0", "90"}),
        not_subjects=frozenset({"p"}),
        not_studies=frozenset({"s"}),
    )
    assert [hit.passage.id for hit in retrieved(passages, wanted=wanted)] == ["3 80"]


def test_words_may_have_a_say_and_find_further_pairs() -> None:
    passages = [pair(0, 90), pair(20, 90), pair(180, 270)]
    assert [h.passage.id for h in retrieved(passages, depth=1, k=1)] == ["0 90"]
    hits = retrieved(passages, words=True, text_weight=9.0)
    # words: rows 2, 1, 0 scale to 1, 0.55, 0.1; pairs to 0.1, about 1, 1: words outweigh them
    assert [hit.passage.id for hit in hits] == ["180 270", "20 90", "0 90"]
    assert hits[0].parts["text"] == Part(1, 2.0)


def test_a_passage_that_is_deep_on_either_side_is_not_found() -> None:
    # By either picture alone, the first two are best; the third has the best sum.
    passages = [pair(0, 200), pair(200, 90), pair(20, 70)]
    assert "20 70" not in {h.passage.id for h in retrieved(passages, k=1, depth=1)}
    assert retrieved(passages, k=1, depth=3)[0].passage.id == "20 70"


ANGLES = st.integers(0, 359)


@given(
    pairs=st.lists(st.tuples(ANGLES, ANGLES), min_size=1, max_size=12),
    asked=st.tuples(ANGLES, ANGLES),
    k=st.integers(1, 12),
)
def test_with_depth_enough_the_ranking_is_that_of_all_pairs(
    pairs: list[tuple[int, int]], asked: tuple[int, int], k: int
) -> None:
    question = Question(images=tuple(ImageRef(str(angle)) for angle in asked))
    hits = retrieved([pair(*each) for each in pairs], question, k=k, depth=12)

    def total(each: tuple[int, int]) -> float:
        return sum(np.cos(np.radians(a - b)) for a, b in zip(each, asked, strict=True))

    sums = sorted(map(total, pairs), reverse=True)
    # Single precision of cosines.
    np.testing.assert_allclose([hit.score for hit in hits], sums[:k], atol=1e-6)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_questions_of_a_batch_are_answered_as_alone() -> None:
    shelf = Shelf(pair(0, 90), pair(20, 60), pair(90, 0))
    retriever = PairsRetriever(rows=shelf, channel=Pictures(shelf))
    questions = [ASKED, Question("no picture"), Question(images=(NOW, BEFORE))]
    together = retriever.retrieve(questions, 2, [Filter()] * 3)
    assert together == [retriever.retrieve([each], 2, [Filter()])[0] for each in questions]
    assert retriever.retrieve([], 2, []) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"kinds": ()}, "kinds names nothing"),
        ({"text_weight": 0.0}, "text_weight must be positive"),
        ({"channel": Worded(Shelf())}, "a channel of vectors that is asked with pictures"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PairsRetriever(**{"rows": Shelf(), "channel": Pictures(Shelf()), **options})


class Several(Angles):
    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        return embedded([(*question.images, BEFORE) for question in questions])


def test_an_encoder_of_several_vectors_a_picture_is_refused() -> None:
    channel = Pictures(Shelf(pair(0, 90)))
    channel.encoder = Several()
    retriever = PairsRetriever(rows=channel.shelf, channel=channel)
    with pytest.raises(ValueError, match="angles gives a picture several vectors"):
        retriever.retrieve([ASKED], 1, [Filter()])


def test_a_wrong_k_or_number_of_filters_is_refused() -> None:
    retriever = PairsRetriever(rows=Shelf(), channel=Pictures(Shelf()))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        retriever.retrieve([ASKED], 0, [Filter()])
    with pytest.raises(ValueError, match="1 questions need as many filters: 0"):
        retriever.retrieve([ASKED], 1, [])
