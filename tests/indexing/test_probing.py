"""An encoder that changed under the same name is found out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medrag.indexing.probing import LOWEST_COSINE, probe
from medrag.indexing.storage import open_store
from medrag.records import Embeddings, Passage
from tests.indexing.library import WordEncoder, build_lines, lexical_and_words

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
