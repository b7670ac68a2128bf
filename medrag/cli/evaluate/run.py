"""`medrag eval run`: answer a benchmark onto disk."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medrag.cli.evaluate.options import (
    AsJson,
    BenchmarkName,
    Data,
    Limit,
    NoGuard,
    PipelineName,
    Seed,
    Split,
    Subset,
    check_out,
    tell_problems,
)
from medrag.cli.naming import GeneratorOption, Indexes, asked_indexes, check_names
from medrag.cli.output import message, number, show, show_json
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.evaluation.arms import Corruption
    from medrag.evaluation.benchmarks import Benchmark
    from medrag.pipeline import Pipeline
    from medrag.records import Item

_TRAINING = ("train", "training", "validate", "val", "dev")
# What a shell says of a program that was ended by a signal: 128 and its number.
_TERMINATED = 143

ArmNames = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<str>",
        help="An arm, or all that make sense here; may repeat. context, if left out.",
    ),
]
NoiseSpec = Annotated[
    str | None,
    typer.Option(
        metavar="<str>",
        help="Of the arms of noise, instead of noise alone: '{kind: diffusion, step: 500}'.",
    ),
]


class _TerminatedError(KeyboardInterrupt):
    """The system asked this program to end."""


def run(
    pipeline: PipelineName,
    benchmark: BenchmarkName,
    data: Data,
    out: Annotated[Path, typer.Option(help="The folder of the run; an unfinished one goes on.")],
    index: Indexes = None,
    generator: GeneratorOption = None,
    split: Split = "test",
    arm: ArmNames = None,
    floors: Annotated[bool, typer.Option(help="Answer without looking, too.")] = True,
    subset: Subset = False,
    limit: Limit = None,
    batch: Annotated[int, typer.Option(min=1, help="Items answered together.")] = 32,
    k: Annotated[int | None, typer.Option(min=1, help="Hits to retrieve.")] = None,
    no_guard: NoGuard = False,
    seed: Seed = 0,
    noise: NoiseSpec = None,
    as_json: AsJson = False,
) -> None:
    """Answer a benchmark, arm by arm; what was answered is never asked again.

    Ctrl-C, the end of a queue's time and a spent budget leave a run that the same command goes on
    with. After the first two the batch that was under way is asked once more.
    """
    from medrag.config import load_pipeline
    from medrag.evaluation.benchmarks import load_benchmark, read_card
    from medrag.evaluation.run import run_benchmark

    check_out(out, data)
    settings: dict[str, Any] = ({} if k is None else {"k": k}) | (
        {"guard": False} if no_guard else {}
    )
    pictures = out / "extracted"
    read_card(benchmark)
    built = load_pipeline(pipeline, **asked_indexes(index), generator=generator, **settings)
    asked = load_benchmark(
        benchmark, data, split=split, subset=subset, limit=limit, extracted=pictures
    )
    names = _arms(arm, built, asked.items)
    tell_problems(asked)
    with _ending_when_told(), Bars(lines=True) as bars:
        made = run_benchmark(
            built,
            asked,
            out,
            arms=names,
            floors=_floors(floors),
            training=_training(asked, benchmark, data, pictures) if floors else (),
            seed=seed,
            batch=batch,
            corruption=None if noise is None else _corruption(noise),
            progress=bars,
        )
    if as_json:
        show_json({"run": str(out), "n_items": len(made.items), "arms": list(made.arms)})
    else:
        show(f"{out}: {number(len(made.items), 'item')}, {', '.join(made.arms)}")
        message(f"next: medrag eval score {out}; medrag eval report {out} --html report.html")


def _corruption(noise: str) -> "Corruption":
    from medrag.alignment.corruption import as_corruption
    from medrag.config.place import Place
    from medrag.config.sampling import noise_of

    return as_corruption(noise_of(noise, Place("--noise")))


@contextmanager
def _ending_when_told() -> Iterator[None]:
    """Take the signal by which systems end programs (a queue's limit, `kill`) for a Ctrl-C."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _TerminatedError

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _TerminatedError:
        message("ended; what is written stays whole, and the same command goes on from there")
        raise typer.Exit(_TERMINATED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _arms(given: list[str] | None, pipeline: "Pipeline", items: "Sequence[Item]") -> Sequence[str]:
    from medrag.evaluation.arms import ARMS, sensible_arms
    from medrag.evaluation.scores import CONTEXT

    check_names("arm", given, [*ARMS, "all"])
    if given and "all" in given:
        return sensible_arms(pipeline, items)
    return list(dict.fromkeys(given or [CONTEXT]))


def _floors(wanted: bool) -> Sequence[str]:
    from medrag.evaluation.floors import FLOORS

    return FLOORS if wanted else ()


def _training(benchmark: "Benchmark", name: str, data: Path, pictures: Path) -> "Sequence[Item]":
    """Read the items that floors learn from, if the folder holds a split of them."""
    from medrag.errors import EvaluationError
    from medrag.evaluation.benchmarks import load_benchmark

    layouts = {layout.name: layout for layout in benchmark.card.layouts}
    for split in _TRAINING:
        if split == benchmark.split or split not in layouts[benchmark.layout].splits:
            continue
        try:
            found = load_benchmark(name, data, split=split, subset=True, extracted=pictures)
        except EvaluationError as error:
            message(f"floors learn nothing from {split}: {error}")
            continue
        for problem in found.problems:
            message(f"{found.name}, {split}, from which floors learn: {problem}")
        return found.items
    return ()
