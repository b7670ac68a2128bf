"""The steps of the phantoms' experiment: worlds, runs, the gate, pairs and training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from corpora.phantoms.making import words
from corpora.phantoms.making.files import write_world
from corpora.phantoms.making.worlds import make_world
from medrag.alignment.pairs import PreferencePair, four_runs, mine_pairs, shows_other_pictures
from medrag.alignment.training import (
    ModelSettings,
    PreferenceSettings,
    TrainingSettings,
    train_preferences,
    train_sft,
)
from medrag.alignment.weighing import normalised_weights, shuffled_pairs
from medrag.config import build_index, load_pipeline
from medrag.config.alignment import AlignmentRecipe
from medrag.evaluation.benchmarks import load_benchmark
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scoring import score_run

PHANTOMS = Path("corpora/phantoms")
PIPELINE, CARD = PHANTOMS / "pipeline.yaml", PHANTOMS / "benchmark.yaml"
PROTOCOL = scoring_protocol("exact", "corrected")
# Right in one of so many ways: what a guess among the diseases, or the remedies, gets.
CHANCE = 1 / len(words.DISEASES)
# What a mistake matters, in place of a panel: to take a sign or a disease for another one, and to
# count wrongly or to say yes for no.
_GRAVE, _SLIGHT = 1.0, 0.2
_OF_LIBRARY = ("library", "both")


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a reader may be compared at all.

    Attributes:
        oracle: share of the questions about the library, alone and with the picture, that it
            answers with the right page.
        bare: the same without context.
        misled: of the questions that it answers rightly without context, the share that it
            answers wrongly with it.
    """

    oracle: float
    bare: float
    misled: float


def passed(gate: Gate) -> bool:
    """Tell whether a reader may be compared."""
    return gate.oracle >= 0.9 and gate.bare <= 2 * CHANCE and gate.misled >= 0.15


def world(folder: Path, *, seed: int, split: str, patients: int, misleading: float) -> Path:
    """Write a world and build its index, unless it is there."""
    if not (folder / "index" / "manifest.json").exists():
        made = make_world(seed=seed, split=split, patients=patients, misleading=misleading)
        write_world(made, folder)
        build_index(folder / "index", sources=[folder / "card.yaml"])
    return folder


def answered(
    world: Path, out: Path, arms: Sequence[str], *, reader: Path, adapter: Path | None = None
) -> Run:
    """Answer the questions of a world with a reader; what was answered is not asked again."""
    generator = generator_of(reader, adapter)
    pipeline = load_pipeline(PIPELINE, index=world / "index", generator=generator)
    return run_benchmark(pipeline, load_benchmark(CARD, world), out, arms=arms, batch=128)


def generator_of(reader: Path, adapter: Path | None) -> dict[str, object]:
    """Write a reader, and what it was tuned by, as a recipe names a generator."""
    told: dict[str, object] = {
        "kind": "local", "model": str(reader), "dtype": "float32", "max_tokens": 4,
    }  # fmt: skip
    return told if adapter is None else {**told, "adapter": str(adapter)}


def gate(run: Run) -> Gate:
    """Measure a run with the arms context, no_context and oracle_context."""
    scores = score_run(run, PROTOCOL, n_resamples=1)
    needs = {name: item.fields["type"] for name, item in run.items.items()}
    right: dict[tuple[str, str], list[float]] = {}
    for row in scores.rows:
        right.setdefault((row.arm, str(needs[row.item])), []).append(row.right)
    oracle = [right["oracle_context", need] for need in _OF_LIBRARY]
    bare = [right["no_context", need] for need in _OF_LIBRARY]
    return Gate(
        float(np.mean(np.concatenate(oracle))),
        float(np.mean(np.concatenate(bare))),
        scores.diagnostics.shares["interference"].value,
    )


def mined(run: Run, recipe: AlignmentRecipe) -> list[PreferencePair]:
    """Mine RAG-PT's pairs from a run on a world that is trained on."""
    return list(mine_pairs(four_runs([run]), protocol=PROTOCOL, **recipe.pairs).pairs)


def references(run: Run) -> Iterator[PreferencePair]:
    """Give the right answer to each prompt of a run, for supervised training; none is rejected."""
    for each in run.answers(prompts=True):
        if each.arm == "context":
            right = run.items[each.item].references[0]
            yield PreferencePair(
                id=f"reference-{each.item}", prompt=each.answer.prompt, chosen=right,
                rejected=f"not {right}", family="written", source_ids=(each.item,),
            )  # fmt: skip


def weighed(pairs: Sequence[PreferencePair]) -> list[PreferencePair]:
    """Weigh pairs by how much their mistake matters, as MMedPO does, by a rule for a panel."""
    weights = normalised_weights([_relevance(pair) for pair in pairs], exact_mean=True)
    return [replace(pair, weight=w) for pair, w in zip(pairs, weights.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Trainer:
    """What all variants share: the reader, the recipe, the number of steps.

    Attributes:
        clean: references of a world whose reports contradict no picture.
        pairs: mined of a world whose reports do.
    """

    reader: Path
    recipe: AlignmentRecipe
    clean: Sequence[PreferencePair]
    pairs: Sequence[PreferencePair]
    steps: int | None = None

    def train(self, variant: str, folder: Path, *, seed: int) -> Path:
        """Train a variant of `VARIANTS` into a folder, unless it is there."""
        if (folder / "training.json").exists():
            return folder
        model = ModelSettings(model=str(self.reader), dtype="float32")
        lora = self.recipe.lora
        if variant in ("sft", "sft-clean"):
            given = self.clean if variant == "sft-clean" else self.pairs
            train_sft(model, given, folder=folder, lora=lora, training=self._sft(seed))
            return folder
        step = self.recipe.dpo
        assert step is not None
        given, preference = self._preferred(variant, step.preference, seed)
        training = self._timed(step.training, seed)
        train_preferences(
            model, given, folder=folder, preference=preference, lora=lora, training=training
        )
        return folder

    def _sft(self, seed: int) -> TrainingSettings:
        assert self.recipe.sft is not None
        return self._timed(self.recipe.sft, seed)

    def _timed(self, training: TrainingSettings, seed: int) -> TrainingSettings:
        steps = training.max_steps if self.steps is None else self.steps
        return replace(training, seed=seed, max_steps=steps, save_every=None, log_every=20)

    def _preferred(
        self, variant: str, preference: PreferenceSettings, seed: int
    ) -> tuple[list[PreferencePair], PreferenceSettings]:
        pairs = list(self.pairs)
        if variant == "text-only":
            pairs = [pair for pair in pairs if not shows_other_pictures(pair)]
        weigh = variant in ("mmedpo", "mmedpo-shuffled")
        if weigh:
            pairs = weighed(pairs)
        if variant == "mmedpo-shuffled":
            pairs = shuffled_pairs(pairs, seed=seed)
        return pairs, replace(preference, weights="pairs" if weigh else "none")


VARIANTS: Mapping[str, str] = {
    "sft-clean": "references of a world whose reports contradict no picture",
    "sft": "the chosen answers of the pairs",
    "dpo": "RAG-PT: all pairs, unweighted",
    "text-only": "RAG-PT without the pairs whose pictures differ",
    "mmedpo": "the same pairs, weighed by how much their mistake matters",
    "mmedpo-shuffled": "the same, the weights dealt out anew",
}


def _relevance(pair: PreferencePair) -> float:
    said = {*pair.chosen.split(), *pair.rejected.split()}
    return _GRAVE if said & {*words.SIGNS, *words.DISEASES, *words.REMEDIES} else _SLIGHT
