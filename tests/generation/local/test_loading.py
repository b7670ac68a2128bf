"""Loading a model that answers: what is found, how it is named, and what is refused."""

import importlib.util
import json
import logging
import re
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from medrag.errors import MissingExtraError, RecipeError
from medrag.generation.local import loading
from medrag.generation.local.inputs import encode
from medrag.generation.local.loading import Loaded, load, preset_for
from medrag.records import Exchange, Prompt, Question
from tests.generation.tiny_vlms import FAMILIES, save_text_model, save_tiny

CPU: dict[str, Any] = {"device": "cpu", "dtype": "float32"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("saved")
    for family in FAMILIES:
        save_tiny(family, root / family)
    save_text_model(root / "text")
    return {name: root / name for name in (*FAMILIES, "text")}


@pytest.fixture
def copied(saved: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(saved[name], tmp_path / name))


def save_adapter(
    base: Path, folder: Path, *, trained: bool = True, named: str | None = None, **options: Any
) -> Path:
    """Save a LoRA adapter of a model as training does; untrained, its factors B are 0."""
    import peft
    import transformers

    model = transformers.AutoModelForImageTextToText.from_pretrained(base)
    torch.manual_seed(1)
    settings = {"target_modules": ["q_proj", "v_proj"], "r": 4, **options}
    config = peft.LoraConfig(**settings, init_lora_weights=not trained)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        peft.get_peft_model(model, config).save_pretrained(folder)
    path = folder / "adapter_config.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"base_model_name_or_path": named or str(base)}))
    return folder


def logits(loaded: Loaded) -> torch.Tensor:
    ids = encode(loaded, Prompt(Question("?"), (), ("Is the heart enlarged?",))).ids
    with torch.inference_mode():
        out: torch.Tensor = loaded.model(input_ids=ids[None]).logits
    return out


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(RecipeError) as told:
        load(model=str(folder), **{**CPU, **options})
    return str(told.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_is_ready_to_answer(family: str, saved: dict[str, Path]) -> None:
    loaded = load(model=str(saved[family]), **CPU)
    assert not loaded.model.training
    assert loaded.template.placeholder
    assert loaded.tokenizer is loaded.processor.tokenizer
    assert loaded.context == 8192
    assert loaded.preset is None
    assert re.fullmatch(rf"{family}(-2x32)?-[0-9a-f]{{16}}", loaded.name)
    assert next(loaded.model.parameters()).dtype == torch.float32


def test_every_token_that_ends_a_reply_is_known(saved: dict[str, Path]) -> None:
    loaded = load(model=str(saved["gemma3"]), **CPU)
    ends = [loaded.tokenizer.convert_tokens_to_ids(each) for each in ("<eos>", "<end_of_turn>")]
    assert loaded.eos == tuple(sorted(ends))


def test_the_end_of_a_turn_is_known_where_no_configuration_says_it(
    copied: Callable[[str], Path],
) -> None:
    folder = copied("qwen2_vl")
    for name in ("config.json", "generation_config.json"):
        path = folder / name
        path.write_text(path.read_text().replace('"eos_token_id": 2', '"eos_token_id": 0'))
    path = folder / "tokenizer_config.json"
    path.write_text(path.read_text().replace('"<|im_end|>"', '"<|endoftext|>"'))
    loaded = load(model=str(folder), **CPU)
    assert loaded.tokenizer.eos_token == "<|endoftext|>"  # noqa: S105
    assert loaded.eos == (0, 2)


def test_a_model_of_texts_has_a_tokenizer_for_a_processor(saved: dict[str, Path]) -> None:
    loaded = load(model=str(saved["text"]), **CPU)
    assert loaded.processor is loaded.tokenizer
    assert loaded.template.placeholder == ""
    assert type(loaded.model).__name__ == "Qwen2ForCausalLM"
    assert logits(loaded).shape[2] == len(loaded.tokenizer)


def test_the_name_is_of_the_content_and_not_of_place_or_numbers(
    saved: dict[str, Path], copied: Callable[[str], Path]
) -> None:
    name = load(model=str(saved["llava"]), **CPU).name
    folder = copied("llava")
    assert load(model=str(folder), device="cpu", dtype="bfloat16").name == name
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("ASSISTANT", "DOCTOR"))
    assert load(model=str(folder), **CPU).name != name


def test_a_snapshot_of_the_hub_is_named_by_its_commit(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "models--Qwen--Qwen2-VL" / "snapshots" / "0123456789abcdef0123"
    shutil.copytree(saved["qwen2_vl"], snapshot)
    shutil.copytree(saved["qwen2_vl"], snapshot / "ct")
    monkeypatch.setattr(loading, "model_folder", lambda *_: snapshot)
    assert load(model="Qwen/Qwen2-VL", **CPU).name == "Qwen/Qwen2-VL@0123456789ab"
    inner = load(model="Qwen/Qwen2-VL", subfolder="ct", **CPU)
    assert inner.name == "Qwen/Qwen2-VL@0123456789ab/ct"


def test_a_preset_says_the_pixels_of_a_folder_that_names_it(saved: dict[str, Path]) -> None:
    loaded = load(model=str(saved["qwen2_5_vl"]), preset="lingshu-7b", **CPU)
    assert loaded.preset is not None
    assert loaded.max_pixels == loaded.preset.max_pixels == 1003520
    fewer = load(model=str(saved["qwen2_5_vl"]), preset="lingshu", max_pixels=5000, **CPU)
    assert fewer.max_pixels == 5000


def test_a_repository_of_several_models_wants_one_of_them_named(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("ct", "mri"):
        shutil.copytree(saved["qwen2_vl"], tmp_path / "many" / name)
    assert "holds several models; name one as subfolder: ct, mri" in refused(tmp_path / "many")
    said = refused(tmp_path / "many", subfolder="xray")
    assert "holds no model in 'xray'; it holds models in: ct, mri" in said
    assert "holds no model in '..'" in refused(tmp_path / "many", subfolder="..")
    assert load(model=str(tmp_path / "many"), subfolder="mri", **CPU).template.placeholder


@pytest.mark.parametrize("name", ["qwen2_5_vl", "llava", "text"])
def test_what_is_wrong_with_a_folder_is_told(
    name: str, copied: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(name)
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole, settings = weights.read_bytes(), config.read_text()
    weights.write_bytes(whole[:-2000])
    assert re.search(r"model\.safetensors is broken.*get the model's files", refused(folder))
    weights.unlink()
    assert "holds no weights" in refused(folder)
    weights.write_bytes(whole)
    config.write_text('{"model_type": ')
    assert re.search(r"config\.json is (broken|not JSON)", refused(folder))
    config.write_text('{"model_type": "vit"}')
    assert re.search(r"holds a vit, expected .*kind: remote", refused(folder))
    config.write_text(settings)
    (folder / "generation_config.json").write_text("{")
    assert re.search(r"generation_config\.json is not JSON", refused(folder))
    (folder / "generation_config.json").write_text('{"eos_token_id": "</s>"}')
    assert "by the token '</s>', expected numbers" in refused(folder)
    (folder / "tokenizer.json").unlink()
    assert "holds no tokenizer" in refused(folder)
    assert "does not exist" in refused(tmp_path / "nowhere")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_without_weights_is_refused(family: str, copied: Callable[[str], Path]) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied(family)
    stored = load_file(folder / "model.safetensors")
    kept = {name: each for name, each in stored.items() if "layers.1.mlp.up_proj" not in name}
    assert len(kept) < len(stored)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert re.search(r"its weights lack \S*layers\.1\.mlp\.up_proj\S*, .*random", refused(folder))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_without_a_preparation_of_pictures_is_refused(
    family: str, copied: Callable[[str], Path]
) -> None:
    folder = copied(family)
    for path in folder.glob("*processor_config.json"):
        path.unlink()
    said = refused(folder)
    assert re.search(r"no preparation of pictures \(preprocessor_config\.json or", said)


def test_torchvision_is_named_where_it_is_missing(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingExtraError, match="torchvision cannot be imported"):
        load(model=str(saved["qwen2_vl"]), **CPU)


def test_an_adapter_changes_what_is_answered_and_the_name(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    adapter = save_adapter(saved["qwen2_5_vl"], tmp_path / "adapter")
    plain = load(model=str(saved["qwen2_5_vl"]), **CPU)
    tuned = load(model=str(saved["qwen2_5_vl"]), adapter=str(adapter), **CPU)
    assert re.fullmatch(re.escape(plain.name) + r"\+lora-[0-9a-f]{12}", tuned.name)
    assert type(tuned.model) is type(plain.model)
    assert float((logits(plain) - logits(tuned)).abs().max()) > 1e-3
    path = adapter / "adapter_config.json"
    path.write_text(path.read_text().replace('"lora_alpha": 8', '"lora_alpha": 16'))
    again = load(model=str(saved["qwen2_5_vl"]), adapter=str(adapter), **CPU)
    assert again.name != tuned.name


def test_an_adapter_that_changes_nothing_is_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    adapter = save_adapter(saved["qwen2_5_vl"], tmp_path / "adapter", trained=False)
    assert "changes nothing" in refused(saved["qwen2_5_vl"], adapter=str(adapter))


def test_an_adapter_of_other_layers_is_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    other = save_adapter(saved["llava"], tmp_path / "a", target_modules=["q_proj", "out_proj"])
    said = refused(saved["qwen3_vl"], adapter=str(other))
    assert re.search(r"is of another model: .* lacks layers for \d+ of its weights, such as", said)


def test_an_adapter_that_lacks_weights_is_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    adapter = save_adapter(saved["gemma3"], tmp_path / "adapter")
    path = adapter / "adapter_model.safetensors"
    kept = {name: each for name, each in load_file(path).items() if "layers.1" not in name}
    save_file(kept, path, metadata={"format": "pt"})
    said = refused(saved["gemma3"], adapter=str(adapter))
    assert re.search(r"lacks weights for 4 of the layers that it names, such as .*layers\.1", said)
    path.unlink()
    assert "holds no weights" in refused(saved["gemma3"], adapter=str(adapter))


# As transformers named layers before 4.52.
OLD = {
    "qwen2_vl": ("model.language_model.layers", "model.layers"),
    "qwen2_5_vl": ("model.language_model.layers", "model.layers"),
    "gemma3": ("model.language_model.layers", "language_model.model.layers"),
    "llava": ("model.language_model.layers", "language_model.model.layers"),
}


@pytest.mark.parametrize("family", OLD)
def test_an_adapter_of_older_names_of_layers_is_the_same_adapter(
    family: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    # A pattern of layers, as some trainers write it, also means the tower of pictures today.
    pattern = r"^model.*\.(q_proj|v_proj|qkv)$" if "qwen" in family else ["q_proj", "v_proj"]
    adapter = save_adapter(saved[family], tmp_path / "adapter")
    new = logits(load(model=str(saved[family]), adapter=str(adapter), **CPU))
    path = adapter / "adapter_model.safetensors"
    renamed = {name.replace(*OLD[family]): each for name, each in load_file(path).items()}
    save_file(renamed, path, metadata={"format": "pt"})
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"target_modules": pattern}))
    old = logits(load(model=str(saved[family]), adapter=str(adapter), **CPU))
    torch.testing.assert_close(new, old)
    half = {name: each for name, each in renamed.items() if "layers.1" not in name}
    save_file(half, path, metadata={"format": "pt"})
    said = refused(saved[family], adapter=str(adapter))
    assert re.search(r"lacks weights for \d+ of the layers that it names", said)


def test_a_folder_that_is_no_adapter_is_refused(saved: dict[str, Path]) -> None:
    said = refused(saved["gemma3"], adapter=str(saved["llava"]))
    assert "lacks adapter_config.json, expected a LoRA adapter" in said


def test_an_adapter_that_names_another_base_is_refused_or_told(
    saved: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    base = saved["qwen2_vl"]
    adapter = save_adapter(base, tmp_path / "adapter", named="Qwen/Qwen2-VL-2B")
    with caplog.at_level(logging.WARNING):
        load(model=str(base), adapter=str(adapter), **CPU)
    assert "was trained on Qwen/Qwen2-VL-2B, and the model is" in caplog.text
    monkeypatch.setattr(
        loading, "model_folder", lambda name, *_: adapter if name == str(adapter) else base
    )
    with pytest.raises(RecipeError, match=r"trained on Qwen/Qwen2-VL-2B, and the model is a/b; "):
        load(model="a/b", adapter=str(adapter), **CPU)
    caplog.clear()
    load(model="qwen/qwen2-vl-2b", adapter=str(adapter), **CPU)
    assert caplog.text == ""


def test_a_preset_of_an_adapter_loads_it_onto_its_base(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = saved["qwen2_5_vl"]
    adapter = save_adapter(base, tmp_path / "adapter", named="Qwen/Qwen2.5-VL-7B-Instruct")
    places = {
        "Qwen/Qwen2.5-VL-7B-Instruct": base,
        "SimulaMet/PointDetectCount-Qwen2.5-VL-7B-LoRA": adapter,
    }
    monkeypatch.setattr(loading, "model_folder", lambda name, *_: places[name])
    loaded = load(model="pointdetectcount", **CPU)
    assert "+lora-" in loaded.name
    assert loaded.preset is not None
    assert loaded.preset.coordinates == "resized"


def test_peft_is_named_where_it_is_missing(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = save_adapter(saved["llava"], tmp_path / "adapter")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"peft .*medrag\[local\]"):
        load(model=str(saved["llava"]), adapter=str(adapter), **CPU)


@pytest.mark.parametrize("quantise", ["4bit", "8bit"])
def test_weights_of_few_bits_need_a_gpu(quantise: str, saved: dict[str, Path]) -> None:
    said = refused(saved["llava"], quantise=quantise)
    assert f"quantise: {quantise} needs a GPU" in said
    assert "leave it out" in said


@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed"
)
def test_weights_of_few_bits_need_their_library(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(MissingExtraError, match=r"bitsandbytes .*medrag\[quantised\]"):
        load(model=str(saved["llava"]), device="cuda", dtype="float16", quantise="4bit")


def test_weights_that_are_quantised_already_are_not_quantised_again(
    copied: Callable[[str], Path],
) -> None:
    folder = copied("llava")
    path = folder / "config.json"
    settings = json.loads(path.read_text()) | {"quantization_config": {"quant_method": "gptq"}}
    path.write_text(json.dumps(settings))
    assert "are quantised already; leave out quantise" in refused(folder, quantise="4bit")


@pytest.mark.parametrize("name", ["hulu-med", "ZJU-AI4H/Hulu-Med-7B", "fleming-vl", "llava-med"])
def test_what_needs_an_environment_of_its_own_says_which_server_to_start(name: str) -> None:
    with pytest.raises(RecipeError, match=r"Serve it with .*kind: remote"):
        load(model=name)


def test_a_name_that_is_none_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"'medgema'.*did you mean medgemma-4b"):
        load(model="medgema")
    with pytest.raises(RecipeError, match=r"no preset 'lingsho'; did you mean lingshu"):
        preset_for(str(tmp_path), "lingsho")
    assert preset_for(str(tmp_path)) is None
    assert preset_for("someone/else") is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"dtype": "int4"}, "dtype must be one of"),
        ({"quantise": "2bit"}, "quantise must be 4bit or 8bit, got '2bit'"),
        ({"min_pixels": 0}, "min_pixels must be at least 1"),
        ({"min_pixels": 9, "max_pixels": 4}, "min_pixels is 9, more than max_pixels 4"),
    ],
)
def test_a_setting_that_is_none_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        load(model="lingshu-7b", **options)


def test_an_attention_that_is_none_is_laid_to_the_setting(saved: dict[str, Path]) -> None:
    assert "flash" in refused(saved["llava"], attention="flash_attention_2").lower()
    assert load(model=str(saved["llava"]), attention="eager", **CPU).model is not None


def test_a_device_that_is_none_is_told(saved: dict[str, Path]) -> None:
    assert "name a device that this machine has" in refused(saved["llava"], device="abacus")
    if not torch.cuda.is_available():
        assert "name a device that this machine has" in refused(saved["llava"], device="cuda")


def test_a_model_is_spread_over_what_there_is(saved: dict[str, Path]) -> None:
    loaded = load(model=str(saved["qwen2_5_vl"]), device="auto", dtype="float32")
    assert logits(loaded).ndim == 3


def test_code_that_comes_with_a_model_runs_only_on_request(
    copied: Callable[[str], Path],
) -> None:
    folder = copied("text")
    path = folder / "config.json"
    settings = json.loads(path.read_text()) | {
        "model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.M"},
    }  # fmt: skip
    path.write_text(json.dumps(settings))
    (folder / "own.py").write_text("raise RuntimeError('it ran')")
    said = refused(folder)
    assert "trust_remote_code" in said
    assert "it ran" not in said


def test_only_the_folder_that_is_named_is_fetched_from_a_repository_of_many(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    snapshot, asked = tmp_path / "snapshots" / "0123456789abcdef", []

    def download(model: str, *, local_files_only: bool = False, **given: Any) -> str:
        if local_files_only and not snapshot.exists():
            raise FileNotFoundError(model)
        if not local_files_only:
            asked.append((model, given["allow_patterns"]))
            shutil.copytree(saved["qwen2_vl"], snapshot / "CT")
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(RecipeError, match=r"Med-R1 holds several .* name one as subfolder"):
        load(model="med-r1", **CPU)
    assert asked == []
    for _ in range(2):
        loaded = load(model="med-r1", subfolder="CT", **CPU)
        assert loaded.name == "yuxianglai117/Med-R1@0123456789ab/CT"
    assert asked == [("yuxianglai117/Med-R1", ["CT/*"])]


def test_a_model_that_sees_the_middle_of_a_picture_only_is_told(
    saved: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    load(model=str(saved["llava"]), **CPU)
    assert "its middle only" in caplog.text
    caplog.clear()
    load(model=str(saved["llava"]), preset="llava-med-1.5-hf", **CPU)
    load(model=str(saved["gemma3"]), **CPU)
    assert caplog.text == ""


def test_a_preset_lends_a_chat_template_to_a_copy_without_one(
    copied: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied("llava")
    (folder / "chat_template.jinja").unlink()
    plain = load(model=str(folder), **CPU)
    assert plain.template.asks == "plain"
    assert "no chat template" in caplog.text
    talk = Prompt(Question("?"), (), ("Is it? [/INST]",), turns=(Exchange("Yes.", ("Sure?",)),))
    lent = load(model=str(folder), preset="llava-med-1.5-hf", **CPU)
    said = "[INST] Is it? (INST) [/INST] Yes.</s>[INST] Sure? [/INST]"
    assert encode(lent, talk).text == said
    assert lent.tokenizer.convert_tokens_to_ids("</s>") in lent.eos


def test_an_adapter_that_is_nowhere_is_told_as_a_folder(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RecipeError, match=r"the adapter's folder .*tuned/nope does not exist"):
        load(model=str(saved["llava"]), adapter="tuned/nope", **CPU)
