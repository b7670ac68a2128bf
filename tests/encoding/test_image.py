"""Encoders that read pictures alone."""

from pathlib import Path

import numpy as np
import pytest
import transformers
from PIL import Image

from medrag.encoding.image import ImageEncoder
from medrag.errors import RecipeError
from medrag.records import Question
from tests.contracts import check_encoder
from tests.encoding.tiny_pictures import pictured, saved, tiny_clip, tiny_dino, written

POOLINGS = ["cls", "mean", "pooler"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_dino(tmp_path_factory.mktemp("models") / "dino")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("pictures")
    return [saved(root / f"{n}.png", n, height=30 + 5 * n, width=60 - 3 * n) for n in range(5)]


def encoder(folder: Path, **options: object) -> ImageEncoder:
    fixed = {"device": "cpu", "dtype": "float32", **options}
    return ImageEncoder(model=str(folder), **fixed)  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_keeps_the_contract_of_encoders(
    pooling: str, folder: Path, pictures: list[Path]
) -> None:
    passages = [pictured(path) for path in pictures]
    questions = [Question(images=(path,)) for path in pictures[:2]]
    check_encoder(encoder(folder, pooling=pooling), passages, questions, "image")


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("registers", [0, 4])
def test_a_vector_is_what_transformers_gives_for_the_picture(
    pooling: str, registers: int, pictures: list[Path], tmp_path: Path
) -> None:
    folder = tiny_dino(tmp_path / "dino", registers=registers)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    states = model(**processor(images=[Image.open(pictures[0])], return_tensors="pt"))
    tokens = states.last_hidden_state[0].detach().numpy()
    # The class token comes first, then registers, then the patches, 4 x 4 of them.
    assert len(tokens) == 1 + registers + 16
    expected = {
        "cls": tokens[0], "mean": tokens[-16:].mean(axis=0),
        "pooler": states.pooler_output[0].detach().numpy(),
    }[pooling]  # fmt: skip
    found = encoder(folder, pooling=pooling).encode_passages([pictured(pictures[0])]).values[0]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_several_pictures_are_vectors_of_a_passage_and_a_mean_of_a_question(
    folder: Path, pictures: list[Path]
) -> None:
    made = encoder(folder)
    found = made.encode_passages([pictured(*pictures[:2]), pictured(pictures[2])])
    assert found.lengths.tolist() == [2, 1]
    asked = made.encode_questions([Question(images=tuple(pictures[:2]))], "image").values
    mean = found.values[:2].mean(axis=0)
    np.testing.assert_allclose(asked[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_the_name_tells_weights_and_pooling_but_not_the_data_type(
    folder: Path, tmp_path: Path
) -> None:
    name = encoder(folder).name
    assert name.startswith("dinov2-2x32-")
    assert name == encoder(folder, dtype="bfloat16", batch_size=2).name
    assert name != encoder(folder, pooling="mean").name
    assert name != encoder(tiny_dino(tmp_path / "other", seed=1)).name
    assert str(folder) not in name


def test_bfloat16_gives_nearly_the_same_vectors(folder: Path, pictures: list[Path]) -> None:
    passages = [pictured(path) for path in pictures]
    exact, rounded = (encoder(folder, dtype=dtype) for dtype in ("float32", "bfloat16"))
    cosines = exact.encode_passages(passages).values * rounded.encode_passages(passages).values
    assert cosines.sum(axis=1).min() > 0.999
    assert (exact.numerics, rounded.numerics) == ("cpu float32", "cpu bfloat16")


def test_texts_are_refused(folder: Path) -> None:
    made = encoder(folder)
    assert not made.encodes(written("words"))
    with pytest.raises(ValueError, match="reads no text"):
        made.encode_questions([Question("words")], "text")
    with pytest.raises(ValueError, match="no picture"):
        made.encode_passages([written("words")])


def test_a_model_with_two_towers_is_sent_to_its_own_encoder(tmp_path: Path) -> None:
    folder = tiny_clip(tmp_path / "clip")
    with pytest.raises(RecipeError, match="kind 'clip'"):
        encoder(folder).encode_passages([])


def test_a_folder_that_does_not_say_how_it_prepares_pictures_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        (bare / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(RecipeError, match=r"preprocessor_config\.json"):
        encoder(bare).encode_passages([])


def test_a_preset_gives_its_pooling_and_one_that_is_served_says_how() -> None:
    assert ImageEncoder(model="rad-dino").pooling == "cls"
    assert ImageEncoder(model="rad-dino", pooling="mean").pooling == "mean"
    with pytest.raises(RecipeError, match="kind 'remote'"):
        _ = ImageEncoder(model="medimageinsight").name
    with pytest.raises(RecipeError, match="plip is an encoder of kind 'clip', not 'image'"):
        _ = ImageEncoder(model="plip").name


@pytest.mark.parametrize("options", [{"pooling": "max"}, {"dtype": "float8"}, {"batch_size": 0}])
def test_settings_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        ImageEncoder(model="anything", **options)  # type: ignore[arg-type]
