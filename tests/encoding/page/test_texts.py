"""Late-interaction models of texts: ColBERT, as three makers save it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.encoding.kinds import folder_kind, reads_pictures
from medrag.encoding.page import PageEncoder
from medrag.errors import RecipeError
from medrag.records import Passage, Question
from tests.contracts import check_encoder
from tests.encoding.page.pages import QUESTIONS, SOURCE, made, page
from tests.encoding.tiny_pages import (
    save_colbert,
    save_pylate,
    save_stanford,
)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> PageEncoder:
    return made(save_colbert(tmp_path_factory.mktemp("texts") / "colbert"), reads="texts")


@pytest.mark.parametrize("save", [save_colbert, save_pylate, save_stanford])
def test_a_saved_folder_is_known_as_one_of_texts(
    save: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = save(tmp_path / "model")
    assert folder_kind(folder) == "page"
    assert not reads_pictures(folder)


def text(words: str, title: str = "") -> Passage:
    return Passage("t", "text", words, SOURCE, fields={"title": title} if title else {})


def test_a_model_of_texts_keeps_the_contract(texts: PageEncoder) -> None:
    passages = [text("the heart pumps blood", "heart"), text("a cell " * 40, "tissue")]
    check_encoder(texts, passages, QUESTIONS, "text")
    assert texts.name.split("/")[2] == "none"


def test_texts_that_are_too_long_have_the_vectors_of_all_their_windows(texts: PageEncoder) -> None:
    # 24 tokens of a passage at once, 20 of a question, which is filled up to as many.
    long = text("the heart is in the chest . " * 12)
    found = texts.encode_passages([text("lung"), long])
    assert found.lengths[0] == 1
    assert found.lengths[1] > 7 * 12
    asked = texts.encode_questions([Question("lung"), Question("the heart " * 15)], "text")
    assert asked.lengths.tolist() == [20, 40]


def test_sentence_transformers_itself_gives_the_same_vectors(texts: PageEncoder) -> None:
    [expected] = texts._loaded.module.encode_document(["heart\nthe lung is air"])
    found = texts.encode_passages([text("the lung is air", "heart")]).values
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_equal_texts_go_through_the_model_once(
    texts: PageEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, seen = texts._loaded, list[int]()
    vectors = model.vectors

    def counting(batch: Any, task: Any) -> Any:
        seen.append(len(batch))
        return vectors(batch, task)

    monkeypatch.setattr(model, "vectors", counting)
    found = texts.encode_passages([text("lung"), text("a cell"), text("lung")])
    assert sum(seen) == 2
    assert found.lengths[0] == found.lengths[2]
    np.testing.assert_array_equal(found.values[0], found.values[-1])


@pytest.mark.parametrize("save", [save_stanford, save_pylate])
def test_models_of_other_makers_are_read(save: Callable[[Path], Path], tmp_path: Path) -> None:
    encoder = made(save(tmp_path / "model"), reads="texts")
    passages = [text("the heart pumps blood . lung . . cell"), text("a cell " * 40, "tissue")]
    check_encoder(encoder, passages, QUESTIONS, "text")
    # A mark for passages before six words; full stops do not count.
    assert encoder.encode_passages(passages).lengths[0] == 1 + 6
    assert encoder.encode_questions(QUESTIONS, "text").lengths.tolist() == [20, 20, 20]


def test_what_a_model_does_not_read_is_refused(
    checkpoints: dict[str, Path], texts: PageEncoder, book: Path
) -> None:
    with pytest.raises(RecipeError, match=r"takes image, not text; set 'reads'"):
        made(checkpoints["colpali"], reads="texts").encode_passages([text("words")])
    with pytest.raises(RecipeError, match=r"takes text, not image"):
        made(Path(texts.model)).encode_passages([page(book, 1)])
