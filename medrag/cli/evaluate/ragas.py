"""`medrag eval ragas`: the metrics of ragas on the answers of a run."""

from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.evaluate.options import AsJson, JudgeModel, JudgeUrl, KeyVariable, RunFolder
from medrag.cli.evaluate.score import known
from medrag.cli.output import message, number, show, show_json, table

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.integrations.ragas import RagasScores


def ragas(
    run: RunFolder,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="A metric, as ragas names it; may repeat. Those of words alone, if left out.",
        ),
    ] = None,
    arm: Annotated[str, typer.Option(help="The arm whose answers are scored.")] = "context",
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    embedding_model: Annotated[
        str | None,
        typer.Option(help="The server's model of embeddings, for metrics that need one."),
    ] = None,
    key_variable: KeyVariable = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 4,
    limit: Annotated[int | None, typer.Option(min=1, help="Answers at most.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a run with ragas; judged metrics ask an OpenAI-compatible server."""
    from medrag.evaluation.runs import open_run
    from medrag.integrations.ragas import WORDS, ragas_scores

    try:
        scores = ragas_scores(
            open_run(run),
            tuple(metric or WORDS),
            arm=arm,
            url=judge_url,
            model=judge_model,
            embedding_model=embedding_model,
            key_variable=key_variable,
            concurrency=concurrency,
            limit=limit,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--metric") from error
    value = ragas_json(scores)
    if as_json:
        show_json(value)
    else:
        _show(scores, value)


def ragas_json(scores: "RagasScores") -> "Json":
    """{"n", "metrics": {name: {"mean", "n_nan", "reasons"}}}; means are over what was scored."""
    return {
        "n": len(scores.items),
        "metrics": {
            name: {
                "mean": known(float(values[values == values].mean()))
                if scores.n_nan[name] < len(values)
                else None,
                "n_nan": scores.n_nan[name],
                "reasons": dict(scores.reasons[name]),
            }
            for name, values in scores.values.items()
        },
    }


def _show(scores: "RagasScores", value: "Json") -> None:
    show(number(len(scores.items), "answer"))
    rows = [["metric", "mean", "not scored"]]
    for name, each in value["metrics"].items():
        rows.append(
            [name, "-" if each["mean"] is None else f"{each['mean']:.4f}", str(each["n_nan"])]
        )
    show(table(rows))
    for name, each in value["metrics"].items():
        for reason, n in each["reasons"].items():
            message(f"{name}: {n} not scored: {reason}")
    if all(each["mean"] is None for each in value["metrics"].values()):
        raise typer.Exit(1)
