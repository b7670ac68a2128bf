import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray
from PIL import Image

from medrag.config import Index, build_index
from medrag.encoding.page import PageEncoder
from medrag.encoding.page.pooling import pooled_by_place
from medrag.encoding.page.similarity import SimilarityMap, boxes
from medrag.errors import InputFileError, RecipeError
from medrag.images import read_image
from medrag.records import ImageRef, Kind, Passage, Question, Region, Source
from tests.contracts import check_encoder
from tests.encoding.tiny_pages import (
    EMBEDDING,
    save_colbert,
    save_colmodernvbert,
    save_colpali,
    save_colqwen2,
    save_pylate,
    save_stanford,
)

SOURCE = Source("corpus", "book.pdf", "0" * 64)
FAMILIES: dict[str, Callable[[Path], Path]] = {
    "colpali": save_colpali,
    "colqwen2": save_colqwen2,
    "colmodernvbert": lambda folder: save_colmodernvbert(folder, longest=96),
}
QUESTIONS = [
    Question("what does the heart do?"),
    Question("lung"),
    Question("which?", options=("the heart", "a bone and the cell")),
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("page-models")
    return {name: save(root / name) for name, save in FAMILIES.items()}


@pytest.fixture(scope="module")
def encoders(checkpoints: dict[str, Path]) -> dict[str, PageEncoder]:
    return {name: made(folder) for name, folder in checkpoints.items()}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages of the same size and one that is wide."""
    path = tmp_path_factory.mktemp("book") / "book.pdf"
    with pymupdf.open() as document:
        for number, size in enumerate([(300, 400), (300, 400), (500, 200)]):
            page = document.new_page(width=size[0], height=size[1])
            page.insert_text((40, 60 + 40 * number), f"Page {number}: the heart", fontsize=30)
        document.save(path)
    return path


def made(folder: Path, **options: Any) -> PageEncoder:
    return PageEncoder(model=str(folder), **{"device": "cpu", "dtype": "float32", **options})


def page(path: Path, number: int) -> Passage:
    return Passage(f"p{number}", "page", "", SOURCE, (ImageRef(str(path), page=number),))


def pictures(folder: Path, *sizes: tuple[int, int]) -> list[Passage]:
    """Save pictures of noise, (height, width) each."""
    rng = np.random.default_rng(0)
    passages = []
    for n, (height, width) in enumerate(sizes):
        path = folder / f"{n}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        passages.append(Passage(str(n), "page", "", SOURCE, (ImageRef(str(path)),)))
    return passages


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
@pytest.mark.parametrize("size", [(96, 64), (64, 96), (30, 120)])
def test_every_patch_is_boxed_where_it_lies(
    encoders: dict[str, PageEncoder], name: str, size: tuple[int, int]
) -> None:
    # What changes most, when a part of an even picture is painted, is the vector of that part.
    encoder, (height, width) = encoders[name], size
    grid = encoder._grid(height, width)
    rows, columns = grid.places.shape
    even = np.full((height, width, 3), 200, dtype=np.uint8)
    middles, painted = [], []
    for row in range(rows):
        for column in range(columns):
            top, left = height / rows * (row + 0.25), width / columns * (column + 0.25)
            bottom, right = top + height / rows / 2, left + width / columns / 2
            pixels = even.copy()
            pixels[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = (9, 90, 30)
            painted.append(pixels)
            middles.append(((left + right) / 2, (top + bottom) / 2))
    before, *after = _patch_vectors(encoder, [even, *painted])
    for vectors, middle in zip(after, middles, strict=True):
        changed = 1 - (vectors * before).sum(axis=1)[grid.places]
        found = SimilarityMap(("x",), np.ones(1, dtype=bool), changed[None], (0, 0, width, height))
        [best] = boxes(found, share=1)
        box = best.box
        assert ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) == pytest.approx(middle)


def _patch_vectors(
    encoder: PageEncoder, pictures: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.float32]]:
    """Encode pictures of one size; the vectors of their patches in token order."""
    grid = encoder._grid(*pictures[0].shape[:2])
    prepared = [encoder._of_pixels(ImageRef("x"), pixels) for pixels in pictures]
    return [
        found.values[encoder._patches(found, grid.n_tokens)]
        for found in encoder._vectors(prepared, "document")
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_map_holds_the_cosines_of_words_and_patches(
    encoders: dict[str, PageEncoder], book: Path, name: str
) -> None:
    encoder = encoders[name]
    found = encoder.similarity_map(QUESTIONS[1], page(book, 3))
    words = encoder.encode_questions([QUESTIONS[1]], "text").values
    [patches] = _patch_vectors(encoder, [read_image(page(book, 3).images[0], dpi=144)])
    grid = encoder._grid(400, 1000)
    assert found.frame == (0, 0, 500, 200)
    assert found.values.shape == (len(words), *grid.places.shape)
    np.testing.assert_allclose(
        found.values, (words @ patches.T)[:, grid.places.ravel()].reshape(found.values.shape),
        atol=1e-5,
    )  # fmt: skip
    assert [token for token, asked in zip(found.tokens, found.asked, strict=True) if asked] == [
        "lung"
    ]


def test_a_map_of_a_pooled_index_has_every_patch(checkpoints: dict[str, Path], book: Path) -> None:
    pooled = made(checkpoints["colqwen2"], pool=4)
    full = made(checkpoints["colqwen2"])
    one, other = (each.similarity_map(QUESTIONS[0], page(book, 1)) for each in (pooled, full))
    np.testing.assert_array_equal(one.values, other.values)


def test_a_part_of_a_page_is_boxed_on_the_page(
    encoders: dict[str, PageEncoder], book: Path
) -> None:
    part = replace(page(book, 1).images[0], box=(100.0, 50.0, 250.0, 150.0))
    found = encoders["colpali"].similarity_map(QUESTIONS[0], replace(page(book, 1), images=(part,)))
    assert found.frame == (100, 50, 250, 150)


def test_a_map_needs_a_picture_that_is_there(encoders: dict[str, PageEncoder], book: Path) -> None:
    with pytest.raises(ValueError, match="has 1 pictures, and none at 1"):
        encoders["colpali"].similarity_map(QUESTIONS[0], page(book, 1), image=1)


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


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> PageEncoder:
    return made(save_colbert(tmp_path_factory.mktemp("texts") / "colbert"), reads="texts")


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


def test_a_model_with_one_vector_for_a_text_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=8, num_attention_heads=1, num_hidden_layers=1)
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match=r"no late-interaction model \(model type 'bert'\)"):
        made(tmp_path).encode_questions(QUESTIONS, "text")


def test_a_preset_of_another_kind_is_refused() -> None:
    with pytest.raises(RecipeError, match="of kind 'clip', not 'page'"):
        _ = PageEncoder(model="biomedclip").name


def test_images_of_questions_are_refused(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="not by the side 'image'"):
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


@pytest.fixture(scope="module")
def library(
    data: Path, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Index:
    [book] = (data / "textbook" / "anatomy_physiology").glob("*.pdf")
    model = str(checkpoints["colqwen2"])
    encoder = {"kind": "page", "model": model, "device": "cpu", "dtype": "float32", "pool": 3}
    return build_index(
        tmp_path_factory.mktemp("library") / "index",
        sources=[book],
        channels={"page": {"encoder": encoder, "side": "text"}},
    )


@pytest.mark.realdata
@pytest.mark.slow
def test_pages_of_a_real_textbook_are_searched_by_words(
    library: Index, checkpoints: dict[str, Path]
) -> None:
    encoder = made(checkpoints["colqwen2"], pool=3)
    pages = [each for each in library.passages if each.kind == "page"]
    assert len(pages) == 65
    hits = library.search("what does the heart do?", k=65, channels=["page"])
    assert {hit.passage.id for hit in hits} == {each.id for each in pages}
    # MaxSim, the slow way, over pages that are encoded anew.
    asked = encoder.encode_questions(QUESTIONS[:1], "text").values
    found = encoder.encode_passages([library.resolve(each) for each in pages])
    parts = np.split(found.values, np.cumsum(found.lengths)[:-1])
    scores = {
        each.id: float((asked @ part.T).max(axis=1).sum())
        for each, part in zip(pages, parts, strict=True)
    }
    ranked = [scores[hit.passage.id] for hit in hits]
    assert ranked == sorted(ranked, reverse=True)
    for hit in hits:
        assert hit.parts["page"].score == pytest.approx(scores[hit.passage.id], abs=1e-3)


@pytest.mark.realdata
@pytest.mark.slow
def test_words_are_boxed_on_the_pages_of_a_real_textbook(
    library: Index, checkpoints: dict[str, Path]
) -> None:
    encoder = made(checkpoints["colqwen2"], pool=3)
    question = Question("what does the heart do?")
    for hit in library.search(question.text, k=3, channels=["page"]):
        found = encoder.similarity_map(question, library.resolve(hit.passage))
        with pymupdf.open(library.resolve(hit.passage).images[0].path) as document:
            rect = document[hit.passage.images[0].page - 1].rect
        assert found.frame == (0, 0, rect.width, rect.height)
        places = boxes(found)
        assert places
        for box, score in places:
            assert 0 <= box[0] < box[2] <= rect.width
            assert 0 <= box[1] < box[3] <= rect.height
            assert -1 <= score <= 1
        assert Region(hit.passage.images[0].page, places[0].box).box == places[0].box
