"""Weighted terms in Qdrant are ranked as by the inverted lists of a sparse channel."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.build import ChannelPlan
from medrag.indexing.checking import verify
from medrag.indexing.maintenance import remove
from medrag.indexing.qdrant import QdrantSearch
from medrag.indexing.qdrant.ledger import read_ledger
from medrag.indexing.qdrant.terms import of_pairs, summed
from medrag.indexing.sparse import InvertedLists, SparseChannel
from medrag.indexing.storage import Store, open_store
from medrag.records import Filter, Question, SparseEmbeddings
from tests.contracts import check_channel
from tests.indexing.qdrant.conftest import QUICK
from tests.indexing.qdrant.fake_server import FakeServer
from tests.indexing.qdrant.lines import asked, built, check_same, cut_short
from tests.indexing.qdrant.lines import channels as dense_channels
from tests.indexing.qdrant.lines import searching as searching_dense
from tests.indexing.qdrant.test_words import plan as lexical_plan
from tests.indexing.test_sparse import FILTERS, LINES, Numbers, Terms, channels, sparse
from tests.indexing.vector_library import check_rankings

EDGE: dict[str, Any] = {}
MEMORY: dict[str, Any] = {"location": ":memory:"}
both = pytest.mark.parametrize("options", [EDGE, MEMORY], ids=["edge", "memory"])


def plans(encoder: Terms, options: dict[str, Any]) -> dict[str, ChannelPlan]:
    (plan,) = channels(encoder).values()
    spec = {**plan.spec, "store": {"kind": "qdrant", **options}}
    return {"terms": ChannelPlan(spec, plan.encoder)}


def searching(store: Store) -> QdrantSearch:
    options = dict(store.channel("terms").spec["store"])
    options.pop("kind")
    return QdrantSearch(store=store, name="terms", **options)


def check(store: Store, questions: SparseEmbeddings, k: int, filters: list[Filter]) -> None:
    """Compare with inverted lists: the same rows in the same order, equal scores."""
    found = searching(store).search(questions, k, filters)
    expected = InvertedLists(store=store, name="terms").search(questions, k, filters)
    check_rankings(found, expected, rtol=1e-6, atol=0.0)


@both
def test_it_keeps_the_promises_of_a_channel(quick: Path, options: dict[str, Any]) -> None:
    files = {f"{n}.lines": LINES[n::2] for n in range(2)}
    store = built(quick, files, channels=plans(Terms(), options))
    check_channel(
        SparseChannel(store=store, name="terms", encoder=Terms(), vectors=searching(store)),
        [Question(text="effusion no"), Question(text="white matter lung")],
        n_rows=store.n_rows,
        masks=[(wanted, store.row_mask(wanted)) for wanted in FILTERS],
        unusable=[Question(), Question(text=" ")],
    )
    unheard = Terms().encode_questions([Question("unheard"), Question("white")], "text")
    check(store, unheard, 9, [Filter()] * 2)


@pytest.mark.parametrize("options", [EDGE, MEMORY], ids=["edge", "memory"])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 30), files=st.integers(1, 3))
def test_any_vectors_are_ranked_as_by_inverted_lists(
    options: dict[str, Any], seed: int, k: int, files: int
) -> None:
    check_any(options, seed, k, files)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 30), files=st.integers(1, 3))
def test_many_vectors_are_ranked_as_by_inverted_lists(seed: int, k: int, files: int) -> None:
    check_any(EDGE, seed, k, files)


def check_any(options: dict[str, Any], seed: int, k: int, files: int) -> None:
    draw = np.random.default_rng(seed)
    n, d = int(draw.integers(1, 40)), int(draw.integers(1, 12))
    # Some whole numbers, which tie, and some below zero.
    shares = draw.random(2)
    matrix, questions = (
        draw.integers(-1, 4, (rows, d)) * (draw.random((rows, d)) < share) * scale
        for rows, share, scale in zip((n, 3), shares, draw.choice([1.0, 0.37], 2), strict=True)
    )
    encoder = Numbers(matrix, questions)
    kinds = ["text", "report"]
    lines = [{"text": str(number), "kind": kinds[number % 2]} for number in range(n)]
    parts = {f"{number}.lines": lines[number::files] for number in range(min(files, n))}
    wanted = [Filter(), Filter(kinds=frozenset({"text"})), Filter(kinds=frozenset({"case"}))]
    with tempfile.TemporaryDirectory(dir=QUICK, prefix="medrag-test-") as folder:
        store = built(Path(folder), parts, channels=plans(encoder, options))
        check(store, sparse(questions), k, wanted)


def test_passages_that_came_and_went_are_followed(quick: Path) -> None:
    plan = plans(Terms(), EDGE)
    built(quick, {"a.lines": LINES[:2], "b.lines": LINES[2:4]}, channels=plan)
    (quick / "in" / "a.lines").unlink()
    remove(quick / "index", ["a.lines"])
    questions = Terms().encode_questions([Question("effusion no white")], "text")

    with cut_short():
        built(quick, {"c.lines": LINES[:2]}, channels=plan)
    # The new segment is searched where it lies, removed points are not returned.
    between = open_store(quick / "index")
    check(between, questions, 9, [Filter()])
    assert len(searching(between).search(questions, 9, [Filter()])[0]) == 4
    store = built(quick, {}, channels=plan)
    check(store, questions, 9, [Filter()])
    assert verify(store.folder) == []


def test_dense_sparse_and_words_share_a_shard(quick: Path) -> None:
    plan = {**plans(Terms(), EDGE), **dense_channels(EDGE), **lexical_plan(EDGE)}
    store = built(quick, {"a.lines": LINES}, channels=plan)
    assert len({store.derived(name) for name in plan}) == 1
    assert read_ledger(store.derived("terms")).shapes.keys() == plan.keys()
    check(store, Terms().encode_questions([Question("effusion")], "text"), 9, [Filter()])
    check_same(store, searching_dense(store), asked("effusion"), 9, [Filter()])
    assert verify(store.folder) == []


def test_a_server_is_told_terms_and_weights(quick: Path, server: FakeServer, url: str) -> None:
    options = {"url": url, "collection": "c"}
    store = built(quick, {"a.lines": LINES}, channels=plans(Terms(), options))
    sent = [p for r in server.of("PUT", "/points") for p in r.body["points"]]
    words = Terms().words
    white = {"indices": [words.index("matter"), words.index("white")], "values": [1.0, 1.0]}
    assert white in [point["vector"].get("terms") for point in sent]
    check(store, Terms().encode_questions([Question("effusion")], "text"), 9, [Filter()])
    assert verify(store.folder) == []


def test_another_vocabulary_is_refused(quick: Path) -> None:
    store = built(quick, {"a.lines": LINES}, channels=plans(Terms(), EDGE))
    other = Terms(words=["a", "effusion"]).encode_questions([Question("effusion")], "text")
    with pytest.raises(ValueError, match="over 9 terms, but the question's is over 2"):
        searching(store).search(other, 3, [Filter()])


def test_equal_terms_are_added_up_and_those_of_no_weight_left_out() -> None:
    made = of_pairs(np.array([[7, 1.5], [3, 2], [7, 0.5], [5, 1], [5, -1]], np.float32))
    assert (made.terms.tolist(), made.weights.tolist()) == ([3, 7], [2.0, 2.0])
    none = summed(np.empty(0, np.int64), np.empty(0))
    assert (none.terms.tolist(), none.weights.tolist()) == ([], [])
