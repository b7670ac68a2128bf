from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.config import Index
from medrag.config.components import planned
from medrag.config.joined import resources
from medrag.config.place import Place
from medrag.errors import RecipeError
from medrag.records import Embeddings, Hit
from medrag.selection.diverse import DiverseSelector, marginal_relevance
from tests.evaluation.library import written_index
from tests.selection.ranked import names, passage, selected, shown

GOUT = "Gout is an inflammation of joints caused by crystals of urate."
COPY = "Gout is inflammation of the joints caused by urate crystals."
STROKE = "A stroke is a loss of brain function."


class Rows:
    """Rows by id, "p0" in row 0 and so on."""

    def row_of(self, name: str) -> int | None:
        return int(name[1:]) if name.startswith("p") else None


class Vectors:
    """A channel of given vectors, several to a passage."""

    has_vectors = True

    def __init__(self, vectors: Sequence[Sequence[Sequence[float]]]) -> None:
        self.vectors = vectors

    def vectors_at(self, rows: Sequence[int]) -> Embeddings:
        chosen = [self.vectors[row] for row in rows]
        flat = np.array([each for several in chosen for each in several], dtype=np.float32)
        return Embeddings(
            flat.reshape(-1, 2), np.array([len(each) for each in chosen], dtype=np.int32)
        )


def made(**given: Any) -> DiverseSelector:
    return DiverseSelector(library=Rows(), **given)  # type: ignore[arg-type]


def hits(*texts: str) -> list[Hit]:
    return shown([passage(f"p{i}", text) for i, text in enumerate(texts)])


def test_a_hit_that_repeats_another_gives_way() -> None:
    found = selected(made(k=2, balance=0.5), hits(GOUT, COPY, STROKE))
    assert names(found.kept) == ["p0", "p2"]
    assert found.fired
    assert found.reason == "2 kept; 1 of the first 2 gave way to less similar hits"


def test_relevance_alone_keeps_the_first_and_did_not_fire() -> None:
    found = selected(made(k=2, balance=1.0), hits(GOUT, COPY, STROKE))
    assert names(found.kept) == ["p0", "p1"]
    assert not found.fired


def test_vectors_of_a_channel_tell_what_is_alike() -> None:
    # p1 is p0 turned by nothing, p2 stands at a right angle; a vector of length 2 has a cosine too.
    channel = Vectors([[[1, 0]], [[2, 0]], [[0, 1]]])
    found = selected(made(k=2, balance=0.5, channel=channel), hits("a", "b", "c"))
    assert names(found.kept) == ["p0", "p2"]


def test_of_several_vectors_the_nearest_two_count_and_none_is_like_nothing() -> None:
    channel = Vectors([[[1, 0]], [[0, 1], [1, 0]], []])
    found = selected(made(k=2, balance=0.5, channel=channel), hits("a", "b", "c"))
    assert names(found.kept) == ["p0", "p2"]


def test_a_short_ranking_is_kept_whole() -> None:
    found = selected(made(k=5), hits(GOUT, COPY))
    assert len(found.kept) == 2
    assert not found.fired


def test_marginal_relevance_by_hand() -> None:
    # First 1.0. Then 0.5 * 0.9 - 0.5 * 0.8 = 0.05 against 0.5 * 0.4 - 0.5 * 0.1 = 0.15.
    alike = np.array([[1, 0.8, 0.1], [0.8, 1, 0.2], [0.1, 0.2, 1]])
    relevance = np.array([1.0, 0.9, 0.4])
    assert marginal_relevance(relevance, alike, 2, 0.5) == [0, 2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(1, 8), st.integers(0, 99))
def test_marginal_relevance_is_that_of_a_plain_loop(scores: list[float], k: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).uniform(size=(len(scores), len(scores)))
    alike = (drawn + drawn.T) / 2
    kept: list[int] = []
    while len(kept) < min(k, len(scores)):
        left = [i for i in range(len(scores)) if i not in kept]
        worth = [0.7 * scores[i] - 0.3 * max((alike[i, j] for j in kept), default=0) for i in left]
        kept.append(left[int(np.argmax(worth))])
    assert marginal_relevance(np.array(scores), alike, k, 0.7) == kept


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"balance": 1.1}, "balance must lie in"),
        ({"channel": object()}, "the channel has no vectors"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        made(**given_)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return written_index(tmp_path_factory.mktemp("small"))


def test_a_recipe_gives_it_the_library_and_names_the_channel(index: Index) -> None:
    plan = planned("selector", {"kind": "diverse", "k": 2}, Place("p.yaml"))
    assert plan(resources(index, {})).library is index.rows
    wrong = planned("selector", {"kind": "diverse", "channel": "lexical"}, Place("p.yaml"))
    with pytest.raises(RecipeError, match="the channel has no vectors; name a dense one"):
        wrong(resources(index, {}))
