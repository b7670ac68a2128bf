"""`medrag eval contexts`: what a run found, in the formats of published systems."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from medrag.cli.ask import need_folder
from medrag.cli.evaluate.options import AsJson, RunFolder
from medrag.cli.output import message, number, show_json


def contexts(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[
        Literal["mmed_rag", "rule", "kg_llava"],
        typer.Option("--format", help="Whose readers shall read it."),
    ] = "mmed_rag",
    arm: Annotated[str, typer.Option(help="The arm whose contexts are written.")] = "context",
    as_json: AsJson = False,
) -> None:
    """Write the contexts of a run for the programs of MMed-RAG, RULE or KG-LLaVA."""
    from medrag.evaluation.exporting import export_contexts
    from medrag.evaluation.runs import open_run

    need_folder(out)
    read = open_run(run)
    n = export_contexts(read, out, form=form, arm=arm)
    if n < len(read.items):
        message(f"{number(len(read.items) - n, 'item')} of the run have no answer yet")
    if as_json:
        show_json({"file": str(out), "format": form, "n": n})
    else:
        message(f"wrote the contexts of {number(n, 'item')} to {out}")
