"""Which pixels of a picture each family of models is shown, and what is said of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from medrag.errors import InputFileError
from medrag.generation.local.inputs import count_tokens, encode
from medrag.generation.local.loading import Loaded
from medrag.records import ImageRef
from tests.generation.local.families import PRESET, QWEN, TILED, Draw, pieces, prompt_of
from tests.generation.tiny_vlms import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(1, 1), (1, 150), (2400, 1600)])
def test_a_tiny_a_thin_and_a_huge_image_are_taken(
    family: str, size: tuple[int, int], models: dict[str, Loaded], draw: Draw
) -> None:
    image = draw(*size)
    inputs = encode(models[family], prompt_of(image, "What is seen?", asked=(image,)))
    shown = inputs.shown[0]
    assert (shown.height, shown.width) == size
    assert shown.seen_width >= 1
    assert shown.seen_height >= 1
    if family in QWEN:
        # At most 128 x 128 pixels by its own configuration.
        assert shown.seen_width * shown.seen_height <= 128**2


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_that_cannot_be_read_is_named(
    family: str, models: dict[str, Loaded], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for told in (encode, count_tokens):
        with pytest.raises(InputFileError, match=r"broken\.png"):
            told(models[family], prompt_of(ImageRef(str(broken)), "What is seen?"))


@pytest.mark.parametrize("family", QWEN)
def test_an_image_thinner_than_the_model_takes_is_named(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    with pytest.raises(InputFileError, match=r"1x300-0\.png: .* 300 x 1 pixels.*200 times.*crop"):
        encode(models[family], prompt_of(draw(1, 300), "What is seen?"))


@pytest.mark.parametrize("family", QWEN)
@pytest.mark.parametrize("size", [(300, 200), (60, 500), (41, 39), (7, 90), (3, 590)])
def test_images_of_the_evidence_stay_within_their_own_pixels(
    family: str, size: tuple[int, int], models: dict[str, Loaded], draw: Draw
) -> None:
    loaded = replace(models[family], max_pixels=96 * 96, remembered={})
    assert loaded.min_pixels == 8 * 8
    image, question = draw(*size), draw(300, 200, seed=1)
    prompt = prompt_of(image, question, "Which?", asked=(question,), context_pixels=40 * 40)
    grid = encode(loaded, prompt).pictures["image_grid_thw"].tolist()
    pixels = [16 * height * width for _, height, width in grid]
    assert pixels[0] <= 40 * 40
    # Not far below, either: whole pieces have sides of 8.
    assert pixels[0] >= min(0.4 * 40 * 40, 0.6 * size[0] * size[1])
    assert count_tokens(loaded, prompt) == len(encode(loaded, prompt).ids)
    assert 0.6 * 96 * 96 <= pixels[1] <= 96 * 96


@pytest.mark.parametrize("family", QWEN)
def test_a_small_image_is_enlarged_to_the_least_pixels(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    loaded = replace(models[family], min_pixels=32 * 32, remembered={})
    image = draw(8, 8)
    shown = encode(loaded, prompt_of(image, "?", asked=(image,))).shown[0]
    assert (shown.seen_width, shown.seen_height) == (32, 32)


@pytest.mark.parametrize("family", QWEN)
def test_an_image_of_the_evidence_is_not_blurred_below_the_least_pixels(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    # It would be enlarged to them again, and take as many tokens.
    loaded = replace(models[family], min_pixels=32 * 32, remembered={})
    fewer = encode(loaded, prompt_of(draw(64, 64), "?", context_pixels=8 * 8))
    as_many = encode(loaded, prompt_of(draw(64, 64), "?", context_pixels=32 * 32))
    assert fewer.pictures["image_grid_thw"].tolist() == [[1, 8, 8]]
    assert torch.equal(fewer.pictures["pixel_values"], as_many.pictures["pixel_values"])


def test_the_least_pixels_are_those_to_which_a_processor_enlarges(
    models: dict[str, Loaded],
) -> None:
    least = {family: models[family].min_pixels for family in ("qwen2_vl", "gemma3", "llava")}
    assert least == {"qwen2_vl": 8 * 8, "gemma3": 32 * 32, "llava": 32 * 32}
    assert models["idefics3"].min_pixels == 64 * 64
    assert models["text"].min_pixels is None


def test_of_bounds_that_contradict_each_other_the_most_holds(
    models: dict[str, Loaded], draw: Draw
) -> None:
    loaded = replace(models["qwen3_vl"], min_pixels=128 * 128, max_pixels=32 * 32, remembered={})
    image = draw(64, 64)
    shown = encode(loaded, prompt_of(image, "?", asked=(image,))).shown[0]
    assert shown.seen_width * shown.seen_height <= 32 * 32


@pytest.mark.parametrize("family", TILED)
def test_the_most_pixels_bound_the_tiles(
    family: str, models: dict[str, Loaded], draw: Draw
) -> None:
    image = draw(64, 64)
    prompt = prompt_of(image, "?", asked=(image,))
    whole = encode(models[family], prompt)
    small = encode(replace(models[family], max_pixels=40 * 40, remembered={}), prompt)
    assert whole.shown[0].seen_width == 64
    assert small.shown[0].seen_width == 32
    assert pieces(models[family], small) == 4


@pytest.mark.parametrize("family", TILED)
@pytest.mark.parametrize("size", [(50, 70), (90, 30), (20, 64), (5, 64), (64, 33), (1, 1)])
def test_the_size_seen_is_that_of_the_tiles(
    family: str, size: tuple[int, int], models: dict[str, Loaded], draw: Draw
) -> None:
    image, loaded = draw(*size), models[family]
    made = loaded.processor.image_processor(
        [[Image.open(image.path)]], return_row_col_info=True, return_tensors="np"
    )
    rows, columns = (max(1, made[name][0][0]) for name in ("rows", "cols"))
    shown = encode(loaded, prompt_of(image, "?", asked=(image,))).shown[0]
    assert (shown.seen_height, shown.seen_width) == (32 * rows, 32 * columns)


def test_fewer_pixels_are_shown_where_the_model_s_own_size_is_fixed(
    models: dict[str, Loaded], draw: Draw
) -> None:
    image = draw(64, 64)
    plain = encode(models["gemma3"], prompt_of(image, "?"))
    capped = encode(models["gemma3"], prompt_of(image, "?", context_pixels=16))
    assert plain.ids.tolist() == capped.ids.tolist()
    assert not torch.equal(plain.pictures["pixel_values"], capped.pictures["pixel_values"])


def test_a_picture_is_filled_up_to_a_square_for_those_that_cut_edges_off(
    models: dict[str, Loaded], tmp_path: Path
) -> None:
    # White at the left and right ends only, which a crop to the middle square would lose.
    pixels = np.zeros((30, 120, 3), dtype=np.uint8)
    pixels[:, :20] = pixels[:, -20:] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    prompt = prompt_of(ImageRef(str(tmp_path / "wide.png")), "?")
    cut = encode(models["llava"], prompt).pictures["pixel_values"]
    filled_up = replace(models["llava"], preset=replace(PRESET, square=True), remembered={})
    whole = encode(filled_up, prompt).pictures["pixel_values"]
    # Normalised, white is above 1.9 in every channel.
    assert float(cut.max()) < 0
    assert float(whole.max()) > 1.9
    # The mean colour is 0 once normalised; 255 steps of colour over a deviation of about 0.27.
    assert float(whole[0, :, 0, 0].abs().max()) < 0.02
    assert count_tokens(filled_up, prompt) == len(encode(filled_up, prompt).ids)


def test_an_image_of_the_question_that_is_not_shown_keeps_its_place(
    models: dict[str, Loaded], draw: Draw
) -> None:
    hidden, image = draw(10, 10), draw(50, 70)
    shown = encode(models["gemma3"], prompt_of(image, "?", asked=(hidden, image))).shown
    assert (shown[0].width, shown[0].height) == (0, 0)
    assert (shown[1].width, shown[1].height) == (70, 50)
