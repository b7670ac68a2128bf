"""What a prompt becomes for each family of models: images, turns, and their tokens."""

import re
from dataclasses import replace

import pytest
import torch
from PIL import Image

from medrag.errors import RecipeError
from medrag.generation.local.inputs import count_tokens, encode
from medrag.generation.local.loading import Loaded
from medrag.records import Exchange
from tests.generation.local.families import (
    FORGED,
    PRESET,
    SIZES,
    TILED,
    Draw,
    expected,
    pieces,
    prompt_of,
    said_of,
)
from tests.generation.tiny_vlms import FAMILIES


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_image_has_the_pieces_that_its_processor_documents(
    family: str, n: int, models: dict[str, Loaded], draw: Draw
) -> None:
    images = tuple(draw(*size) for size in SIZES[:n])
    inputs = encode(models[family], prompt_of(*images, "What is seen?", asked=images))
    wanted = expected(family, inputs, SIZES[:n]) if n else 0
    assert pieces(models[family], inputs) == wanted
    assert inputs.n_images == n == len(inputs.shown)
    assert bool(inputs.pictures) == bool(n)
    assert inputs.ids.dtype == torch.int64
    assert inputs.ids.ndim == 1
    assert all(each.shape == inputs.ids.shape for each in inputs.token_types.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_reads_what_was_encoded(family: str, models: dict[str, Loaded], draw: Draw) -> None:
    loaded, images = models[family], tuple(draw(*size) for size in SIZES)
    inputs = encode(loaded, prompt_of("One:", images[0], "Two:", *images[1:], asked=images))
    with torch.inference_mode():
        out = loaded.model(
            input_ids=inputs.ids[None],
            **inputs.pictures,
            **{name: each[None] for name, each in inputs.token_types.items()},
        )
    assert out.logits.shape[:2] == (1, len(inputs.ids))
    assert bool(torch.isfinite(out.logits).all())


@pytest.mark.parametrize("family", [each for each in FAMILIES if each != "llava"])
def test_ids_are_those_of_the_processor_s_own_chat(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    loaded, image = models[family], draw(50, 70)
    mine = encode(loaded, prompt_of("Picture 1:", image, "Is it large?", asked=(image,)))
    content = [
        {"type": "text", "text": "Picture 1:"},
        {"type": "image", "image": Image.open(image.path)},
        {"type": "text", "text": "Is it large?"},
    ]
    theirs = loaded.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True,
    )  # fmt: skip
    assert mine.ids.tolist() == theirs["input_ids"][0].tolist()
    for name, each in mine.pictures.items():
        torch.testing.assert_close(each, theirs[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_label_stands_right_before_its_image(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    # The template of LLaVA would put all images first.
    first, second = draw(50, 70), draw(64, 64)
    inputs = encode(models[family], prompt_of("Picture 1:", first, "Picture 2:", second, "Which?"))
    mark = re.escape(models[family].template.placeholder)
    assert re.search(
        rf"Picture 1:\s*(<\|vision_start\|>)?{mark}.*Picture 2:\s*(<\|vision_start\|>)?{mark}"
        r".*Which\?",
        inputs.text, re.DOTALL,
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_pixels_stand_in_the_order_of_the_images(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    one, other = draw(64, 64, seed=1), draw(64, 64, seed=2)
    both = encode(models[family], prompt_of(one, other, "Which?")).pictures["pixel_values"]
    turned = encode(models[family], prompt_of(other, one, "Which?")).pictures["pixel_values"]
    axis = 1 if family in TILED else 0
    half = both.shape[axis] // 2
    torch.testing.assert_close(both.narrow(axis, 0, half), turned.narrow(axis, half, half))
    assert not torch.equal(both, turned)


@pytest.mark.parametrize("family", [*FAMILIES, "text"])
def test_turns_follow_each_other_and_the_text_ends_where_the_reply_begins(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    loaded = models[family]
    images = () if family == "text" else (draw(50, 70),)
    turns = (Exchange("I want to look.", ("Here:", *images)), Exchange("It is large.", ("Sure?",)))
    inputs = encode(loaded, prompt_of("First.", *images, turns=turns))
    said = said_of(loaded, inputs)
    places = [said.index(each) for each in ("First.", "I want", "Here:", "It is", "Sure?")]
    assert places == sorted(places)
    assert inputs.n_images == 2 * len(images)
    assert not inputs.text.rstrip().endswith("Sure?")
    assert loaded.template.ends
    assert loaded.tokenizer.convert_tokens_to_ids(loaded.template.ends) in loaded.eos


@pytest.mark.parametrize("family", FAMILIES)
def test_what_one_prompt_gives_does_not_depend_on_those_before(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    prompt = prompt_of(draw(50, 70), "What is seen?")
    before = encode(models[family], prompt)
    encode(models[family], prompt_of(draw(90, 30), draw(10, 10), "Else?", context_pixels=100))
    after = encode(models[family], prompt)
    assert before.ids.tolist() == after.ids.tolist()
    assert before.text == after.text
    for name, each in before.pictures.items():
        assert torch.equal(each, after.pictures[name])


@pytest.mark.parametrize("family", [*FAMILIES, "text"])
def test_tokens_are_counted_exactly(family: str, models: dict[str, Loaded], draw: Draw) -> None:
    images = () if family == "text" else (draw(50, 70), draw(1, 1), draw(300, 200), draw(31, 97))
    for prompt in (
        prompt_of("What is seen?"),
        prompt_of("One:", *images, "\n\nWhich?\n", asked=images[:1], context_pixels=900),
        prompt_of(*images, FORGED, turns=(Exchange("x", ("y", *images)),)),
    ):
        exact = len(encode(models[family], prompt).ids)
        assert count_tokens(models[family], prompt) == exact
        # From memory.
        assert count_tokens(models[family], prompt) == exact


def test_the_words_a_model_was_trained_to_read_end_the_first_message(
    models: dict[str, Loaded],
) -> None:
    preset = replace(PRESET, suffix="Think in <think> </think>.")
    loaded = replace(models["qwen2_5_vl"], preset=preset)
    inputs = encode(loaded, prompt_of("Why?", turns=(Exchange("So.", ("Sure?",)),)))
    assert "Why?\n\nThink in <think> </think>.<|im_end|>" in inputs.text
    assert inputs.text.count("Think in") == 1
    assert count_tokens(loaded, prompt_of("Why?")) == len(encode(loaded, prompt_of("Why?")).ids)


def test_a_model_of_texts_refuses_a_prompt_with_images(
    models: dict[str, Loaded], draw: Draw
) -> None:
    with pytest.raises(RecipeError, match=r"reads no pictures, and the prompt shows 1; name a"):
        encode(models["text"], prompt_of(draw(5, 5), "What is seen?"))
