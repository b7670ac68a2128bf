"""Where the weights of an encoder of pictures and texts come from, and what is refused."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
import transformers

from medrag.encoding.clip import ClipEncoder
from medrag.errors import MissingExtraError, RecipeError
from medrag.records import Question
from tests.contracts import check_encoder
from tests.encoding.tiny_pictures import (
    CLIPS,
    LONG,
    OPEN_CONFIG,
    SHORT,
    pictured,
    tiny_bert,
)

Make = Callable[..., ClipEncoder]


@pytest.fixture(scope="module")
def architecture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Add a small architecture to those that open_clip knows by name."""
    config = tmp_path_factory.mktemp("architectures") / "tiny-plain.json"
    config.write_text(json.dumps(OPEN_CONFIG))
    open_clip.add_model_config(config)
    return config.stem


@pytest.mark.parametrize("name", CLIPS)
def test_a_name_is_known_without_loading_the_weights(
    name: str, clip_folders: dict[str, Path], tmp_path: Path
) -> None:
    fresh = ClipEncoder(model=str(clip_folders[name]))
    assert fresh.name
    assert "_loaded" not in vars(fresh)
    assert str(clip_folders[name]) not in fresh.name
    other = ClipEncoder(model=str(CLIPS[name](tmp_path / "other", seed=1)))
    assert fresh.name != other.name
    assert fresh.name != ClipEncoder(model=str(clip_folders[name]), passages="text").name
    copy = shutil.copytree(clip_folders[name], tmp_path / "copy")
    assert fresh.name == ClipEncoder(model=str(copy)).name


@pytest.mark.parametrize(
    ("name", "file", "words"),
    [("clip", "preprocessor_config.json", ("image_mean", "0.4")),
     ("open_clip", "open_clip_config.json", ("mean", "0.48"))],
)  # fmt: skip
def test_the_name_tells_how_pictures_are_prepared(
    name: str, file: str, words: tuple[str, str], clip_folders: dict[str, Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(clip_folders[name], tmp_path / "copy")
    told = (copy / file).read_text()
    assert words[0] in told
    (copy / file).write_text(told.replace(words[1], "0.3"))
    assert ClipEncoder(model=str(clip_folders[name])).name != ClipEncoder(model=str(copy)).name


def test_an_architecture_and_a_file_of_weights_are_enough(
    architecture: str,
    clip_folders: dict[str, Path],
    made: Make,
    clip_pictures: list[Path],
    tmp_path: Path,
) -> None:
    file = tmp_path / "weights.pt"
    state = torch.load(clip_folders["open_clip"] / "open_clip_pytorch_model.bin", weights_only=True)
    # As training scripts save them: under a key, and with the prefix of a parallel run.
    torch.save({"state_dict": {f"module.{key}": each for key, each in state.items()}}, file)
    found = ClipEncoder(model=architecture, checkpoint=str(file), device="cpu", dtype="float32")
    assert found.name.startswith("tiny-plain-")
    check_encoder(found, [pictured(path) for path in clip_pictures], [Question(LONG)], "text")
    # The folder says another mean of the pixels, so that only texts have equal vectors.
    texts = [each.encode_texts([SHORT]) for each in (found, made("open_clip"))]
    np.testing.assert_allclose(*texts, atol=1e-6)


def test_a_text_tower_can_be_given_beside_the_architecture(
    architecture: str, clip_folders: dict[str, Path], made: Make, tmp_path: Path
) -> None:
    found = ClipEncoder(
        model=architecture,
        checkpoint=str(clip_folders["biomed_clip"] / "open_clip_pytorch_model.bin"),
        text_tower=str(tiny_bert(tmp_path / "bert")),
        tokens=20,
        device="cpu",
        dtype="float32",
    )
    texts = [each.encode_texts([SHORT, LONG]) for each in (found, made("biomed_clip"))]
    np.testing.assert_allclose(*texts, atol=1e-6)


def test_a_text_tower_is_named_by_what_it_holds(
    architecture: str,
    clip_folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkpoint = str(clip_folders["biomed_clip"] / "open_clip_pytorch_model.bin")

    def name(tower: str) -> str:
        return ClipEncoder(model=architecture, checkpoint=checkpoint, text_tower=tower).name

    one = tiny_bert(tmp_path / "bert")
    copy = shutil.copytree(one, tmp_path / "elsewhere" / "copy")
    monkeypatch.chdir(tmp_path)
    assert name(str(one)) == name(str(copy)) == name("bert")
    told = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**told, "num_hidden_layers": 1}))
    assert name(str(one)) != name(str(copy))
    # The hub id of a preset stands in the names of indexes that were built.
    assert name("someone/bert") != name("someone/other")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(RecipeError, match=f"{copy} holds no tokenizer"):
        ClipEncoder(model=architecture, checkpoint=checkpoint, text_tower=str(copy)).encode_texts(
            ["a"]
        )
    for folder in (tmp_path / "absent", tmp_path / "elsewhere"):
        with pytest.raises(RecipeError, match=f"{folder} (does not exist|lacks config.json)"):
            name(str(folder))


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this must not run",))


@pytest.mark.parametrize("name", ["weights.pt", "weights.ckpt"])
def test_a_file_that_would_run_code_is_refused(
    architecture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = tmp_path / name
    torch.save({"trap": Trap()}, file)
    with pytest.raises(RecipeError, match="would run code"):
        ClipEncoder(model=architecture, checkpoint=str(file)).encode_texts(["a"])
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"model": "ViT-B-32", "checkpoint": "/nowhere/weights.pt"}, "does not exist"),
        ({"model": "unimed-clip-b16"}, "get unimed_clip_vit_b16.pt from its authors"),
        ({"model": "MedCLIP"}, "kind 'remote'.*medclip"),
        ({"model": "minilm"}, "kind 'sentence', not 'clip'"),
        ({"model": "conceptclip"}, "trust_remote_code"),
        ({"model": "/nowhere"}, "does not exist"),
    ],
)
def test_what_cannot_be_loaded_says_what_to_do(options: dict[str, str], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        _ = ClipEncoder(**options).name  # type: ignore[arg-type]


def test_weights_of_another_architecture_are_refused(
    architecture: str, clip_folders: dict[str, Path]
) -> None:
    file = clip_folders["biomed_clip"] / "open_clip_pytorch_model.bin"
    with pytest.raises(RecipeError, match="does not load as tiny-plain of open_clip"):
        ClipEncoder(model=architecture, checkpoint=str(file)).encode_texts(["a"])


def test_a_text_tower_whose_configuration_is_not_here_is_named(
    clip_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    copy = shutil.copytree(clip_folders["biomed_clip"], tmp_path / "copy")
    told = json.loads((copy / "open_clip_config.json").read_text())
    told["model_cfg"]["text_cfg"]["hf_model_name"] = "someone/absent-bert"
    (copy / "open_clip_config.json").write_text(json.dumps(told))
    with pytest.raises(RecipeError, match=r"hf download someone/absent-bert config\.json"):
        ClipEncoder(model=str(copy)).encode_texts(["a"])


def test_a_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    bert = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=90, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
            intermediate_size=8,
        )
    )  # fmt: skip
    bert.save_pretrained(tiny_bert(tmp_path / "bert"))
    with pytest.raises(RecipeError, match="no tower for pictures"):
        ClipEncoder(model=str(tmp_path / "bert")).encode_texts(["a"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match="no CLIP model"):
        ClipEncoder(model=str(tmp_path / "empty")).encode_texts(["a"])


REMOTE = """
import torch
from transformers import CLIPConfig, CLIPModel

class OwnConfig(CLIPConfig):
    model_type = "own_clip"

class OwnModel(CLIPModel):
    config_class = OwnConfig
    get_image_features = None
    get_text_features = None

    def encode_image(self, pixels):
        return self.visual_projection(self.vision_model(pixel_values=pixels).pooler_output), None

    def encode_text(self, ids):
        found = self.text_model(input_ids=ids)
        return self.text_projection(found.last_hidden_state[:, 0]), None
"""


def test_code_of_a_model_runs_only_if_it_is_trusted(
    clip_folders: dict[str, Path], clip_pictures: list[Path], tmp_path: Path, made: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "hf"))
    folder = shutil.copytree(clip_folders["clip"], tmp_path / "own")
    (folder / "own.py").write_text(REMOTE)
    told = json.loads((folder / "config.json").read_text())
    told |= {"model_type": "own_clip", "auto_map": {
        "AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(told))
    with pytest.raises(RecipeError, match=r"does not load as a model.* trust_remote_code: true"):
        ClipEncoder(model=str(folder), device="cpu").encode_texts(["a"])
    trusted = ClipEncoder(
        model=str(folder), trust_remote_code=True, tokens=16, device="cpu", dtype="float32"
    )
    passages = [pictured(path) for path in clip_pictures]
    check_encoder(trusted, passages, [Question(SHORT), Question(LONG)], "text")
    np.testing.assert_allclose(
        trusted.encode_passages(passages).values, made("clip").encode_passages(passages).values,
        atol=1e-5,
    )  # fmt: skip


def test_pictures_need_no_tokenizer_and_texts_say_what_they_lack(
    clip_folders: dict[str, Path], clip_pictures: list[Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = shutil.copytree(clip_folders["siglip"], tmp_path / "siglip")
    told = json.loads((folder / "tokenizer_config.json").read_text())
    told["tokenizer_class"] = "SiglipTokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    # None stands for a library that is not installed; transformers looks for it by itself.
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    encoder = ClipEncoder(model=str(folder), device="cpu")
    assert encoder.encode_passages([pictured(clip_pictures[0])]).values.shape == (1, 32)
    with pytest.raises(MissingExtraError, match=r"medrag\[clip\]"):
        encoder.encode_texts(["heart"])
