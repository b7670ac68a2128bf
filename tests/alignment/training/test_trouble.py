"""What goes wrong, and what is left of it: a whole checkpoint, and training that goes on."""

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medrag.alignment.noise import Noise
from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.training import (
    LoraSettings,
    ModelSettings,
    PreferenceSettings,
    TrainingResult,
    TrainingSettings,
    train_preferences,
    train_sft,
)
from medrag.alignment.training.batches import Batch
from medrag.alignment.training.checkpoints import last_whole
from medrag.alignment.training.objectives import Terms, check_switched_off
from medrag.alignment.training.plan import Plan
from medrag.alignment.training.rows import Examples
from medrag.alignment.training.settings import check_lora, check_preference, check_training
from medrag.alignment.training.trainer import make_trainer
from medrag.alignment.training.tuning import load_to_tune
from medrag.errors import InputFileError, MedragError, RecipeError
from tests.alignment.training.tuned import LORA, QUICK, loaded, pairs_of, saved, settings
from tests.generation.tiny_vlms import save_text_model

SHUFFLED = PreferenceSettings(weights="shuffled", beta=0.5)
DROPPING = replace(LORA, dropout=0.1)
SAVING = replace(QUICK, max_steps=8, save_every=3)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("llava", tmp_path_factory.mktemp("saved"))


@pytest.fixture(scope="module")
def whole(llava: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """What `train` gives, which no picture's place changes."""
    folder = tmp_path_factory.mktemp("whole")
    return train_preferences(
        settings(llava),
        pairs_of(folder),
        folder=folder / "out",
        preference=SHUFFLED,
        lora=DROPPING,
        training=SAVING,
    )


@pytest.fixture
def train(llava: Path, tmp_path: Path) -> Callable[..., TrainingResult]:
    """Train into a folder of the test's; pairs, settings and the rest can be said otherwise."""

    def begin(
        name: str = "out", *, n: int = 4, training: TrainingSettings = SAVING, **other: object
    ) -> TrainingResult:
        given = {
            "folder": tmp_path / name, "preference": SHUFFLED, "lora": DROPPING,
            "training": training, **other,
        }  # fmt: skip
        pairs = given.pop("pairs", None) or pairs_of(tmp_path, n)
        return train_preferences(settings(llava), pairs, **given)  # type: ignore[arg-type]

    return begin


def stopping(step: int) -> Callable[[str], None]:
    def say(told: str) -> None:
        if told.startswith(f"step {step} "):
            raise KeyboardInterrupt

    return say


@contextmanager
def filling(step: int) -> Iterator[Callable[[str], None]]:
    """Let no file grow beyond a few kilobytes once a step is told, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def say(told: str) -> None:
        if told.startswith(f"step {step} "):
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

    try:
        yield say
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("n", "stop", "last", "lora"),
    [
        (7, 3, 6, replace(DROPPING, projector=True)),
        (7, 4, 6, None),
        pytest.param(11, 20, 30, DROPPING, marks=pytest.mark.slow),
    ],
)
def test_going_on_from_a_checkpoint_is_not_stopping(
    n: int, stop: int, last: int, lora: LoraSettings | None, train: Callable[..., TrainingResult]
) -> None:
    # 4 or 6 steps are an epoch: training stops within one, or in its end. Dropout and order are
    # drawn, and the weights of pairs are shuffled.
    training = replace(QUICK, max_steps=last, save_every=stop)
    whole = train("whole", n=n, training=training, lora=lora)
    with pytest.raises(KeyboardInterrupt):
        train("parts", n=n, training=training, lora=lora, say=stopping(stop + 1))
    told: list[str] = []
    parts = train("parts", n=n, training=training, lora=lora, resume=True, say=told.append)
    assert told[0].startswith(f"step {stop + 1} ")
    assert parts.losses == whole.losses
    assert _weights(parts) == _weights(whole)


def test_what_came_to_no_checkpoint_is_in_nobodys_way(
    train: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(say=stopping(2))
    assert (tmp_path / "out" / "checkpoints" / "training.json").is_file()
    assert train(training=QUICK).n_steps == 4


def test_files_of_something_else_are_not_trained_among(
    train: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(RecipeError, match="is not empty"):
        train()
    with pytest.raises(RecipeError, match="holds no training to resume"):
        train(resume=True)


def test_a_finished_training_is_not_done_again(train: Callable[..., TrainingResult]) -> None:
    # Going on where nothing was begun begins.
    told: list[str] = []
    first = train(training=QUICK, resume=True, say=told.append)
    assert told[0] == "no checkpoint yet: starting at step 1"
    second = train(training=QUICK, resume=True)
    assert second.losses == first.losses
    assert (second.n_steps, second.n_pairs) == (4, 4)
    with pytest.raises(RecipeError, match="is not empty; resume the training"):
        train(training=QUICK)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"training": replace(SAVING, learning_rate=1e-3)}, "training.learning_rate is 0.01"),
        ({"preference": PreferenceSettings()}, "preference.beta is 0.5"),
        ({"n": 3}, "pairs_sha256"),
    ],
)
def test_training_does_not_go_on_by_other_settings(
    changed: dict[str, object], named: str, train: Callable[..., TrainingResult]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(say=stopping(4))
    with pytest.raises(RecipeError, match=named):
        train(resume=True, **changed)


def test_training_goes_on_with_smaller_passes_where_memory_was_short(
    train: Callable[..., TrainingResult],
) -> None:
    # 7 pairs in steps of 4: the third step is the first of the second epoch.
    large, small = (
        replace(QUICK, batch=batch, accumulation=4 // batch, max_steps=4, save_every=2)
        for batch in (4, 2)
    )
    whole = train("whole", n=7, training=large, lora=LORA)
    with pytest.raises(KeyboardInterrupt):
        train("parts", n=7, training=large, lora=LORA, say=stopping(4))
    parts = train("parts", n=7, training=small, lora=LORA, resume=True)
    assert [step for step, _ in parts.losses] == [1, 2, 3, 4]
    for one, other in zip(parts.losses, whole.losses, strict=True):
        assert one[1] == pytest.approx(other[1], abs=1e-5)


def test_a_checkpoint_cut_short_is_passed_over(
    train: Callable[..., TrainingResult], whole: TrainingResult, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("parts", say=stopping(4))
    kept = tmp_path / "parts" / "checkpoints"
    cut = Path(shutil.copytree(kept / "checkpoint-3", kept / "checkpoint-6"))
    (cut / "optimizer.pt").write_bytes(b"")
    assert last_whole(kept) == kept / "checkpoint-3"
    assert train("parts", resume=True).losses == whole.losses


def test_a_full_disk_leaves_the_last_whole_checkpoint(
    train: Callable[..., TrainingResult], whole: TrainingResult, tmp_path: Path
) -> None:
    told = r"step 6 cannot be written .*checkpoint-3 is whole"
    with filling(5) as say, pytest.raises(MedragError, match=told):
        train("parts", say=say)
    kept = tmp_path / "parts" / "checkpoints"
    assert [each.name for each in kept.glob("checkpoint-*")] == ["checkpoint-3"]
    parts = train("parts", resume=True)
    assert parts.losses == whole.losses
    assert _weights(parts) == _weights(whole)


def test_a_full_disk_in_the_end_leaves_nothing_that_looks_finished(
    train: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    with filling(4) as say, pytest.raises(MedragError, match="cannot be saved to"):
        train("out", training=QUICK, say=say)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["checkpoints"]
    assert train("out", training=QUICK, resume=True).n_steps == 4


def test_a_training_that_was_not_saved_in_the_end_is_saved_when_gone_on(
    train: Callable[..., TrainingResult], whole: TrainingResult, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "out" / "adapter_config.json"

    def say(told: str) -> None:
        if told.startswith("step 8 "):
            (in_the_way / "full").mkdir(parents=True)

    with pytest.raises(MedragError, match="cannot be saved to"):
        train("out", say=say)
    shutil.rmtree(in_the_way)
    again = train("out", resume=True)
    assert (again.n_steps, again.losses) == (8, whole.losses)
    assert _weights(again) == _weights(whole)


def test_a_loss_that_is_no_number_names_step_and_pairs(
    train: Callable[..., TrainingResult],
) -> None:
    endless = replace(QUICK, learning_rate=1e30, batch=1)
    with pytest.raises(MedragError, match=r"loss of step 2 is no number, for pairs pair-\d;"):
        train(training=endless)


def test_weights_that_are_no_numbers_are_not_saved(
    train: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    # The warm-up begins with a learning rate of 0: only the second step spoils the weights.
    spoiling = replace(QUICK, learning_rate=1e30, weight_decay=1e30, warmup=0.5, save_every=1)
    with pytest.raises(MedragError, match=r"after step 2 .*lora_\S+ holds what is no number"):
        train(training=spoiling)
    kept = tmp_path / "out" / "checkpoints"
    assert last_whole(kept) == kept / "checkpoint-1"


def test_memory_that_runs_out_names_the_batch_and_the_way_out(llava: Path, tmp_path: Path) -> None:
    def hungry(model: object, batch: Batch) -> Terms:
        return Terms(torch.empty(1 << 60), {})

    pairs = pairs_of(tmp_path)
    model = loaded(llava)
    trainer = make_trainer(
        model=model.model,
        examples=Examples(model, pairs, both=True),
        objective=hungry,
        plan=Plan(settings(llava), None, None, replace(QUICK, batch=4), pairs),
        folder=tmp_path / "out",
        say=None,
    )
    with pytest.raises(MedragError, match=r"step 1 with 8 rows of \d+ tokens.*halve batch"):
        trainer.train()


def test_missing_pictures_are_named_before_a_model_is_read(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path)
    for name in ("1.png", "2.png"):
        (tmp_path / name).unlink()
    with pytest.raises(InputFileError, match=r"1\.png: .*2 of the pairs' pictures.*2\.png"):
        train_sft(ModelSettings("no/model"), pairs, folder=tmp_path / "out", lora=None)
    assert not (tmp_path / "out").exists()


def test_the_file_that_noise_puts_in_a_pictures_place_must_be_there(tmp_path: Path) -> None:
    [pair] = pairs_of(tmp_path, 1)
    noised = replace(pair, noise=Noise("swap_unrelated", other=str(tmp_path / "none.png")))
    with pytest.raises(InputFileError, match=r"none\.png"):
        train_preferences(ModelSettings("no/model"), [noised], folder=tmp_path / "out", lora=None)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"rejected": "left", "chosen": "left"}, "two equal answers"),
        ({"chosen": "  "}, "empty answer"),
        ({"rejected": ""}, "empty answer"),
        ({"weight": -1.0}, "weight -1"),
        ({"weight": float("nan")}, "weight nan"),
        ({"noise": Noise("blank")}, "noise for the pictures .* shows 0"),
    ],
)
def test_a_pair_that_says_nothing_is_refused(
    changed: dict[str, str | float | Noise], named: str, tmp_path: Path
) -> None:
    pair = replace(PreferencePair("p", ("q",), "a", "b", "written"), **changed)
    with pytest.raises(ValueError, match=f"pair p has .*{named}"):
        train_preferences(ModelSettings("no/model"), [pair], folder=tmp_path / "out", lora=None)


def test_no_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        train_sft(ModelSettings("no/model"), [], folder=tmp_path / "out", lora=None)


def test_a_model_without_an_adapter_cannot_be_its_own_reference() -> None:
    with pytest.raises(RecipeError, match=r"Linear has no adapter .*precompute: true"):
        check_switched_off(torch.nn.Linear(2, 2))


def test_weights_beside_the_adapter_cannot_be_switched_off(llava: Path) -> None:
    model = load_to_tune(settings(llava), LORA).model
    check_switched_off(model)
    model.get_input_embeddings().weight.requires_grad_(True)
    with pytest.raises(RecipeError, match=r"cannot be switched off .*embed_tokens"):
        check_switched_off(model)


def test_an_adapter_of_another_rank_is_not_gone_on_from(llava: Path, whole: TrainingResult) -> None:
    model = replace(settings(llava), adapter=str(whole.folder))
    with pytest.raises(RecipeError, match="is LORA with r 4 and alpha 8, expected LORA with r 2"):
        load_to_tune(model, LoraSettings(r=2))


def test_an_adapter_of_another_model_is_not_gone_on_from(
    whole: TrainingResult, tmp_path: Path
) -> None:
    other = saved("idefics3", tmp_path)
    model = replace(settings(other), adapter=str(whole.folder))
    with pytest.raises(RecipeError, match="is of another model"):
        load_to_tune(model, LORA)


def test_a_preset_that_is_an_adapter_gets_no_second_one() -> None:
    with pytest.raises(RecipeError, match=r"model: Qwen/Qwen2\.5-VL-7B-Instruct, adapter: \S+LoRA"):
        load_to_tune(ModelSettings("pointdetectcount"), LORA)


def test_a_model_of_texts_has_no_projector(tmp_path: Path) -> None:
    save_text_model(tmp_path / "text")
    with pytest.raises(RecipeError, match=r"no projector .*projector: false"):
        load_to_tune(settings(tmp_path / "text"), replace(LORA, projector=True))


def test_a_model_is_not_spread_over_devices_before_a_trainer_takes_it(llava: Path) -> None:
    model = load_to_tune(settings(llava), LORA).model
    assert not hasattr(model.get_base_model(), "hf_device_map")


def test_layers_can_be_left_out_by_name(llava: Path) -> None:
    lora = replace(LORA, exclude=r".*(vision_tower|multi_modal_projector|mlp).*")
    model = load_to_tune(settings(llava), lora).model
    tuned = [name for name, weights in model.named_parameters() if weights.requires_grad]
    assert tuned
    assert all("self_attn" in name for name in tuned)


@pytest.mark.parametrize(
    ("training", "named"),
    [
        ({"batch": 0}, "batch"), ({"learning_rate": 0.0}, "learning_rate"),
        ({"warmup": 1.0}, "warmup"), ({"epochs": -1.0}, "epochs"), ({"schedule": "no"}, "schedule"),
        ({"max_steps": 0}, "max_steps"), ({"weight_decay": -1.0}, "weight_decay"),
    ],
)  # fmt: skip
def test_a_setting_that_is_none_is_named(training: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_training(replace(TrainingSettings(), **training))  # type: ignore[arg-type]


def test_settings_of_losses_and_adapters_are_checked() -> None:
    with pytest.raises(ValueError, match="beta must be above 0, got 0"):
        check_preference(PreferenceSettings(beta=0))
    with pytest.raises(ValueError, match="loss must be one of sigmoid, hinge, ipo"):
        check_preference(PreferenceSettings(loss="dpo"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), got 1"):
        check_lora(LoraSettings(dropout=1.0))


def _weights(result: TrainingResult) -> bytes:
    [weights] = result.folder.glob("*.safetensors")
    return weights.read_bytes()
