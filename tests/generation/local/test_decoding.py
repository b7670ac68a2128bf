"""What is written in batches, and on from what is shared, is what the model writes by itself."""

import json
import logging
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medrag.generation.local.batching import Outcome, Task, Writer
from medrag.generation.local.inputs import PromptInputs, encode
from medrag.generation.local.loading import Loaded, load
from medrag.generation.local.prefix import grouped
from medrag.generation.local.readings import divided, keyed, readable, whole
from medrag.generation.local.sampling import Chooser, Choosing, seed_of
from medrag.records import ImageRef, Prompt, Question
from tests.generation.local.vivid import EVIDENCE, model_inputs, prompts, save_vivid
from tests.generation.tiny_vlms import FAMILIES

_MOST = 10
# Sums of single precision in another order, through two layers and a softmax.
_TOLERANCE = 1e-4

Made = Callable[..., Loaded]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Models by family, each made once."""
    found: dict[tuple[str, str], Loaded] = {}

    def of(family: str, attention: str = "eager") -> Loaded:
        if (family, attention) not in found:
            folder = str(save_vivid(family, tmp_path_factory.mktemp(family)))
            settings = {"dtype": "float32", "device": "cpu", "attention": attention}
            found[family, attention] = load(model=folder, **settings)  # type: ignore[arg-type]
        return found[family, attention]

    return of


def _writer(loaded: Loaded, *, how: Choosing | None = None, **settings: Any) -> Writer:
    given = {"stops": frozenset(loaded.eos), "batch_tokens": 10**6, "reuse_prefix": True}
    return Writer(model=loaded.model, most=_MOST, how=how or Choosing(), **(given | settings))


def _task(loaded: Loaded, inputs: PromptInputs, seeds: Sequence[int | None] = (None,)) -> Task:
    reading = readable(loaded.model, inputs.ids.numpy(), inputs.pictures, inputs.token_types)
    return Task(reading, tuple(seeds))


def _tokens(outcomes: Sequence[Outcome]) -> list[list[int]]:
    return [text.tokens for outcome in outcomes for text in outcome.texts]


def _generated(loaded: Loaded, inputs: PromptInputs, **settings: Any) -> list[int]:
    written = loaded.model.generate(
        **model_inputs(inputs), max_new_tokens=_MOST, do_sample=False, **settings
    )
    tokens = written[0, len(inputs.ids) :].tolist()
    return [token for token in tokens if token not in loaded.eos]


@pytest.mark.parametrize(
    ("family", "attention"),
    [*((family, "eager") for family in FAMILIES), ("qwen2_5_vl", "sdpa"), ("gemma3", "sdpa")],
)
def test_a_batch_writes_what_generate_writes_of_each_prompt(
    family: str, attention: str, made: Made, tmp_path: Path
) -> None:
    loaded = made(family, attention)
    inputs = [encode(loaded, prompt) for prompt in prompts(tmp_path)]
    expected = [_generated(loaded, each) for each in inputs]
    assert len({tuple(tokens) for tokens in expected}) >= 4
    tasks = [_task(loaded, each) for each in inputs]
    writer = _writer(loaded)
    assert any(group.shared for group in writer._groups(tasks))
    assert _tokens(writer.write(tasks)) == expected
    assert _tokens(_writer(loaded, reuse_prefix=False).write(tasks)) == expected
    assert [_tokens(writer.write([task]))[0] for task in tasks] == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_are_those_of_a_direct_forward(
    family: str, made: Made, tmp_path: Path
) -> None:
    loaded = made(family)
    inputs = [encode(loaded, prompt) for prompt in prompts(tmp_path)]
    outcomes = _writer(loaded).write([_task(loaded, each) for each in inputs])
    for each, outcome in zip(inputs, outcomes, strict=True):
        [text] = outcome.texts
        told = _direct(loaded, each, text.tokens)
        np.testing.assert_allclose(text.log_probabilities, told, atol=_TOLERANCE)


def _direct(loaded: Loaded, inputs: PromptInputs, tokens: list[int]) -> list[float]:
    with torch.inference_mode():
        logits = loaded.model(**model_inputs(inputs, tokens)).logits[0, -len(tokens) - 1 : -1]
    told = logits.float().log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None])
    return [float(each) for each in told[:, 0]]


def test_padding_does_not_count_in_a_window(tmp_path: Path) -> None:
    folder = save_vivid("gemma3", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    # Shorter than most questions: padding in it would leave nothing of the evidence.
    config["text_config"]["sliding_window"] = 24
    (folder / "config.json").write_text(json.dumps(config))
    loaded = load(model=str(folder), dtype="float32", device="cpu", attention="eager")
    inputs = [encode(loaded, prompt) for prompt in prompts(tmp_path)]
    tasks = [_task(loaded, each) for each in inputs]
    writer = _writer(loaded)
    assert writer.runner.window == 24
    assert max(group.shared for group in writer._groups(tasks)) > 24
    assert _tokens(writer.write(tasks)) == [_generated(loaded, each) for each in inputs]


def test_one_can_go_on_several_ways_from_what_was_read(made: Made, tmp_path: Path) -> None:
    loaded = made("qwen3_vl")
    runner = _writer(loaded).runner
    inputs = encode(loaded, prompts(tmp_path)[0])
    state = runner.read([_task(loaded, inputs).reading])
    ways = {added: runner.selected(state, [0]) for added in ((60, 61, 62), (70, 71, 72))}
    # In turns, so that what one adds could overwrite what the other does.
    for n in range(3):
        for added, way in ways.items():
            runner.step(way, torch.tensor([added[n]]))
    runner.step(state, torch.tensor([80]))
    for added, way in {**ways, (80,): state}.items():
        with torch.inference_mode():
            logits = loaded.model(**model_inputs(inputs, added)).logits[:, -1]
        torch.testing.assert_close(way.logits, logits, atol=_TOLERANCE, rtol=_TOLERANCE)


def test_pictures_among_what_is_shared_are_read_once(made: Made, tmp_path: Path) -> None:
    loaded = made("qwen2_5_vl")
    [a, b, c] = [each for each in prompts(tmp_path)[3].parts if isinstance(each, ImageRef)]
    told = [[EVIDENCE, a, b, "one"], [EVIDENCE, a, b, "and two"], [EVIDENCE, a, b, c, "three"]]
    inputs = [encode(loaded, Prompt(Question(), (), tuple(parts))) for parts in told]
    tasks = [_task(loaded, each) for each in inputs]
    writer = _writer(loaded)
    [group] = writer._groups(tasks)
    first, rest = divided(tasks[2].reading, group.shared, writer.runner.config)
    assert (len(first.tiles), len(rest.tiles)) == (2, 1)
    assert _tokens(writer.write(tasks)) == [_generated(loaded, each) for each in inputs]


def test_another_picture_ends_what_is_shared_before_it(made: Made, tmp_path: Path) -> None:
    loaded = made("idefics3")
    [a, b, _] = [each for each in prompts(tmp_path)[3].parts if isinstance(each, ImageRef)]
    readings = [
        _task(loaded, encode(loaded, Prompt(Question(), (), (EVIDENCE, each, "what?")))).reading
        for each in (a, b)
    ]
    [group] = grouped(keyed(readings, loaded.model.config), least=1)
    shared = whole(readings[0], group.shared, loaded.model.config)
    first, _ = divided(readings[0], shared, loaded.model.config)
    assert first.tiles == ()
    assert 0 < shared <= group.shared


def test_no_picture_is_divided(made: Made, tmp_path: Path) -> None:
    loaded = made("qwen2_vl")
    config = loaded.model.config
    reading = _task(loaded, encode(loaded, prompts(tmp_path)[5])).reading
    for n in range(1, len(reading)):
        cut = whole(reading, n, config)
        for part in divided(reading, cut, config):
            n_tokens = int((part.ids == config.image_token_id).sum())
            assert n_tokens == sum(tile.n_tokens for tile in part.tiles)
        assert n - cut < max(tile.n_tokens for tile in reading.tiles)


@pytest.mark.parametrize("n_ended", [1, 6])
def test_rows_that_have_ended_do_not_disturb_the_others(
    n_ended: int, made: Made, tmp_path: Path
) -> None:
    loaded = made("llava")
    tasks = [_task(loaded, encode(loaded, prompt)) for prompt in prompts(tmp_path)]
    whole_texts = _tokens(_writer(loaded, stops=frozenset()).write(tasks))
    # End so many of the texts with their third token.
    stops = frozenset(text[2] for text in whole_texts[:n_ended])
    texts = [each.texts[0] for each in _writer(loaded, stops=stops).write(tasks)]
    for text, before in zip(texts, whole_texts, strict=True):
        ends = [place for place, token in enumerate(before) if token in stops]
        assert text.tokens == before[: ends[0] if ends else _MOST]
        assert text.ended == bool(ends)
        assert len(text.log_probabilities) == len(text.tokens)


class _Cramped:
    """A model with memory for two rows."""

    def __init__(self, model: Any) -> None:
        self.model, self.sizes = model, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, **inputs: Any) -> Any:
        self.sizes.append(len(inputs["input_ids"]))
        if len(inputs["input_ids"]) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.model(**inputs)


def test_a_batch_that_does_not_fit_is_halved(
    made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = made("qwen2_vl")
    tasks = [_task(loaded, encode(loaded, prompt)) for prompt in prompts(tmp_path)]
    cramped = _Cramped(loaded.model)
    found = _writer(loaded)
    found.runner.model = cramped
    assert _tokens(found.write(tasks)) == _tokens(_writer(loaded).write(tasks))
    assert max(cramped.sizes) > 2
    assert "out of memory" in caplog.text


def test_prompts_of_an_unknown_family_are_read_one_by_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from transformers import Qwen3_5ForCausalLM, Qwen3_5TextConfig

    torch.manual_seed(0)
    # Of its two layers, one keeps running sums instead of keys and values.
    config = Qwen3_5TextConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, linear_num_key_heads=1,
        linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention"], initializer_range=0.5,
        eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    model = Qwen3_5ForCausalLM(config).eval()
    rows = [[5, 6, 7, *range(8, 8 + n)] for n in (3, 9, 1)]
    writer = Writer(
        model=model, stops=frozenset(), most=_MOST, how=Choosing(), batch_tokens=10**6,
        reuse_prefix=True,
    )  # fmt: skip
    tasks = [Task(readable(model, row, {}), (None, None), ((9,), (3, 4))) for row in rows]
    with caplog.at_level(logging.INFO):
        outcomes = [*writer.write(tasks[:2]), *writer.write(tasks[2:])]
    for row, outcome in zip(rows, outcomes, strict=True):
        written = model.generate(torch.tensor([row]), max_new_tokens=_MOST, do_sample=False)
        assert [text.tokens for text in outcome.texts] == [written[0, len(row) :].tolist()] * 2
        with torch.inference_mode():
            logits = model(torch.tensor([[*row, 3]])).logits[0, -2:].log_softmax(-1)
        expected = [logits[0, 9], (logits[0, 3] + logits[1, 4]) / 2]
        np.testing.assert_allclose(outcome.option_scores, expected, atol=_TOLERANCE)
    assert caplog.text.count("one by one") == 1


def test_what_is_drawn_does_not_depend_on_the_batch(made: Made, tmp_path: Path) -> None:
    loaded = made("smolvlm" if "smolvlm" in FAMILIES else "idefics3")
    asked = prompts(tmp_path)
    inputs = [encode(loaded, prompt) for prompt in asked]
    seeds = [[seed_of(prompt, 7, draw) for draw in range(2)] for prompt in asked]
    tasks = [_task(loaded, *each) for each in zip(inputs, seeds, strict=True)]
    how = Choosing(temperature=0.8, top_p=0.9)
    together = _writer(loaded, how=how).write(tasks)
    backwards = _writer(loaded, how=how).write(tasks[::-1])[::-1]
    alone = [_writer(loaded, how=how, reuse_prefix=False).write([task])[0] for task in tasks]
    assert _tokens(together) == _tokens(backwards) == _tokens(alone)
    # A budget that holds one text of a prompt, but not two.
    narrow = _writer(loaded, how=how, batch_tokens=max(map(len, (t.reading for t in tasks))) + 20)
    assert _tokens(narrow.write(tasks)) == _tokens(together)
    # Draws of one prompt differ, and so do those under another seed.
    first, second = together[0].texts
    assert first.tokens != second.tokens
    other = _task(loaded, inputs[0], [seed_of(asked[0], 8, 0)])
    assert _tokens(_writer(loaded, how=how).write([other]))[0] != first.tokens


def test_a_seed_comes_from_what_a_prompt_says_and_shows() -> None:
    here = Prompt(Question("?"), (), ("what?", ImageRef("/a/1.png", sha256="00")))
    moved = Prompt(Question("?"), (), ("what?", ImageRef("/b/1.png", sha256="00")))
    other = Prompt(Question("?"), (), ("what?", ImageRef("/a/1.png", sha256="01")))
    assert seed_of(here, 0, 0) == seed_of(moved, 0, 0)
    assert len({seed_of(here, 0, 0), seed_of(other, 0, 0), seed_of(here, 1, 0),
                seed_of(here, 0, 1)}) == 4  # fmt: skip


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()[None].repeat(4000, 1)
    counts = Chooser(Choosing(), list(range(4000)), []).choose(logits).bincount(minlength=4)
    # Three deviations of a share of one half in 4000 draws are 0.024.
    np.testing.assert_allclose(counts / 4000, [0.5, 0.3, 0.15, 0.05], atol=0.024)


def test_top_p_leaves_the_fewest_tokens_that_hold_the_share() -> None:
    logits = torch.tensor([0.05, 0.5, 0.15, 0.3]).log()[None].repeat(500, 1)
    seeds = list(range(500))
    # 0.5 does not hold 0.7 of the probability, 0.5 + 0.3 does.
    assert set(Chooser(Choosing(top_p=0.7), seeds, []).choose(logits).tolist()) == {1, 3}
    assert set(Chooser(Choosing(top_p=0.1), seeds, []).choose(logits).tolist()) == {1}


def test_a_low_temperature_draws_the_likeliest() -> None:
    logits = torch.tensor([[1.0, 1.1, 0.9]]).repeat(200, 1)
    assert Chooser(Choosing(temperature=0.005), list(range(200)), []).choose(logits).eq(1).all()


def test_repetition_is_penalised_as_transformers_does(made: Made, tmp_path: Path) -> None:
    loaded = made("llava")
    inputs = [encode(loaded, prompt) for prompt in prompts(tmp_path)]
    expected = [_generated(loaded, each, repetition_penalty=1.3) for each in inputs]
    assert expected != [_generated(loaded, each) for each in inputs]
    writer = _writer(loaded, how=Choosing(repetition_penalty=1.3))
    outcomes = writer.write([_task(loaded, each) for each in inputs])
    assert _tokens(outcomes) == expected
    [text] = outcomes[0].texts
    told = _direct(loaded, inputs[0], text.tokens)
    np.testing.assert_allclose(text.log_probabilities, told, atol=_TOLERANCE)


_ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=7)


@given(_ROWS)
def test_each_prompt_is_in_one_group_and_shares_what_it_says(rows: list[list[int]]) -> None:
    keys = [np.array(row) for row in rows]
    groups = grouped(keys, least=2)
    assert sorted(place for group in groups for place in group.members) == [*range(len(rows))]
    assert sum(group.shared == 0 for group in groups) <= 1
    for group in groups:
        begun = {tuple(rows[place][: group.shared]) for place in group.members}
        assert len(begun) == 1 or group.shared == 0
        assert all(group.shared < len(rows[place]) for place in group.members)
        assert group.shared == 0 or (len(group.members) - 1) * group.shared >= 2


@given(_ROWS)
def test_no_division_of_sorted_prompts_saves_more(rows: list[list[int]]) -> None:
    # Longer by a token of their own, so that no prompt begins another one.
    rows = [[*row, 10 + place] for place, row in enumerate(rows)]
    saved = sum(
        (len(group.members) - 1) * group.shared
        for group in grouped([np.array(row) for row in rows], least=1)
    )
    assert saved >= _most_saved(sorted(rows))


def _most_saved(rows: list[list[int]]) -> int:
    """Try the whole, and every division into two neighbours."""
    if len(rows) < 2:
        return 0
    shared = min(_alike(one, other) for one, other in pairwise(rows))
    return (len(rows) - 1) * shared


def _alike(one: list[int], other: list[int]) -> int:
    return next(n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
