from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from medrag.concepts.annotating import ReportSentences
from medrag.concepts.book import Concept
from medrag.concepts.grounding import ConceptHeads, contrasted, fit_heads
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.errors import InputFileError, RecipeError
from medrag.protocols import Side
from medrag.records import Embeddings, Passage, Question


class Axes:
    """Texts and pictures on two axes: what speaks of a shadow, and what denies it."""

    name, normalised = "axes", True

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        raise NotImplementedError

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        rows = [
            [float("no" in q.text.split()), float("no" not in q.text.split())] for q in questions
        ]
        values = np.array(rows, dtype=np.float32).reshape(-1, 2)
        return Embeddings(values, np.ones(len(rows), dtype=np.int32))


def separable(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(n, 6)).astype(np.float32)
    return vectors, (vectors[:, 0] > 0).astype(float)


def test_a_concept_is_told_from_vectors_that_show_it() -> None:
    vectors, yes = separable(400)
    heads = fit_heads(vectors, yes[:, None], [Concept("Is it there?")], encoder="e")
    fresh, truth = separable(400, seed=1)
    told = heads.probabilities(fresh)[:, 0] > 0.5
    assert (told == truth).mean() > 0.9
    assert heads.accuracy[0] > 0.85


def test_a_concept_with_few_pictures_of_one_answer_is_left_out() -> None:
    vectors, yes = separable(400)
    rare = np.where(np.arange(400) < 50, 1.0, 0.0)
    unsaid = np.full(400, np.nan)
    labels = np.stack([rare, yes, unsaid], axis=1)
    concepts = [Concept("Rare?"), Concept("Common?"), Concept("Unsaid?")]
    # a tenth of 50 pictures is 5, fewer than the 10 that are to be kept aside
    assert fit_heads(vectors, labels, concepts, encoder="e").questions == ("Common?",)


def test_without_enough_pictures_nothing_is_fitted() -> None:
    vectors, yes = separable(50)
    with pytest.raises(ValueError, match="100 pictures of yes"):
        fit_heads(vectors, yes[:, None], [Concept("Few?")], encoder="e")


def test_heads_are_read_as_they_were_saved_and_for_their_encoder_only(tmp_path: Path) -> None:
    heads = ConceptHeads(("a?",), np.ones((1, 3)), np.zeros(1), np.ones(1), "e")
    heads.save(tmp_path / "h.npz")
    read = ConceptHeads.load(tmp_path / "h.npz", encoder="e")
    assert read.questions == ("a?",)
    with pytest.raises(RecipeError, match="'e', not of 'f'"):
        ConceptHeads.load(tmp_path / "h.npz", encoder="f")


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    ConceptHeads(("a?",), np.ones((2, 3)), np.zeros(1), np.ones(1), "e").save(tmp_path / "h.npz")
    with pytest.raises(InputFileError, match="do not fit its 1 concepts"):
        ConceptHeads.load(tmp_path / "h.npz", encoder="e")


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", np.array([1, 1])), ("weights", np.array([[np.nan, 0.0]])),
     ("bias", np.array(["a"])), ("accuracy", np.zeros((1, 2))), ("questions", np.array("Air?"))],
)  # fmt: skip
def test_damaged_heads_of_concepts_are_named(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "h.npz"
    ConceptHeads(("Air?",), np.ones((1, 2)), np.zeros(1), np.ones(1), "e").save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **(arrays | {name: value}))
    with pytest.raises(InputFileError, match=r"h\.npz.*fit it again"):
        ConceptHeads.load(path, encoder="e")


def test_a_statement_is_weighed_against_its_denial() -> None:
    concept = Concept(
        "Is there a shadow?", statement="there is a shadow", denial="there is no shadow"
    )
    pictures = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=np.float32)
    scores = contrasted(pictures, [concept], Axes(), scale=2.0)[:, 0]
    # sigmoid(2 * (1 - 0)) = 0.8808, sigmoid(-2) = 0.1192, and one half where both are as near
    np.testing.assert_allclose(scores, [0.8808, 0.1192, 0.5], atol=1e-4)


def test_reports_with_the_nearest_sentence_come_first() -> None:
    concept = Concept("Is there a shadow?", statement="there is a shadow")
    reports = ["no shadow. no fluid.", "no fluid. A shadow is seen.", ""]
    spoken = ReportSentences(reports=reports, encoder=Axes())
    assert spoken.nearest(concept, n=2) == [1, 2]
    assert ReportSentences(reports=[], encoder=Axes()).nearest(concept) == []


def test_without_heads_an_encoder_that_reads_no_texts_is_told() -> None:
    with pytest.raises(RecipeError, match="give heads"):
        contrasted(np.ones((1, 2), np.float32), [Concept("Air?")], DescriptorEncoder())
