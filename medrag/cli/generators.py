"""What `medrag models` tells of models that write answers: the list, and one in full."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from medrag.cli.output import number, table
from medrag.cli.presets import access, facts_table, last_cells, mark

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.generation.presence import Presence
    from medrag.generation.presets import GeneratorPreset

# What a recipe says to have a model answer.
KINDS = ("local", "remote")
LEGEND = (
    "images: of one prompt at most; + where it was trained on several together. known: V read at "
    "the\nauthors, S read elsewhere, M from memory; + where a fact differs. here: ready, download "
    "(at first\nuse), gated (its hub asks first), install, serve (another environment; kind: "
    "remote).\nAll facts of one: medrag models NAME"
)
# Facts of a preset that stand in a line of their own, by the words before the line.
_FACTS = {
    "model": "model", "adapter": "adapter", "family": "family", "images": "max_images",
    "several": "trained_multi_image", "pixels": "max_pixels", "evidence": "context_pixels",
    "places": "coordinates", "thoughts": "think", "answer": "answer", "suffix": "suffix",
    "numbers": "dtype", "licence": "licence", "access": "gate", "domains": "domains",
}  # fmt: skip
_PLACES = {
    "original": "pixels of the picture", "resized": "pixels of the picture as it was resized",
    "unit": "shares of its sides", "thousand": "thousandths of its sides",
}  # fmt: skip


def kind_of(preset: "GeneratorPreset") -> str:
    """Say as which kind of generator a recipe has a model."""
    return "remote" if preset.serve is not None else "local"


def listing(rows: "Iterable[tuple[GeneratorPreset, Presence]]") -> str:
    """Lay out presets, one a line, in 100 columns."""
    head = ("name", "kind", "family", "images", "licence", "known", "here")
    cells: list[Sequence[str]] = [
        (
            preset.name,
            kind_of(preset),
            preset.family,
            _images(preset),
            *last_cells(preset, found.state),
        )
        for preset, found in rows
    ]
    return f"{table([head, *cells])}\n{number(len(cells), 'generator')}"


def card(preset: "GeneratorPreset", found: "Presence") -> str:
    """Tell all that is known of a preset, and how well."""
    facts = _worded(preset)
    told = [
        ("name", ", ".join((preset.name, *preset.aliases))),
        ("kind", f"generator, {kind_of(preset)}"),
        *(
            (label, f"{facts[key]}{mark(preset, key)}")
            for label, key in _FACTS.items()
            if facts[key]
        ),
        ("known", preset.evidence),
        ("here", found.state),
        ("to do", found.way if found.state != "ready" else ""),
        ("recipe", _recipe(preset)),
        ("note", preset.note),
    ]
    return facts_table(told)


def shape(preset: "GeneratorPreset", found: "Presence") -> "Json":
    """Give every fact of a preset for a program."""
    facts = asdict(preset)
    return {**facts, "kind": kind_of(preset), "here": found.state, "way": found.way}


def _worded(preset: "GeneratorPreset") -> dict[str, str]:
    least = f"{preset.min_pixels:,} to " if preset.min_pixels else ""
    several = "trained on several images together"
    images = "any number" if preset.max_images is None else f"{preset.max_images} at most"
    return {
        "model": (preset.model or "-")
        + (", one in each of its folders" if preset.in_folders else ""),
        "adapter": preset.adapter or "",
        "family": preset.family,
        "max_images": "none: it reads texts alone" if preset.max_images == 0 else images,
        "trained_multi_image": several if preset.trained_multi_image else f"not {several}",
        "max_pixels": f"{least}{preset.max_pixels:,} of an image" if preset.max_pixels else "",
        "context_pixels": f"{preset.context_pixels:,} of an image" if preset.context_pixels else "",
        "coordinates": _PLACES[preset.coordinates] if preset.coordinates else "",
        "think": " ".join(preset.think or ()),
        "answer": " ".join(preset.answer or ()),
        "suffix": preset.suffix,
        "dtype": preset.dtype or "",
        "licence": preset.licence,
        "gate": access(preset),
        "domains": ", ".join(preset.domains),
    }


def _images(preset: "GeneratorPreset") -> str:
    most = "any" if preset.max_images is None else str(preset.max_images)
    return most + ("+" if preset.trained_multi_image else "")


def _recipe(preset: "GeneratorPreset") -> str:
    """Say how a pipeline has it answer."""
    if preset.serve is not None:
        return "generator: {kind: remote, ...} with the address of the server"
    more = ", subfolder: NAME" if preset.in_folders else ""
    return f"generator: {{kind: local, model: {preset.name}{more}}}"
