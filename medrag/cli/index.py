"""`medrag index`: build an index and look after it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from medrag.cli.output import message, number, show, show_json, table
from medrag.cli.progress import Bars
from medrag.errors import MedragError

if TYPE_CHECKING:
    from medrag.build import BuildReport
    from medrag.indexing.checking import Problem

app = typer.Typer(help="Build and keep an index.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="A name under ./indexes, or a folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Sources = Annotated[
    list[Path] | None,
    typer.Option(
        "--from", metavar="<path>", help="A file, folder or corpus card to read; may repeat."
    ),
]
RecipeName = Annotated[
    str | None, typer.Option(help="An index recipe instead; by default the one of that name.")
]
Channels = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<str>",
        help="lexical, image, graph, or NAME=MODEL such as text=minilm; may repeat. MODEL may be "
        "an encoder as a recipe has it: '{kind: sentence, model: minilm, window: 72}'.",
    ),
]
Stores = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<str>",
        help="Where vectors are searched: exact, faiss or qdrant, with FACTORY or URL after a "
        "colon, for one channel as NAME=..., such as lexical=qdrant; may repeat.",
    ),
]
Prune = Annotated[bool, typer.Option("--prune", help="Remove files that are no longer given.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that read files and encode.")]
EngineName = Annotated[
    Literal["local", "ray"],
    typer.Option(
        "--engine", help="Where they run: here, or on a Ray cluster that sees the same paths."
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="<path>",
        help="Keep vectors in this folder, outside the index, so that nothing is encoded twice; by "
        "default that of MEDRAG_CACHE, if any.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 if anything could not be read.")]
KeepAll = Annotated[
    bool,
    typer.Option(
        "--keep-all", help="Keep front matter, contents, index and references of PDFs, too."
    ),
]


@app.command()
def build(
    name: Name,
    sources: Sources = None,
    recipe: RecipeName = None,
    channel: Channels = None,
    store: Stores = None,
    prune: Prune = False,
    keep_all: KeepAll = False,
    workers: Workers = 1,
    engine: EngineName = "local",
    cache: Cache = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Build an index, or bring it up to date.

    What did not change is not read again. Without --channel, every channel is made that needs no
    download and fits the files. An index that exists needs neither --from nor a recipe of its name
    where only --channel or --store are to change.
    """
    if sources and recipe:
        raise typer.BadParameter("give --from or --recipe, not both")
    from medrag.config.channels import store_specs

    if not sources and not recipe:
        recipe = _recipe_of(name, altered=bool(channel or store) and not prune)
    report = _updated(
        name, sources=sources or (), recipe=recipe,
        channels=channel or None, stores=store_specs(store or ()), prune=prune, keep_all=keep_all,
        workers=workers, engine=engine, cache=cache,
    )  # fmt: skip
    _tell(report, as_json=as_json, strict=strict)


@app.command()
def add(
    name: Name,
    sources: Annotated[list[Path], typer.Argument(help="Files, folders or corpus cards to add.")],
    keep_all: KeepAll = False,
    workers: Workers = 1,
    engine: EngineName = "local",
    cache: Cache = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Add files to an index, with the channels that it has."""
    from medrag.config import open_index
    from medrag.config.trust import refuse_foreign

    with open_index(name) as index:
        channels = {each: entry.spec for each, entry in index.store.manifest.channels.items()}
    refuse_foreign(channels, str(index.folder))
    report = _updated(
        name, sources=sources, channels=channels, keep_all=keep_all,
        workers=workers, engine=engine, cache=cache,
    )  # fmt: skip
    # What is added stands beside the rest: that was not to be given.
    _tell(replace(report, missing=()), as_json=as_json, strict=strict)


@app.command()
def remove(
    name: Name,
    documents: Annotated[
        list[str], typer.Argument(help="Documents as citations name them, or CORPUS/DOCUMENT.")
    ],
    purge: Annotated[
        bool, typer.Option("--purge", help="Leave nothing of them in the index folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove documents from an index; their files are not touched."""
    from medrag.indexing import maintenance

    with _names_checked():
        removed = maintenance.remove(_kept_up(name), documents, purge=purge)
    if as_json:
        documents_json = ["/".join(each) for each in removed.documents]
        show_json({"documents": documents_json, "n_passages": removed.n_passages})
    else:
        documents_removed = number(len(removed.documents), "document")
        show(f"removed {documents_removed}, {number(removed.n_passages, 'passage')}")
    from medrag.config.building import CACHE_VARIABLE

    if purge and (cache := os.environ.get(CACHE_VARIABLE)):
        message(
            f"vectors of them may remain in {cache} ({CACHE_VARIABLE}), which is not part of the "
            "index; delete that folder to purge them, too"
        )


@app.command()
def compact(name: Name, as_json: AsJson = False) -> None:
    """Drop what was removed from the files, and join small segments."""
    from medrag.indexing import maintenance

    done = maintenance.compact(_kept_up(name))
    if as_json:
        show_json(asdict(done))
    else:
        show(
            f"{number(done.segments_before, 'segment')} became {done.segments}, "
            f"{done.bytes_before / 1e6:.1f} MB became {done.bytes / 1e6:.1f} MB"
        )


@app.command()
def verify(
    name: Name,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Drop damaged segments, for the next build to read anew, and make what is derived "
            "from the others anew.",
        ),
    ] = False,
    encoders: Annotated[
        bool, typer.Option("--encoders", help="Also encode 32 passages of each channel anew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare an index with its manifest; exit 1 if it is damaged."""
    from medrag.indexing import maintenance
    from medrag.indexing.checking import verify as examine

    folder = _kept_up(name)
    damage = examine(folder)
    problems = damage or (_of_encoders(folder) if encoders else [])
    dropped = maintenance.repair(folder) if repair and damage else []
    if as_json:
        show_json({"problems": [asdict(each) for each in problems], "dropped": dropped})
    elif not problems:
        show(f"{folder} is sound")
    for each in problems:
        message(f"{each.place}: {each.problem}", error=True)
    if damage and not repair:
        message(f"mend it: medrag index verify {name} --repair")
    elif damage:
        message("made anew what is derived from the segments")
    if dropped:
        message(f"dropped {', '.join(dropped)}; build again to read their sources anew")
    if problems and not (damage and repair):
        raise typer.Exit(1)


@app.command()
def info(name: Name, as_json: AsJson = False) -> None:
    """Say what an index holds."""
    from medrag.cli.tables import info_table
    from medrag.indexing import maintenance

    found = maintenance.info(_folder(name))
    if as_json:
        show_json(found)
    else:
        show(info_table(found))


@app.command()
def move(
    name: Name,
    roots: Annotated[
        list[str] | None, typer.Argument(help="CORPUS=FOLDER: where its files are now.")
    ] = None,
    copy_sources: Annotated[
        bool, typer.Option("--copy-sources", help="Copy the files into the index.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell an index where its sources are now, or take them along."""
    pairs = dict(each.partition("=")[::2] for each in roots or ())
    if not all(pairs.values()) or not (pairs or copy_sources):
        raise typer.BadParameter("give CORPUS=FOLDER, or --copy-sources")
    from medrag.indexing import maintenance

    given = {corpus: Path(folder).expanduser() for corpus, folder in pairs.items()}
    with _names_checked():
        moved = maintenance.move(_kept_up(name), given, copy_sources=copy_sources)
    found = {corpus: str(folder) for corpus, folder in moved.roots.items()}
    missing = ["/".join(each) for each in moved.missing]
    if as_json:
        show_json({"roots": found, "n_copied": moved.n_copied, "missing": missing})
        return
    show(table(found.items()))
    if copy_sources:
        show(f"copied {number(moved.n_copied, 'file')}")
    for each in missing:
        message(f"not found, so not copied: {each}", error=True)


def summary(report: "BuildReport") -> str:
    """Say what a build did, in a few lines."""
    from medrag.cli.tables import build_table, searched_lines

    done = report.added or report.changed or report.failed or any(report.encoded.values())
    if done or report.missing or not (report.files or report.unchanged):
        return build_table(report)
    files = "1 file is" if report.unchanged == 1 else f"{report.unchanged} files are"
    searched = "; ".join(searched_lines(report))
    return (
        f"{searched or 'nothing to do'}: {files} in {report.folder} unchanged "
        f"({number(report.n_passages, 'passage')}, {report.seconds:.1f} s)"
    )


def _updated(name: str, **wanted: Any) -> "BuildReport":
    """Build an index and show how it goes; the keywords are those of `update_index`."""
    from medrag.config.building import update_index

    with Bars() as bars:
        return update_index(name, progress=bars, say=bars.say, **wanted)


def _recipe_of(name: str, *, altered: bool) -> str | None:
    """Give the recipe that has the name of an index.

    None where there is none, and the index is there and only altered.
    """
    from medrag.config.index import located
    from medrag.config.lookup import found

    recipe = Path(name).name
    try:
        found("indexes", recipe)
    except MedragError as error:
        if altered and located(name).is_dir():
            return None
        raise MedragError(f"{error}; or say which files to read: --from PATH") from error
    return recipe


def _of_encoders(folder: Path) -> "list[Problem]":
    """Encode some passages of each channel anew, and say where that gives other vectors."""
    from medrag.config import open_index

    with open_index(folder) as index:
        return [found for each in index.probe() if (found := each.problem) is not None]


def _folder(name: str) -> Path:
    from medrag.config.index import existing

    return existing(name)


def _kept_up(name: str) -> Path:
    from medrag.config.index import kept_up

    return kept_up(name)


@contextmanager
def _names_checked() -> Iterator[None]:
    """Turn a name that an index does not know into an error of the world."""
    try:
        yield
    except ValueError as error:
        raise MedragError(str(error)) from error


def _tell(report: "BuildReport", *, as_json: bool, strict: bool) -> None:
    from medrag.cli.tables import build_json, lost_lines

    if as_json:
        show_json(build_json(report))
    else:
        show(summary(report))
    for each in report.failed:
        message(f"failed: {each.corpus}: {each.problem or each.document}", error=True)
    for each_line in lost_lines(report):
        message(f"not read: {each_line}")
    lost = bool(report.failed or report.unreadable or any(one.failed for one in report.unknown))
    if strict and lost:
        message("something could not be read, and --strict was asked for", error=True)
        raise typer.Exit(1)
