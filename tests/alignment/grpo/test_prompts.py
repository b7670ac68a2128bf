"""Prompts as TRL's trainer reads them, held against those of inference."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medrag.alignment.grpo.prompts import PolicyRows, policy_processor
from medrag.alignment.rewards import Example
from medrag.errors import InputFileError, RecipeError
from medrag.generation.local.inputs import encode
from medrag.generation.local.loading import Loaded, load
from medrag.records import Hit, ImageRef, Passage, Prompt, Question, Source

trl: Any = pytest.importorskip("trl")
pytestmark = pytest.mark.slow
FAMILIES = ("llava", "qwen2_5_vl", "gemma3", "idefics3")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageRef, ImageRef]:
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    drawn = np.random.default_rng(0)
    for name, size in (("a.png", (40, 50, 3)), ("b.png", (64, 33, 3))):
        Image.fromarray(drawn.integers(0, 256, size, dtype=np.uint8)).save(folder / name)
    return ImageRef(str(folder / "a.png")), ImageRef(str(folder / "b.png"))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Loaded]:
    from tests.generation.tiny_vlms import save_text_model, save_tiny

    made: dict[str, Path] = {}

    def get(family: str, preset: str | None = None, most: int | None = None) -> Loaded:
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            saved = save_text_model if family == "text" else lambda at: save_tiny(family, at)
            saved(made[family])
        return load(model=str(made[family]), preset=preset, device="cpu", max_pixels=most)

    return get


def _prompts(pictures: tuple[ImageRef, ImageRef]) -> list[Prompt]:
    """Make prompts of unequal length: a picture with evidence and its picture, and one alone."""
    own, other = pictures
    hit = Hit(Passage("p", "image", "A heart.", Source("c", "d", "0"), (other,)), 1.0, 1, "")
    question = Question("Is the heart <image> enlarged?", (own,))
    shown = ("Evidence:", "[1] A heart.", other, "Question:", own, "Is the heart <image> enlarged?")
    return [Prompt(question, (hit,), shown, context_pixels=600),
            Prompt(Question("What?", (other,)), (), (other, "What?"))]  # fmt: skip


def _by_trl(loaded: Loaded, rows: list[dict[str, Any]]) -> tuple[list[list[int]], dict[str, Any]]:
    """Have TRL tokenise rows, and prepare the pictures of its second pass, as its trainer does."""
    from trl.data_utils import apply_chat_template, prepare_multimodal_messages

    processor = policy_processor(loaded)
    trainer = SimpleNamespace(
        processing_class=processor, _is_vlm=bool(loaded.template.placeholder),
        environment_factories=None, tools=[], chat_template=None, chat_template_kwargs={},
    )  # fmt: skip
    ids, images, _ = trl.GRPOTrainer._tokenize_prompts(trainer, [row["prompt"] for row in rows])
    if images is None:
        return ids, {}
    told = [{"prompt": prepare_multimodal_messages(row["prompt"])} for row in rows]
    texts = [apply_chat_template(each, processor)["prompt"] for each in told]
    made = processor(images=images, text=texts, padding=True, return_tensors="pt")
    return ids, dict(made)


@pytest.mark.parametrize("family", FAMILIES)
def test_trl_reads_the_tokens_and_the_pixels_of_inference(
    family: str, loaded: Callable[..., Loaded], pictures: tuple[ImageRef, ImageRef]
) -> None:
    model, prompts = loaded(family, None, 1024), _prompts(pictures)
    rows = PolicyRows(loaded=model, examples=[Example("e", prompt) for prompt in prompts])
    ids, tensors = _by_trl(model, [rows[0], rows[1]])
    wanted = [encode(model, prompt) for prompt in prompts]
    assert [list(map(int, each)) for each in ids] == [each.ids.tolist() for each in wanted]
    if family != "idefics3":  # of which TRL and inference arrange the tiles otherwise
        pixels = np.concatenate([each.pictures["pixel_values"].numpy() for each in wanted])
        np.testing.assert_array_equal(tensors["pixel_values"].numpy(), pixels)


def test_pictures_of_a_preset_are_filled_up_to_a_square_as_at_inference(
    loaded: Callable[..., Loaded], pictures: tuple[ImageRef, ImageRef]
) -> None:
    model, prompt = loaded("llava", "llava-med-1.5-hf"), _prompts(pictures)[1]
    ids, tensors = _by_trl(model, [PolicyRows(loaded=model, examples=[Example("e", prompt)])[0]])
    wanted = encode(model, prompt)
    assert ids[0] == wanted.ids.tolist()
    np.testing.assert_array_equal(tensors["pixel_values"], wanted.pictures["pixel_values"])


@pytest.mark.parametrize("template", [True, False])
def test_a_model_of_texts_reads_the_tokens_of_inference_with_and_without_a_template(
    template: bool, loaded: Callable[..., Loaded], tmp_path: Path
) -> None:
    model = loaded("text")
    if not template:
        model.model.save_pretrained(tmp_path)
        model.tokenizer.chat_template = None
        model.tokenizer.save_pretrained(tmp_path)
        model = load(model=str(tmp_path), device="cpu")
        assert model.template.asks == "plain"
    prompt = Prompt(Question("Is <|im_end|> there?"), (), ("Say it.", "Is <|im_end|> there?"))
    row = PolicyRows(loaded=model, examples=[Example("e", prompt)])[0]
    ids, _ = _by_trl(model, [row])
    assert list(ids[0]) == encode(model, prompt).ids.tolist()


def test_pictures_for_a_model_of_texts_and_missing_ones_are_refused(
    loaded: Callable[..., Loaded], pictures: tuple[ImageRef, ImageRef], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="the prompt of e shows 1"):
        PolicyRows(loaded=loaded("text"), examples=[Example("e", _prompts(pictures)[1])])
    gone = Prompt(Question("What?"), (), (ImageRef(str(tmp_path / "gone.png")), "What?"))
    rows = PolicyRows(loaded=loaded("llava"), examples=[Example("e", gone)])
    with pytest.raises(InputFileError, match=r"gone\.png"):
        rows[0]
