"""An encoder that changed under the same name is found out."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from medrag.build import ChannelPlan
from medrag.indexing.probing import LOWEST_COSINE, probe
from medrag.indexing.storage import open_store
from medrag.protocols import SparseEncoder
from medrag.records import Embeddings, Passage, SparseEmbeddings
from tests.indexing.library import WordEncoder, build_lines, lexical_and_words
from tests.indexing.test_sparse import Terms

TEXTS = [f"sign number {n} of the chest" for n in range(100)]


class DriftedEncoder(WordEncoder):
    """The same name, but every vector leans to one side."""

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        made = super().encode_passages(passages)
        values = made.values + np.float32(0.2)
        return replace(made, values=values / np.linalg.norm(values, axis=1, keepdims=True))


def test_an_unchanged_encoder_passes_on_32_passages(tmp_path: Path) -> None:
    build_lines(tmp_path / "x", tmp_path / "in", {"a.lines": TEXTS}, channels=lexical_and_words())
    found = probe(open_store(tmp_path / "x"), "words", WordEncoder())
    assert (found.n, found.unreadable, found.problem) == (32, 0, None)
    assert found.lowest >= LOWEST_COSINE


def test_an_encoder_that_changed_under_its_name_is_reported(tmp_path: Path) -> None:
    build_lines(tmp_path / "x", tmp_path / "in", {"a.lines": TEXTS}, channels=lexical_and_words())
    found = probe(open_store(tmp_path / "x"), "words", DriftedEncoder())
    assert found.problem is not None
    assert found.problem.place == "words"


def test_a_channel_without_passages_has_nothing_to_report(tmp_path: Path) -> None:
    build_lines(tmp_path / "x", tmp_path / "in", {"a.lines": []}, channels=lexical_and_words())
    assert probe(open_store(tmp_path / "x"), "words", WordEncoder()).problem is None


class MoreTerms(Terms):
    """The same name, but one term more in every passage that has any."""

    def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings:
        return super().encode_passages([replace(p, text=f"{p.text} white") for p in passages])


class Heavier(Terms):
    """The same direction with another length, which a cosine does not see."""

    def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings:
        made = super().encode_passages(passages)
        return replace(made, weights=made.weights * np.float32(1.01))


@pytest.mark.parametrize(
    ("encoder", "lowest"),
    # The last: "?" had no term, and now has one.
    [(Terms(), 1), (Heavier(), 1), (MoreTerms(), -1)],
)
def test_sparse_vectors_are_compared_term_by_term(
    tmp_path: Path, encoder: Terms, lowest: float
) -> None:
    spec = {"kind": "sparse", "encoder": {"kind": "terms"}}
    plan = {"terms": ChannelPlan(spec, partial(_held, Terms()))}
    lines = ["no effusion", "?", "effusion effusion lung"]
    build_lines(tmp_path / "x", tmp_path / "in", {"a.lines": lines}, channels=plan)
    found = probe(open_store(tmp_path / "x"), "terms", encoder)
    assert found.n == 3
    assert found.lowest == pytest.approx(lowest)


def test_a_term_more_lowers_the_cosine_as_it_should(tmp_path: Path) -> None:
    spec = {"kind": "sparse", "encoder": {"kind": "terms"}}
    plan = {"terms": ChannelPlan(spec, partial(_held, Terms()))}
    lines = ["no effusion", "effusion no"]
    build_lines(tmp_path / "x", tmp_path / "in", {"a.lines": lines}, channels=plan)
    found = probe(open_store(tmp_path / "x"), "terms", MoreTerms())
    assert found.lowest == pytest.approx(2 / np.sqrt(2 * 3))
    assert found.problem is not None


def _held(encoder: SparseEncoder) -> SparseEncoder:
    return encoder
