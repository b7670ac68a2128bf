"""How likely each option is: as a direct forward over prompt and option has it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medrag.generation.local import LocalGenerator
from medrag.generation.local.inputs import encode
from medrag.generation.local.options import OptionForm, option_tokens
from medrag.records import Prompt
from tests.generation.local.vivid import EVIDENCE, model_inputs, pictures, prompt, save_vivid
from tests.generation.tiny_vlms import FAMILIES

_OPTIONS = ("Yes", "No, there is no pleural effusion", "the left lung")
_TEXTS = {
    "text": _OPTIONS,
    "letter": ("A", "B", "C"),
    "lettered": tuple(f"{letter}. {text}" for letter, text in zip("ABC", _OPTIONS, strict=True)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vivid("qwen2_5_vl", tmp_path_factory.mktemp("model"))


def _asked(folder: Path) -> list[Prompt]:
    a, b, _ = pictures(folder)
    return [
        prompt(EVIDENCE, a, "is there?", options=_OPTIONS),
        prompt(EVIDENCE, b, "and here, in the other one?", options=_OPTIONS[::-1]),
        prompt("what is it?"),
    ]


def _generator(folder: Path, **settings: Any) -> LocalGenerator:
    given = {"dtype": "float32", "device": "cpu", "attention": "eager", "max_tokens": 6}
    return LocalGenerator(model=str(folder), **(given | settings))  # type: ignore[arg-type]


def _direct(generator: LocalGenerator, asked: Prompt, texts: Sequence[str]) -> list[float]:
    """Read prompt and option together, without a cache."""
    loaded, scores = generator._loaded, []
    inputs = encode(loaded, asked)
    # After "ASSISTANT:" a model begins with a blank.
    blank = " " if inputs.text.endswith(":") else ""
    for text in texts:
        ids = loaded.tokenizer.encode(blank + text, add_special_tokens=False)
        with torch.inference_mode():
            logits = loaded.model(**model_inputs(inputs, ids)).logits[0, -len(ids) - 1 : -1]
        told = logits.log_softmax(-1).gather(-1, torch.tensor(ids)[:, None])
        scores.append(float(told.mean()))
    return scores


@pytest.mark.parametrize("form", ["text", "letter", "lettered"])
def test_scores_are_those_of_a_direct_forward(
    form: OptionForm, folder: Path, tmp_path: Path
) -> None:
    generator = _generator(folder, score_options=True, option_form=form)
    asked = _asked(tmp_path)[:1]
    [found] = generator.generate(asked)
    direct = _direct(generator, asked[0], _TEXTS[form])
    # Sums of single precision in another order, through two layers and a softmax.
    np.testing.assert_allclose(found.option_scores, direct, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_scores_options_in_a_batch(family: str, tmp_path: Path) -> None:
    generator = _generator(save_vivid(family, tmp_path / "model"), score_options=True)
    asked = _asked(tmp_path)
    for one, found in zip(asked, generator.generate(asked), strict=True):
        direct = _direct(generator, one, one.question.options)
        np.testing.assert_allclose(found.option_scores, direct, atol=1e-4)


def test_scoring_does_not_change_what_is_written(folder: Path, tmp_path: Path) -> None:
    asked = _asked(tmp_path)
    scored = _generator(folder, score_options=True).generate(asked)
    plain = _generator(folder).generate(asked)
    assert [each.text for each in scored] == [each.text for each in plain]
    assert [each.option_scores for each in plain] == [()] * 3
    assert [len(each.option_scores) for each in scored] == [3, 3, 0]


def test_an_option_without_words_is_refused(folder: Path) -> None:
    generator = _generator(folder, score_options=True)
    with pytest.raises(ValueError, match="option B is empty"):
        generator.generate([prompt("which?", options=("Yes", "  "))])


def test_a_blank_stands_before_an_option_where_the_template_ends_without(folder: Path) -> None:
    tokenizer = _generator(folder)._loaded.tokenizer
    expected = {"Assistant:": " Yes", "assistant\n": "Yes", "<|im_start|>": "Yes", "": "Yes"}
    for end, text in expected.items():
        [tokens] = option_tokens(tokenizer, ["Yes"], "text", end)
        assert tokenizer.decode(list(tokens)) == text
