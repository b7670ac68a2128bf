"""`medrag eval`: measures on judged questions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.ask import Channels, check_names
from medrag.cli.output import message, show, show_json, table
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.config import Index
    from medrag.evaluation.retrieval import RetrievalScores
    from medrag.protocols import Retriever

# Above this many passages the names of all documents are not gathered to look for missing ones.
_FEW = 200_000

Measures = Annotated[
    list[str] | None, typer.Option(metavar="<str>", help="Such as nDCG@10; may repeat.")
]

app = typer.Typer(help="Measure retrieval.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Measure retrieval."""


@app.command("retrieval")
def retrieval(
    name: Annotated[str, typer.Argument(help="An index: a name under ./indexes, or a folder.")],
    beir: Annotated[Path, typer.Option(help="A folder with queries.jsonl and qrels/.")],
    split: Annotated[
        str | None, typer.Option(help="A file of qrels/; test if there is one.")
    ] = None,
    channel: Channels = None,
    pipeline: Annotated[
        str | None, typer.Option(help="Retrieve as this pipeline does, instead of by channels.")
    ] = None,
    measure: Measures = None,
    same_id: Annotated[
        bool, typer.Option("--drop-same-id", help="Leave out the document with the query's id.")
    ] = False,
    k: Annotated[int | None, typer.Option(min=1, help="Measure at this depth only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare rankings with judgements, passages pooled to documents."""
    if channel and pipeline:
        raise typer.BadParameter("give --channel or --pipeline, not both")
    from medrag.config import open_index
    from medrag.evaluation.beir import load_beir
    from medrag.evaluation.retrieval import MEASURES, document_of, evaluate_retrieval

    task = load_beir(beir, split=split)
    depths = (f"nDCG@{k}", f"Recall@{k}", f"MRR@{k}", f"Hit@{k}") if k else MEASURES
    with open_index(name) as index, Bars() as bars:
        passages = index.passages
        scores = evaluate_retrieval(
            _retriever(index, channel, pipeline),
            task.questions,
            task.qrels,
            measures=tuple(measure or depths),
            documents={document_of(p) for p in passages} if len(passages) <= _FEW else None,
            drop_same_id=same_id,
            progress=bars,
        )
    if as_json:
        show_json(scores_json(scores))
    else:
        _show(scores, task.split)


def scores_json(scores: "RetrievalScores") -> dict[str, object]:
    """{"n_queries", "measures": {name: mean}, "intervals": {name: [low, high]}, "n_missing"}."""
    return {
        "n_queries": scores.n_queries,
        "measures": dict(scores.measures),
        "intervals": {name: list(each)[:2] for name, each in scores.intervals.items()},
        "n_missing": scores.n_missing,
    }


def _show(scores: "RetrievalScores", split: str) -> None:
    show(f"{scores.n_queries} queries of {split}; 95% intervals by bootstrap")
    rows = [
        (name, f"{mean:.4f}", "[{:.4f}, {:.4f}]".format(*list(scores.intervals[name])[:2]))
        for name, mean in scores.measures.items()
    ]
    show(table(rows))
    if scores.n_missing:
        message(f"{scores.n_missing} relevant documents are not in the index; they count as missed")


def _retriever(index: "Index", channels: list[str] | None, pipeline: str | None) -> "Retriever":
    if pipeline is not None:
        from medrag.config import load_pipeline

        return load_pipeline(pipeline, index=index).retriever
    from medrag.retrieval.channels import ChannelsRetriever

    check_names("channel", channels, index.channels)
    return ChannelsRetriever(rows=index.rows, channels=index.chosen(channels))
