from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from medrag.encoding import weights
from medrag.encoding.medcpt import MedCptEncoder
from medrag.errors import RecipeError
from medrag.records import Question
from tests.contracts import check_encoder
from tests.encoding.tiny_texts import LONG, D, passage, save_bert

TEXTS = ["the heart pumps blood", "bone", "two layers of skin, and what is air?"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("medcpt")
    return save_bert(root / "article", limit=64), save_bert(root / "query", seed=1, limit=64)


@pytest.fixture(scope="module")
def encoder(folders: tuple[str, str]) -> MedCptEncoder:
    return tiny(folders)


def tiny(folders: tuple[str, str], **options: Any) -> MedCptEncoder:
    return MedCptEncoder(
        model=folders[0],
        question_model=folders[1],
        **{"device": "cpu", "dtype": "float32", "question_tokens": 32, **options},
    )


def first_token(folder: str, *segments: str) -> np.ndarray[Any, Any]:
    """What transformers makes of one text, or of a pair, without padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        found = model(**tokenizer(*segments, return_tensors="pt")).last_hidden_state[0, 0]
    return np.asarray(found.numpy())


def test_a_passage_is_the_first_token_of_title_and_text(
    encoder: MedCptEncoder, folders: tuple[str, str]
) -> None:
    passages = [passage(text, title) for text in TEXTS for title in ("skin", None)]
    found = encoder.encode_passages(passages)
    expected = [
        first_token(folders[0], str(each.fields.get("title", "")), each.text) for each in passages
    ]
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert found.lengths.tolist() == [1] * len(passages)


def test_a_question_is_the_first_token_of_the_other_model(
    encoder: MedCptEncoder, folders: tuple[str, str]
) -> None:
    found = encoder.encode_questions([Question(text) for text in TEXTS], "text")
    expected = [first_token(folders[1], text) for text in TEXTS]
    np.testing.assert_allclose(found.values, expected, atol=1e-5)


def test_lengths_of_vectors_are_kept(encoder: MedCptEncoder, folders: tuple[str, str]) -> None:
    passages = [passage(text) for text in TEXTS]
    raw = encoder.encode_passages(passages).values
    assert abs(np.linalg.norm(raw, axis=1) - 1).min() > 0.5
    assert encoder.normalised is False
    unit = tiny(folders, normalise=True).encode_passages(passages).values
    np.testing.assert_allclose(unit, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-6)


def test_a_long_passage_has_a_window_for_each_part_under_its_title(
    encoder: MedCptEncoder, folders: tuple[str, str]
) -> None:
    found = encoder.encode_passages([passage(LONG, "skin"), passage("bone")])
    [windows] = encoder._passages.read([("skin", LONG)])
    assert found.lengths.tolist() == [len(windows), 1]
    assert all(window.n <= 64 for window in windows)
    words = {word for window in windows for word in window.text.split()}
    assert words == {*LONG.split(), "skin"}
    last = first_token(folders[0], "skin", windows[-1].text.removeprefix("skin\n"))
    np.testing.assert_allclose(found.values[-2], last, atol=1e-5)


def test_a_long_question_is_the_mean_of_its_windows(
    encoder: MedCptEncoder, folders: tuple[str, str]
) -> None:
    found = encoder.encode_questions([Question(LONG)], "text").values
    [windows] = encoder._questions.read([("", LONG)])
    assert len(windows) > 3
    mean = np.mean([first_token(folders[1], window.text) for window in windows], axis=0)
    np.testing.assert_allclose(found, [mean], atol=1e-5)


def test_it_keeps_the_contract_of_encoders(encoder: MedCptEncoder) -> None:
    passages = [passage(text, "skin") for text in [*TEXTS, LONG]]
    check_encoder(encoder, passages, [Question(text) for text in [*TEXTS, LONG]], "text")
    assert encoder.numerics == "cpu float32"


def test_the_name_tells_both_models_and_their_limits(folders: tuple[str, str]) -> None:
    others = [
        tiny(folders),
        tiny(folders[::-1]),
        tiny(folders, question_tokens=30),
        tiny(folders, passage_tokens=30),
        tiny(folders, normalise=True),
    ]
    assert len({each.name for each in others}) == len(others)
    assert tiny(folders).name == tiny(folders, dtype="bfloat16", batch_tokens=7).name


@pytest.mark.parametrize("model", ["medcpt", "ncbi/MedCPT-Query-Encoder"])
def test_a_preset_names_both_towers(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def model_folder(name: str, revision: str | None) -> Path:
        asked.append(name)
        return Path(name)

    monkeypatch.setattr(weights, "model_folder", model_folder)
    encoder = MedCptEncoder(model=model, question_model=model)
    assert [encoder._folder(passages=side).name for side in (True, False)] == [
        "MedCPT-Article-Encoder",
        "MedCPT-Query-Encoder",
    ]
    assert len(asked) == 2


def test_models_of_different_dimensions_do_not_fit(
    folders: tuple[str, str], tmp_path: Path
) -> None:
    other = save_bert(tmp_path / "small", d=D // 2)
    with pytest.raises(RecipeError, match=r"16 dimensions, but .* has 32"):
        tiny((folders[0], other)).encode_questions([Question("bone")], "text")


@pytest.mark.parametrize("option", ["passage_tokens", "question_tokens", "batch_tokens"])
def test_settings_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
        MedCptEncoder(**{option: 0})  # type: ignore[arg-type]


def test_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not the side 'image'"):
        MedCptEncoder().encode_questions([], "image")
