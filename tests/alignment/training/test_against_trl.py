"""Our trainer and TRL's, on what both can say: pairs of one picture, all of the same weight."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.training import (
    LoraSettings,
    PreferenceSettings,
    TrainingSettings,
    train_preferences,
)
from medrag.alignment.training.settings import PreferenceLoss
from medrag.alignment.training.surroundings import contained
from medrag.alignment.training.tuning import load_to_tune
from medrag.generation.local.inputs import encode
from medrag.records import ImageRef
from tests.alignment.training.tuned import prompt_of, saved, settings
from tests.generation.local.vivid import pictures

BETA = 0.1
N_STEPS = 50
SEED = 3
LORA = LoraSettings(r=4, alpha=8, dropout=0.0)
TRAINING = TrainingSettings(
    learning_rate=3e-4, max_steps=N_STEPS, batch=2, accumulation=2, warmup=0.1, schedule="cosine",
    save_every=None, seed=SEED,
)  # fmt: skip
_WORDS = ("heart", "lung", "effusion", "left", "image", "evidence", "question")


def pairs_of(folder: Path) -> list[PreferencePair]:
    """Make pairs whose answers are of unequal length, as many as fill their batches.

    In a batch that is not full TRL gives its pairs more weight than those of a full one.
    """
    shown = pictures(folder)
    return [
        PreferencePair(
            id=str(n),
            prompt=(shown[n % 3], f"what of the {_WORDS[n % 7]}? {'Answer ' * (n % 4)}"),
            chosen=f"The {_WORDS[(n + 2) % 7]} is enlarged." * (1 + n % 2),
            rejected=f"No {_WORDS[(n + 4) % 7]}.",
            family="sampled",
        )
        for n in range(12)
    ]


def losses_of_trl(
    base: Path, pairs: list[PreferencePair], folder: Path, loss: PreferenceLoss
) -> list[float]:
    import datasets
    import transformers
    import trl

    with contained(SEED):
        loaded = load_to_tune(settings(base), LORA)
        rows = []
        for pair in pairs:
            text, end = encode(loaded, prompt_of(pair.prompt)).text, loaded.tokenizer.eos_token
            [image] = [part for part in pair.prompt if isinstance(part, ImageRef)]
            rows.append(
                {
                    "images": [Image.open(image.path)],
                    "prompt": text,
                    "chosen": f" {pair.chosen}{end}",
                    "rejected": f" {pair.rejected}{end}",
                }
            )
        arguments = trl.DPOConfig(
            output_dir=str(folder), loss_type=[loss], beta=BETA, max_length=None, max_steps=N_STEPS,
            per_device_train_batch_size=2, gradient_accumulation_steps=2, learning_rate=3e-4,
            lr_scheduler_type="cosine", warmup_steps=5, seed=SEED, data_seed=SEED, bf16=False,
            use_cpu=True, logging_steps=1, save_strategy="no", report_to="none",
            activation_checkpointing=False, disable_tqdm=True, weight_decay=0.0,
            dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = trl.DPOTrainer(
            model=loaded.model,
            args=arguments,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=loaded.processor,
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return [each["loss"] for each in trainer.state.log_history if "loss" in each]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loss", ["sigmoid", "hinge"])
def test_our_losses_are_those_of_trl(loss: PreferenceLoss, tmp_path: Path) -> None:
    # TRL's IPO is of means over tokens, ours of sums as in the article: it is not compared.
    pytest.importorskip("trl")
    base = saved("llava", tmp_path)
    pairs = pairs_of(tmp_path)
    theirs = losses_of_trl(base, pairs, tmp_path / "trl", loss)
    ours = train_preferences(
        settings(base),
        pairs,
        folder=tmp_path / "ours",
        preference=PreferenceSettings(loss=loss, beta=BETA),
        lora=LORA,
        training=TRAINING,
    )
    assert len(ours.losses) == len(theirs) == N_STEPS
    found = [each for _, each in ours.losses]
    assert 0.1 * found[0] < found[-1] < 0.9 * found[0]
    np.testing.assert_allclose(found, theirs, atol=1e-4)
