"""Whole trainings of tiny models: losses by hand, and what they leave."""

import json
import shutil
from dataclasses import replace
from math import exp, log, log1p
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from medrag.alignment.noise import Noise
from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.training import (
    LoraSettings,
    PreferenceSettings,
    TrainingResult,
    train_preferences,
    train_sft,
)
from medrag.alignment.training.objectives import row_weights
from medrag.alignment.training.rows import encoded_row
from medrag.generation.local import LocalGenerator
from medrag.generation.local.loading import Loaded
from tests.alignment.training.tuned import (
    FAMILIES,
    LORA,
    QUICK,
    loaded,
    pairs_of,
    prompt_of,
    saved,
    settings,
    slow_log_probability,
)

BETA = 0.5
# All pairs are one step, so that the order of pairs decides nothing.
WHOLE = replace(QUICK, batch=4, max_steps=2)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(request.param, tmp_path_factory.mktemp("saved"))


@pytest.fixture(scope="module")
def supervised(family: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    folder = tmp_path_factory.mktemp("supervised")
    return train_sft(
        settings(family), pairs_of(folder), folder=folder / "out", lora=LORA, training=WHOLE
    )


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("llava", tmp_path_factory.mktemp("saved"))


def side(model: Loaded, pair: PreferencePair, text: str) -> float:
    row = encoded_row(model, pair.prompt, text)
    return slow_log_probability(model, pair.prompt, row.reading.ids[-row.n_answer :].tolist())


def two_steps(
    base: Path, pairs: list[PreferencePair], folder: Path, preference: PreferenceSettings
) -> tuple[TrainingResult, Path]:
    """Train two steps, and keep the adapter that the first leaves: the second's loss is of it."""
    kept = folder / "kept"

    def say(told: str) -> None:
        if told.startswith("step 2 "):
            shutil.copytree(folder / "out" / "checkpoints" / "checkpoint-1", kept)

    result = train_preferences(
        settings(base),
        pairs,
        folder=folder / "out",
        preference=preference,
        lora=LORA,
        training=replace(WHOLE, save_every=1),
        say=say,
    )
    return result, kept


def test_losses_are_those_of_plain_passes(family: Path, tmp_path: Path) -> None:
    # mean over 4 pairs of weight x log(1 + exp(-beta (chosen ratio - rejected ratio))), which is
    # log 2 at first, when policy and reference are the same: (1.3 + 0.7 + 1 + 0.4) / 4 log 2
    pairs, preference = pairs_of(tmp_path), PreferenceSettings(beta=BETA)
    result, adapter = two_steps(family, pairs, tmp_path, preference)
    before, after = loaded(family), loaded(family, adapter)
    terms = []
    for pair in pairs:
        chosen, rejected = (
            side(after, pair, text) - side(before, pair, text)
            for text in (pair.chosen, pair.rejected)
        )
        assert chosen != rejected
        terms.append(pair.weight * log1p(exp(-BETA * (chosen - rejected))))
    assert [loss for _, loss in result.losses] == pytest.approx(
        [0.85 * log(2), sum(terms) / 4], abs=1e-4
    )


def test_all_terms_together_are_those_of_plain_passes(llava: Path, tmp_path: Path) -> None:
    # weight x (conditional x hinge + 0.3 x anchor + 0.2 x mean negative log-probability); the
    # first pair is conditional: its answers are equal, and its pictures are not.
    first, second, *others = pairs_of(tmp_path)
    first = replace(first, rejected=first.chosen, rejected_prompt=second.prompt)
    pairs = [first, second, *others]
    preference = PreferenceSettings(
        loss="hinge", beta=BETA, sft_weight=0.2, anchor_weight=0.3, conditional_weight=2.0
    )
    result, adapter = two_steps(llava, pairs, tmp_path, preference)
    before, after = loaded(llava), loaded(llava, adapter)
    terms = []
    for pair in pairs:
        other = replace(pair, prompt=pair.rejected_prompt or pair.prompt)
        chosen = side(after, pair, pair.chosen) - side(before, pair, pair.chosen)
        rejected = side(after, other, pair.rejected) - side(before, other, pair.rejected)
        hinge = max(0.0, 1 - BETA * (chosen - rejected)) * (2 if pair is first else 1)
        anchor = log1p(exp(-BETA * chosen))
        n = encoded_row(after, pair.prompt, pair.chosen).n_answer
        likely = -side(after, pair, pair.chosen) / n
        terms.append(pair.weight * (hinge + 0.3 * anchor + 0.2 * likely))
    assert result.losses[1][1] == pytest.approx(sum(terms) / 4, abs=1e-4)


def test_the_first_supervised_loss_is_that_of_plain_passes(
    family: Path, supervised: TrainingResult, tmp_path: Path
) -> None:
    # mean over pairs of -log p(chosen) / tokens, whatever the pairs weigh
    pairs, model = pairs_of(tmp_path), loaded(family)
    slow = [
        -side(model, pair, pair.chosen) / encoded_row(model, pair.prompt, pair.chosen).n_answer
        for pair in pairs
    ]
    assert supervised.losses[0][1] == pytest.approx(np.mean(slow), abs=1e-4)


def test_equal_answers_are_told_apart_by_their_pictures(llava: Path, tmp_path: Path) -> None:
    noise = Noise("replace_gaussian", seed=1)
    pairs = [
        replace(pair, rejected=pair.chosen, noise=noise, weight=1.0)
        for pair in pairs_of(tmp_path, 2)
    ]
    result = train_preferences(
        settings(llava), pairs, folder=tmp_path / "out", lora=LORA, training=WHOLE
    )
    assert result.losses[0][1] == pytest.approx(log(2), abs=1e-6)
    assert result.losses[1][1] < log(2) - 1e-3


def test_a_generator_says_what_it_was_tuned_to_say(llava: Path, tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, 3)
    training = replace(QUICK, learning_rate=3e-2, max_steps=60, batch=3, log_every=60)
    result = train_sft(
        settings(llava), pairs, folder=tmp_path / "out", lora=LORA, training=training
    )
    tuned = LocalGenerator(
        model=str(llava),
        adapter=str(result.folder),
        device="cpu",
        dtype="float32",
        max_tokens=30,
    )
    said = [each.text for each in tuned.generate([prompt_of(pair.prompt) for pair in pairs])]
    assert said == [pair.chosen for pair in pairs]


def test_all_weights_but_those_that_see_are_tuned_without_an_adapter(
    llava: Path, tmp_path: Path
) -> None:
    result = train_preferences(
        settings(llava), pairs_of(tmp_path), folder=tmp_path / "out", lora=None, training=WHOLE
    )
    before = dict(loaded(llava).model.named_parameters())
    after = dict(loaded(result.folder).model.named_parameters())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any("vision_tower" in name for name in moved)
    assert {"model.multi_modal_projector.linear_1.weight", "lm_head.weight"} <= moved


def test_an_adapter_leaves_towers_and_projector_alone(
    family: Path, supervised: TrainingResult
) -> None:
    assert all("language_model" in name for name in _moved(family, supervised))


def test_a_projector_is_tuned_with_a_learning_rate_of_its_own(family: Path, tmp_path: Path) -> None:
    lora = replace(LORA, projector=True)
    one = replace(WHOLE, max_steps=1, projector_learning_rate=1e-3)
    result = train_sft(
        settings(family), pairs_of(tmp_path), folder=tmp_path / "out", lora=lora, training=one
    )
    moved = {
        name: by for name, by in _moved(family, result).items() if "language_model" not in name
    }
    assert moved
    # The first step of Adam is the learning rate, whatever the gradient.
    assert max(moved.values()) == pytest.approx(1e-3, rel=1e-2)


def test_a_reference_computed_before_gives_the_same_losses(llava: Path, tmp_path: Path) -> None:
    pairs, training = pairs_of(tmp_path), replace(QUICK, max_steps=6)
    curves = [
        train_preferences(
            settings(llava),
            pairs,
            folder=tmp_path / str(precompute),
            preference=PreferenceSettings(precompute=precompute),
            lora=replace(LORA, dropout=0.1),
            training=training,
        ).losses
        for precompute in (False, True)
    ]
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-5)


def test_an_adapter_is_gone_on_from_and_is_the_reference(llava: Path, tmp_path: Path) -> None:
    pairs = [replace(pair, weight=1.0) for pair in pairs_of(tmp_path)]
    first = train_sft(settings(llava), pairs, folder=tmp_path / "sft", lora=LORA, training=WHOLE)
    model = replace(settings(llava), adapter=str(first.folder))
    second = train_preferences(model, pairs, folder=tmp_path / "dpo", lora=LORA, training=WHOLE)
    assert second.losses[0][1] == pytest.approx(log(2), abs=1e-6)
    pair = pairs[0]
    started, ended = (loaded(llava, each.folder) for each in (first, second))
    assert side(ended, pair, pair.chosen) - side(ended, pair, pair.rejected) > (
        side(started, pair, pair.chosen) - side(started, pair, pair.rejected)
    )


def test_eight_passes_of_one_pair_are_one_pass_of_eight(llava: Path, tmp_path: Path) -> None:
    # Answers of unequal length, and 9 pairs in all, so that the second step is of one pair.
    pairs = pairs_of(tmp_path, 9)
    for kind in (train_sft, train_preferences):
        curves = [
            kind(
                settings(llava),
                pairs,
                folder=tmp_path / f"{kind.__name__}-{batch}",
                lora=LORA,
                training=replace(
                    QUICK, max_steps=None, epochs=2, batch=batch, accumulation=8 // batch
                ),
            ).losses
            for batch in (1, 8)
        ]
        assert len(curves[0]) == 4
        np.testing.assert_allclose(curves[0], curves[1], atol=1e-5)


def test_a_pair_of_weight_0_is_as_if_it_were_not_there(llava: Path, tmp_path: Path) -> None:
    # The mean counts it, so the others weigh as if they were 3 of 4.
    *kept, last = [replace(pair, weight=1.0) for pair in pairs_of(tmp_path)]
    four, three = (
        train_preferences(
            settings(llava), pairs, folder=tmp_path / str(len(pairs)), lora=LORA, training=WHOLE
        )
        for pairs in ([*kept, replace(last, weight=0.0)], kept)
    )
    # Adam does not mind a factor of its gradients.
    assert four.losses[1][1] == pytest.approx(0.75 * three.losses[1][1], abs=1e-5)


def test_shuffled_weights_are_the_same_weights_in_another_order(tmp_path: Path) -> None:
    pairs = [replace(pair, weight=place / 10) for place, pair in enumerate(pairs_of(tmp_path, 12))]
    own, none, shuffled, again, other = (
        row_weights(pairs, PreferenceSettings(weights=weights), seed).tolist()
        for weights, seed in (
            ("pairs", 0), ("none", 0), ("shuffled", 0), ("shuffled", 0), ("shuffled", 1),
        )
    )  # fmt: skip
    assert own == pytest.approx([pair.weight for pair in pairs])
    assert none == [1] * 12
    assert shuffled != own
    assert sorted(shuffled) == sorted(own)
    assert shuffled == again != other


def test_gradient_checkpointing_changes_no_loss(llava: Path, tmp_path: Path) -> None:
    curves = [
        train_preferences(
            settings(llava),
            pairs_of(tmp_path),
            folder=tmp_path / str(checkpointing),
            lora=LORA,
            training=replace(WHOLE, gradient_checkpointing=checkpointing),
        ).losses
        for checkpointing in (False, True)
    ]
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-6)


@pytest.mark.parametrize("lora", [LORA, None], ids=["adapter", "all"])
def test_bfloat16_is_computed_in_and_float32_is_tuned(
    lora: LoraSettings | None, llava: Path, tmp_path: Path
) -> None:
    model = replace(settings(llava), dtype="bfloat16")
    pairs = [replace(pair, weight=1.0) for pair in pairs_of(tmp_path)]
    result = train_preferences(
        model, pairs, folder=tmp_path / "out", lora=lora, training=replace(WHOLE, max_steps=4)
    )
    assert result.losses[0][1] == pytest.approx(log(2), abs=1e-3)
    assert result.losses[-1][1] < log(2)
    [weights] = result.folder.glob("*.safetensors")
    assert {each.dtype for each in load_file(weights).values()} == {torch.float32}


def test_the_record_says_what_decided_the_training(llava: Path, tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path)
    result = train_preferences(
        settings(llava), pairs, folder=tmp_path / "out", lora=LORA, training=WHOLE
    )
    told = json.loads((result.folder / "training.json").read_text())
    assert told["kind"] == "preferences"
    assert (told["n_pairs"], told["n_steps"], told["seed"]) == (4, 2, 0)
    assert told["preference"]["beta"] == 0.1
    assert told["lora"]["r"] == 4
    assert told["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert len(told["pairs_sha256"]) == 64
    assert [tuple(each) for each in told["losses"]] == list(result.losses)
    assert not (result.folder / "checkpoints").exists()


def test_the_same_seed_gives_the_same_weights_and_leaves_generators_alone(
    llava: Path, tmp_path: Path
) -> None:
    before = torch.get_rng_state()
    one, two = (
        train_sft(
            settings(llava),
            pairs_of(tmp_path),
            folder=tmp_path / str(place),
            lora=replace(LORA, dropout=0.2),
            training=QUICK,
        )
        for place in range(2)
    )
    assert one.losses == two.losses
    files = [each.folder / "adapter_model.safetensors" for each in (one, two)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert torch.equal(torch.get_rng_state(), before)


def test_losses_are_told(llava: Path, tmp_path: Path) -> None:
    told: list[str] = []
    train_preferences(
        settings(llava),
        pairs_of(tmp_path),
        folder=tmp_path / "out",
        lora=LORA,
        training=WHOLE,
        say=told.append,
    )
    assert told[-1].startswith("step 2 of 2: loss 0.")
    assert "margin" in told[-1]


def _moved(base: Path, result: TrainingResult) -> dict[str, float]:
    """Give by how much at most the weights moved that an adapter moves."""
    before = dict(loaded(base).model.named_parameters())
    after = dict(loaded(base, result.folder).model.named_parameters())
    assert before.keys() == after.keys()
    by = {name: float((before[name] - after[name]).detach().abs().max()) for name in before}
    return {name: each for name, each in by.items() if each > 0}
