"""`medrag eval benchmarks` and `medrag eval fetch`: what there is, and where it is had."""

import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.evaluate.options import AsJson
from medrag.cli.output import message, show, show_json, table
from medrag.errors import EvaluationError

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.evaluation.benchmarks import Card

_WIDTH = 76
# Whose terms let anybody fetch the files without an account or a signature.
_FREE = "open"


def benchmarks(
    name: Annotated[str | None, typer.Argument(help="A benchmark, to be told in full.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the benchmarks that can be read, with licence, access and items."""
    from medrag.evaluation.benchmarks import known_benchmarks, read_card

    cards = [_card(name)] if name is not None else [read_card(each) for each in known_benchmarks()]
    if as_json:
        shapes = [card_json(card) for card in cards]
        show_json(shapes[0] if name is not None else {"benchmarks": shapes})
    elif name is not None:
        show("\n".join(_told(cards[0])))
    else:
        head = ["name", "access", "pictures", "test items", "scored by", "title"]
        show(table([head, *map(_line, cards)]))
        message("all facts of one: medrag eval benchmarks NAME")


def fetch(
    name: Annotated[str, typer.Argument(help="A benchmark.")],
    out: Annotated[
        Path | None, typer.Option(help="Where the files shall lie; data/NAME if left out.")
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Run the owner's download now, where its licence allows.")
    ] = False,
) -> None:
    """Say how the files of a benchmark are had; with --run, have them."""
    from medrag.evaluation.benchmarks import known_benchmarks

    card = _card(name)
    # Absolute, so that no program takes a name that begins with a dash for an option.
    folder = (out or Path("data") / card.name).absolute()
    commands = [command.replace("{out}", shlex.quote(str(folder))) for command in card.fetch]
    show(f"{card.title}: {card.home}")
    show(f"access: {card.access}; licence: {card.licence}")
    for command in commands:
        show(f"  {command}")
    if not commands:
        show("  get the files there by hand; medrag downloads nothing of it")
    if not run:
        return
    if name not in known_benchmarks():
        raise EvaluationError(
            f"{name} is a card from elsewhere, whose commands medrag does not run: read them, and "
            "run them yourself"
        )
    if card.access != _FREE or not commands:
        raise EvaluationError(
            f"{name} is not fetched by a command (access: {card.access}): get it from {card.home}, "
            "then give its folder as --data"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for command in commands:
        _run(command)


def card_json(card: "Card") -> "Json":
    """{"name", "title", "about", "licence", "access", ..., "layouts": {layout: {split: n}}}."""
    return {
        "name": card.name,
        "title": card.title,
        "about": card.about,
        "licence": card.licence,
        "access": card.access,
        "home": card.home,
        "cite": card.cite,
        "images_per_question": card.images_per_question,
        "protocols": list(card.protocols),
        "reported_by": list(card.reported_by),
        "group_by": list(card.group_by),
        "facts": list(card.facts),
        "card": str(card.path),
        "notes": list(card.notes),
        "layouts": {
            layout.name: {split: each.expect for split, each in layout.splits.items()}
            for layout in card.layouts
        },
    }


def _card(name: str) -> "Card":
    from medrag.evaluation.benchmarks import read_card

    return read_card(name)


def _line(card: "Card") -> list[str]:
    counts = [layout.splits["test"].expect for layout in card.layouts if "test" in layout.splits]
    known = next((str(count) for count in counts if count is not None), "")
    return [
        card.name, card.access, card.images_per_question, known, card.protocols[0], card.title
    ]  # fmt: skip


def _told(card: "Card") -> Iterator[str]:
    yield f"{card.name}: {card.title}"
    yield from textwrap.wrap(card.about, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    rows = [
        ["licence", card.licence],
        ["access", card.access],
        ["home", card.home],
        ["cite", card.cite],
        ["pictures", f"{card.images_per_question} for a question"],
        ["scored by", ", ".join(card.protocols)],
        ["grouped by", ", ".join(card.group_by)],
        ["reported by", ", ".join(card.reported_by)],
        ["card", str(card.path)],
    ]
    yield table([row for row in rows if row[1]], indent="  ")
    for layout in card.layouts:
        yield f"  files as {layout.name} ({layout.format}):"
        for split, each in layout.splits.items():
            expected = f"{each.expect} items" if each.expect is not None else "items not counted"
            yield f"    {split}: {', '.join(each.files)}; {expected}"
    for fact in (*card.facts, *card.notes):
        yield from textwrap.wrap(fact, _WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _run(command: str) -> None:
    message(command)
    try:
        done = subprocess.run(shlex.split(command), check=False)
    except OSError as error:
        raise EvaluationError(
            f"{command.split()[0]} cannot be started ({error.strerror}); install it, or run the "
            "command by hand"
        ) from error
    if done.returncode:
        raise EvaluationError(f"{command} ended with status {done.returncode}")
