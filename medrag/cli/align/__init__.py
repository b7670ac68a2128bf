"""`medrag align`: pairs of preferences, training, and whether it helped."""

import typer

from medrag.cli.align import dpo, grpo, pairs, report, retriever, sft

app = typer.Typer(
    help="Mine preference pairs, train on them, and compare what came of it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("pairs")(pairs.pairs)
app.command("sft")(sft.sft)
app.command("dpo")(dpo.dpo)
app.command("grpo")(grpo.grpo)
app.command("retriever")(retriever.retriever)
app.command("report")(report.report)
