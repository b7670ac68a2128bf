"""`medrag models`: every encoder and generator with a name, and how well its facts are known."""

import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.generators import KINDS, LEGEND, card, kind_of, listing, shape
from medrag.cli.naming import check_names
from medrag.cli.output import message, number, show, show_json, table
from medrag.cli.presets import access, facts_table, last_cells, mark

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.encoding.presence import Presence
    from medrag.encoding.presets import Preset
    from medrag.generation.presets import GeneratorPreset

_SCORES = {"inner product": "product"}
# Below this width of a terminal, score and licence are left to `medrag models NAME`.
_WIDE = 104
_LEGEND = (
    "known: V read at the authors, S read elsewhere, M from memory; + where a fact differs.\n"
    "here: ready, download (at first use), gated (its hub asks first), file (got by hand), "
    "install,\nserve (another environment), wrap (an encoder of your own calls it).\n"
    "All facts of one: medrag models NAME. Models that write answers: medrag models --generators"
)


def models(
    name: Annotated[
        str | None, typer.Argument(help="A preset or a hub id, to be told in full.")
    ] = None,
    generators: Annotated[
        bool, typer.Option("--generators", help="Models that write answers, not encoders.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="<str>", help="Only encoders of this kind; generators: local, remote."
        ),
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="<str>", help="Only those made for this domain.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the encoders or the generators that have a name, with what is known of them."""
    if name is not None and (kind is not None or domain is not None):
        raise typer.BadParameter("a NAME takes neither --kind nor --domain")
    if name is not None:
        _tell(_named(name, generators=generators), as_json=as_json)
    elif generators:
        _list_generators(kind, domain, as_json=as_json)
    else:
        _list_encoders(kind, domain, as_json=as_json)


def _tell(preset: "Preset | GeneratorPreset", *, as_json: bool) -> None:
    from medrag.encoding.presence import presence
    from medrag.encoding.presets import Preset
    from medrag.generation.presence import presence as generator_presence

    if isinstance(preset, Preset):
        found = presence(preset)
        show_json(_shape(preset, found)) if as_json else show(_card(preset, found))
    else:
        here = generator_presence(preset)
        show_json(shape(preset, here)) if as_json else show(card(preset, here))


def _list_encoders(kind: str | None, domain: str | None, *, as_json: bool) -> None:
    from medrag.encoding.presence import presence
    from medrag.encoding.presets import presets

    check_names("kind", [kind] if kind else (), {each.kind for each in presets()})
    check_names("domain", [domain] if domain else (), {d for e in presets() for d in e.domains})
    rows = [
        (preset, presence(preset))
        for preset in presets()
        if kind in (None, preset.kind) and (domain is None or domain in preset.domains)
    ]
    if as_json:
        show_json({"models": [_shape(*row) for row in rows]})
    elif rows:
        show(_listing(rows))
        message(_LEGEND)
    else:
        message(f"no encoder of kind {kind} was made for {domain}")


def _list_generators(kind: str | None, domain: str | None, *, as_json: bool) -> None:
    from medrag.generation.presence import presence
    from medrag.generation.presets import presets

    check_names("kind", [kind] if kind else (), KINDS)
    check_names("domain", [domain] if domain else (), {d for e in presets() for d in e.domains})
    rows = [
        (preset, presence(preset))
        for preset in presets()
        if kind in (None, kind_of(preset)) and (domain is None or domain in preset.domains)
    ]
    if as_json:
        show_json({"models": [shape(*row) for row in rows]})
    elif rows:
        show(listing(rows))
        message(LEGEND)
    else:
        message(f"no generator of kind {kind} was made for {domain}")


def _named(name: str, *, generators: bool) -> "Preset | GeneratorPreset":
    """Find an encoder, or else a generator; only the latter if they were asked for."""
    from medrag.encoding import presets as encoding
    from medrag.generation import presets as generation

    preset = (None if generators else encoding.find(name)) or generation.find(name)
    if preset is None:
        close = ([] if generators else encoding.near(name)) + generation.near(name)
        hint = f"did you mean {' or '.join(close[:3])}? " if close else ""
        lists = "medrag models lists encoders, medrag models --generators generators"
        raise typer.BadParameter(f"no preset {name!r}; {hint}{lists}")
    return preset


def _listing(rows: "list[tuple[Preset, Presence]]") -> str:
    head = ("name", "kind", "dim", "image", "tokens", "score", "licence", "known", "here")
    cells = [
        (
            preset.name,
            preset.kind,
            _or_dash(preset.d),
            _short(preset.image) or "-",
            _or_dash(preset.tokens),
            _SCORES.get(preset.score, preset.score),
            *last_cells(preset, found.state),
        )
        for preset, found in rows
    ]
    lines: list[tuple[str, ...]] = [head, *cells]
    if sys.stdout.isatty() and shutil.get_terminal_size().columns < _WIDE:
        lines = [(*line[:5], *line[7:]) for line in lines]
    return f"{table(lines)}\n{number(len(rows), 'encoder')}"


def _card(preset: "Preset", found: "Presence") -> str:
    marks = {
        key: mark(preset, key)
        for key in ("model", "d", "image", "tokens", "licence", "gate", "checkpoint")
    }
    told = [
        ("name", ", ".join((preset.name, *preset.aliases))),
        ("kind", preset.kind),
        ("model", f"{preset.model or '-'}{marks['model']}"),
        ("passages", preset.passage_model or ""),
        ("file", f"{preset.checkpoint}{marks['checkpoint']}" if preset.checkpoint else ""),
        ("loads by", preset.loads),
        ("options", ", ".join(f"{key}: {each}" for key, each in preset.options.items())),
        ("vectors", f"{preset.d or 'known at runtime'}{marks['d']}, {preset.score}"),
        ("image", f"{_sides(preset.image)} pixels{marks['image']}" if preset.image else ""),
        ("text", f"{preset.tokens} tokens at most{marks['tokens']}" if preset.tokens else ""),
        ("licence", f"{preset.licence}{marks['licence']}"),
        ("access", f"{access(preset)}{marks['gate']}"),
        ("domains", ", ".join(preset.domains)),
        ("known", preset.evidence),
        ("here", found.state),
        ("to do", found.way if found.state != "ready" else ""),
        ("channel", _channel(preset)),
        ("note", preset.note),
    ]
    return facts_table(told)


def _channel(preset: "Preset") -> str:
    """Say how an index gets a channel of it."""
    if preset.kind == "remote":
        return "a recipe with an encoder of kind remote, and the address of the server"
    if preset.wrap is not None:
        return "a recipe with an encoder of your own"
    if preset.kind == "descriptor":
        return "--channel image"
    if preset.loads == "remote code" or preset.model is None:
        more = "checkpoint: PATH" if preset.model is None else "trust_remote_code: true"
        return f"a recipe with encoder: {{kind: {preset.kind}, model: {preset.name}, {more}}}"
    name = {"page": "page", "sparse": "sparse"}.get(preset.kind, preset.side)
    return f"--channel {name}={preset.name}"


def _sides(sides: tuple[int, ...]) -> str:
    if not sides:
        return ""
    return str(sides[0]) if len(sides) == 2 else "x".join(map(str, sides))


def _short(sides: tuple[int, ...]) -> str:
    """Write a square by its side, and a volume by that and its depth."""
    return "x".join(map(str, sides[1:]))


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _shape(preset: "Preset", found: "Presence") -> "Json":
    return {**asdict(preset), "here": found.state, "way": found.way}
