"""`medrag align retriever`: tune a retriever on pairs of what is asked and what is found."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.align.options import Out, Recipe, TrainingSeed, needed, refusing
from medrag.cli.evaluate.options import AsJson
from medrag.cli.evaluate.score import known
from medrag.cli.output import message, show, show_json, table

if TYPE_CHECKING:
    from medrag.alignment.retriever import Recall, RetrieverPair, TunedRetriever
    from medrag.codec import Json


def retriever(
    recipe: Recipe,
    out: Out,
    index: Annotated[
        str | None, typer.Option(help="Pair the pictures of this index with their texts.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A file of pairs instead: JSON lines, or a JSON list.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The folder of its pictures; its own, if left out.")
    ] = None,
    by_domain: Annotated[
        bool, typer.Option("--by-domain", help="Tune one for each domain of the pairs.")
    ] = False,
    seed: TrainingSeed = None,
    as_json: AsJson = False,
) -> None:
    """Tune a retriever on pairs, measure it on others, and write an encoder for `index build`.

    Pairs are split by patient, study, chapter and picture, never by row.
    """
    from medrag.alignment.retriever import tune_by_domain, tune_retriever
    from medrag.config.alignment import load_alignment

    if (index is None) == (data is None):
        raise typer.BadParameter("give either --index or --data")
    read = load_alignment(recipe)
    step = needed(read.retriever, "retriever", "{train: head}", read)
    settings = step.settings if seed is None else replace(step.settings, seed=seed)
    pairs = _of_file(data, images) if data is not None else _of_index(str(index))
    with refusing(read, "retriever"):
        if by_domain:
            tuned = tune_by_domain(
                pairs, folder=out, model=step.model, settings=settings, say=message
            )
        else:
            tuned = {
                "": tune_retriever(
                    pairs, folder=out, model=step.model, settings=settings, say=message
                )
            }
    if as_json:
        told = {name: _json(each) for name, each in tuned.items()}
        show_json(told if by_domain else told[""])
        return
    for each in tuned.values():
        _show(each)


def _of_file(path: Path, images: Path | None) -> "list[RetrieverPair]":
    from medrag.alignment.retriever import read_retriever_pairs
    from medrag.identity import load_key

    return read_retriever_pairs(path, images=images, key=load_key())


def _of_index(name: str) -> "list[RetrieverPair]":
    from medrag.alignment.retriever import pairs_of_passages
    from medrag.config import open_index
    from medrag.errors import MedragError

    with open_index(name) as opened:
        found = pairs_of_passages(opened.passages, rows=opened.store)
    if not found:
        raise MedragError(f"{name} holds no picture with a text of its own; give --data FILE")
    return found


def _show(tuned: "TunedRetriever") -> None:
    n = f"{tuned.n_training} pairs trained on, {tuned.n_stopping} to stop by"
    show(f"{tuned.folder}: {n}, {tuned.n_held_out} held out; epoch {tuned.best_epoch} is kept")
    if tuned.before is not None and tuned.after is not None and tuned.difference is not None:
        low, high = tuned.difference.interval
        rows = [("", "before", "after", "difference", "chance", "candidates")]
        rows.append((
            f"recall@{tuned.after.k}", f"{tuned.difference.a:.3f}", f"{tuned.difference.b:.3f}",
            f"{tuned.difference.difference:+.3f} [{low:+.3f}, {high:+.3f}]",
            f"{tuned.after.chance:.3f}", f"{tuned.after.n_candidates:,}",
        ))  # fmt: skip
        show(table(rows))
    message("in an index recipe: encoder: {" + ", ".join(
        f"{key}: {value}" for key, value in tuned.encoder.items()
    ) + "}")  # fmt: skip


def _json(tuned: "TunedRetriever") -> "Json":
    """{"folder", "encoder", "before", "after", "difference": {...}, "best_epoch", ...}."""
    difference = tuned.difference
    return {
        "folder": str(tuned.folder),
        "encoder": dict(tuned.encoder),
        "before": _recall(tuned.before),
        "after": _recall(tuned.after),
        "difference": None if difference is None else {
            "value": known(difference.difference),
            "low": known(difference.interval.low),
            "high": known(difference.interval.high),
            "p": known(difference.p),
            "n": difference.n,
        },
        "best_epoch": tuned.best_epoch,
        "n_training": tuned.n_training,
        "n_stopping": tuned.n_stopping,
        "n_held_out": tuned.n_held_out,
        "seconds": round(tuned.seconds, 3),
    }  # fmt: skip


def _recall(found: "Recall | None") -> "Json | None":
    if found is None:
        return None
    sides = {"forth": found.forth, "back": found.back}
    told = {
        name: {"value": known(each.value), "low": known(each.low), "high": known(each.high)}
        for name, each in sides.items()
    }
    return {"k": found.k, **told, "chance": known(found.chance), "candidates": found.n_candidates}
