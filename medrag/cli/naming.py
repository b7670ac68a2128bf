"""Which indexes and models a pipeline asks, as the command line names them."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

Indexes = Annotated[
    list[str] | None,
    typer.Option(
        "--index",
        metavar="[NAME=]INDEX",
        help="The index to ask, instead of the pipeline's own; with NAME=, in place of the one "
        "that a retriever of the pipeline names so. May repeat.",
    ),
]

GeneratorOption = Annotated[
    str | None,
    typer.Option(
        "--generator",
        metavar="<str>",
        help="In the place of every generator of the pipeline: a kind, a model to load here, or a "
        "YAML mapping such as {kind: remote, url: ..., model: ...}.",
    ),
]


def asked_indexes(given: list[str] | None) -> dict[str, Any]:
    """Give the keywords `index` and `indexes` of `load_pipeline`.

    Raises:
        BadParameter: if one is named twice.
    """
    main: list[str] = []
    named: dict[str, str] = {}
    for each in given or ():
        name, equals, index = each.partition("=")
        if not equals or "/" in name:
            main.append(each)
        elif name in named:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint="--index")
        else:
            named[name] = index
    if len(main) > 1:
        told = f"{main[0]!r} and {main[1]!r} cannot both be the index; write NAME={main[1]}"
        raise typer.BadParameter(told, param_hint="--index")
    return {"index": main[0] if main else None, "indexes": named}


def check_names(what: str, names: Iterable[str] | None, known: Iterable[str]) -> None:
    from medrag.config.place import unknown

    there = list(known)
    for name in names or ():
        if name not in there:
            raise typer.BadParameter(unknown(what, name, there), param_hint=f"--{what}")
