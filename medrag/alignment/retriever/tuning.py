"""Tune a retriever on pairs, measure it on others, and write an encoder that an index takes."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from medrag.alignment.retriever.factual import factual_positives
from medrag.alignment.retriever.folders import check_free, new_folder, write_told
from medrag.alignment.retriever.heads import Say
from medrag.alignment.retriever.pair import RetrieverPair
from medrag.alignment.retriever.reader import ReaderSignal
from medrag.alignment.retriever.recall import (
    Recall,
    Scores,
    cluster_names,
    gain,
    ranks_of,
    recall,
)
from medrag.alignment.retriever.relations import Codes, Relations, part, relations
from medrag.alignment.retriever.settings import (
    RetrieverModel,
    RetrieverSettings,
    check_settings,
    learning_rate,
)
from medrag.alignment.retriever.splitting import split
from medrag.alignment.retriever.trainees import Trainee, oriented, trainee
from medrag.codec import to_json
from medrag.errors import MedragError
from medrag.evaluation.statistics import PairedDifference

_LIBRARIES = ("medrag", "torch", "open_clip_torch", "sentence-transformers", "transformers")


@dataclass(frozen=True, slots=True)
class TunedRetriever:
    """What was written, and what it gained.

    Attributes:
        encoder: for the recipe of an index, such as {"kind": "projected", "folder": "..."}.
        before, after: of held-out pairs; None where none are held out. Before is the start: random
            heads, or the model as it was given.
        difference: of `forth` of the two, with an interval over clusters; likewise None.
        losses: (step, mean loss of the epoch that ended there).
        recalls: of the stopping pairs before the first epoch and after each.
        best_epoch: whose weights were written; 0 for those of the start.
    """

    folder: Path
    encoder: Mapping[str, Any]
    before: Recall | None
    after: Recall | None
    difference: PairedDifference | None
    losses: tuple[tuple[int, float], ...]
    recalls: tuple[float, ...]
    best_epoch: int
    n_training: int
    n_stopping: int
    n_held_out: int
    seconds: float


def tune_retriever(
    pairs: Sequence[RetrieverPair],
    *,
    folder: Path,
    model: RetrieverModel | None = None,
    settings: RetrieverSettings | None = None,
    signal: ReaderSignal | None = None,
    say: Say | None = None,
) -> TunedRetriever:
    """Tune a retriever and write an encoder that `index build` takes.

    Pairs are split by subject, study, group and picture, never by row: some are trained on, some
    tell when to stop, and some, seen only at the end, tell what was gained.

    Args:
        folder: must not be there yet, or be empty; it is whole or absent.
        signal: what a reader said of passages, a row for each pair; for a head.
        say: told of each epoch.

    Raises:
        ValueError: if settings are out of range, or pairs are not of the sides that are trained.
        RecipeError: if the folder is taken, or a model cannot be loaded.
        InputFileError: if a picture cannot be read, or the disk refuses.
        MedragError: if there are too few pairs to split, the loss is no number, or memory runs out.
    """
    started, model = time.monotonic(), model or RetrieverModel()
    settings = settings or RetrieverSettings()
    check_settings(model, settings)
    check_free(folder)
    pairs = oriented(pairs, model.train)
    known = relations(pairs, facts=factual_positives(pairs) if settings.factual else None)
    parts = split(
        known.clusters,
        held_out=settings.held_out, stopping=settings.stopping, seed=settings.seed,
    )  # fmt: skip
    trained = trainee(pairs, known, model, settings, signal)
    before = _scores(trained, parts.held_out)
    result = trained.train(parts, learning_rate(model, settings), say)
    after = _scores(trained, parts.held_out)
    made = _measured(part(known, parts.held_out), before, after, settings)
    encoder = trained.encoder(folder.absolute())
    told = TunedRetriever(
        folder, encoder, *made, result.losses, result.recalls, result.best_epoch,
        len(parts.training), len(parts.stopping), len(parts.held_out),
        time.monotonic() - started,
    )  # fmt: skip
    with new_folder(folder) as place:
        trained.save(place)
        write_told(place, _told(told, pairs, model, settings))
    return told


def tune_by_domain(
    pairs: Sequence[RetrieverPair],
    *,
    folder: Path,
    model: RetrieverModel | None = None,
    settings: RetrieverSettings | None = None,
    say: Say | None = None,
) -> dict[str, TunedRetriever]:
    """Tune a retriever for each domain of the pairs, in a folder of its name; see `tune_retriever`.

    Raises:
        MedragError: if a pair says no domain, or one that names no folder.
    """
    domains = sorted({pair.domain or "" for pair in pairs})
    if strange := [name for name in domains if name in ("", "..") or Path(name).name != name]:
        raise MedragError(
            f"expected a domain for every pair, by which a folder can be named, got {strange[0]!r}"
        )
    tuned = {}
    for name in domains:
        own = [pair for pair in pairs if pair.domain == name]
        tuned[name] = tune_retriever(
            own, folder=folder / name, model=model, settings=settings, say=_under(name, say)
        )
    return tuned


def _under(name: str, say: Say | None) -> Say | None:
    return None if say is None else lambda text: say(f"{name}: {text}")


def _scores(trained: Trainee, rows: Codes) -> Scores | None:
    return trained.scores(rows) if len(rows) else None


def _measured(
    known: Relations, before: Scores | None, after: Scores | None, settings: RetrieverSettings
) -> tuple[Recall | None, Recall | None, PairedDifference | None]:
    if before is None or after is None:
        return None, None, None
    k, seed = settings.k, settings.seed
    found, then = (ranks_of(scores, known) <= k for scores in (before, after))
    first, second = (recall(scores, known, k=k, seed=seed) for scores in (before, after))
    return first, second, gain(found, then, cluster_names(known), seed=seed)


def _told(
    tuned: TunedRetriever,
    pairs: Sequence[RetrieverPair],
    model: RetrieverModel,
    settings: RetrieverSettings,
) -> dict[str, Any]:
    lines = "\n".join(json.dumps(to_json(pair), sort_keys=True) for pair in pairs)
    return {
        **{key: value for key, value in to_json(tuned).items() if key != "folder"},
        "model": {key: each for key, each in asdict(model).items() if each is not None},
        "settings": asdict(settings),
        "pairs_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "versions": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
