"""`medrag eval report`: a page to look at, and a table for a paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.ask import need_folder, write_page
from medrag.cli.evaluate.options import (
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    ProtocolName,
    Seed,
    judge_of,
    protocol_of,
)
from medrag.cli.evaluate.score import scored
from medrag.cli.output import message, show

if TYPE_CHECKING:
    from medrag.evaluation.runs import Run


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    html: Annotated[
        Path | None, typer.Option(help="Write the page of a run here (one run only).")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table here.")] = None,
    index: Annotated[
        str | None,
        typer.Option(help="The index that was asked, so that pages and pictures can be drawn."),
    ] = None,
    protocol: ProtocolName = None,
    faithful: Faithful = False,
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    key_variable: KeyVariable = None,
    seed: Seed = 0,
) -> None:
    """Write a run as a page, and one or more runs as a Markdown table (on stdout if no file)."""
    from medrag.evaluation.runs import open_run
    from medrag.reporting.evaluation import evaluation_page, markdown_table

    if html is not None and len(runs) > 1:
        raise typer.BadParameter("a page is of one run; give one", param_hint="--html")
    for path in (html, markdown):
        need_folder(path)
        if path is not None and path.absolute().parent in {run.absolute() for run in runs}:
            raise typer.BadParameter(f"{path} lies in a run; give another folder")
    opened = [open_run(folder) for folder in runs]
    judges = [judge_of(run, judge_url, judge_model, key_variable) for run in opened]
    chosen = [
        protocol_of(run, protocol, faithful=faithful, judge=judge)
        for run, judge in zip(opened, judges, strict=True)
    ]
    scores = [scored(run, each, seed=seed) for run, each in zip(opened, chosen, strict=True)]
    if html is not None:
        write_page(html, evaluation_page(opened[0], scores[0], roots=_roots(opened[0], index)))
        message(f"wrote {html}")
    written = markdown_table(scores)
    if markdown is not None:
        write_page(markdown, written)
        message(f"wrote {markdown}")
    elif html is None:
        show(written)


def _roots(run: "Run", index: str | None) -> dict[str, Path]:
    """Find where the originals of the evidence lie: in the index that was asked."""
    from medrag.config import open_index
    from medrag.errors import MedragError

    name = index or (run.manifest.get("index") or {}).get("name")
    if name is None:
        return {}
    try:
        with open_index(name) as opened:
            return opened.roots
    except MedragError as error:
        if index is not None:
            raise
        message(f"pages and pictures of the evidence are not drawn: {error}")
        return {}
