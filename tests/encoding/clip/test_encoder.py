"""Encoders of pictures and texts: what their vectors are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
import transformers
from PIL import Image

from medrag.encoding.clip import ClipEncoder
from medrag.records import Question
from tests.contracts import check_encoder
from tests.encoding.tiny_pictures import CLIPS, LONG, SHORT, pictured, written

Make = Callable[..., ClipEncoder]


@pytest.mark.parametrize("name", CLIPS)
def test_it_keeps_the_contract_of_encoders(
    name: str, made: Make, clip_pictures: list[Path]
) -> None:
    passages = [pictured(path) for path in clip_pictures]
    asked = [Question(images=(path,)) for path in clip_pictures[:2]]
    check_encoder(made(name), passages, asked, "image")
    check_encoder(made(name), passages, [Question(SHORT), Question(LONG), Question("")], "text")


@pytest.mark.parametrize("name", CLIPS)
def test_it_keeps_the_contract_on_the_texts_of_passages(name: str, made: Make) -> None:
    passages = [written(SHORT), written(LONG), written("bone"), written(SHORT)]
    encoder = made(name, passages="text")
    check_encoder(encoder, passages, [Question(SHORT)], "text")
    found = encoder.encode_passages(passages)
    assert found.lengths[0] == found.lengths[2] == 1
    assert found.lengths[1] > 4


def test_vectors_are_those_of_transformers_own_clip(
    clip_folders: dict[str, Path], made: Make, clip_pictures: list[Path]
) -> None:
    model = transformers.CLIPModel.from_pretrained(clip_folders["clip"]).eval()
    processor = transformers.CLIPImageProcessor.from_pretrained(clip_folders["clip"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folders["clip"])
    seen = processor(images=[Image.open(path) for path in clip_pictures], return_tensors="pt")
    read = tokenizer([SHORT], return_tensors="pt")
    with torch.no_grad():
        both = model(**seen, input_ids=read["input_ids"], attention_mask=read["attention_mask"])
    encoder = made("clip")
    rows = encoder.encode_passages([pictured(path) for path in clip_pictures]).values
    np.testing.assert_allclose(rows, both.image_embeds, atol=1e-5)
    asked = encoder.encode_questions([Question(SHORT)], "text").values
    np.testing.assert_allclose(asked, both.text_embeds, atol=1e-5)
    logits = encoder.logit_scale * asked @ rows.T  # type: ignore[operator]
    np.testing.assert_allclose(logits, both.logits_per_text, atol=1e-3)


def test_logits_are_those_of_transformers_own_siglip(
    clip_folders: dict[str, Path], made: Make, clip_pictures: list[Path]
) -> None:
    model = transformers.SiglipModel.from_pretrained(clip_folders["siglip"]).eval()
    processor = transformers.SiglipImageProcessor.from_pretrained(clip_folders["siglip"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folders["siglip"])
    seen = processor(images=[Image.open(path) for path in clip_pictures], return_tensors="pt")
    # SigLIP was trained on texts that are all padded to one length, without a mask.
    read = tokenizer([SHORT], padding="max_length", max_length=16, return_tensors="pt")
    with torch.no_grad():
        both = model(**seen, input_ids=read["input_ids"])
    encoder = made("siglip")
    rows = encoder.encode_passages([pictured(path) for path in clip_pictures]).values
    asked = encoder.encode_questions([Question(SHORT)], "text").values
    assert encoder.logit_scale is not None
    assert encoder.logit_bias == pytest.approx(-10)
    logits = encoder.logit_scale * asked @ rows.T + encoder.logit_bias
    np.testing.assert_allclose(logits, both.logits_per_text, atol=1e-3)


@pytest.mark.parametrize("name", ["open_clip", "biomed_clip"])
def test_vectors_are_those_of_open_clip_itself(
    name: str, clip_folders: dict[str, Path], made: Make, clip_pictures: list[Path]
) -> None:
    path = f"local-dir:{clip_folders[name]}"
    model, transform = open_clip.create_model_from_pretrained(path)
    tokenizer = open_clip.get_tokenizer(path)
    with torch.no_grad():
        seen = model.eval().encode_image(
            torch.stack([transform(Image.open(picture)) for picture in clip_pictures]),
            normalize=True,
        )
        read = model.encode_text(tokenizer([SHORT]), normalize=True)
    encoder = made(name)
    rows = encoder.encode_passages([pictured(picture) for picture in clip_pictures]).values
    np.testing.assert_allclose(rows, seen, atol=1e-5)
    asked = encoder.encode_questions([Question(SHORT)], "text").values
    np.testing.assert_allclose(asked, read, atol=1e-5)
    assert encoder.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)
    assert encoder.logit_bias is None


@pytest.mark.parametrize("name", CLIPS)
def test_the_last_words_of_a_long_text_are_read(name: str, made: Make) -> None:
    plain = made(name, passages="text").encode_passages([written(LONG + "heart")])
    other = made(name, passages="text").encode_passages([written(LONG + "bone bone")])
    assert len(plain.values) == len(other.values)
    np.testing.assert_allclose(plain.values[:-1], other.values[:-1], atol=1e-5)
    assert np.abs(plain.values[-1] - other.values[-1]).max() > 1e-3


def test_a_long_question_is_its_parts_or_their_mean(made: Make) -> None:
    asked = [Question(LONG), Question(SHORT)]
    parts = made("clip").encode_questions(asked, "text")
    mean = made("clip", long_text="mean").encode_questions(asked, "text")
    assert mean.lengths.tolist() == [1, 1]
    n = parts.lengths[0]
    assert n > 4
    expected = parts.values[:n].mean(axis=0)
    np.testing.assert_allclose(
        mean.values, [expected / np.linalg.norm(expected), parts.values[n]], atol=1e-6
    )
    np.testing.assert_allclose(made("clip").encode_texts([LONG, SHORT]), mean.values, atol=1e-6)
    # Equal texts have other vectors: a cache must tell them apart.
    assert made("clip").name != made("clip", long_text="mean").name


def test_options_belong_to_the_question(made: Make) -> None:
    one = Question("the heart is", options=("left", "right"))
    two = Question("the heart is\nleft\nright")
    rows = made("clip").encode_questions([one, two], "text").values
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_a_template_stands_around_every_part(made: Make) -> None:
    encoder = made("clip", template="the left bone of the right {}.")
    short = encoder.encode_questions([Question("heart")], "text").values
    bare = (
        made("clip")
        .encode_questions([Question("the left bone of the right heart.")], "text")
        .values
    )
    np.testing.assert_allclose(short, bare, atol=1e-6)
    long = encoder.encode_questions([Question(LONG)], "text")
    assert long.lengths[0] > made("clip").encode_questions([Question(LONG)], "text").lengths[0]
    assert encoder.name != made("clip").name


def test_a_template_that_leaves_no_room_is_refused(made: Make) -> None:
    encoder = made("clip", template="the " * 20 + "{}")
    with pytest.raises(ValueError, match="template alone has 20 of 14 tokens"):
        encoder.encode_questions([Question("heart")], "text")


def test_several_pictures_are_vectors_of_a_passage_and_a_mean_of_a_question(
    made: Make, clip_pictures: list[Path]
) -> None:
    found = made("clip").encode_passages([pictured(*clip_pictures[:2]), pictured(clip_pictures[2])])
    assert found.lengths.tolist() == [2, 1]
    asked = (
        made("clip").encode_questions([Question(images=tuple(clip_pictures[:2]))], "image").values
    )
    mean = found.values[:2].mean(axis=0)
    np.testing.assert_allclose(asked[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_what_is_encoded_depends_on_the_side(made: Make, clip_pictures: list[Path]) -> None:
    picture, page = pictured(clip_pictures[0]), pictured(clip_pictures[0], kind="page")
    assert [made("clip").encodes(each) for each in (picture, page, written("a"))] == [
        True, False, False,
    ]  # fmt: skip
    texts = made("clip", passages="text")
    assert [texts.encodes(each) for each in (picture, written("a"), written(" "))] == [
        True, True, False,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no picture"):
        made("clip").encode_passages([written("words")])
    with pytest.raises(ValueError, match="no picture"):
        made("clip").encode_questions([Question("words")], "image")


@pytest.mark.parametrize("name", CLIPS)
def test_bfloat16_gives_nearly_the_same_vectors(
    name: str, made: Make, clip_pictures: list[Path]
) -> None:
    exact, rounded = (made(name, dtype=dtype) for dtype in ("float32", "bfloat16"))
    passages = [pictured(path) for path in clip_pictures]
    pairs = [(e.encode_passages(passages), e.encode_texts([SHORT, LONG])) for e in (exact, rounded)]
    assert (pairs[0][0].values * pairs[1][0].values).sum(axis=1).min() > 0.999
    assert (pairs[0][1] * pairs[1][1]).sum(axis=1).min() > 0.995
    assert (exact.numerics, rounded.numerics) == ("cpu float32", "cpu bfloat16")
    assert exact.name == rounded.name
    # The factor is read before the weights are rounded.
    assert exact.logit_scale == rounded.logit_scale


@pytest.mark.parametrize(
    "options",
    [{"passages": "both"}, {"long_text": "cut"}, {"template": "none"}, {"template": "{} {}"},
     {"tokens": 2}, {"dtype": "int8"}, {"batch_size": 0}, {"batch_tokens": 0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        ClipEncoder(model="anything", **options)  # type: ignore[arg-type]


def test_a_side_that_is_none_is_refused(made: Make) -> None:
    with pytest.raises(ValueError, match="side must be"):
        made("clip").encode_questions([], "sound")  # type: ignore[arg-type]
