"""`medrag check` and `medrag doctor`: the soundness of recipes, and what this machine has."""

from pathlib import Path
from typing import Annotated

import typer

from medrag.cli.output import message, show, show_json, table


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="YAML files, or names of recipes; all that medrag finds if none."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check cards, recipes and pipelines without building anything."""
    from medrag.config.checking import check_file, checkable, named

    checked = [check_file(path) for path in (map(named, files) if files else checkable())]
    bad = [each for each in checked if each.problem is not None]
    if as_json:
        rows = [
            {"file": str(each.file), "what": each.what, "ok": each.problem is None,
             "problem": each.problem, "absent": each.absent}
            for each in checked
        ]  # fmt: skip
        show_json({"ok": not bad, "files": rows})
    else:
        show(table([("wrong" if c.problem else "ok", c.what, str(c.file)) for c in checked]))
        for reason in sorted({each.absent for each in checked if each.absent}):
            names = [each.file.stem for each in checked if each.absent == reason]
            message(f"not on this machine: {', '.join(names)} ({reason})")
        for each in bad:
            message(str(each.problem), error=True)
    if bad:
        raise typer.Exit(1)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this machine has: Python, cores, GPU, extras, key, disk."""
    from medrag.cli.machine import examined

    found = examined()
    if as_json:
        show_json(found)
        return
    rows = [
        ("medrag", f"{found['medrag']} on Python {found['python']}, {found['platform']}"),
        ("cores", _cores(found["cores"], found["instructions"])),
        ("memory", _bytes(found["memory"])),
        ("gpu", ", ".join(found["gpus"]) or "none found"),
        ("disk", f"{_bytes(found['disk_free'])} free here"),
        ("key", found["key"]["state"]),
    ]
    rows += [
        (each["name"], "installed" if each["installed"] else f"absent: {each['install']}")
        for each in found["extras"]
    ]
    show(table(rows))


def _cores(cores: int, instructions: list[str]) -> str:
    return f"{cores} with {', '.join(instructions)}" if instructions else str(cores)


def _bytes(n: int | None) -> str:
    return "not known" if n is None else f"{n / 2**30:.1f} GiB"
