"""NAME=MODEL of the command line: which encoder is meant."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from medrag.config import build_index
from medrag.config.channels import channel_specs
from medrag.config.place import Place
from medrag.config.recipes import planned_channels
from medrag.encoding.presets import Preset, presets
from medrag.errors import RecipeError
from tests.encoding.tiny_pictures import saved, tiny_dino

_SAVED = "config_sentence_transformers.json"


def spec(said: str) -> dict[str, Any]:
    (found,) = channel_specs([said]).values()
    return dict(found)


def dense(kind: str, side: str, **options: str) -> dict[str, Any]:
    return {"kind": "dense", "encoder": {"kind": kind, **options}, "side": side}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("image=biomedclip", dense("clip", "image", model="biomedclip")),
        ("figures=MedSigLIP", dense("clip", "image", model="MedSigLIP")),
        ("text=biomedclip", dense("clip", "text", model="biomedclip", passages="text")),
        ("image=hf-hub:someone/clip", dense("clip", "image", model="hf-hub:someone/clip")),
        ("image=rad-dino", dense("image", "image", model="rad-dino")),
        ("image=descriptor", dense("descriptor", "image")),
        ("text=medcpt", dense("medcpt", "text", model="medcpt")),
        ("text=minilm", dense("sentence", "text", model="minilm")),
        ("text=someone/else", dense("sentence", "text", model="someone/else")),
        ("page=colqwen2", dense("page", "text", model="colqwen2")),
        ("page=vidore/colqwen2-v1.0-hf", dense("page", "text", model="vidore/colqwen2-v1.0-hf")),
        ("sparse=splade", {"kind": "sparse", "encoder": {"kind": "sparse", "model": "splade"}}),
    ],
)
def test_a_preset_brings_the_kind_of_its_encoder_and_its_side(
    said: str, expected: dict[str, Any]
) -> None:
    assert spec(said) == expected


def by_name(preset: Preset) -> bool:
    """Tell whether a name is all that a channel needs."""
    return preset.loads not in ("package", "remote code") and (
        preset.model is not None or preset.checkpoint is None
    )


def test_an_encoder_may_be_said_in_full() -> None:
    said = "sentences={kind: sentence, model: minilm, window: 72}"
    assert spec(said) == {"encoder": {"kind": "sentence", "model": "minilm", "window": 72}}
    planned = planned_channels(channel_specs([said]), Place("channels"))
    assert planned["sentences"].encoder.arguments["window"] == 72


@pytest.mark.parametrize("name", [p.name for p in presets() if by_name(p)])
def test_every_preset_that_can_be_loaded_makes_a_channel(name: str) -> None:
    planned = planned_channels(channel_specs([f"some={name}"]), Place("channels"))
    assert planned["some"].encoder is not None


@pytest.mark.parametrize(
    ("name", "more"),
    [("conceptclip", "trust_remote_code: true"), ("unimed-clip-l14-336", "checkpoint: PATH")],
)
def test_a_preset_that_needs_more_than_its_name_says_so(name: str, more: str) -> None:
    expected = f"in a recipe, with encoder: {{kind: clip, model: {name}, {more}}}"
    with pytest.raises(RecipeError, match=re.escape(expected)):
        spec(f"image={name}")


@pytest.mark.parametrize("name", [p.name for p in presets() if p.serve is not None])
def test_a_preset_that_must_be_served_says_how(name: str) -> None:
    with pytest.raises(RecipeError, match=r"cannot load .* Serve it: .* kind 'remote'"):
        spec(f"image={name}")


@pytest.mark.parametrize("name", [p.name for p in presets() if p.wrap is not None])
def test_a_preset_that_no_server_gives_says_what_calls_it(name: str) -> None:
    with pytest.raises(RecipeError, match=r"neither loaded nor served.* encoder of your own"):
        spec(f"page={name}")


def test_options_of_a_preset_come_along() -> None:
    assert spec("text=contriever")["encoder"]["normalise"] is False


def test_image_alone_stays_without_weights() -> None:
    assert spec("image")["encoder"] == {"kind": "descriptor"}


@pytest.mark.parametrize(
    ("files", "kind", "side"),
    [
        ({"config.json": {"model_type": "clip"}}, "clip", "image"),
        ({"config.json": {"model_type": "siglip"}}, "clip", "image"),
        ({"config.json": {"model_type": "dinov2"}}, "image", "image"),
        ({"config.json": {"model_type": "colpali"}}, "page", "text"),
        ({"config.json": {"model_type": "colqwen2"}}, "page", "text"),
        ({"config.json": {"model_type": "colmodernvbert"}}, "page", "text"),
        ({"config.json": {"model_type": "bert"}}, "sentence", "text"),
        ({"open_clip_config.json": {}}, "clip", "image"),
        ({"open_clip_config.json": {}, "config.json": {"other": 1}}, "clip", "image"),
        ({"modules.json": []}, "sentence", "text"),
        ({}, "sentence", "text"),
    ],
)
def test_a_folder_is_known_by_its_configuration(
    files: dict[str, Any], kind: str, side: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    assert spec(f"some={tmp_path}") == dense(kind, side, model=str(tmp_path))


@pytest.mark.parametrize(
    "files",
    [
        {"modules.json": [], _SAVED: {"model_type": "MultiVectorEncoder"}},
        {"modules.json": [], _SAVED: {"query_prefix": "[Q] "}},
        {"config.json": {"model_type": "bert", "architectures": ["HF_ColBERT"]}},
    ],
    ids=["sentence-transformers", "pylate", "colbert"],
)
def test_a_folder_of_a_late_interaction_model_is_read_for_what_it_takes(
    files: dict[str, Any], tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    expected = dense("page", "text", model=str(tmp_path), reads="texts")
    assert spec(f"text={tmp_path}") == expected
    # One that says how pictures are prepared reads pages.
    (tmp_path / "preprocessor_config.json").write_text("{}")
    assert spec(f"page={tmp_path}") == dense("page", "text", model=str(tmp_path))


def test_a_folder_whose_configuration_is_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('"no mapping"')
    with pytest.raises(RecipeError, match=r"config\.json holds str, expected a JSON object"):
        spec(f"some={tmp_path}")


def test_a_folder_of_a_sparse_encoder_makes_a_sparse_channel(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / _SAVED).write_text(json.dumps({"model_type": "SparseEncoder"}))
    encoder = {"kind": "sparse", "model": str(tmp_path)}
    assert spec(f"words={tmp_path}") == {"kind": "sparse", "encoder": encoder}


def test_a_folder_is_kept_absolute_and_goes_before_a_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "biomedclip").mkdir()
    assert spec("text=biomedclip")["encoder"]["model"] == str(tmp_path / "biomedclip")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("image=biomedclop", "did you mean biomedclip"),
        ("image=someone/else", "a recipe can say the kind"),
        ("page=someone/else", "a recipe can say the kind"),
        ("lexical=minilm", "takes no model"),
        ("graph=minilm", "takes no model"),
        ("text", "needs a model"),
        ("Bad Name=minilm", "small letters"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(said: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        spec(said)


def test_a_build_without_channels_leaves_the_encoder_that_the_index_has(tmp_path: Path) -> None:
    saved(tmp_path / "pictures.png", 1)
    folder = tiny_dino(tmp_path / "dino")
    source, index = tmp_path / "pictures.png", tmp_path / "ix"
    build_index(index, sources=[source], channels=[f"image={folder}"]).close()
    with build_index(index, sources=[source]) as again:
        hits = again.search(image=source)
    assert [round(hit.score, 3) for hit in hits] == [1.0]


def test_paths_of_an_encoder_said_in_full_are_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    projected = spec("image={kind: projected, folder: tuned/figs}")["encoder"]
    assert projected == {"kind": "projected", "folder": str(tmp_path / "tuned" / "figs")}
    own = spec("texts={kind: sentence, model: mine}")["encoder"]
    assert own == {"kind": "sentence", "model": str(tmp_path / "mine")}
    other = spec("texts={kind: sentence, model: someone/else}")["encoder"]
    assert other == {"kind": "sentence", "model": "someone/else"}
