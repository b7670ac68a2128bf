"""What a tuned model reads: the prompt of inference, the answer, its end; alone or in a batch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medrag.alignment.noise import Noise
from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.training.batches import collated, log_probabilities, n_tokens
from medrag.alignment.training.rows import Examples, encoded_row, rejected_prompt
from medrag.errors import MedragError, RecipeError
from medrag.generation.local.inputs import encode
from medrag.generation.local.loading import Loaded
from medrag.generation.local.readings import Reading
from medrag.images import read_image
from medrag.records import ImageRef
from tests.alignment.training.tuned import (
    FAMILIES,
    loaded,
    pairs_of,
    prompt_of,
    saved,
    slow_log_probability,
)
from tests.generation.tiny_vlms import save_text_model


@pytest.fixture(scope="module", params=[*FAMILIES, "qwen3_vl", "idefics3"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return loaded(saved(request.param, tmp_path_factory.mktemp("saved")))


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return loaded(saved("llava", tmp_path_factory.mktemp("saved")))


def test_a_row_is_the_prompt_of_inference_and_the_answer_and_its_end(
    model: Loaded, tmp_path: Path
) -> None:
    for pair in pairs_of(tmp_path):
        row = encoded_row(model, pair.prompt, pair.chosen)
        asked = encode(model, prompt_of(pair.prompt)).ids.tolist()
        assert row.reading.ids[: len(asked)].tolist() == asked
        answered = row.reading.ids[len(asked) :].tolist()
        assert len(answered) == row.n_answer
        assert model.tokenizer.decode(answered[:-1]).strip() == pair.chosen
        assert answered[-1] in model.eos


def test_special_words_of_an_answer_are_words(llava: Loaded) -> None:
    row = encoded_row(llava, ("What?",), "a </s> and an <image>")
    told = row.reading.ids[-row.n_answer :].tolist()
    assert told.count(llava.tokenizer.eos_token_id) == 1
    assert llava.model.config.image_token_id not in told


def test_padding_moves_no_log_probability(model: Loaded, tmp_path: Path) -> None:
    examples = list(Examples(model, pairs_of(tmp_path), both=True))
    batch = collated(examples, model.model.config)
    [together] = batch["passes"]
    assert not together["attention_mask"].all()
    with torch.inference_mode():
        found = log_probabilities(model.model, [together])
        alone = [
            log_probabilities(model.model, collated([each], model.model.config)["passes"])
            for each in examples
        ]
    chosen, rejected = zip(*(each.tolist() for each in alone), strict=True)
    # Sums of 5 to 40 terms in float32.
    torch.testing.assert_close(found, torch.tensor([*chosen, *rejected]), atol=1e-4, rtol=0)


def test_log_probabilities_are_those_of_a_plain_pass(model: Loaded, tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path)
    batch = collated(list(Examples(model, pairs, both=True)), model.model.config)
    with torch.inference_mode():
        found = log_probabilities(model.model, batch["passes"])
    slow = [
        slow_log_probability(model, pair.prompt, _answer(model, pair.prompt, text))
        for side in ("chosen", "rejected")
        for pair in pairs
        for text in [getattr(pair, side)]
    ]
    np.testing.assert_allclose(found.numpy(), slow, atol=1e-4)


def test_training_mode_looks_at_pictures_as_inference_does(model: Loaded, tmp_path: Path) -> None:
    batch = collated(list(Examples(model, pairs_of(tmp_path), both=True)), model.model.config)
    with torch.inference_mode():
        before = log_probabilities(model.model, batch["passes"])
        model.model.train()
        after = log_probabilities(model.model, batch["passes"])
        model.model.eval()
    torch.testing.assert_close(after, before)


def test_tokens_of_answers_are_counted_with_their_end(llava: Loaded, tmp_path: Path) -> None:
    [first, *_] = examples = list(Examples(llava, pairs_of(tmp_path), both=True))
    counts = n_tokens(collated(examples, llava.model.config)["passes"])
    words = llava.tokenizer(" Yes. The heart", add_special_tokens=False)["input_ids"]
    assert int(counts[0]) == first.rows[0].n_answer == len(words) + 1


def test_a_model_that_is_not_known_reads_row_by_row(llava: Loaded, tmp_path: Path) -> None:
    examples = list(Examples(llava, pairs_of(tmp_path), both=True))
    config = llava.model.config
    unknown = [
        replace(each, rows=tuple(replace(row, reading=_unknown(row.reading)) for row in each.rows))
        for each in examples
    ]
    batch = collated(unknown, config)
    assert len(batch["passes"]) == 2 * len(examples)
    with torch.inference_mode():
        found = log_probabilities(llava.model, batch["passes"])
        known = log_probabilities(llava.model, collated(examples, config)["passes"])
    torch.testing.assert_close(found, known, atol=1e-4, rtol=0)


def test_a_model_of_texts_reads_pairs_without_pictures(tmp_path: Path) -> None:
    save_text_model(tmp_path / "text")
    model = loaded(tmp_path / "text")
    pair = PreferencePair("one", ("What?",), "Yes.", "No.", "use_context")
    batch = collated(list(Examples(model, [pair], both=True)), model.model.config)
    with torch.inference_mode():
        found = log_probabilities(model.model, batch["passes"])
    slow = slow_log_probability(model, pair.prompt, _answer(model, pair.prompt, "Yes."))
    assert float(found[0]) == pytest.approx(slow, abs=1e-4)


def test_a_rejected_prompt_of_its_own_is_read(llava: Loaded, tmp_path: Path) -> None:
    pair, other = pairs_of(tmp_path, 2)
    both = replace(pair, rejected_prompt=other.prompt)
    [example] = list(Examples(llava, [both], both=True))
    asked = encode(llava, prompt_of(other.prompt)).ids.tolist()
    assert example.rows[1].reading.ids[: len(asked)].tolist() == asked


def test_noise_changes_the_rejected_pictures_that_it_is_for(tmp_path: Path) -> None:
    pytest.importorskip("medrag.alignment.corruption")
    pair = replace(pairs_of(tmp_path)[2], noise=Noise("replace_gaussian", seed=1), noised=(1,))
    with rejected_prompt(pair) as parts:
        first, second = [part for part in parts if isinstance(part, ImageRef)]
        kept, changed = [part for part in pair.prompt if isinstance(part, ImageRef)]
        assert first == kept
        assert read_image(second).shape == read_image(changed).shape
        assert not np.array_equal(read_image(second), read_image(changed))
    assert not Path(second.path).exists()


def test_a_pair_too_long_is_named_before_anything_is_trained(llava: Loaded, tmp_path: Path) -> None:
    examples = Examples(llava, pairs_of(tmp_path), both=True, max_length=74)
    with pytest.raises(RecipeError, match=r"1 of 4 pairs take more than 74 .*pair-2 \(\d+\)"):
        examples.check()


def test_a_picture_that_cannot_be_read_is_named_with_its_pair(
    llava: Loaded, tmp_path: Path
) -> None:
    pairs = pairs_of(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(MedragError, match=r"pair pair-1: .*1\.png"):
        Examples(llava, pairs, both=True).check()


def _answer(model: Loaded, parts: tuple[str | ImageRef, ...], text: str) -> list[int]:
    row = encoded_row(model, parts, text)
    tokens: list[int] = row.reading.ids[-row.n_answer :].tolist()
    return tokens


def _unknown(reading: Reading) -> Reading:
    """Give a reading as one whose pictures cannot be told apart."""
    pictures = {
        name: torch.cat([tile.tensors[name] for tile in reading.tiles])
        for name in (reading.tiles[0].tensors if reading.tiles else ())
    }
    return replace(reading, positions=None, tiles=(), pictures=pictures)
