"""The rows of presets.yaml, and how they are found."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from medrag.config.tables import TABLES
from medrag.encoding import presence as presence_module
from medrag.encoding.presence import presence
from medrag.encoding.presets import Preset, find, near, preset_of, presets
from medrag.errors import RecipeError

ROW: dict[str, Any] = {
    "name": "tiny", "kind": "clip", "model": "someone/tiny", "loads": "transformers",
    "licence": "MIT", "score": "softmax", "domains": ["chest"], "evidence": "verified",
}  # fmt: skip
NAMED = [
    "biomedclip", "medsiglip", "pubmedclip", "plip", "quiltnet-b16", "quiltnet-b32", "whyxrayclip",
    "whylesionclip", "patho-clip-b", "patho-clip-l", "unimed-clip-b16", "unimed-clip-l14-336",
    "conceptclip", "conch", "flair", "medclip", "merlin", "surgvlp", "peskavlp", "rad-dino",
    "medimageinsight", "mmed-rag", "minilm", "medcpt", "biolord", "contriever", "specter", "splade",
    "colpali", "colqwen2", "colmodernvbert", "colqwen2.5", "colqwen3", "colqwen3.5", "descriptor",
]  # fmt: skip


def test_every_encoder_of_the_published_systems_has_a_row() -> None:
    names = {preset.name for preset in presets()}
    assert set(NAMED) <= names
    assert len([name for name in names if name.startswith("benchx-")]) == 9


def test_no_two_rows_answer_to_one_name() -> None:
    spellings = [
        spelling.lower()
        for preset in presets()
        for spelling in (preset.name, *preset.aliases, preset.model)
        if spelling is not None
    ]
    assert len(set(spellings)) == len(spellings)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_a_row_fits_the_encoder_of_its_kind(preset: Preset) -> None:
    assert preset.name == preset.name.lower()
    path, _, name = TABLES["encoder"][preset.kind].partition(":")
    if not preset.options:
        return
    parameters = inspect.signature(getattr(import_module(path), name)).parameters
    assert set(preset.options) <= set(parameters)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_what_is_loaded_has_a_dimension_and_what_is_no_single_vector_is_not_served(
    preset: Preset,
) -> None:
    assert preset.serve is not None or preset.d is not None
    # The remote encoder takes one vector for an input, and sends flat pictures.
    assert preset.serve is None or (preset.score != "maxsim" and len(preset.image) != 3)


def test_a_hub_id_is_no_address_of_a_repository_of_code() -> None:
    elsewhere = {"medclip", "surgvlp", "peskavlp", "unimed-clip-b16", "unimed-clip-l14-336"}
    assert {preset.name for preset in presets() if preset.model is None} == {
        *elsewhere, "descriptor",
    }  # fmt: skip


def test_specter_is_compared_by_angle() -> None:
    preset = find("specter")
    assert preset is not None
    assert (preset.score, preset.options) == ("cosine", {})


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("BiomedCLIP", "biomedclip"),
        (" medcpt ", "medcpt"),
        ("hf-hub:wisdomik/QuiltNet-B-16", "quiltnet-b16"),
        ("hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224", "biomedclip"),
        ("hf_hub:MahmoodLab/conch", "conch"),
        ("NCBI/medcpt-article-encoder", "medcpt"),
        ("quiltnet", "quiltnet-b16"),
        ("UzairK/unimed-clip-vit-b16", "unimed-clip-b16"),
    ],
)
def test_a_preset_answers_to_its_name_other_names_and_hub_ids(said: str, name: str) -> None:
    found = find(said)
    assert found is not None
    assert found.name == name


def test_what_is_no_preset_is_not_found_but_has_near_spellings() -> None:
    assert find("someone/else") is None
    assert find("/a/folder") is None
    assert near("biomedclop")[0] == "biomedclip"
    assert near("colqwen 2")[0].startswith("colqwen")
    assert near("zzzzzzzz") == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"licnce": "MIT"}, "unknown key 'licnce'"),
        ({"name": None}, "expected words"),
        ({"kind": "clop"}, "expected one of clip"),
        ({"loads": "magic"}, "loads: expected one of"),
        ({"score": "dot"}, "score: expected one of"),
        ({"gate": "open"}, "gate: expected one of"),
        ({"evidence": "sure"}, "evidence: expected one of"),
        ({"domains": []}, "domains: expected a list"),
        ({"domains": ["moon"]}, "domains: expected one of"),
        ({"d": 0}, "d: expected a whole number"),
        ({"d": True}, "d: expected a whole number"),
        ({"tokens": "77"}, "tokens: expected a whole number"),
        ({"image": [224, 0]}, "image: expected a whole number"),
        ({"aliases": "other"}, "aliases: expected a list"),
        ({"options": ["a"]}, "options: expected a mapping"),
        ({"differs": {"d": "verified"}}, "'differs' names 'd'"),
        ({"differs": {"model": "perhaps"}}, "differs: expected one of"),
        ({"serve": "somewhere"}, "'serve' belongs to the kind 'remote'"),
        ({"kind": "remote"}, "'serve' belongs to the kind 'remote'"),
        ({"wrap": "somehow"}, "'loads: package' needs 'serve' or 'wrap'"),
        ({"loads": "package"}, "'loads: package' needs 'serve' or 'wrap'"),
        ({"side": "left"}, "side: expected one of"),
    ],
)
def test_a_row_that_says_something_else_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        preset_of({**ROW, **change}, "test")


@pytest.mark.parametrize("key", ["name", "kind", "loads", "licence", "score", "domains"])
def test_a_row_that_lacks_a_fact_is_refused(key: str) -> None:
    with pytest.raises(RecipeError, match=f"lacks the key '{key}'"):
        preset_of({k: v for k, v in ROW.items() if k != key}, "test")


def test_a_row_needs_weights_from_somewhere() -> None:
    with pytest.raises(RecipeError, match="'model' or a 'checkpoint'"):
        preset_of({k: v for k, v in ROW.items() if k != "model"}, "test")
    with pytest.raises(RecipeError, match="expected a mapping"):
        preset_of(["name"], "test")


def test_one_side_of_a_picture_stands_for_both() -> None:
    assert preset_of({**ROW, "image": 224}, "test").image == (224, 224)
    assert preset_of({**ROW, "image": [224, 224, 160]}, "test").image == (224, 224, 160)


def test_presets_are_read_without_a_heavy_library() -> None:
    code = (
        "import sys\nfrom medrag.encoding.presets import find\nfind('biomedclip')\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "numpy", "open_clip", "sentence_transformers"}
    # NumPy comes with the records that protocols name.
    assert not (heavy - {"numpy"}) & set(eval(done.stdout))  # noqa: S307


def test_weights_in_the_cache_make_a_preset_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    preset = preset_of({**ROW, "gate": "request"}, "test")
    before = presence(preset)
    assert before.state == "download"
    assert "request access at https://huggingface.co/someone/tiny" in before.way
    snapshot = tmp_path / "models--someone--tiny" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").touch()
    assert presence(preset).state == "download"
    (snapshot / "model.safetensors").touch()
    assert presence(preset).state == "ready"


def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence_module, "find_spec", lambda _: None)
    preset = find("biomedclip")
    assert preset is not None
    found = presence(preset)
    assert found.state == "install"
    assert "medrag[clip]" in found.way


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("conch", "serve"),
        ("merlin", "wrap"),
        ("colqwen3", "wrap"),
        ("unimed-clip-b16", "file"),
        ("descriptor", "ready"),
    ],
)
def test_what_cannot_be_downloaded_says_so(name: str, state: str) -> None:
    preset = find(name)
    assert preset is not None
    assert presence(preset).state == state
