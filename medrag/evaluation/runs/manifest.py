"""The manifest of a run: what its answers depend on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import medrag
from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import Benchmark
from medrag.evaluation.runs.reading import ANSWERS, FORMAT, ITEMS, MANIFEST, read_manifest
from medrag.indexing.durable import write_atomically
from medrag.pipeline import Pipeline
from medrag.prompting.templates import TEMPLATE_VERSION

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
        "template": TEMPLATE_VERSION,
        "seed": seed,
        "arms": [],
        "notes": {},
        "problems": list(benchmark.problems),
        "memory": {},
    }


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
    """Begin a run, or check that the one which is there is of the same."""
    path = out / MANIFEST
    if path.is_file():
        there = read_manifest(out)
        _refuse_other(out, there, manifest)
        known = there["arms"]
        manifest = {
            **there,
            "arms": [*known, *(arm for arm in arms if arm not in known)],
            "training": there.get("training") or manifest["training"],
        }
    elif (out / ANSWERS).exists():
        raise EvaluationError(
            f"{out} holds {ANSWERS} without {MANIFEST}, so that nobody knows what they answer; "
            "give another folder"
        )
    else:
        manifest = {**manifest, "arms": list(arms)}
        write_atomically(out / ITEMS, items)
    _write_manifest(path, manifest)


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
    arms = [arm for arm in manifest["arms"] if arm not in left_out]
    told = {arm: note for arm, note in {**manifest["notes"], **notes}.items() if note}
    kept = {"notes": told, "memory": most, "arms": arms}
    _write_manifest(out / MANIFEST, {**manifest, **kept})


def _write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    write_atomically(path, (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode())


def _model(pipeline: Pipeline) -> str:
    generator = getattr(pipeline.answerer, "generator", None)
    return str(getattr(generator, "name", type(pipeline.answerer).__name__))
