"""`medrag eval`: answer benchmarks, score, compare and report; measure retrieval."""

import typer

from medrag.cli.evaluate import (
    benchmarks,
    calibrate,
    compare,
    contexts,
    ragas,
    report,
    retrieval,
    router,
    run,
    score,
    selection,
    split,
)

app = typer.Typer(
    help="Answer benchmarks, score, compare and report; measure retrieval.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("calibrate")(calibrate.calibrate)
app.command("retrieval")(retrieval.retrieval)
app.command("router")(router.router)
app.command("selection")(selection.selection)
app.command("contexts")(contexts.contexts)
app.command("ragas")(ragas.ragas)
app.command("split")(split.split)
app.command("benchmarks")(benchmarks.benchmarks)
app.command("fetch")(benchmarks.fetch)
