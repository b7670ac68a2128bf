"""The rows of presets.yaml, how they are found, and what of them is here."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medrag.errors import RecipeError
from medrag.generation import presence as presence_module
from medrag.generation.presence import presence
from medrag.generation.presets import GeneratorPreset, find, near, preset_of, presets
from medrag.generation.reply import Tags

ROW: dict[str, Any] = {
    "name": "tiny", "loads": "transformers", "family": "llava", "model": "someone/tiny",
    "licence": "MIT", "max_images": 1, "trained_multi_image": False, "domains": ["chest"],
    "evidence": "verified",
}  # fmt: skip
LOCAL = [
    "medgemma-4b", "medgemma-27b", "medgemma-27b-text", "medgemma-1.5-4b", "lingshu-7b",
    "lingshu-32b", "huatuogpt-vision-7b-hf", "huatuogpt-vision-34b-hf",
    "huatuogpt-vision-7b-qwen2.5vl", "med-r1", "ophthareason", "pointdetectcount", "patho-r1-3b",
    "patho-r1-7b", "medvlthinker-3b", "medvlthinker-7b", "medvlthinker-32b", "medseq-grounder",
    "llava-med-1.5-hf", "qwen2.5-vl-3b", "qwen2.5-vl-7b", "qwen2.5-vl-32b", "qwen2.5-vl-72b",
    "qwen3-vl-2b", "qwen3-vl-4b", "qwen3-vl-8b", "qwen3-vl-32b",
]  # fmt: skip
SERVED = [
    "hulu-med-4b", "hulu-med-32b", "lingshu-i-8b", "fleming-vl-8b", "fleming-vl-38b",
    "bimedix2-8b", "bimedix2-70b", "vila-m3-3b", "vila-m3-13b", "medrega", "medplib", "unimedvl",
    "llava-med-1.5", "huatuogpt-vision-7b", "huatuogpt-vision-34b", "retinavlm", "llm-cxr",
    "pa-llava", "gmai-vl",
]  # fmt: skip


def found(name: str) -> GeneratorPreset:
    preset = find(name)
    assert preset is not None
    return preset


def test_every_generator_of_the_published_systems_has_a_row() -> None:
    names = {preset.name for preset in presets()}
    assert {*LOCAL, *SERVED} <= names
    assert all(found(name).serve is None for name in LOCAL)
    assert all(found(name).serve is not None for name in SERVED)


def test_no_two_rows_answer_to_one_name() -> None:
    spellings = [
        spelling.lower()
        for preset in presets()
        for spelling in (preset.name, *preset.aliases, preset.adapter or preset.model)
        if spelling is not None
    ]
    assert len(set(spellings)) == len(spellings)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_a_row_holds_together(preset: GeneratorPreset) -> None:
    assert preset.name == preset.name.lower()
    # The reader of replies takes the tags.
    Tags(think=preset.think, answer=preset.answer)
    for most in (preset.context_pixels, preset.min_pixels):
        assert most is None or preset.max_pixels is None or most <= preset.max_pixels
    # A port that cuts edges off is filled up to a square before.
    assert preset.square or preset.family != "llava"
    # What a model was trained to think in is what it is told to.
    assert all(tag in preset.suffix for tag in preset.think or () if preset.suffix)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_a_choice_of_pixels_or_of_words_is_not_passed_off_as_read(preset: GeneratorPreset) -> None:
    for key in ("context_pixels", "coordinates", "suffix", "dtype"):
        if getattr(preset, key):
            assert preset.differs.get(key) == "from memory"


@pytest.mark.parametrize("name", ["med-r1", "llava-med-1.5-hf", "bimedix2", "llava-med"])
def test_what_was_trained_on_one_image_says_so(name: str) -> None:
    assert found(name).max_images == 1
    assert not found(name).trained_multi_image


def test_the_numbers_of_places_mean_what_each_family_writes() -> None:
    families = {
        (preset.family, preset.coordinates) for preset in presets() if "qwen" in preset.family
    }
    assert ("qwen2_5_vl", "resized") in families
    assert ("qwen3_vl", "thousand") in families
    assert not {("qwen2_5_vl", "thousand"), ("qwen3_vl", "resized")} & families


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (" MedGemma-4B ", "medgemma-4b"),
        ("google/medgemma-4b-it", "medgemma-4b"),
        ("llava-med", "llava-med-1.5"),
        ("microsoft/LLaVA-Med-v1.5-mistral-7b", "llava-med-1.5"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl-7b"),
        ("SimulaMet/PointDetectCount-Qwen2.5-VL-7B-LoRA", "pointdetectcount"),
    ],
)
def test_a_preset_answers_to_its_name_other_names_and_hub_id(said: str, name: str) -> None:
    assert found(said).name == name


def test_what_is_no_preset_is_not_found_but_has_near_spellings() -> None:
    assert find("someone/else") is None
    assert near("medgema-4b")[0] == "medgemma-4b"
    assert near("zzzzzzzz") == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"licnce": "MIT"}, "unknown key 'licnce'"),
        ({"name": None}, "expected words"),
        ({"loads": "magic"}, "loads: expected one of transformers"),
        ({"family": "llama"}, "family: expected one of"),
        ({"gate": "open"}, "gate: expected one of"),
        ({"evidence": "sure"}, "evidence: expected one of"),
        ({"domains": []}, "domains: expected a list"),
        ({"domains": ["moon"]}, "domains: expected one of"),
        ({"coordinates": "metres"}, "coordinates: expected one of original"),
        ({"dtype": "int8"}, "dtype: expected one of"),
        ({"max_images": -1}, "max_images: expected a whole number"),
        ({"max_images": False}, "max_images: expected a whole number"),
        ({"max_pixels": "many"}, "max_pixels: expected a whole number"),
        ({"trained_multi_image": 1}, "trained_multi_image: expected true or false"),
        ({"trained_multi_image": True}, "takes several"),
        ({"min_pixels": 9, "max_pixels": 4}, "min_pixels is more than max_pixels"),
        ({"think": ["<think>"]}, "think: expected an opening and a closing tag"),
        ({"answer": "<answer>"}, "answer: expected a list"),
        ({"aliases": "other"}, "aliases: expected a list"),
        ({"differs": ["a"]}, "differs: expected a mapping"),
        ({"differs": {"dtype": "verified"}}, "'differs' names 'dtype'"),
        ({"differs": {"model": "perhaps"}}, "differs: expected one of"),
        ({"serve": "somewhere"}, "'serve' belongs to 'loads: serve'"),
        ({"loads": "serve"}, "'serve' belongs to 'loads: serve'"),
        ({"loads": "peft"}, "'adapter' belongs to 'loads: peft'"),
        ({"adapter": "a/b"}, "'adapter' belongs to 'loads: peft'"),
    ],
)
def test_a_row_that_says_something_else_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        preset_of({**ROW, **change}, "test")


@pytest.mark.parametrize("key", ["name", "loads", "family", "licence", "max_images", "domains"])
def test_a_row_that_lacks_a_fact_is_refused(key: str) -> None:
    with pytest.raises(RecipeError, match=f"lacks the key '{key}'"):
        preset_of({k: v for k, v in ROW.items() if k != key}, "test")


def test_a_row_needs_weights_from_somewhere() -> None:
    with pytest.raises(RecipeError, match="needs a 'model'"):
        preset_of({k: v for k, v in ROW.items() if k != "model"}, "test")
    with pytest.raises(RecipeError, match="expected a mapping"):
        preset_of(["name"], "test")


def test_presets_are_read_without_a_heavy_library() -> None:
    code = (
        "import sys\nfrom medrag.generation.presets import find\nfind('medgemma')\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "peft", "PIL"} & set(done.stdout.split())


def test_weights_in_the_cache_make_a_preset_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    preset = preset_of({**ROW, "loads": "peft", "adapter": "a/b", "gate": "accept"}, "test")
    before = presence(preset)
    assert before.state == "download"
    assert "accept its terms at https://huggingface.co/someone/tiny" in before.way
    for name in ("someone--tiny", "a--b"):
        snapshot = tmp_path / f"models--{name}" / "snapshots" / "0"
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").touch()
        assert presence(preset).state == ("ready" if name == "a--b" else "download")


def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence_module, "find_spec", lambda name: None if name == "peft" else 1)
    assert presence(found("pointdetectcount")).way == "peft missing: pip install 'medrag[local]'"
    assert presence(found("lingshu-7b")).state == "download"


def test_what_is_served_says_how() -> None:
    served = presence(found("hulu-med"))
    assert served.state == "serve"
    assert "vLLM" in served.way
