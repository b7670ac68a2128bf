"""What several commands of `medrag eval` take, and how they find a folder and a protocol."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.output import message

if TYPE_CHECKING:
    from medrag.evaluation.benchmarks import Benchmark
    from medrag.evaluation.judging import Judge
    from medrag.evaluation.runs import Run
    from medrag.evaluation.scorers import Mode, ScoringProtocol
    from medrag.protocols import Verifier

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
PipelineName = Annotated[str, typer.Argument(help="A pipeline, such as sample, or a YAML file.")]
BenchmarkName = Annotated[str, typer.Argument(help="A benchmark, or the YAML file of its card.")]
Data = Annotated[Path, typer.Option(help="The folder with the benchmark's own files.")]
Split = Annotated[str, typer.Option(help="The part of the benchmark to ask.")]
Subset = Annotated[
    bool,
    typer.Option(
        "--subset", help="Accept other counts than the benchmark's, and missing pictures."
    ),
]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="<str>",
        help="How to score (exact, llava_med, overlap ...); the benchmark's own if left out.",
    ),
]
Faithful = Annotated[
    bool,
    typer.Option("--faithful", help="Score as the released scorer does, its defects included."),
]
JudgeUrl = Annotated[
    str | None, typer.Option(help="An OpenAI-compatible server, for protocols that ask a judge.")
]
JudgeModel = Annotated[str | None, typer.Option(help="The model of that server.")]
KeyVariable = Annotated[
    str | None,
    typer.Option(help="The environment variable that holds the server's key, if it needs one."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Items at most.")]
NoGuard = Annotated[
    bool, typer.Option("--no-guard", help="Let an item's own picture and patient count.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of all that is drawn at random.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def check_out(out: Path, data: Path) -> None:
    """Refuse to write a run among the files of the benchmark, or into the current folder."""
    if out.resolve() in (data.resolve(), Path.cwd()):
        raise typer.BadParameter("give a folder of its own, such as runs/NAME", param_hint="--out")


def tell_problems(benchmark: "Benchmark") -> None:
    """Say what is not as it should be with the files of a benchmark."""
    for problem in benchmark.problems:
        message(f"{benchmark.name}: {problem}")


def protocol_of(
    run: "Run",
    name: str | None,
    *,
    faithful: bool,
    judge: "Judge | None" = None,
) -> "ScoringProtocol":
    """Make the protocol that a run is scored by: the one named, or the benchmark's own."""
    from medrag.config.place import unknown
    from medrag.evaluation.runs.candidates import read_candidates
    from medrag.evaluation.scorers import PROTOCOLS, scoring_protocol

    name = name or next(iter(run.manifest["benchmark"].get("protocols", ())), "exact")
    if name not in PROTOCOLS:
        raise typer.BadParameter(unknown("protocol", name, PROTOCOLS), param_hint="--protocol")
    mode: Mode = "faithful" if faithful else "corrected"
    try:
        return scoring_protocol(
            name,
            mode,
            judge=judge,
            candidates=read_candidates(run.folder),
            benchmark=run.manifest["benchmark"]["name"],
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--protocol") from error


def judge_of(
    run: "Run", url: str | None, model: str | None, key_variable: str | None
) -> "Judge | None":
    """Make a judge of a server, or none; its replies are kept beside the run."""
    if url is None and model is None:
        return None
    if url is None or model is None:
        raise typer.BadParameter("a judge needs both --judge-url and --judge-model")
    from medrag.evaluation.judging import CachedJudge
    from medrag.verification.chat import ChatJudge

    judge = ChatJudge(url=url, model=model, key_variable=key_variable)
    return CachedJudge(judge=judge, path=run.folder / "judge.sqlite")


def verifier_of(
    name: str | None, url: str | None, model: str | None, key_variable: str | None
) -> "Verifier | None":
    """Make what checks claims against evidence, or nothing."""
    if name is None:
        return None
    if name == "lexical":
        from medrag.verification.lexical import LexicalVerifier

        return LexicalVerifier()
    if name == "judge" and url is not None and model is not None:
        from medrag.verification.judge import JudgeVerifier

        return JudgeVerifier(url=url, model=model, key_variable=key_variable)
    raise typer.BadParameter(
        "expected lexical, or judge with --judge-url and --judge-model", param_hint="--verify"
    )


def group_columns(run: "Run") -> tuple[str, ...]:
    """Name the columns that results are broken down by: those of the benchmark's card."""
    return tuple(run.manifest["benchmark"].get("group_by", ()))
