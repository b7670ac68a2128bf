"""`medrag eval retrieval`: measures of rankings on judged questions."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from medrag.cli.ask import Channels
from medrag.cli.evaluate.score import known
from medrag.cli.naming import check_names
from medrag.cli.output import message, show, show_json, table
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.config import Index
    from medrag.evaluation.beir import RetrievalTask
    from medrag.evaluation.rankings import RankingDifference
    from medrag.evaluation.retrieval import RetrievalScores
    from medrag.protocols import Retriever

# Above this many passages the names of all documents are not gathered to look for missing ones.
_FEW = 200_000

Pipelines = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RECIPE",
        help="Retrieve as this pipeline does; may repeat, and stand beside --system.",
    ),
]
Systems = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CHANNEL[,CHANNEL]",
        help="Channels to compare with those of another --system or --pipeline, pair by pair; "
        "may repeat.",
    ),
]
Fusion = Annotated[
    Literal["rrf", "weighted_sum"] | None,
    typer.Option(help="How --channel and --system fuse channels; weighted_sum if not given."),
]
Measures = Annotated[
    list[str] | None, typer.Option(metavar="<str>", help="Such as nDCG@10; may repeat.")
]


def retrieval(
    name: Annotated[str, typer.Argument(help="An index: a name under ./indexes, or a folder.")],
    beir: Annotated[
        Path | None, typer.Option(help="A folder with queries.jsonl and qrels/.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="In place of --beir: a benchmark that names gold passages.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of that benchmark.")] = None,
    split: Annotated[
        str | None, typer.Option(help="A file of qrels/, or a split; test if there is one.")
    ] = None,
    channel: Channels = None,
    pipeline: Pipelines = None,
    system: Systems = None,
    fusion: Fusion = None,
    measure: Measures = None,
    same_id: Annotated[
        bool, typer.Option("--drop-same-id", help="Leave out the document with the query's id.")
    ] = False,
    k: Annotated[int | None, typer.Option(min=1, help="Measure at this depth only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare rankings with judgements, passages pooled to documents."""
    _check_options(beir, benchmark, data)
    if channel and (pipeline or system):
        raise typer.BadParameter("give --channel, or --pipeline and --system, not both")
    if fusion and pipeline and not system:
        raise typer.BadParameter("--fusion is of --channel and --system; a pipeline has its own")
    from medrag.config import open_index
    from medrag.evaluation.retrieval import MEASURES, document_of, evaluate_retrieval

    _check_measures(measure)
    task = _task(beir, benchmark, data, split)
    depths = (f"nDCG@{k}", f"Recall@{k}", f"MRR@{k}", f"Hit@{k}") if k else MEASURES
    with open_index(name) as index, Bars() as bars:
        passages = index.passages
        documents = {document_of(p) for p in passages} if len(passages) <= _FEW else None
        scores = {
            called: evaluate_retrieval(
                retriever,
                task.questions,
                task.qrels,
                measures=tuple(measure or depths),
                documents=documents,
                drop_same_id=same_id,
                progress=bars,
            )
            for called, retriever in _retrievers(index, channel, pipeline, system, fusion).items()
        }
    if len(scores) > 1:
        _tell_systems(scores, task.split, as_json=as_json)
    elif as_json:
        show_json(scores_json(next(iter(scores.values()))))
    else:
        _show(next(iter(scores.values())), task.split)


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


def _tell_systems(scores: "Mapping[str, RetrievalScores]", split: str, *, as_json: bool) -> None:
    """Print the systems, and what differs between each two."""
    from medrag.evaluation.rankings import compare_rankings

    differences = compare_rankings(scores, measures=list(next(iter(scores.values())).measures))
    changed = [_changed(scores, each) for each in differences]
    if as_json:
        show_json(
            {
                "systems": {called: scores_json(each) for called, each in scores.items()},
                "differences": [
                    difference_json(each) | {"n_better": better, "n_worse": worse}
                    for each, (better, worse) in zip(differences, changed, strict=True)
                ],
            }
        )
        return
    for called, each in scores.items():
        show(called)
        _show(each, split)
    rows = [["measure", "from", "to", "difference", "better", "worse", "p", "p (Holm)"]]
    for change, (better, worse) in zip(differences, changed, strict=True):
        low, high = change.difference.interval
        told = f"{change.difference.difference:+.4f} [{low:+.4f}, {high:+.4f}]"
        p, adjusted = f"{change.difference.p:.4f}", f"{change.adjusted_p:.4f}"
        counts = (str(better), str(worse))
        rows.append([change.measure, change.a, change.b, told, *counts, p, adjusted])
    show("paired permutation tests over the same queries; Holm's correction over all rows")
    show(table(rows))


def _changed(scores: "Mapping[str, RetrievalScores]", each: "RankingDifference") -> tuple[int, int]:
    """Count the queries that b does better by a measure, and those that it does worse."""
    a, b = scores[each.a].per_query, scores[each.b].per_query
    changes = [b[query][each.measure] - row[each.measure] for query, row in a.items()]
    return sum(change > 0 for change in changes), sum(change < 0 for change in changes)


def difference_json(each: "RankingDifference") -> dict[str, object]:
    """{"a", "b", "measure", "difference", "low", "high", "p", "adjusted_p", "n"}."""
    low, high = each.difference.interval
    return {
        "a": each.a,
        "b": each.b,
        "measure": each.measure,
        "difference": known(each.difference.difference),
        "low": known(low),
        "high": known(high),
        "p": known(each.difference.p),
        "adjusted_p": known(each.adjusted_p),
        "n": each.difference.n,
    }


def _check_options(beir: Path | None, benchmark: str | None, data: Path | None) -> None:
    if (beir is None) == (benchmark is None):
        raise typer.BadParameter("give --beir DIR, or --benchmark NAME with --data DIR")
    if benchmark is not None and data is None:
        raise typer.BadParameter("--benchmark needs --data, the folder of its files")


def _check_measures(names: list[str] | None) -> None:
    from medrag.evaluation.measures import parse_measure

    for name in names or ():
        try:
            parse_measure(name)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--measure") from error


def _task(
    beir: Path | None, benchmark: str | None, data: Path | None, split: str | None
) -> "RetrievalTask":
    from medrag.evaluation.beir import RetrievalTask, load_beir

    if beir is not None:
        return load_beir(beir, split=split)
    from medrag.errors import EvaluationError
    from medrag.evaluation.benchmarks import load_benchmark

    loaded = load_benchmark(str(benchmark), data or Path(), split=split or "test", subset=True)
    judged = [item for item in loaded.items if item.gold_passages]
    if not judged:
        raise EvaluationError(
            f"{benchmark} names no passages that hold its answers, so that nothing can be judged"
        )
    return RetrievalTask(
        questions=tuple(replace(item.question, id=item.id) for item in judged),
        qrels={item.id: dict.fromkeys(item.gold_passages, 1) for item in judged},
        split=loaded.split,
    )


def _retrievers(
    index: "Index",
    channels: list[str] | None,
    pipelines: list[str] | None,
    systems: list[str] | None,
    fusion: Literal["rrf", "weighted_sum"] | None,
) -> "dict[str, Retriever]":
    """Name the retrievers to measure: systems, then pipelines; channels alone have no name."""
    from medrag.config import load_pipeline

    chosen = {text: text.split(",") for text in systems or ()}
    for names in chosen.values():
        check_names("system", names, index.channels)
    if not chosen and not pipelines:
        check_names("channel", channels, index.channels)
        return {"": _by_channels(index, channels, fusion)}
    suffix = f" ({fusion})" if fusion else ""
    found: dict[str, Retriever] = {
        f"{called}{suffix}": _by_channels(index, names, fusion) for called, names in chosen.items()
    }
    for recipe in pipelines or ():
        found[recipe] = load_pipeline(recipe, index=index).retriever
    return found


def _by_channels(
    index: "Index", names: list[str] | None, fusion: Literal["rrf", "weighted_sum"] | None
) -> "Retriever":
    from medrag.retrieval.channels import ChannelsRetriever

    given = index.chosen(names)
    if fusion is None:
        return ChannelsRetriever(rows=index.rows, channels=given)
    return ChannelsRetriever(rows=index.rows, channels=given, fusion=fusion)
