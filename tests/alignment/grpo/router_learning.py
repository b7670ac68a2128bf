"""A tiny router, taught by whole replies and then by the reward of its decisions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medrag.alignment.grpo import GrpoSettings, train_grpo
from medrag.alignment.grpo.router import router_examples, router_pairs
from medrag.alignment.rewards import RouterReward, WeightedRewards
from medrag.alignment.rewards.protocol import Floats
from medrag.alignment.training import ModelSettings, TrainingSettings, train_sft
from medrag.evaluation.statistics import PairedDifference, mean_of, paired
from medrag.generation.local import LocalGenerator
from tests.alignment.grpo.tiny_router import PARTITIONS, Split, save_router, split

REWARD = RouterReward(partitions=PARTITIONS)
SPLIT = {"n_start": 40, "n_rewarded": 56, "n_test": 80}


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a router was worth on the questions of the test, before and after the rewards.

    Attributes:
        start, end: by part of the reward, (n_questions,); replies are the likeliest ones.
        gain: of the reward, paired by question.
        seconds: of both stages of training.
    """

    start: Mapping[str, Floats]
    end: Mapping[str, Floats]
    gain: PairedDifference
    n_weights: int
    seconds: tuple[float, float]


def learnt(folder: Path, *, seed: int, n_steps: int) -> Learnt:
    """Train a router: supervised on questions of half of the signs, then by rewards on others."""
    rows = split(seed=seed, **SPLIT)
    n_weights = save_router(folder / "base", seed=seed)
    supervised = train_sft(
        _model(folder / "base"), router_pairs(rows.start, partitions=PARTITIONS),
        folder=folder / "sft",
        training=TrainingSettings(learning_rate=3e-3, epochs=20, batch=8, schedule="linear",
                                  save_every=None, seed=seed),
    )  # fmt: skip
    begun = time.monotonic()
    train_grpo(
        _model(folder / "sft"), router_examples(rows.rewarded, partitions=PARTITIONS),
        folder=folder / "grpo", rewards=WeightedRewards(rewards=[(REWARD, 1.0)]),
        grpo=GrpoSettings(replies=8, max_tokens=20, beta=0.04),
        training=TrainingSettings(learning_rate=1e-3, batch=96, max_steps=n_steps,
                                  schedule="linear", warmup=0.05, save_every=None, seed=seed),
    )  # fmt: skip
    seconds = supervised.seconds, time.monotonic() - begun
    start, end = _scored(folder / "sft", rows), _scored(folder / "grpo", rows)
    alone = [None] * len(rows.test)
    gain = paired(mean_of(start["router"]), mean_of(end["router"]), alone, seed=seed)
    return Learnt(start, end, gain, n_weights, seconds)


def _model(folder: Path) -> ModelSettings:
    return ModelSettings(str(folder), device="cpu", dtype="float32")


def _scored(folder: Path, rows: Split) -> Mapping[str, Floats]:
    examples = router_examples(rows.test, partitions=PARTITIONS)
    router = LocalGenerator(model=str(folder), device="cpu", dtype="float32", max_tokens=20)
    replies = [each.text for each in router.generate([each.prompt for each in examples])]
    return REWARD.parts(replies, examples)
