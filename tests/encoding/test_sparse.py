from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medrag.encoding.sparse import SparseTextEncoder, largest
from medrag.records import Question, SparseEmbeddings
from tests.encoding.tiny_texts import LONG, VOCABULARY, passage, save_splade

TEXTS = ["the heart pumps blood", "bone", "two layers of skin, and what is air?"]
pytestmark = pytest.mark.filterwarnings("ignore:.*MLMTransformer.*")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_splade(tmp_path_factory.mktemp("sparse") / "splade")


def tiny(model: str, **options: Any) -> SparseTextEncoder:
    return SparseTextEncoder(model=model, **{"device": "cpu", "dtype": "float32", **options})


def as_dense(embeddings: SparseEmbeddings) -> NDArray[np.float32]:
    rows = np.zeros((len(embeddings.lengths), embeddings.d), dtype=np.float32)
    place = np.repeat(np.arange(len(rows)), embeddings.lengths)
    rows[place, embeddings.terms] = embeddings.weights
    return rows


def theirs(model: str, texts: list[str], task: str) -> NDArray[np.float32]:
    """What sentence-transformers itself makes of texts."""
    from sentence_transformers import SparseEncoder

    loaded = SparseEncoder(model, device="cpu", local_files_only=True)
    encode = loaded.encode_query if task == "query" else loaded.encode_document
    return np.asarray(encode(texts, convert_to_sparse_tensor=False, show_progress_bar=False))


def check_packed(embeddings: SparseEmbeddings) -> None:
    assert embeddings.d == len(VOCABULARY)
    assert (embeddings.terms.dtype, embeddings.weights.dtype) == (np.int32, np.float32)
    assert embeddings.lengths.dtype == np.int32
    assert embeddings.lengths.sum() == len(embeddings.terms) == len(embeddings.weights)
    assert (embeddings.weights > 0).all()
    for terms in np.split(embeddings.terms, np.cumsum(embeddings.lengths)[:-1]):
        assert (np.diff(terms) > 0).all()


def test_weights_are_those_of_sentence_transformers(model: str) -> None:
    encoder = tiny(model)
    found = encoder.encode_passages([passage(text) for text in TEXTS])
    check_packed(found)
    np.testing.assert_allclose(as_dense(found), theirs(model, TEXTS, "document"), atol=1e-5)
    asked = encoder.encode_questions([Question(text) for text in TEXTS], "text")
    np.testing.assert_allclose(as_dense(asked), theirs(model, TEXTS, "query"), atol=1e-5)


def test_questions_without_a_transformer_weigh_their_own_tokens(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = save_splade(tmp_path_factory.mktemp("sparse") / "free", inference_free=True)
    asked = tiny(model).encode_questions([Question(text) for text in [*TEXTS, LONG]], "text")
    check_packed(asked)
    expected = theirs(model, TEXTS, "query")
    np.testing.assert_allclose(as_dense(asked)[: len(TEXTS)], expected, atol=1e-6)
    assert asked.lengths[1] == 1
    # Its tokenizer cuts at 48: the digits of 39 stand in the last window only.
    assert {VOCABULARY.index(digit) for digit in ("9", "##9")} & {
        *asked.terms[-asked.lengths[-1] :]
    }
    found = tiny(model).encode_passages([passage(text) for text in TEXTS])
    np.testing.assert_allclose(as_dense(found), theirs(model, TEXTS, "document"), atol=1e-5)


def test_a_long_text_has_the_largest_weights_of_its_windows(model: str) -> None:
    encoder = tiny(model)
    found = encoder.encode_passages([passage("bone"), passage(LONG, "skin"), passage("bone")])
    [windows] = encoder._passages.read([("skin", LONG)])
    assert len(windows) > 20
    expected = theirs(model, [window.text for window in windows], "document").max(axis=0)
    np.testing.assert_allclose(as_dense(found)[1], expected, atol=1e-5)
    np.testing.assert_array_equal(as_dense(found)[0], as_dense(found)[2])


def test_a_text_alone_is_as_in_a_batch(model: str) -> None:
    passages = [passage(text) for text in [*TEXTS, LONG]]
    together = as_dense(tiny(model).encode_passages(passages))
    alone = [as_dense(tiny(model).encode_passages([each]))[0] for each in passages]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_heaviest_terms_can_be_kept(model: str) -> None:
    whole = as_dense(tiny(model).encode_passages([passage(text) for text in TEXTS]))
    some = tiny(model, terms=5).encode_passages([passage(text) for text in TEXTS])
    check_packed(some)
    assert some.lengths.tolist() == [5, 5, 5]
    for row, kept in zip(whole, as_dense(some), strict=True):
        np.testing.assert_allclose(np.sort(kept)[-5:], np.sort(row)[-5:], atol=1e-6)
    assert tiny(model, terms=5).name != tiny(model).name


def test_largest_weighs_each_term_once() -> None:
    first = np.array([1, 4], np.int32), np.array([2.0, 1.0], np.float32)
    second = np.array([0, 4], np.int32), np.array([0.5, 3.0], np.float32)
    terms, weights = largest([first, second])
    assert terms.tolist() == [0, 1, 4]
    assert weights.tolist() == [0.5, 2.0, 3.0]
    assert (terms.dtype, weights.dtype) == (np.int32, np.float32)


def test_nothing_to_encode_gives_no_terms_but_the_dimension(model: str) -> None:
    for found in (tiny(model).encode_passages([]), tiny(model).encode_questions([], "text")):
        check_packed(found)
        assert found.lengths.shape == (0,)


def test_only_words_are_encoded(model: str) -> None:
    encoder = tiny(model)
    assert (encoder.encodes(passage("a")), encoder.encodes(passage(" "))) == (True, False)
    assert (encoder.normalised, encoder.numerics) == (False, "cpu float32")
    with pytest.raises(ValueError, match="not the side 'image'"):
        encoder.encode_questions([], "image")


@pytest.mark.parametrize("option", ["terms", "batch_tokens"])
def test_settings_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
        SparseTextEncoder(model="anything", **{option: 0})  # type: ignore[arg-type]


def test_of_a_long_text_no_more_terms_are_kept_than_asked_for(model: str) -> None:
    long = [passage(LONG, "skin"), passage("bone")]
    whole = as_dense(tiny(model).encode_passages(long))[0]
    some = tiny(model, terms=5).encode_passages(long)
    check_packed(some)
    assert some.lengths.tolist() == [5, 5]
    np.testing.assert_allclose(np.sort(as_dense(some)[0])[-5:], np.sort(whole)[-5:], atol=1e-6)
