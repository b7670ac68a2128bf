"""Where the pairs of `medrag align pairs` come from, and what is left of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medrag.cli.align.options import needed, refusing, router_limits
from medrag.cli.output import message, number

if TYPE_CHECKING:
    from medrag.alignment.noise import Noise
    from medrag.alignment.pairs import PreferencePair
    from medrag.alignment.sampling import Made
    from medrag.config import Index
    from medrag.config.alignment import AlignmentRecipe
    from medrag.config.sampling import NoisedSettings, SamplingSettings, WeightSettings
    from medrag.evaluation.benchmarks import Benchmark
    from medrag.evaluation.runs import Run
    from medrag.evaluation.scorers import ScoringProtocol
    from medrag.records import Item

# By the sides of an outcome, as `medrag.alignment.pairs` names them.
_SIDES = {
    "clean_context": "with context",
    "clean_plain": "without",
    "noised_context": "with context and a noise picture",
    "noised_plain": "without context, with a noise picture",
}
_UNKNOWN = "unknown"


def mined(
    recipe: "AlignmentRecipe",
    folders: Sequence[Path],
    protocol: "ScoringProtocol",
    index: str | None,
    left_out: Counter[str],
) -> "list[PreferencePair]":
    """Mine runs by the section "pairs"; what is left out is counted in `left_out`."""
    from medrag.alignment.pairs import four_runs, mine_pairs
    from medrag.evaluation.runs import open_run

    runs = [open_run(folder) for folder in folders]
    with refusing(recipe, "pairs"), _opened(runs[0], index) as opened:
        found = mine_pairs(
            four_runs(runs),
            protocol=protocol,
            resolve=None if opened is None else opened.resolve,
            **recipe.pairs,
        )
    left_out.update(found.left_out)
    for told in _outcomes(found.outcomes):
        message(told)
    return list(found.pairs)


def released(
    kind: str, file: Path, images: Path, weights: "WeightSettings | None", *, leave_out: bool
) -> "list[PreferencePair]":
    """Read a published file: "mmed-rag", "rule" or "mmedpo".

    Args:
        weights: bring the weights of the file, which are scores, to mean 1.
    """
    from medrag.alignment.pairs import read_mmed_rag, read_mmedpo, read_rule
    from medrag.alignment.weighing import normalised_pairs

    if kind == "mmed-rag":
        return read_mmed_rag(file, images=images, leave_out=leave_out)
    if kind == "rule":
        return read_rule(file, images=images, leave_out=leave_out)
    found = read_mmedpo(file, images=images, leave_out=leave_out)
    return found if weights is None else normalised_pairs(found, exact_mean=weights.exact_mean)


def loaded(name: str, data: Path, split: str, *, subset: bool, pictures: Path) -> "Benchmark":
    """Load a benchmark, and tell what is wrong with it."""
    from medrag.evaluation.benchmarks import load_benchmark

    asked = load_benchmark(name, data, split=split, subset=subset, extracted=pictures)
    for problem in asked.problems:
        message(f"{asked.name}: {problem}")
    return asked


def of_items(
    recipe: "AlignmentRecipe", asked: "Benchmark", pictures: Path, left_out: Counter[str]
) -> "list[PreferencePair]":
    """Make pairs of items in every way that the section "sampling" takes."""
    how = needed(recipe.sampling, "sampling", "{written: {seed: 0}}", recipe)
    found: list[PreferencePair] = []
    with refusing(recipe, "sampling"):
        for made in _ways(how, asked, pictures, left_out):
            found += made.pairs
            left_out.update(made.left_out)
    return found


def of_router(recipe: "AlignmentRecipe", path: Path) -> "list[PreferencePair]":
    """Make the pairs of a router's start of a file of its questions."""
    from medrag.alignment.grpo.router import read_router_rows, router_pairs
    from medrag.errors import InputFileError

    try:
        return router_pairs(read_router_rows(path), **router_limits(recipe))
    except ValueError as error:
        raise InputFileError(path, str(error)) from error


def weighed(
    given: "list[PreferencePair]", weights: "WeightSettings", kept: Path
) -> "list[PreferencePair]":
    """Weigh the pairs of two answers by a panel; those of two pictures keep their weights.

    Args:
        kept: the file of the judges' replies, so that a panel that was stopped goes on.
    """
    from medrag.alignment.weighing import weigh_pairs
    from medrag.config.sampling import built_panel

    told = [pair for pair in given if pair.chosen != pair.rejected]
    if not weights.judges or not told:
        return given
    found = weigh_pairs(told, built_panel(weights, kept=kept), exact_mean=weights.exact_mean)
    report = found.report
    message(
        f"the panel agreed on {report.n_agreed} of {report.n_judged} pairs; weights: mean "
        f"{report.mean:.3f}, variance {report.variance:.3f}, {report.n_clipped} cut, "
        f"{report.n_unscored} without a score"
    )
    own = {pair.id: pair for pair in found.pairs}
    return [own.get(pair.id, pair) for pair in given]


def apart(
    given: "list[PreferencePair]",
    tested: "Benchmark",
    left_out: Counter[str],
    *,
    leave_out: bool,
) -> "list[PreferencePair]":
    """Refuse pairs that share something with what is tested on, or leave them out."""
    from medrag.alignment.pairs import check_leakage, separated

    if not leave_out:
        check_leakage(given, tested.items)
        return given
    parted = separated(given, tested.items)
    left_out.update(f"has the {leak.by} of an item that is tested" for leak in parted.leaks)
    return list(parted.pairs)


def _outcomes(found: Mapping[str, int]) -> "Iterator[str]":
    """Say how many items were answered how: "39 items right with context, wrong without".

    A side that is known of no item was not run, and is left out.
    """
    told = [
        (n, dict(part.rsplit(" ", 1) for part in name.split(", "))) for name, n in found.items()
    ]
    run = [side for side in _SIDES if any(each.get(side, _UNKNOWN) != _UNKNOWN for _, each in told)]
    for n, verdicts in told:
        shown = [
            f"{verdict if verdict != _UNKNOWN else 'not known'} {_SIDES[side]}"
            for side in run
            for verdict in [verdicts.get(side, _UNKNOWN)]
        ]
        yield f"{number(n, 'item')} {', '.join(shown) or 'not known'}"


@contextmanager
def _opened(run: "Run", index: str | None) -> "Iterator[Index | None]":
    """Open the index that a run asked: the one named, or the run's own if it is still there."""
    from medrag.config import open_index
    from medrag.errors import MedragError

    name = index or (run.manifest.get("index") or {}).get("name")
    opened = None
    if name is not None:
        try:
            opened = open_index(name)
        except MedragError as error:
            if index is not None:
                raise
            message(f"pairs with pictures in their evidence are left out: {error}")
    try:
        yield opened
    finally:
        if opened is not None:
            opened.close()


def _ways(
    how: "SamplingSettings", asked: "Benchmark", pictures: Path, left_out: Counter[str]
) -> "Iterator[Made]":
    from medrag.alignment.sampling import noised_pairs, sampled_pairs, written_pairs

    name = f"{asked.name}/{asked.split}"
    if (drawn := how.sampled) is not None:
        yield sampled_pairs(
            asked.items, sampler=drawn.sampler(), judge=drawn.judge(), benchmark=name, n=drawn.n,
            with_pictures=drawn.with_pictures, template=drawn.template,
        )  # fmt: skip
    if (wrong := how.written) is not None:
        yield written_pairs(
            asked.items, writer=wrong.writer() if wrong.writer else None, benchmark=name,
            seed=wrong.seed, with_pictures=wrong.with_pictures, template=wrong.template,
        )  # fmt: skip
    for each in how.noised:
        noise, sure = _noise(each, asked.items, pictures, left_out)
        yield noised_pairs(
            asked.items, noise, family=each.family, benchmark=name, confidences=sure,
            exact_mean=each.exact_mean, template=each.template,
        )  # fmt: skip


def _noise(
    how: "NoisedSettings", items: "Sequence[Item]", pictures: Path, left_out: Counter[str]
) -> "tuple[Noise | Mapping[str, Noise], Mapping[str, float]]":
    """Give the noise of all items, or of each that of its own lesion, and how sure that is."""
    from medrag.alignment.sampling import grounded

    if how.family != "lesion":
        return how.noise, {}
    if how.tool is not None:
        found = grounded(
            items, tool=how.tool(), step=how.noise.step or 0, folder=pictures / "heat_maps",
            seed=how.noise.seed,
        )  # fmt: skip
        left_out.update(found.left_out)
        return found.noises, found.confidences
    boxes = {
        item.id: region.box
        for item in items
        for region in item.regions[:1]
        if region.box is not None
    }
    return {name: replace(how.noise, box=box) for name, box in boxes.items()}, {}
