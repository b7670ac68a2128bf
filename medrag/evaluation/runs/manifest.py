"""The manifest of a run: what its answers depend on."""

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import medrag
from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import Benchmark
from medrag.evaluation.runs.files import (
    ANSWERS,
    CANDIDATES,
    ITEMS,
    MANIFEST,
    PASSAGES,
    naming,
    whole_lines,
    write_file,
)
from medrag.evaluation.runs.reading import FORMAT, check_items, read_manifest
from medrag.pipeline import Pipeline
from medrag.prompting.templates import digest, digests

# What may differ between two sittings of one run.
_FREE = frozenset({"created", "arms", "notes", "problems", "memory"})
# What answers do not depend on: a scorer that is mended leaves a run that is half done its own.
_AFTERWARDS = (
    "cli", "reporting", "integrations", "serving", "alignment", "evaluation/scorers",
    "evaluation/scoring", "evaluation/statistics", "evaluation/parsing", "evaluation/grounding",
    "evaluation/text_measures",
)  # fmt: skip
LEFT_OUT = "left out"
_SHOWN = 80


def manifest_of(
    pipeline: Pipeline, benchmark: Benchmark, items: bytes, seed: int, *, training: bytes = b""
) -> dict[str, Any]:
    """Say what the answers depend on, so that answers of two kinds never stand in one run.

    Args:
        items: the lines of `item_lines(..., named=True)`.
        training: likewise, of the items that floors learn from.
    """
    return {
        "format": FORMAT,
        "medrag": medrag.__version__,
        "code": code_sha256(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_items": len(benchmark.items),
        "benchmark": {
            "name": benchmark.name,
            "split": benchmark.split,
            "layout": benchmark.layout,
            "files": dict(benchmark.files),
            "items": hashlib.sha256(items).hexdigest(),
            "protocols": list(benchmark.card.protocols),
            "group_by": list(benchmark.card.group_by),
        },
        "training": hashlib.sha256(training).hexdigest() if training else None,
        **(pipeline.identity or {"pipeline": {"name": type(pipeline).__name__}}),
        "k": pipeline.k,
        "guard": pipeline.guard,
        "model": _model(pipeline),
        "template": _templates(pipeline),
        "seed": seed,
        "arms": [],
        "notes": {},
        "problems": list(benchmark.problems),
        "memory": {},
    }


def _templates(pipeline: Pipeline) -> dict[str, str]:
    """Name what prompts may be written by: the shipped templates, or the one that is set."""
    chosen = getattr(pipeline.answerer, "template", None)
    return digests() if chosen is None else {str(chosen): digest(str(chosen))}


@cache
def code_sha256() -> str:
    """Hash the sources that answers depend on: those of two versions are not mixed unseen."""
    folder = Path(medrag.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(tuple(f"{each}/" for each in _AFTERWARDS)):
            digest.update(f"{name}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def begin(out: Path, manifest: dict[str, Any], items: bytes, arms: Sequence[str]) -> None:
    """Begin a run, or check that the one which is there is of the same.

    The manifest comes first: where it stands, items that are missing are written anew.

    Args:
        items: the lines of items.jsonl; their SHA-256 is kept in the manifest.

    Raises:
        EvaluationError: if the run is of something else, its items were changed, or files of a
            run stand there without a manifest; nothing was written then.
    """
    path = out / MANIFEST
    written = {"items_sha256": hashlib.sha256(items).hexdigest()}
    if not os.path.lexists(path):
        _refuse_files(out)
        _write_manifest(path, {**manifest, **written, "arms": list(arms)})
        write_file(out / ITEMS, items)
        return
    there = read_manifest(out)
    _refuse_other(out, there, manifest)
    if (out / ITEMS).is_file():
        with naming(out / ITEMS, "read"):
            check_items(out / ITEMS, _sha256(out / ITEMS), there)
        written = {}
    known = there["arms"]
    added = {
        "arms": [*known, *(arm for arm in arms if arm not in known)],
        "training": there.get("training") or manifest["training"],
    }
    _write_manifest(path, {**there, **written, **added})
    if written:
        write_file(out / ITEMS, items)


def _refuse_files(out: Path) -> None:
    for name in (ANSWERS, PASSAGES, ITEMS, CANDIDATES):
        if os.path.lexists(out / name):
            raise EvaluationError(
                f"{out} holds {name} without {MANIFEST}, so that nobody knows what it belongs to; "
                "give another folder"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_other(out: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    for key in here:
        # Floors may come later: until then a run has no training items.
        unset = key == "training" and None in (there.get(key), here[key])
        if key not in _FREE and not unset and there.get(key) != here[key]:
            raise EvaluationError(
                f"{out} holds a run with another {_differing(key, there.get(key), here[key])}; "
                "answers of two kinds are not mixed: give another folder"
            )


def _differing(key: str, there: Any, here: Any) -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        for inner in here:
            if there.get(inner) != here[inner]:
                return _differing(f"{key}.{inner}", there.get(inner), here[inner])
    return f"{key}: {_short(there)} there, {_short(here)} here"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def finish(out: Path, notes: Mapping[str, str], memory: Mapping[str, int]) -> None:
    """Add what is known at the end: notes of arms, memory by stage. Arms left out are no arms.

    A note takes the place of an older one of the same arm; "" leaves none.
    """
    manifest = read_manifest(out)
    left_out = {arm for arm, note in notes.items() if note.startswith(LEFT_OUT)}
    most = {
        stage: max(memory.get(stage, 0), manifest["memory"].get(stage, 0))
        for stage in {*memory, *manifest["memory"]}
    }
    left_out -= _answered(out / ANSWERS, left_out & set(manifest["arms"]))
    arms = [arm for arm in manifest["arms"] if arm not in left_out]
    told = {arm: note for arm, note in {**manifest["notes"], **notes}.items() if note}
    kept = {"notes": told, "memory": most, "arms": arms}
    _write_manifest(out / MANIFEST, {**manifest, **kept})


def _answered(path: Path, arms: Collection[str]) -> set[str]:
    """Find the arms that have answers from before, when they could be made."""
    found: set[str] = set()
    marks = {arm: b'"arm": ' + json.dumps(arm).encode() + b"," for arm in arms}
    for _, line in whole_lines(path) if marks and path.is_file() else ():
        found |= {arm for arm, mark in marks.items() if mark in line}
    return found


def _write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    write_file(path, (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode())


def _model(pipeline: Pipeline) -> str:
    generator = getattr(pipeline.answerer, "generator", None)
    return str(getattr(generator, "name", type(pipeline.answerer).__name__))
