"""Heads over frozen vectors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medrag.alignment.retriever.heads import PairVectors, put, train_heads, untrained_heads
from medrag.alignment.retriever.pair import RetrieverPair
from medrag.alignment.retriever.reader import ReaderSignal, reader_targets
from medrag.alignment.retriever.recall import cosines, ranks_of
from medrag.alignment.retriever.relations import relations
from medrag.alignment.retriever.ridge import ridge_heads
from medrag.alignment.retriever.settings import RetrieverSettings
from medrag.alignment.retriever.subspaces import assigned, slices
from medrag.alignment.retriever.validating import cross_validate, rows_of
from medrag.encoding.rows import unit
from medrag.errors import MedragError
from medrag.records import ImageRef

D_IMAGE, D_TEXT, N_WORDS = 12, 8, 24
SETTINGS = RetrieverSettings(epochs=30, batch=16, k=3)


def made(n: int = 120, *, seed: int = 0, noise: float = 0.05) -> PairVectors:
    """Pictures that are a linear map of what their text is, with noise."""
    rng = np.random.default_rng(seed)
    meanings = rng.normal(size=(N_WORDS, 4))
    chosen = rng.integers(N_WORDS, size=n)
    to_image, to_text = (np.random.default_rng(9).normal(size=(4, d)) for d in (D_IMAGE, D_TEXT))
    images = meanings[chosen] @ to_image + noise * rng.normal(size=(n, D_IMAGE))
    texts = meanings[chosen] @ to_text
    pairs = [
        RetrieverPair(str(row), ImageRef(str(row)), f"text {word}")
        for row, word in enumerate(chosen.tolist())
    ]
    vectors = [unit(each.astype(np.float32)) for each in (images, texts)]
    return PairVectors(vectors[0], vectors[1], relations(pairs))


def recall_of(heads: object, pairs: PairVectors) -> float:
    scores = cosines(*put(heads, pairs.images, pairs.texts))  # type: ignore[arg-type]
    return float((ranks_of(scores, pairs.known) <= 3).mean())


def halves(pairs: PairVectors) -> tuple[PairVectors, PairVectors]:
    n = len(pairs.images)
    return rows_of(pairs, np.arange(0, n, 2)), rows_of(pairs, np.arange(1, n, 2))


def test_a_trained_head_finds_what_the_start_does_not() -> None:
    training, held = halves(made())
    trained = train_heads(training, None, settings=SETTINGS, rate=0.05)
    assert recall_of(untrained_heads(D_IMAGE, D_TEXT, SETTINGS), held) < 0.4
    assert recall_of(trained.heads, held) > 0.9
    assert trained.losses[-1][1] < trained.losses[0][1]
    assert trained.losses[-1][0] == 30 * 4  # 60 pairs in batches of 16


def test_the_same_seed_gives_the_same_head_and_leaves_the_generator_alone() -> None:
    training, stopping = halves(made(40))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two = (train_heads(training, stopping, settings=SETTINGS, rate=0.01) for _ in range(2))
    other = train_heads(training, stopping, settings=replace(SETTINGS, seed=1), rate=0.01)
    assert (one.heads.image_weights == two.heads.image_weights).all()
    assert (one.heads.image_weights != other.heads.image_weights).any()
    assert (torch.get_rng_state() == before).all()


def test_training_ends_when_held_out_pairs_are_found_no_better() -> None:
    training, stopping = halves(made())
    # Texts that belong to nothing: what is learned cannot help.
    shuffled = replace(stopping, texts=stopping.texts[::-1].copy())
    settings = replace(SETTINGS, epochs=60, patience=4)
    trained = train_heads(training, shuffled, settings=settings, rate=0.05)
    assert len(trained.losses) == trained.best_epoch + 4 < 60
    assert len(trained.recalls) == len(trained.losses) + 1
    assert trained.recalls[trained.best_epoch] == max(trained.recalls)


@pytest.mark.parametrize("changes", [{"hard_negatives": 2}, {"subspaces": 3}, {"start": "ridge"}])
def test_every_way_of_training_finds_held_out_pairs(changes: dict[str, object]) -> None:
    training, held = halves(made())
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    trained = train_heads(training, None, settings=settings, rate=0.05)
    assert recall_of(trained.heads, held) > 0.85


def test_subspaces_are_added_one_by_one_and_both_sides_get_a_head() -> None:
    settings = replace(SETTINGS, subspaces=3, d=6)
    trained = train_heads(made(60), None, settings=settings, rate=0.05)
    assert trained.n_learners == 3
    assert trained.heads.image_weights.shape == (6, D_IMAGE)
    assert trained.heads.text_weights is not None
    assert trained.heads.text_weights.shape == (6, D_TEXT)


def test_a_learner_in_waiting_is_no_part_of_the_space() -> None:
    settings = replace(SETTINGS, subspaces=3, d=6, epochs=1)
    trained = train_heads(made(20), made(20, seed=1), settings=settings, rate=0.05)
    assert trained.n_learners == 1
    assert trained.heads.image_weights.shape == (2, D_IMAGE)


def test_the_closed_form_undoes_a_linear_map() -> None:
    training, held = halves(made(noise=0.0))
    heads = ridge_heads(training.images, training.texts, penalty=1e-6)
    assert recall_of(heads, held) > 0.95


def test_a_ridge_start_is_kept_where_training_makes_nothing_better() -> None:
    training, stopping = halves(made(noise=0.0))
    settings = replace(SETTINGS, start="ridge", patience=2)
    trained = train_heads(training, stopping, settings=settings, rate=5.0)
    ridge = ridge_heads(training.images, training.texts)
    assert trained.recalls[trained.best_epoch] >= trained.recalls[0] > 0.5
    if trained.best_epoch == 0:
        np.testing.assert_allclose(trained.heads.image_weights, ridge.image_weights, rtol=1e-5)


def test_a_reader_teaches_what_pairs_do_not_say() -> None:
    pairs = made(60)
    # The reader holds that passage 1 helps every query, against passages 0 and 2.
    vectors = unit(np.random.default_rng(3).normal(size=(3, D_TEXT)).astype(np.float32))
    shown = np.tile(np.array([0, 1, 2]), (60, 1))
    targets = np.tile(reader_targets([[-5.0, -0.1, -5.0]]), (60, 1))
    settings = replace(SETTINGS, reader_weight=10.0)
    signal = ReaderSignal(vectors, shown, targets)
    deaf, taught = (
        train_heads(pairs, None, settings=settings, rate=0.05, signal=each).heads
        for each in (None, signal)
    )
    first = [
        float((put(heads, pairs.images, vectors)[0] @ vectors.T).argmax(axis=1).tolist().count(1))
        for heads in (deaf, taught)
    ]
    assert first[0] < 50 < first[1]


def test_a_rate_that_breaks_numbers_is_an_error() -> None:
    pairs = made(40)
    broken = replace(pairs, images=np.full_like(pairs.images, np.nan))
    with pytest.raises(MedragError, match="the loss of step 1 is nan"):
        train_heads(broken, None, settings=SETTINGS, rate=0.1)


def test_vectors_of_other_pairs_are_refused() -> None:
    pairs = made(10)
    with pytest.raises(ValueError, match="10 pairs need as many"):
        train_heads(replace(pairs, texts=pairs.texts[:5]), None, settings=SETTINGS, rate=0.1)


def test_cross_validation_measures_pairs_that_were_not_trained_on() -> None:
    settings = replace(SETTINGS, epochs=15, stopping=0.0)
    ridge = {"ridge": lambda t: ridge_heads(t.images, t.texts)}
    found = cross_validate(made(), settings=settings, rate=0.05, n_folds=3, others=ridge)
    assert found.recalls["start"].value < 0.4 < found.recalls["trained"].value
    assert found.gains["trained"].interval.low > 0
    assert set(found.ranks) == {"start", "trained", "ridge"}
    assert (found.ranks["trained"] >= 1).all()


def test_texts_that_fit_no_picture_show_no_gain() -> None:
    pairs = made()
    rng = np.random.default_rng(0)
    noise = unit(rng.normal(size=pairs.images.shape).astype(np.float32))
    settings = replace(SETTINGS, epochs=10)
    found = cross_validate(replace(pairs, images=noise), settings=settings, rate=0.05, n_folds=3)
    assert found.gains["trained"].interval.low < 0.05
    assert abs(found.recalls["trained"].value - found.chance) < 0.15


def test_numbers_of_a_vector_are_divided_among_learners() -> None:
    assert [list(range(7))[part] for part in slices(7, 3)] == [[0, 1, 2], [3, 4], [5, 6]]
    with pytest.raises(ValueError, match="1 to 2"):
        slices(2, 3)


def test_pairs_are_assigned_by_where_they_lie() -> None:
    rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, 0]], dtype=np.float32)
    numbers = assigned(rows, 3).tolist()
    assert numbers[0] == numbers[1]
    assert numbers[2] == numbers[3]
    assert len(set(numbers)) == 3


def test_every_learner_has_a_pair() -> None:
    same = np.ones((5, 2), dtype=np.float32)
    assert sorted(set(assigned(same, 3).tolist())) == [0, 1, 2]
    assert sorted(set(assigned(same[:2], 3).tolist())) == [0, 1]
