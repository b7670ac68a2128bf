"""Pages as vectors of their patches."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from PIL import Image

from medrag.encoding.page import PageEncoder
from medrag.encoding.page.pooling import pooled_by_place
from medrag.errors import InputFileError, RecipeError
from medrag.records import ImageRef, Kind
from tests.contracts import check_encoder
from tests.encoding.page.pages import FAMILIES, QUESTIONS, made, page, pictures
from tests.encoding.tiny_pages import (
    EMBEDDING,
    save_colpali,
)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_contract_holds(
    encoders: dict[str, PageEncoder], book: Path, tmp_path: Path, name: str
) -> None:
    passages = [page(book, 1), page(book, 3), *pictures(tmp_path, (60, 60), (90, 30))]
    check_encoder(encoders[name], passages, QUESTIONS, "text")


@pytest.mark.parametrize("name", FAMILIES)
def test_vectors_are_those_of_the_bare_model(
    checkpoints: dict[str, Path], encoders: dict[str, PageEncoder], book: Path, name: str
) -> None:
    import torch
    import transformers

    family = {"colpali": "ColPali", "colqwen2": "ColQwen2", "colmodernvbert": "ColModernVBert"}
    model = getattr(transformers, f"{family[name]}ForRetrieval").from_pretrained(checkpoints[name])
    processor = getattr(transformers, f"{family[name]}Processor").from_pretrained(checkpoints[name])
    with pymupdf.open(book) as document:
        pixmap = document[0].get_pixmap(dpi=144)
    shown = Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples)
    inputs = processor.process_images(images=[shown])
    inputs.pop("labels", None)
    asked = processor.process_queries(text=[QUESTIONS[0].text])
    with torch.inference_mode():
        expected = model.eval()(**inputs).embeddings[0].numpy()
        words = model(**asked).embeddings[0].numpy()
    found = encoders[name].encode_passages([page(book, 1)])
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    found = encoders[name].encode_questions(QUESTIONS[:1], "text")
    np.testing.assert_allclose(found.values, words, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_of_questions_has_no_vector_of_padding(
    encoders: dict[str, PageEncoder], name: str
) -> None:
    together = encoders[name].encode_questions(QUESTIONS, "text")
    alone = [encoders[name].encode_questions([each], "text") for each in QUESTIONS]
    assert together.lengths.tolist() == [int(each.lengths[0]) for each in alone]
    np.testing.assert_allclose(
        together.values, np.concatenate([each.values for each in alone]), atol=1e-5
    )


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("pooling", ["hierarchical", "grid"])
def test_pooling_keeps_the_tokens_around_the_patches(
    checkpoints: dict[str, Path],
    encoders: dict[str, PageEncoder],
    book: Path,
    name: str,
    pooling: str,
) -> None:
    every = encoders[name].encode_passages([page(book, 1)]).values
    grid = encoders[name]._grid(800, 600)
    pooled = made(checkpoints[name], pool=4, pooling=pooling)
    found = pooled.encode_passages([page(book, 1), page(book, 2)])
    rest = len(every) - grid.n_tokens
    blocks = len(pooled_by_place(every[: grid.n_tokens], grid, 4))
    left = grid.n_tokens // 4 if pooling == "hierarchical" else blocks
    assert found.lengths.tolist() == [rest + left] * 2
    # Unpooled tokens are rows of both.
    closest = (found.values[:rest] @ every.T).max(axis=1)
    np.testing.assert_allclose(closest, 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.values, axis=1), 1, atol=1e-5)


def test_bfloat16_gives_nearly_the_same_vectors(
    checkpoints: dict[str, Path], encoders: dict[str, PageEncoder], book: Path
) -> None:
    for name in FAMILIES:
        half = made(checkpoints[name], dtype="bfloat16")
        exact = encoders[name].encode_passages([page(book, 1)]).values
        rounded = half.encode_passages([page(book, 1)]).values
        assert (exact * rounded).sum(axis=1).min() > 0.99
        assert (half.numerics, encoders[name].numerics) == ("cpu bfloat16", "cpu float32")
        assert half.name == encoders[name].name


def test_names_tell_whatever_changes_a_vector(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    folder = checkpoints["colpali"]
    copied = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert made(folder).name == made(copied).name == made(folder, reads="pictures").name
    prompted = Path(shutil.copytree(folder, tmp_path / "prompted"))
    settings = json.loads((prompted / "processor_config.json").read_text())
    settings["query_prefix"] = "Query: "
    (prompted / "processor_config.json").write_text(json.dumps(settings))
    names = [
        made(folder).name,
        made(folder, pool=3).name,
        made(folder, pool=3, pooling="grid").name,
        made(folder, dpi=72).name,
        made(prompted).name,
        made(save_colpali(tmp_path / "other", seed=1)).name,
    ]
    assert len(set(names)) == len(names)
    assert all("/torchvision/" in name for name in names)
    # A model of both may read the picture of a page, or its words.
    assert made(folder).name != made(folder, reads="texts").name


def test_the_name_needs_no_model_in_memory(checkpoints: dict[str, Path]) -> None:
    encoder = made(checkpoints["colqwen2"])
    assert encoder.name.startswith("colqwen2-")
    assert "_loaded" not in vars(encoder)


def test_pages_alone_are_encoded_unless_pictures_are_asked_for(book: Path) -> None:
    pages = PageEncoder(model="anything")
    everything = PageEncoder(model="anything", reads="pictures")
    texts = PageEncoder(model="anything", reads="texts")
    kinds: tuple[Kind, ...] = ("page", "figure", "image", "table", "text")
    passages = [replace(page(book, 1), kind=kind) for kind in kinds]
    assert [pages.encodes(each) for each in passages] == [True, False, False, False, False]
    assert [everything.encodes(each) for each in passages] == [True, True, True, False, False]
    assert not pages.encodes(replace(passages[0], images=()))
    assert not texts.encodes(passages[0])
    assert texts.encodes(replace(passages[4], text="words"))


def test_a_passage_of_several_pictures_has_the_vectors_of_all(
    encoders: dict[str, PageEncoder], tmp_path: Path
) -> None:
    one, two = pictures(tmp_path, (60, 60), (90, 30))
    both = replace(one, images=one.images + two.images + one.images)
    found = encoders["colqwen2"].encode_passages([both, two])
    alone = [encoders["colqwen2"].encode_passages([each]).values for each in (one, two)]
    expected = np.concatenate([alone[0], alone[1], alone[0], alone[1]])
    np.testing.assert_allclose(found.values, expected, atol=1e-5)


def test_small_batches_give_the_same_vectors(
    checkpoints: dict[str, Path], encoders: dict[str, PageEncoder], tmp_path: Path
) -> None:
    # Every page in a batch of its own, many sizes waiting for others of theirs.
    passages = pictures(tmp_path, *[(40 + 8 * (n % 4), 40) for n in range(10)])
    small = made(checkpoints["colqwen2"], batch_tokens=60).encode_passages(passages)
    large = encoders["colqwen2"].encode_passages(passages)
    np.testing.assert_array_equal(small.lengths, large.lengths)
    np.testing.assert_allclose(small.values, large.values, atol=1e-5)


def test_an_encoder_saved_by_sentence_transformers_gives_the_same(
    checkpoints: dict[str, Path], encoders: dict[str, PageEncoder], book: Path, tmp_path: Path
) -> None:
    from sentence_transformers import MultiVectorEncoder

    folder = tmp_path / "saved"
    model = MultiVectorEncoder(str(checkpoints["colqwen2"]), device="cpu", local_files_only=True)
    model.save_pretrained(str(folder), create_model_card=False)
    saved = made(folder)
    check_encoder(saved, [page(book, 1), page(book, 3)], QUESTIONS, "text")
    for number in (1, 3):
        one = saved.encode_passages([page(book, number)]).values
        other = encoders["colqwen2"].encode_passages([page(book, number)]).values
        np.testing.assert_allclose(one, other, atol=1e-5)
    found = saved.similarity_map(QUESTIONS[1], page(book, 1))
    expected = encoders["colqwen2"].similarity_map(QUESTIONS[1], page(book, 1))
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)


def test_a_model_with_one_vector_for_a_text_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=8, num_attention_heads=1, num_hidden_layers=1)
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match=r"no late-interaction model \(model type 'bert' in"):
        made(tmp_path).encode_questions(QUESTIONS, "text")


def test_a_preset_of_another_kind_is_refused() -> None:
    with pytest.raises(RecipeError, match="of kind 'clip', not 'page'"):
        _ = PageEncoder(model="biomedclip").name
    with pytest.raises(RecipeError, match=r"colsmol-256m can be neither .*`colpali-engine`"):
        _ = PageEncoder(model="colsmol").name


def test_images_of_questions_are_refused(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="not the side 'image'"):
        made(checkpoints["colpali"]).encode_questions([], "image")


def test_a_picture_that_cannot_be_read_is_named(
    encoders: dict[str, PageEncoder], book: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    passage = replace(page(book, 1), images=(ImageRef(str(broken)),))
    with pytest.raises(InputFileError, match=r"broken\.png"):
        encoders["colpali"].encode_passages([page(book, 2), passage])


def test_a_picture_that_the_model_refuses_is_named(
    encoders: dict[str, PageEncoder], tmp_path: Path
) -> None:
    [thread] = pictures(tmp_path, (2, 900))
    with pytest.raises(InputFileError, match=r"0\.png: the model takes no picture of 900 x 2"):
        encoders["colqwen2"].encode_passages([thread])


def test_a_passage_without_a_picture_is_refused(
    encoders: dict[str, PageEncoder], book: Path
) -> None:
    with pytest.raises(ValueError, match="passage p1 has nothing to encode of pages"):
        encoders["colpali"].encode_passages([replace(page(book, 1), images=())])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dpi": 5}, "dpi must be 18 to 1200"),
        ({"pool": 0}, "pool must be at least 1"),
        ({"pooling": "max"}, "pooling must be one of"),
        ({"reads": "words"}, "reads must be one of pages, pictures, texts"),
        ({"reads": "texts", "pool": 2}, "pool joins patches"),
        ({"dtype": "int8"}, "dtype must be one of"),
        ({"batch_tokens": 0}, "batch_tokens must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PageEncoder(model="anything", **options)


def test_vectors_have_the_dimension_of_the_model(encoders: dict[str, PageEncoder]) -> None:
    found: Sequence[int] = encoders["colpali"].encode_passages([]).values.shape
    assert found == (0, EMBEDDING)
