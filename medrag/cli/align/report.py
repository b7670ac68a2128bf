"""`medrag align report`: whether training helped, beside its controls."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.ask import need_folder, write_page
from medrag.cli.evaluate.options import (
    AsJson,
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    ProtocolName,
    Seed,
    group_columns,
    judge_of,
    protocol_of,
)
from medrag.cli.output import message, p_value, show, show_json, table
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.alignment.comparing import AlignmentComparison, Beside, VariantScores
    from medrag.evaluation.runs import Run

_SHOWN = ("accuracy (context)", "accuracy (no_context)", "interference", "over_reliance")


def report(
    run: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=RUN",
            help="A run of a variant: base, sft, dpo, dpo-shuffled, text-only, or another name. "
            "May repeat; several of one name are its seeds.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write tables here, for a paper.")] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="A column of the items to group by; may repeat. Those of the benchmark, if left "
            "out.",
        ),
    ] = None,
    note: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="What the reader must know first; may repeat."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The alignment recipe, whose note goes first, too.")
    ] = None,
    protocol: ProtocolName = None,
    faithful: Faithful = False,
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    key_variable: KeyVariable = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare trained models on the same items, and tell what may be claimed.

    Each run should have the arms context, no_context, blank_image and noise_image. A gain is
    claimed only against the SFT control: without a run named sft, none is.
    """
    from medrag.alignment.comparing import compare_alignment, variants_of
    from medrag.cli.align.shapes import comparison_json
    from medrag.evaluation.runs import open_run
    from medrag.reporting.alignment import alignment_page, alignment_tables

    for path in (out, markdown):
        need_folder(path)
    named = [(name, open_run(folder)) for name, folder in map(_named, run)]
    for path in (out, markdown):
        _check_out(path, [opened for _, opened in named])
    first = named[0][1]
    judge = judge_of(first, judge_url, judge_model, key_variable)
    try:
        variants = variants_of(named)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--run") from error
    with Bars() as bars:
        found = compare_alignment(
            variants,
            protocol_of(first, protocol, faithful=faithful, judge=judge),
            group_by=group or group_columns(first),
            notes=[*_notes(recipe), *(note or ())],
            seed=seed,
            progress=bars,
        )
    if out is not None:
        write_page(out, alignment_page(found))
        message(f"wrote {out}")
    if markdown is not None:
        write_page(markdown, alignment_tables(found))
        message(f"wrote {markdown}")
    if as_json:
        show_json(comparison_json(found))
    else:
        _show(found)


def _named(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name.strip() and equals and folder):
        raise typer.BadParameter(
            f"expected NAME=RUN, such as sft=runs/sft, got {text!r}", param_hint="--run"
        )
    _check_variant(name.strip())
    return name.strip(), Path(folder)


def _check_variant(name: str) -> None:
    """Refuse "SFT": a control is known by its name alone, and would be taken for a method."""
    from medrag.alignment.comparing import BASE, SFT

    wanted = name.lower()
    if name != wanted and wanted in (BASE, SFT, "text-only"):
        raise typer.BadParameter(
            f"unknown control {name!r}; did you mean {wanted}?", param_hint="--run"
        )


def _check_out(out: Path | None, runs: "list[Run]") -> None:
    if out is not None and out.absolute().parent in {run.folder.absolute() for run in runs}:
        raise typer.BadParameter(f"{out} lies in a run; give another folder", param_hint="--out")


def _notes(recipe: str | None) -> list[str]:
    from medrag.config.alignment import load_alignment

    told = None if recipe is None else load_alignment(recipe).note
    return [] if told is None else [told]


def _show(found: "AlignmentComparison") -> None:
    for note in found.notes:
        show(note)
    names = [name for name in found.variants[0].measures if name.startswith(_SHOWN)]
    head = ["variant", "seeds", *names]
    show(table([head, *(_row(each, names) for each in found.variants)]))
    for beside in found.comparisons:
        _show_beside(beside)
    show()
    show(found.claims_note)
    for claim in found.claims:
        show(f"gain of {claim.variant}: {claim.measure}")
        for caveat in claim.caveats:
            show(f"  but {caveat}")
    for claim in found.losses:
        show(f"loss of {claim.variant}: {claim.measure}")
    for problem in found.problems:
        message(problem)


def _row(variant: "VariantScores", names: list[str]) -> list[str]:
    cells = [variant.name, str(variant.n_seeds)]
    for name in names:
        one = variant.measures.get(name)
        cells.append("" if one is None else f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]")
    return cells


def _show_beside(beside: "Beside") -> None:
    rows = [[f"{beside.b} beside {beside.a}", beside.a, beside.b, "difference", "p (Holm)"]]
    for name, one in beside.differences.items():
        ends = f"[{one.value.low:+.3f}, {one.value.high:+.3f}]"
        p = p_value(one.adjusted_p) if one.adjusted_p == one.adjusted_p else ""
        rows.append([name, f"{one.a:.3f}", f"{one.b:.3f}", f"{one.value.value:+.3f} {ends}", p])
    show()
    show(table(rows))
    show(f"{beside.n_fixed:.1f} items fixed, {beside.n_broken:.1f} broken, with context")
