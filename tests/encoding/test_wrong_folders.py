"""Folders that do not hold the model that was named: every encoder says what is wrong."""

import logging
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from medrag.encoding.clip import ClipEncoder
from medrag.encoding.image import ImageEncoder
from medrag.encoding.medcpt import MedCptEncoder
from medrag.encoding.page import PageEncoder
from medrag.encoding.sentence import SentenceEncoder
from medrag.encoding.sparse import SparseTextEncoder
from medrag.encoding.volume import VolumeEncoder
from medrag.errors import RecipeError
from tests.encoding import tiny_pages, tiny_pictures, tiny_texts

pytestmark = pytest.mark.filterwarnings("ignore:.*MLMTransformer.*")
ON_CPU: dict[str, Any] = {"device": "cpu", "dtype": "float32"}
CONFIGS = ("config.json", "open_clip_config.json")


class Kind(NamedTuple):
    """How a model is saved to a folder, and the encoder of a folder."""

    save: Callable[[Path], Path | str]
    encoder: Callable[[str], Any]
    reads: str


KINDS = {
    "sentence": Kind(
        tiny_texts.save_sentence, lambda f: SentenceEncoder(model=f, **ON_CPU), "texts"
    ),
    "medcpt": Kind(
        tiny_texts.save_bert,
        lambda f: MedCptEncoder(model=f, question_model=f, **ON_CPU),
        "texts",
    ),
    "sparse": Kind(tiny_texts.save_splade, lambda f: SparseTextEncoder(model=f, **ON_CPU), "texts"),
    "clip": Kind(
        tiny_pictures.tiny_clip,
        lambda f: ClipEncoder(model=f, passages="text", **ON_CPU),
        "texts",
    ),
    "open_clip": Kind(
        tiny_pictures.tiny_open_clip, lambda f: ClipEncoder(model=f, **ON_CPU), "pictures"
    ),
    "biomed_clip": Kind(
        tiny_pictures.tiny_biomed_clip,
        lambda f: ClipEncoder(model=f, passages="text", **ON_CPU),
        "texts",
    ),
    "image": Kind(tiny_pictures.tiny_dino, lambda f: ImageEncoder(model=f, **ON_CPU), "pictures"),
    "volume": Kind(
        tiny_pictures.tiny_dino,
        lambda f: VolumeEncoder(slices=ImageEncoder(model=f, **ON_CPU)),
        "pictures",
    ),
    "colpali": Kind(tiny_pages.save_colpali, lambda f: PageEncoder(model=f, **ON_CPU), "pages"),
    "colqwen2": Kind(tiny_pages.save_colqwen2, lambda f: PageEncoder(model=f, **ON_CPU), "pages"),
    "colmodernvbert": Kind(
        tiny_pages.save_colmodernvbert, lambda f: PageEncoder(model=f, **ON_CPU), "pages"
    ),
    "colbert": Kind(
        tiny_pages.save_colbert,
        lambda f: PageEncoder(model=f, reads="texts", **ON_CPU),
        "texts",
    ),
    "stanford": Kind(
        tiny_pages.save_stanford,
        lambda f: PageEncoder(model=f, reads="texts", **ON_CPU),
        "texts",
    ),
    "pylate": Kind(
        tiny_pages.save_pylate,
        lambda f: PageEncoder(model=f, reads="texts", **ON_CPU),
        "texts",
    ),
}
# What reads words needs a tokenizer; open_clip brings its own.
WORDS = [name for name in KINDS if name not in ("open_clip", "image", "volume")]


def weights(folder: Path) -> list[Path]:
    return [*folder.rglob("*.safetensors"), *folder.rglob("*.bin")]


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def noise_for_weights(folder: Path) -> None:
    for path in weights(folder):
        path.write_bytes(b"no weights")


def weights_cut_short(folder: Path) -> None:
    for path in weights(folder):
        path.write_bytes(path.read_bytes()[:-2000])


def noise_for_a_pickle(folder: Path) -> None:
    for path in weights(folder):
        path.unlink()
        pickled(path).write_bytes(b"no weights")


def no_configuration(folder: Path) -> None:
    for name in CONFIGS:
        (folder / name).unlink(missing_ok=True)


def half_a_configuration(folder: Path) -> None:
    configured(folder).write_text('{"model_type": ')


def a_list_for_a_configuration(folder: Path) -> None:
    configured(folder).write_text("[]")


def pickled(path: Path) -> Path:
    """Where libraries look for the same weights as a pickle."""
    return path.with_name(path.name if "open_clip" in path.name else "pytorch_model.bin")


def configured(folder: Path) -> Path:
    return next(folder / name for name in CONFIGS[::-1] if (folder / name).is_file())


# What is done to a folder, and what the error names beside it.
FAULTS: dict[Callable[[Path], None], str] = {
    empty: r"holds no weights|no late-interaction model|is no CLIP model",
    noise_for_weights: r"model\.(safetensors|bin) is broken",
    weights_cut_short: r"model\.(safetensors|bin) is broken",
    noise_for_a_pickle: r"pytorch_model\.bin is broken, or would run code",
    no_configuration: r"config\.json",
    half_a_configuration: r"config\.json is (broken|not JSON)",
    a_list_for_a_configuration: r"config\.json .*expected a JSON object",
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("whole")
    return {name: Path(kind.save(root / name)) for name, kind in KINDS.items()}


def refused(name: str, folder: Path, picture: Path) -> str:
    """Encode with a folder that is wrong, and give what is said of it."""
    kind = KINDS[name]
    encoder = kind.encoder(str(folder))
    if kind.reads == "texts":
        passage = tiny_texts.passage("the heart pumps blood")
    else:
        page = kind.reads == "pages"
        passage = tiny_pictures.pictured(picture, kind="page" if page else "image")
    with suppress(RecipeError):
        # Known from the files alone, where they can be read.
        assert encoder.name
    with pytest.raises(RecipeError) as told:
        encoder.encode_passages([passage])
    return str(told.value)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_folder_is_named_with_the_file_and_the_way_out(
    name: str, fault: Callable[[Path], None], saved: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved[name], tmp_path / "damaged"))
    fault(folder)
    said = refused(name, folder, tiny_pictures.saved(tmp_path / "a.png", 1))
    assert str(folder) in said
    check_words(said, FAULTS[fault])
    check_words(said, "get the model's files again|name the folder|give a folder|expected one of")


@pytest.mark.parametrize("name", KINDS)
def test_a_folder_of_something_else_is_named(name: str, tmp_path: Path) -> None:
    said = refused(name, Path("/etc"), tiny_pictures.saved(tmp_path / "a.png", 1))
    assert said.startswith("/etc")


@pytest.mark.parametrize("name", WORDS)
def test_a_folder_without_a_tokenizer_is_named(
    name: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved[name], tmp_path / "mute"))
    for path in folder.rglob("tokenizer.json"):
        path.unlink()
    said = refused(name, folder, tiny_pictures.saved(tmp_path / "a.png", 1))
    check_words(said, f"{folder} holds no tokenizer .*tokenizer.json.*copy it from")


@pytest.mark.parametrize("name", KINDS)
def test_a_configuration_of_another_model_is_refused(
    name: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved[name], tmp_path / "mixed"))
    # transformers itself would fill what its configuration lacks weights for with random numbers.
    others = [each for each in ("medcpt", "image", "colpali") if each != name]
    for other in others if name not in ("sentence", "sparse", "volume") else ["clip", "colpali"]:
        config = (saved[other] / "config.json").read_text()
        configured(folder).write_text(config)
        said = refused(name, folder, tiny_pictures.saved(tmp_path / "a.png", 1))
        assert str(folder) in said
        check_words(said, r"config|late-interaction model")


class Trap:
    def __init__(self, ran: Path) -> None:
        self.ran = ran

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.ran,)


@pytest.mark.parametrize("name", KINDS)
def test_weights_that_are_a_pickle_are_read_without_running_it(
    name: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    folder, ran = Path(shutil.copytree(saved[name], tmp_path / "trap")), tmp_path / "ran"
    for path in weights(folder):
        path.unlink()
        torch.save({"weight": Trap(ran)}, pickled(path))
    said = refused(name, folder, tiny_pictures.saved(tmp_path / "a.png", 1))
    check_words(said, r"model\.bin is broken, or would run code when read")
    assert "weights_only" not in said
    assert not ran.exists()


def test_a_layer_that_is_read_must_have_weights(saved: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(saved["image"], tmp_path / "partial"))
    stored = load_file(folder / "model.safetensors")
    kept = {name: each for name, each in stored.items() if "layer.1.norm2" not in name}
    assert len(kept) < len(stored)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    said = refused("image", folder, tiny_pictures.saved(tmp_path / "a.png", 1))
    check_words(said, r"its weights lack encoder\.layer\.1\.norm2\.(weight|bias), .*random")


def test_a_pooler_must_have_weights_only_where_it_is_read(tmp_path: Path) -> None:
    import transformers

    bert = transformers.BertModel.from_pretrained(
        tiny_texts.save_bert(tmp_path / "bert"), add_pooling_layer=False
    )
    bert.save_pretrained(tmp_path / "bert")
    encoder = KINDS["medcpt"].encoder(str(tmp_path / "bert"))
    assert encoder.encode_passages([tiny_texts.passage("heart")]).values.shape == (1, 32)
    vit = transformers.ViTModel(
        transformers.ViTConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
            image_size=32, patch_size=8,
        ),
        add_pooling_layer=False,
    )  # fmt: skip
    vit.save_pretrained(tmp_path / "vit")
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(
        tmp_path / "vit"
    )
    shown = tiny_pictures.pictured(tiny_pictures.saved(tmp_path / "a.png", 1))
    tokens = ImageEncoder(model=str(tmp_path / "vit"), **ON_CPU)
    assert tokens.encode_passages([shown]).values.shape == (1, 32)
    pooled = ImageEncoder(model=str(tmp_path / "vit"), pooling="pooler", **ON_CPU)
    with pytest.raises(RecipeError, match=r"its weights lack pooler\.dense"):
        pooled.encode_passages([shown])


def test_a_model_of_texts_is_none_of_pictures(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved["medcpt"], tmp_path / "bert"))
    shutil.copy(saved["image"] / "preprocessor_config.json", folder)
    said = refused("image", folder, tiny_pictures.saved(tmp_path / "a.png", 1))
    check_words(said, r"holds a BertModel .*reads input_ids, expected a model of pictures")


@pytest.mark.parametrize(
    ("name", "other", "held"),
    [("sentence", "sparse", "SparseEncoder"), ("sparse", "sentence", "SentenceTransformer"),
     ("sentence", "colbert", "MultiVectorEncoder")],
)  # fmt: skip
def test_a_model_of_another_kind_of_encoder_is_refused(
    name: str, other: str, held: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    said = refused(name, saved[other], tmp_path)
    check_words(said, f"{saved[other]} holds a {held} .*expected a .*use the encoder kind")


def test_out_of_memory_is_no_fault_of_the_folder(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", full)
    with pytest.raises(torch.OutOfMemoryError):
        KINDS["medcpt"].encoder(str(saved["medcpt"])).encode_passages([])


def test_a_library_that_is_missing_is_to_be_installed(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import transformers

    def lacking(*_: object, **__: object) -> None:
        raise ImportError("\nTimmWrapper requires the timm library")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", lacking)
    said = refused("medcpt", saved["medcpt"], tmp_path)
    check_words(said, "requires the timm library; install what it asks for$")


def test_a_device_that_is_none_is_not_laid_to_the_folder(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved["sentence"], tmp_path / "model"))
    # What no library reads may be what it likes.
    (folder / "data_config.json").write_text("[]")
    (folder / "training_args.bin").write_bytes(b"a pickle of a trainer")
    encoder = SentenceEncoder(model=str(folder), device="abacus")
    with pytest.raises(RecipeError, match=r"abacus; name a device that this machine has"):
        encoder.encode_passages([])


def test_loading_leaves_the_log_of_transformers_as_it_was(saved: dict[str, Path]) -> None:
    logger = logging.getLogger("transformers.modeling_utils")
    before = (logger.level, [*logger.filters])
    KINDS["medcpt"].encoder(str(saved["medcpt"])).encode_passages([])
    assert (logger.level, [*logger.filters]) == before


def check_words(said: str, pattern: str) -> None:
    assert re.search(pattern, said), said
