"""Training a policy of a few thousand weights by rewards."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.grpo import (
    GrpoSettings,
    clipped_loss,
    divergence,
    entropy_scales,
    group_advantages,
    train_grpo,
)
from medrag.alignment.grpo import trainer as module
from medrag.alignment.grpo.prompts import PolicyRows
from medrag.alignment.grpo.trainer import check_release, laid_out, make_policy_trainer
from medrag.alignment.rewards import AnswerReward, Example, WeightedRewards, examples_of
from medrag.alignment.rewards.protocol import Floats
from medrag.alignment.training import (
    LoraSettings,
    ModelSettings,
    TrainingResult,
    TrainingSettings,
)
from medrag.alignment.training.checkpoints import vouch
from medrag.alignment.training.tuning import load_to_tune
from medrag.errors import InputFileError, MedragError, RecipeError
from medrag.generation.local import LocalGenerator
from medrag.records import ImageRef, Item, Question

pytest.importorskip("trl")
pytestmark = pytest.mark.slow

LORA = LoraSettings(r=4, alpha=8, dropout=0.0)
GRPO = GrpoSettings(replies=4, max_tokens=6, beta=0.05)
TRAINING = TrainingSettings(
    learning_rate=5e-3, batch=4, accumulation=2, max_steps=4, save_every=2, schedule="constant"
)
Train = Callable[..., TrainingResult]


class _Vowels:
    """Rewards vowels, of which any model of any text writes some."""

    name = "vowels"

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        return np.array([sum(letter in "aeiou" for letter in reply) for reply in replies], float)

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        length = np.array([len(reply) for reply in replies], dtype=float)
        return {"vowels": self.reward(replies, examples), "length": length}


REWARDS = WeightedRewards(rewards=[(_Vowels(), 1.0), (AnswerReward(), 0.5)])


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> ImageRef:
    from PIL import Image

    path = tmp_path_factory.mktemp("picture") / "a.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return ImageRef(str(path))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> str:
    from tests.generation.tiny_vlms import save_text_model

    folder = tmp_path_factory.mktemp("texts")
    save_text_model(folder)
    return str(folder)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> str:
    from tests.generation.tiny_vlms import save_tiny

    folder = tmp_path_factory.mktemp("llava")
    save_tiny("llava", folder)
    return str(folder)


def _examples(*images: ImageRef) -> list[Example]:
    words = ("an effusion", "a fracture", "gas")
    return examples_of(
        [Item(w, Question(f"Is there {w}?", images), ("yes",), "yes_no", True) for w in words]
    )


def _train(model: str, folder: Path, examples: Sequence[Example], **changed: Any) -> TrainingResult:
    given: dict[str, Any] = {"rewards": REWARDS, "grpo": GRPO, "lora": LORA, "training": TRAINING}
    settings = ModelSettings(model, device="cpu", dtype="float32")
    return train_grpo(settings, examples, folder=folder, **(given | changed))


def _weights(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    name = "adapter_model.safetensors"
    return load_file(folder / (name if (folder / name).exists() else "model.safetensors"))


def _same(a: Path, b: Path) -> bool:
    one, other = _weights(a), _weights(b)
    return one.keys() == other.keys() and all((one[key] == other[key]).all() for key in one)


@pytest.fixture(scope="module")
def trained(
    texts: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingResult, list[str]]:
    told: list[str] = []
    folder = tmp_path_factory.mktemp("trained") / "adapter"
    return _train(texts, folder, _examples(), say=told.append), told


def test_what_is_left_is_an_adapter_that_a_generator_takes(
    texts: str, trained: tuple[TrainingResult, list[str]]
) -> None:
    result, _ = trained
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "training.json",
    ]  # fmt: skip
    tuned = LocalGenerator(
        model=texts, adapter=str(result.folder), device="cpu", dtype="float32", max_tokens=4
    )
    assert "lora-" in tuned.name
    assert tuned.generate([_examples()[0].prompt])[0].usage.completion_tokens


def test_loss_and_reward_are_told_and_written_down_with_their_parts(
    trained: tuple[TrainingResult, list[str]],
) -> None:
    result, told = trained
    assert [step for step, _ in result.losses] == [1, 2, 3, 4] == list(range(1, result.n_steps + 1))
    assert told[0].startswith("step 1 of 4: loss")
    record = json.loads((result.folder / "training.json").read_text(encoding="utf-8"))
    assert record["rewards"] == {"vowels": 1.0, "answer": 0.5}
    assert record["grpo"]["replies"] == 4
    first = record["history"][0]
    assert first["parts/vowels/length"] > 0
    total = first["rewards/vowels/mean"] + 0.5 * first["rewards/answer/mean"]
    assert first["reward"] == pytest.approx(total)


def test_the_same_seed_gives_the_same_weights_and_leaves_shared_generators_alone(
    texts: str, trained: tuple[TrainingResult, list[str]], tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(7)
    before = torch.get_rng_state()
    again = _train(texts, tmp_path / "again", _examples())
    assert torch.equal(before, torch.get_rng_state())
    assert _same(trained[0].folder, again.folder)
    one_step = replace(TRAINING, seed=1, max_steps=1)
    other = _train(texts, tmp_path / "other", _examples(), training=one_step)
    assert not _same(again.folder, other.folder)


def test_training_that_goes_on_ends_as_if_it_had_not_stopped(
    texts: str,
    trained: tuple[TrainingResult, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class _StoppedError(Exception):
        pass

    def stopping(folder: Path) -> None:
        vouch(folder)
        raise _StoppedError

    monkeypatch.setattr(module, "vouch", stopping)
    with pytest.raises(MedragError, match="checkpoint of step 2"):
        _train(texts, tmp_path / "a", _examples())
    monkeypatch.undo()
    assert [path.name for path in tmp_path.glob("a/checkpoints/checkpoint-*")] == ["checkpoint-2"]
    gone_on = _train(texts, tmp_path / "a", _examples(), resume=True)
    assert gone_on.losses == trained[0].losses
    assert _same(gone_on.folder, trained[0].folder)
    assert _train(texts, tmp_path / "a", _examples(), resume=True).losses == gone_on.losses


def test_training_goes_on_with_the_same_settings_and_examples_only(
    texts: str, trained: tuple[TrainingResult, list[str]]
) -> None:
    folder = trained[0].folder
    with pytest.raises(RecipeError, match="is not empty"):
        _train(texts, folder, _examples())
    with pytest.raises(RecipeError, match=r"grpo\.beta is 0\.05, and now it is 0\.1"):
        _train(texts, folder, _examples(), grpo=replace(GRPO, beta=0.1), resume=True)
    with pytest.raises(RecipeError, match="examples_sha256"):
        _train(texts, folder, _examples()[:2], resume=True)


def test_training_goes_on_with_smaller_passes_where_memory_was_short(
    texts: str, trained: tuple[TrainingResult, list[str]]
) -> None:
    # 2 x 4 replies are the 4 x 2 of before, and the training is finished.
    halved = replace(TRAINING, batch=2, accumulation=4)
    again = _train(texts, trained[0].folder, _examples(), training=halved, resume=True)
    assert again.losses == trained[0].losses
    doubled = replace(TRAINING, batch=8)
    with pytest.raises(RecipeError, match="batch x accumulation is 8, and now it is 16"):
        _train(texts, trained[0].folder, _examples(), training=doubled, resume=True)


def test_a_loss_that_is_no_number_ends_training_and_says_so(texts: str, tmp_path: Path) -> None:
    steep = replace(TRAINING, learning_rate=1e30, warmup=0.0, max_grad_norm=0.0, save_every=None)
    with pytest.raises(MedragError, match="is no number"):
        _train(texts, tmp_path / "a", _examples(), training=steep)
    assert not (tmp_path / "a" / "adapter_model.safetensors").exists()


def test_a_full_disk_leaves_the_last_whole_checkpoint(
    texts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        if folder.name == "checkpoint-4":
            raise OSError(28, "No space left on device")
        vouch(folder)

    monkeypatch.setattr(module, "vouch", full)
    with pytest.raises(MedragError, match=r"No space left.*checkpoint-2 is whole.*then resume"):
        _train(texts, tmp_path / "a", _examples())


def test_a_full_disk_in_the_end_keeps_the_last_whole_checkpoint(
    texts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class _SafetensorError(Exception):
        """As that library tells of a full disk: no OSError."""

    def full(folder: Path) -> None:
        raise _SafetensorError("No space left on device")

    monkeypatch.setattr("medrag.alignment.training.folders.sync_tree", full)
    with pytest.raises(MedragError, match=r"No space left.*then resume"):
        _train(texts, tmp_path / "a", _examples())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["checkpoints"]
    assert (tmp_path / "a" / "checkpoints" / "checkpoint-4").is_dir()


def test_what_came_to_no_checkpoint_is_in_nobodys_way(
    texts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "vouch", full)
    with pytest.raises(MedragError, match="there is none before it"):
        _train(texts, tmp_path / "a", _examples())
    monkeypatch.undo()
    other = replace(TRAINING, seed=1, max_steps=1, save_every=None)
    assert _train(texts, tmp_path / "a", _examples(), training=other).n_steps == 1


def test_a_model_of_pictures_is_tuned_with_prompts_with_and_without_pictures(
    llava: str, picture: ImageRef, tmp_path: Path
) -> None:
    both = [*_examples(picture), *(replace(each, id=f"{each.id} 2") for each in _examples())]
    result = _train(llava, tmp_path / "a", both, grpo=replace(GRPO, beta=0.0, entropy=1.0))
    tuned = LocalGenerator(
        model=llava, adapter=str(result.folder), device="cpu", dtype="float32", max_tokens=4
    )
    assert tuned.generate([both[0].prompt])[0].usage.completion_tokens
    assert not any("vision" in name for name in _weights(result.folder))


@pytest.mark.parametrize("family", ["qwen2_5_vl", "gemma3"])
def test_families_whose_pictures_lie_otherwise_are_tuned_too(
    family: str, picture: ImageRef, tmp_path: Path
) -> None:
    from tests.generation.tiny_vlms import save_tiny

    save_tiny(family, tmp_path / "model")
    result = _train(
        str(tmp_path / "model"), tmp_path / "a", _examples(picture, replace(picture, page=None)),
        training=replace(TRAINING, max_steps=1), grpo=replace(GRPO, entropy=1.0),
    )  # fmt: skip
    assert np.isfinite([loss for _, loss in result.losses]).all()


def test_all_weights_are_tuned_and_are_a_model_of_their_own(texts: str, tmp_path: Path) -> None:
    grpo = replace(GRPO, iterations=2)
    result = _train(texts, tmp_path / "a", _examples(), lora=None, grpo=grpo)
    assert result.n_steps == 4
    assert not _same(result.folder, Path(texts))
    model = LocalGenerator(model=str(result.folder), device="cpu", dtype="float32", max_tokens=4)
    assert model.generate([_examples()[0].prompt])[0].usage.completion_tokens


def test_an_adapter_is_gone_on_with_and_is_the_reference(
    texts: str, trained: tuple[TrainingResult, list[str]], tmp_path: Path
) -> None:
    start = ModelSettings(texts, adapter=str(trained[0].folder), device="cpu", dtype="float32")
    result = train_grpo(
        start, _examples(), folder=tmp_path / "a", rewards=REWARDS, grpo=GRPO, lora=LORA,
        training=replace(TRAINING, max_steps=2),
    )  # fmt: skip
    history = json.loads((result.folder / "training.json").read_text(encoding="utf-8"))["history"]
    # Before the first step policy and reference are one.
    assert history[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert not _same(result.folder, trained[0].folder)
    with pytest.raises(RecipeError, match="set beta: 0"):
        train_grpo(start, _examples(), folder=tmp_path / "b", rewards=REWARDS, grpo=GRPO, lora=None)


@pytest.fixture(scope="module")
def ready(llava: str, picture: ImageRef, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A trainer with replies that it has drawn, and what they were rewarded with."""
    loaded = load_to_tune(ModelSettings(llava, device="cpu", dtype="float32"), LORA)
    trainer = make_policy_trainer(
        rows=PolicyRows(loaded=loaded, examples=_examples(picture)), rewards=REWARDS,
        grpo=replace(GRPO, entropy=1.0), training=TRAINING, bf16=False, cpu=True, say=None,
        folder=tmp_path_factory.mktemp("ready"),
    )  # fmt: skip
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    rows = [trainer.train_dataset[n // 4] for n in range(8)]
    drawn = trainer._generate_and_score_completions(rows)
    return trainer, drawn


def _log_probabilities(trainer: Any, drawn: Mapping[str, Any]) -> tuple[Any, Any]:
    import torch

    ids = torch.cat([drawn["prompt_ids"], drawn["completion_ids"]], dim=1)
    seen = torch.cat([drawn["prompt_mask"], drawn["completion_mask"]], dim=1)
    log_p, entropies, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model, ids, seen, drawn["completion_ids"].size(1), compute_entropy=True,
        pixel_values=drawn["pixel_values"], num_images=drawn["num_images"],
    )  # fmt: skip
    return log_p, entropies


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_advantages_are_those_of_the_formula_and_scaled_by_entropy(ready: Any) -> None:
    trainer, drawn = ready
    _, entropies = _log_probabilities(trainer, drawn)
    mask = drawn["completion_mask"]
    means = ((entropies * mask).sum(1) / mask.sum(1)).double().detach().numpy()
    rewards = np.array([list(trainer._logs["rewards"][name]) for name in ("vowels", "answer")])
    plain = group_advantages(rewards.T @ np.array([1.0, 0.5]), replies=4)
    scales = entropy_scales(means, replies=4, strength=1.0, limit=2.0)
    assert np.abs(plain).max() > 0.1
    # Means of float32 sums, of which the trainer computes some in other batches.
    np.testing.assert_allclose(drawn["advantages"].numpy(), plain * scales, atol=1e-4)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_loss_is_that_of_the_formula(ready: Any) -> None:
    import torch

    trainer, drawn = ready
    log_p = _log_probabilities(trainer, drawn)[0].detach()
    noise = torch.Generator().manual_seed(0)
    # Far enough from the policy for ratios to be clipped on both sides.
    old = log_p + 0.4 * torch.randn(log_p.shape, generator=noise)
    reference = log_p + 0.4 * torch.randn(log_p.shape, generator=noise)
    given = {**drawn, "old_per_token_logps": old, "ref_per_token_logps": reference}
    found = float(trainer._compute_loss(trainer.model, given).detach())
    p, q, r = (each.double().numpy() for each in (log_p, old, reference))
    advantages = drawn["advantages"].double().numpy()
    losses = clipped_loss(p, q, advantages, low=0.2, high=0.2) + 0.05 * divergence(p, r)
    mask = drawn["completion_mask"].numpy()
    wanted = ((losses * mask).sum(1) / mask.sum(1)).mean()
    ratios = np.exp(p - q)
    assert ((ratios < 0.8) & (mask > 0)).any()
    assert ((ratios > 1.2) & (mask > 0)).any()
    assert found == pytest.approx(wanted, abs=1e-5)


def test_every_example_is_seen_once_in_each_epoch_in_an_order_of_its_own() -> None:
    shows = [True] * 6
    order = laid_out(shows, 2, TrainingSettings(epochs=2), iterations=1)
    assert sorted(order[:6]) == sorted(order[6:]) == list(range(6))
    assert order == laid_out(shows, 2, TrainingSettings(epochs=2), iterations=1)
    assert order != laid_out(shows, 2, TrainingSettings(epochs=2, seed=1), iterations=1)
    # 5 steps that learn twice from the same replies need 3 draws of 2 prompts.
    assert len(laid_out(shows, 2, TrainingSettings(max_steps=5), iterations=2)) == 6


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 4), st.integers(1, 9))
def test_prompts_with_and_without_pictures_are_never_in_one_step(
    shows: list[bool], at_once: int, steps: int
) -> None:
    order = laid_out(shows, at_once, TrainingSettings(max_steps=steps), iterations=1)
    assert len(order) == steps * at_once
    for start in range(0, len(order), at_once):
        assert len({shows[place] for place in order[start : start + at_once]}) == 1


def test_a_release_of_trl_that_works_otherwise_is_refused() -> None:
    class Renamed:
        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any) -> None: ...

    class Changed(Renamed):
        def _generate_and_score_completions(self, batch: Any) -> None: ...

    with pytest.raises(RecipeError, match=r"trl 2\.0 .*_generate_and_score_completions is gone"):
        check_release(Renamed, "2.0")
    with pytest.raises(RecipeError, match="lacks inputs"):
        check_release(Changed, "2.0")


def test_what_cannot_be_trained_on_is_refused_before_a_folder_is_made(
    texts: str, llava: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no examples"):
        _train(texts, tmp_path / "a", [])
    with pytest.raises(InputFileError, match="does not exist"):
        _train(llava, tmp_path / "a", _examples(ImageRef(str(tmp_path / "gone.png"))))
    with pytest.raises(ValueError, match="replies must be at least 2"):
        _train(texts, tmp_path / "a", _examples(), grpo=replace(GRPO, replies=1))
    with pytest.raises(ValueError, match="groups of 3 do not fill"):
        _train(texts, tmp_path / "a", _examples(), grpo=replace(GRPO, replies=3))
    with pytest.raises(RecipeError, match="more than 20 tokens with a reply of 6"):
        _train(texts, tmp_path / "a", _examples(), training=replace(TRAINING, max_length=20))
    assert not (tmp_path / "a").exists()
