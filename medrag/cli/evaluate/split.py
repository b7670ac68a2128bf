"""`medrag eval split`: lists of items for training and for testing what was learnt."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.evaluate.options import (
    AsJson,
    BenchmarkName,
    Data,
    Seed,
    Subset,
    tell_problems,
)
from medrag.cli.output import message, number, show, show_json, table

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.evaluation.splits import Labelled
    from medrag.records import Item

# What an item has besides the columns that its card keeps.
_ANSWER = "answer"
_PARTS = ("modality", "area", "task")
_NAMED_PART = re.compile(rf"(?:^|,)\s*({'|'.join(_PARTS)})=")
_SIZE = "Items that {} gets, half of either class."

Pairs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS=VALUE",
        help="A class and what goes with it in training; twice. Told from two and two values "
        "if left out: as they go together most.",
    ),
]
Combination = Annotated[
    str | None,
    typer.Option(
        metavar="modality=M,area=A,task=T",
        help="Instead, hold out one combination whose parts occur elsewhere.",
    ),
]
Parts = Annotated[
    list[str] | None,
    typer.Option(
        "--split", metavar="<str>", help="A part to draw from; may repeat. test, if left out."
    ),
]


def split(
    benchmark: BenchmarkName,
    data: Data,
    out: Annotated[Path, typer.Option(help="The JSON file of the lists.")],
    label: Annotated[
        str | None, typer.Option(help="The column of the class, or answer for the right answer.")
    ] = None,
    confounder: Annotated[
        str | None, typer.Option(help="The column that shall go with the class in training.")
    ] = None,
    pair: Pairs = None,
    train: Annotated[int | None, typer.Option(min=0, help=_SIZE.format("training"))] = None,
    test: Annotated[int | None, typer.Option(min=0, help=_SIZE.format("testing"))] = None,
    ood: Annotated[int | None, typer.Option(min=0, help=_SIZE.format("the swapped test"))] = None,
    strength: Annotated[
        float, typer.Option(min=0.5, max=1, help="Share of items that follow the pairs.")
    ] = 1.0,
    combination: Combination = None,
    part: Parts = None,
    subset: Subset = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Draw splits in which the class is confounded, or hold out a combination.

    Confounded: in train and test the class goes with another column, in ood with the other of its
    values, and no patient or picture is in two lists. Held out: test is the combination, related
    shares a part with it, and unrelated none.
    """
    sizes = {"train": train, "test": test, "ood": ood}
    _check(label, confounder, combination, pair, sizes)
    parts = part or ["test"]
    items = _items(benchmark, data, parts, subset=subset)
    if combination is not None:
        told, lists = _held_out(items, combination)
    else:
        told, lists = _confounded(items, str(label), str(confounder), pair, sizes, strength, seed)
    written: Json = {"benchmark": benchmark, "from": parts, **told, **lists}
    _write(out, written)
    counts = {name: len(ids) for name, ids in lists.items()}
    if as_json:
        show_json({"file": str(out), **told, "counts": counts})
        return
    show(table([[name, number(n, "item")] for name, n in counts.items()]))
    for name, value in told.items():
        message(f"{name}: {_shown(value)}")
    show(f"{out}: {', '.join(counts)}")


def _check(
    label: str | None,
    confounder: str | None,
    combination: str | None,
    pair: Sequence[str] | None,
    sizes: Mapping[str, int | None],
) -> None:
    """Refuse options that do not go together, before anything is read."""
    given = [label, confounder, *(pair or ()), *sizes.values()]
    if combination is not None:
        if any(each is not None for each in given):
            raise typer.BadParameter(
                "a combination needs no other columns and sizes; give --combination alone, or "
                "--label and --confounder",
                param_hint="--combination",
            )
        return
    if label is None or confounder is None:
        raise typer.BadParameter(
            "give --label and --confounder, or --combination modality=...,area=...,task=..."
        )
    if label == confounder:
        raise typer.BadParameter("expected another column than --label", param_hint="--confounder")
    for name, size in sizes.items():
        if size is None or size % 2:
            raise typer.BadParameter(
                f"expected an even number, half of either class, got {size}",
                param_hint=f"--{name}",
            )


def _items(name: str, data: Path, parts: Sequence[str], *, subset: bool) -> "list[Item]":
    from medrag.evaluation.benchmarks import load_benchmark

    items: list[Item] = []
    # Pictures inside tables are named by their content; nobody looks at them here.
    with TemporaryDirectory() as extracted:
        for part in parts:
            read = load_benchmark(name, data, split=part, subset=subset, extracted=Path(extracted))
            tell_problems(read)
            items += read.items
    return items


def _confounded(
    items: "Sequence[Item]",
    label: str,
    confounder: str,
    pair: Sequence[str] | None,
    sizes: Mapping[str, int | None],
    strength: float,
    seed: int,
) -> "tuple[Json, dict[str, tuple[str, ...]]]":
    from medrag.evaluation.splits import SplitSizes, confounded_splits

    rows = _labelled(items, label, confounder)
    pairing = _pairs(pair) if pair else _usual_pairs(rows, label, confounder)
    _check_pairs(pairing, rows, label, confounder)
    asked = SplitSizes(**{name: size or 0 for name, size in sizes.items()})
    made = confounded_splits(rows, pairing, asked, strength=strength, seed=seed)
    told: Json = {
        "label": label, "confounder": confounder, "pairs": pairing, "strength": strength,
        "seed": seed,
    }  # fmt: skip
    return told, {"train": made.train, "test": made.test, "ood": made.ood}


def _labelled(items: "Sequence[Item]", label: str, confounder: str) -> "tuple[Labelled, ...]":
    from medrag.evaluation.splits import labelled

    rows = [{"id": each.id, "cluster": each.cluster, **_columns(each)} for each in items]
    for option, column in (("--label", label), ("--confounder", confounder)):
        _known(column, {name for row in rows for name in row} - {"id", "cluster"}, option)
    there = [row for row in rows if row.get(label) is not None and row.get(confounder) is not None]
    if left := len(rows) - len(there):
        message(f"left out: {number(left, 'item')} without {label} or {confounder}")
    return labelled(there, label=label, confounder=confounder, group="cluster")


def _columns(item: "Item") -> "Json":
    """Give what an item can be told by: its fields that hold one value, and its right answer."""
    fields = {
        name: value for name, value in item.fields.items() if not isinstance(value, list | dict)
    }
    return fields | ({_ANSWER: ", ".join(item.references)} if item.references else {})


def _known(name: str, names: Iterable[str], option: str) -> None:
    from medrag.config.place import unknown

    there = set(names)
    if name not in there:
        raise typer.BadParameter(unknown("column", name, there), param_hint=option)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not (name and sign and value):
            raise typer.BadParameter(f"expected CLASS=VALUE, got {each!r}", param_hint="--pair")
        pairs[name.strip()] = value.strip()
    if len(given) != 2 or len(pairs) != 2 or len(set(pairs.values())) != 2:
        raise typer.BadParameter(
            "expected two pairs of different classes and values, such as --pair ill=male "
            f"--pair well=female, got {', '.join(given)}",
            param_hint="--pair",
        )
    return pairs


def _usual_pairs(rows: "Sequence[Labelled]", label: str, confounder: str) -> dict[str, str]:
    """Pair two classes with two values as they go together most often."""
    labels = sorted({row.label for row in rows})
    values = sorted({row.confounder for row in rows})
    if len(labels) != 2 or len(values) != 2:
        raise typer.BadParameter(
            f"say which two classes go with what: {label} holds {_few(labels)}; {confounder} "
            f"holds {_few(values)}; such as --pair {(labels or ['CLASS'])[0]}="
            f"{(values or ['VALUE'])[0]}, twice",
            param_hint="--pair",
        )
    counts = Counter((row.label, row.confounder) for row in rows)
    straight, crossed = (dict(zip(labels, each, strict=True)) for each in (values, values[::-1]))
    n_straight, n_crossed = (sum(counts[p] for p in each.items()) for each in (straight, crossed))
    return straight if n_straight >= n_crossed else crossed


def _check_pairs(
    pairs: Mapping[str, str], rows: "Sequence[Labelled]", label: str, confounder: str
) -> None:
    from medrag.config.place import unknown

    labels, values = {row.label for row in rows}, {row.confounder for row in rows}
    for name, value in pairs.items():
        if name not in labels:
            raise typer.BadParameter(unknown(label, name, labels), param_hint="--pair")
        if value not in values:
            raise typer.BadParameter(unknown(confounder, value, values), param_hint="--pair")


def _held_out(
    items: "Sequence[Item]", combination: str
) -> "tuple[Json, dict[str, tuple[str, ...]]]":
    from medrag.config.place import unknown
    from medrag.evaluation.splits import Triple, held_out_combination

    wanted = _triple(combination)
    rows = {
        each.id: Triple(*(str(each.fields[name]) for name in _PARTS))
        for each in items
        if all(each.fields.get(name) is not None for name in _PARTS)
    }
    names = {name for each in items for name in each.fields}
    for name in _PARTS:
        _known(name, names, "--combination")
        values = {getattr(triple, name) for triple in rows.values()}
        if wanted[name] not in values:
            raise typer.BadParameter(
                unknown(name, wanted[name], values), param_hint="--combination"
            )
    if left := len(items) - len(rows):
        message(f"left out: {number(left, 'item')} without {', '.join(_PARTS)}")
    made = held_out_combination(rows, Triple(**wanted))
    lists = {"test": made.test, "related": made.related, "unrelated": made.unrelated}
    return {"combination": wanted}, lists


def _triple(given: str) -> dict[str, str]:
    """Read "modality=CT,area=Lung,task=Cancer"; values may hold commas."""
    pieces = _NAMED_PART.split(given)
    named = {name: value.strip() for name, value in zip(pieces[1::2], pieces[2::2], strict=True)}
    if pieces[0].strip() or set(named) != set(_PARTS) or not all(named.values()):
        raise typer.BadParameter(
            f"expected modality=...,area=...,task=..., got {given!r}", param_hint="--combination"
        )
    return {name: named[name] for name in _PARTS}


def _write(out: Path, written: "Json") -> None:
    from medrag.errors import EvaluationError

    try:
        out.write_text(json.dumps(written, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise EvaluationError(
            f"{out} cannot be written ({error.strerror}); name a file in a folder that is there"
        ) from error


def _few(values: Sequence[str]) -> str:
    listed = ", ".join(values[:8])
    return f"{listed}, ..." if len(values) > 8 else listed or "nothing"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return str(value)
