"""Which runs are of which variant, and whether they can be held against each other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medrag.alignment.comparing.records import BASE, SFT, Training, Variant
from medrag.errors import EvaluationError
from medrag.evaluation.compare import Side, check_same_items
from medrag.evaluation.runs import Run

# What training leaves beside the weights.
_TRAINING = "training.json"


def variants_of(named: Sequence[tuple[str, Run]]) -> tuple[Variant, ...]:
    """Group runs by the name of their variant: base first, SFT second, the rest as given.

    Raises:
        EvaluationError: if two runs are not of the same items, or one stands there twice.
        ValueError: if there are fewer than two variants, or base has several runs.
    """
    grouped: dict[str, list[Run]] = {}
    for name, run in named:
        grouped.setdefault(name, []).append(run)
    if len(grouped) < 2:
        told = ", ".join(grouped) or "none"
        raise ValueError(
            f"expected runs of two variants at least, such as base and sft, got {told}"
        )
    if len(grouped.get(BASE, ())) > 1:
        raise ValueError(
            f"{BASE} is the model before any training and has no seeds, but "
            f"{len(grouped[BASE])} runs are given for it; name the others otherwise"
        )
    _check(named)
    first = [name for name in (BASE, SFT) if name in grouped]
    order = [*first, *(name for name in grouped if name not in first)]
    return tuple(Variant(name, tuple(grouped[name])) for name in order)


def common_arms(variants: Sequence[Variant]) -> tuple[str, ...]:
    """List the arms that every run has, in the order of the first; floors are left out."""
    runs = [run for variant in variants for run in variant.runs]
    shared = set.intersection(*(set(run.arms) for run in runs))
    return tuple(arm for arm in runs[0].arms if arm in shared and not arm.startswith("floor:"))


def training_of(run: Run) -> Training:
    """Read how the model of a run was trained, if the folder of its weights is still there."""
    for folder in _folders(run.manifest.get("pipeline")):
        path = Path(folder) / _TRAINING
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(told, Mapping):
            return Training(
                run.folder, _number(told, "seed"), _number(told, "n_steps"),
                _number(told, "n_pairs"),
            )  # fmt: skip
    return Training(run.folder)


def _check(named: Sequence[tuple[str, Run]]) -> None:
    seen: dict[Path, str] = {}
    for name, run in named:
        place = run.folder.resolve()
        if place in seen:
            raise EvaluationError(
                f"{run.folder} is given for {seen[place]} and for {name}: each seed of each "
                "variant needs a run of its own"
            )
        seen[place] = name
        check_same_items(Side(named[0][1], "", named[0][0]), Side(run, "", name))


def _folders(spec: Any) -> Iterator[str]:
    """Find the folders of weights that a recipe names: adapters before models."""
    found = list(_named(spec, "adapter")) + list(_named(spec, "model"))
    yield from found


def _named(spec: Any, key: str) -> Iterator[str]:
    if isinstance(spec, Mapping):
        if isinstance(spec.get(key), str):
            yield spec[key]
        for each in spec.values():
            yield from _named(each, key)
    elif isinstance(spec, list):
        for each in spec:
            yield from _named(each, key)


def _number(told: Mapping[str, Any], key: str) -> int | None:
    value = told.get(key)
    for inner in told.values() if value is None else ():
        if isinstance(inner, Mapping) and key in inner:
            value = inner[key]
    return value if isinstance(value, int) and not isinstance(value, bool) else None
