"""`medrag align pairs`: preference pairs from runs, benchmarks and published files."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.align.options import Recipe
from medrag.cli.ask import need_folder
from medrag.cli.evaluate.options import (
    AsJson,
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    ProtocolName,
    Subset,
    judge_of,
    protocol_of,
)
from medrag.cli.naming import check_names
from medrag.cli.output import message, number, show, show_json, table

if TYPE_CHECKING:
    from medrag.alignment.pairs import PreferencePair
    from medrag.evaluation.scorers import ScoringProtocol

_RELEASED = ("mmed-rag", "rule", "mmedpo")


def pairs(
    recipe: Recipe,
    out: Annotated[Path, typer.Option(help="Write the pairs here (JSON lines): a new file.")],
    run: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN", help="Mine this run, or several that hold the arms together; may repeat."
        ),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="Make pairs of the items of a benchmark, by the section 'sampling'."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder with its own files.")] = None,
    split: Annotated[str, typer.Option(help="The part of it to train on.")] = "train",
    router: Annotated[
        Path | None,
        typer.Option(help="Make the pairs of a router of its questions with the right decision."),
    ] = None,
    released: Annotated[
        str | None,
        typer.Option(metavar="mmed-rag|rule|mmedpo", help="Read a published file of this project."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--from", help="The published file.")] = None,
    images: Annotated[Path | None, typer.Option(help="The folder of its pictures.")] = None,
    against: Annotated[
        str | None,
        typer.Option(help="A benchmark to test on: no pair may share picture, study or patient."),
    ] = None,
    against_data: Annotated[
        Path | None, typer.Option(help="The folder with its files; that of --data, if left out.")
    ] = None,
    against_split: Annotated[str, typer.Option(help="The part that is tested on.")] = "test",
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave such pairs out, rather than refuse them all.")
    ] = False,
    index: Annotated[
        str | None,
        typer.Option(
            help="The index that the run asked, if not found by its name: pictures of the evidence "
            "are read there."
        ),
    ] = None,
    subset: Subset = False,
    protocol: ProtocolName = None,
    faithful: Faithful = False,
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    key_variable: KeyVariable = None,
    as_json: AsJson = False,
) -> None:
    """Make pairs of a better and a worse answer, and write them with what each was made of.

    Runs are mined by the section 'pairs' of the recipe: they need the arms context and no_context,
    and for pairs about pictures noise_image or noise_image_no_context. Pairs are weighed where the
    recipe has a section 'weights'.
    """
    from medrag.alignment.pairs import write_pairs
    from medrag.cli.align import making
    from medrag.config.alignment import load_alignment
    from medrag.errors import MedragError

    need_folder(out)
    if out.exists():
        raise MedragError(f"{out} exists already; name another file for --out, or remove it first")
    if not (run or benchmark or router or released):
        told = "give --run, --benchmark with --data, --router, or --released with --from"
        raise typer.BadParameter(told)
    _check(benchmark, data, released, file, images, against, against_data)
    read = load_alignment(recipe)
    made: list[PreferencePair] = []
    left_out: Counter[str] = Counter()
    pictures = out.absolute().parent / "extracted"
    if run:
        judging = (judge_url, judge_model, key_variable)
        scorer = _protocol(run[0], protocol, judging, faithful=faithful)
        made += making.mined(read, run, scorer, index, left_out)
    # A panel has scored the pairs of MMedPO already.
    scored: list[PreferencePair] = []
    if released and file and images:
        found = making.released(released, file, images, read.weights, leave_out=leave_out)
        (scored if released == "mmedpo" else made).extend(found)
    if benchmark and data:
        asked = making.loaded(benchmark, data, split, subset=subset, pictures=pictures)
        made += making.of_items(read, asked, pictures, left_out)
    if router:
        made += making.of_router(read, router)
    if against and (folder := against_data or data):
        tested = making.loaded(against, folder, against_split, subset=subset, pictures=pictures)
        made, scored = (
            making.apart(each, tested, left_out, leave_out=leave_out) for each in (made, scored)
        )
    if read.weights is not None:
        made = making.weighed(made, read.weights, out.with_suffix(".judges.sqlite"))
    made += scored
    if not made:
        listed = "; ".join(f"{why}: {n}" for why, n in left_out.most_common(5))
        raise MedragError(f"no pair came of it ({listed or 'no item fits the families'})")
    write_pairs(out, made)
    _show(out, made, left_out, as_json=as_json)


def _check(
    benchmark: str | None,
    data: Path | None,
    released: str | None,
    file: Path | None,
    images: Path | None,
    against: str | None,
    against_data: Path | None,
) -> None:
    """Refuse what does not go together, before anything is read."""
    check_names("released", [released] if released else None, _RELEASED)
    if bool(released) != bool(file) or bool(file) != bool(images):
        raise typer.BadParameter("--released, --from and --images go together")
    if benchmark and data is None:
        raise typer.BadParameter("name the folder with the benchmark's files", param_hint="--data")
    if against and data is None and against_data is None:
        hint = "--against-data"
        raise typer.BadParameter("name the folder with the files of --against", param_hint=hint)


def _protocol(
    run: Path,
    name: str | None,
    judging: tuple[str | None, str | None, str | None],
    *,
    faithful: bool,
) -> "ScoringProtocol":
    from medrag.evaluation.runs import open_run

    opened = open_run(run)
    return protocol_of(opened, name, faithful=faithful, judge=judge_of(opened, *judging))


def _show(
    out: Path, made: "Sequence[PreferencePair]", left_out: Counter[str], *, as_json: bool
) -> None:
    families = Counter(pair.family for pair in made)
    if as_json:
        show_json({
            "pairs": str(out),
            "n_pairs": len(made),
            "families": dict(families),
            "left_out": dict(left_out.most_common()),
        })  # fmt: skip
        return
    show(table([("family", "pairs"), *((name, str(n)) for name, n in families.most_common())]))
    show(f"{out}: {number(len(made), 'pair')}")
    for why, n in left_out.most_common():
        message(f"left out: {n} ({why})")
    message(f"next: medrag align sft RECIPE --pairs {out} --out DIR, and dpo on the same pairs")
