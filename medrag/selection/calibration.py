"""What a calibration of k holds, as one JSON file.

It is made by `medrag.evaluation.selecting` of answers whose right and wrong are known. What it
promises holds for the index, the recipe and the model that gave them, and for questions drawn like
those: the file names all of them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from medrag.codec import record_from_json, to_json
from medrag.errors import InputFileError
from medrag.shapes import ShapeError

Procedure = Literal["bonferroni", "holm", "fixed_sequence"]
Bound = Literal["hoeffding_bentkus", "exact"]
KIND, FORMAT = "k", 1
_LARGEST = 1 << 20
# What a calibration of k does not depend on: how many hits were selected, and of how many asked
# for, which is compared by itself.
_BESIDE = frozenset({"select", "k"})


@dataclass(frozen=True, slots=True)
class TriedK:
    """A number of hits that was tested.

    Attributes:
        k: 0 for no context.
        risk: FR(k), the share of the n items that are answered wrongly with k hits.
        p: of the hypothesis that the risk is above alpha.
    """

    k: int
    risk: float
    p: float
    passed: bool


@dataclass(frozen=True, slots=True)
class KCalibration:
    """How many hits keep the share of wrong answers below alpha.

    Attributes:
        k: of those that passed the one of the lowest risk, and of equal ones the smallest; None
            where none passed: no k controls the risk.
        alpha, delta: with probability 1 - delta over the draw of the calibration items, no k that
            passed has a risk above alpha.
        n: items that were tested, one of each cluster.
        tested: in the order given, which is that of a fixed sequence.
        index: SHA-256 of the index; "" where it has none.
        recipe: SHA-256 of the pipeline's recipe without its selector (`recipe_sha256`).
        model: `Answer.model`.
        depth: hits that the pipeline asked for (its k).
        source: benchmark, split, items, protocol, and whose answers count.
        problems: what a reader of the numbers must know, in sentences.
    """

    k: int | None
    alpha: float
    delta: float
    procedure: Procedure
    bound: Bound
    n: int
    tested: tuple[TriedK, ...]
    index: str
    recipe: str
    model: str
    depth: int
    created: str
    seed: int = 0
    medrag: str = ""
    source: Mapping[str, str] = field(default_factory=dict, hash=False)
    problems: tuple[str, ...] = ()


def recipe_sha256(identity: Mapping[str, Any]) -> str:
    """Name the recipe in the identity of a pipeline, whatever it selects; "" where it has none."""
    part = identity.get("pipeline")
    recipe = part.get("recipe") if isinstance(part, Mapping) else None
    if not isinstance(recipe, Mapping):
        return ""
    kept = {key: value for key, value in recipe.items() if key not in _BESIDE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def index_sha256(identity: Mapping[str, Any]) -> str:
    """Name the index in the identity of a pipeline; "" where it has none."""
    part = identity.get("index")
    return str(part.get("sha256", "")) if isinstance(part, Mapping) else ""


def k_calibration_json(calibration: KCalibration) -> dict[str, Any]:
    """Give a calibration as JSON values, which `load_k_calibration` reads again."""
    return {"format": FORMAT, "calibrates": KIND, **to_json(calibration)}


def load_k_calibration(path: Path) -> KCalibration:
    """Read a calibration of k.

    Raises:
        InputFileError: if the file is missing, broken, or holds something else.
    """
    value = _read(path)
    stated = (value.pop("format", None), value.pop("calibrates", None))
    if stated != (FORMAT, KIND) or isinstance(stated[0], bool):
        raise InputFileError(
            path,
            f"is no calibration of k of format {FORMAT}; make one: medrag eval selection PIPELINE "
            "BENCHMARK --calibrate FILE",
        )
    try:
        calibration = record_from_json(KCalibration, value)
        _check(calibration)
    except ShapeError as error:
        raise InputFileError(path, f"is no calibration of k ({error}); calibrate anew") from error
    return calibration


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InputFileError(path, f"is larger than {_LARGEST >> 20} MB: no calibration of k")
        value = json.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputFileError(path, f"cannot be read as a calibration of k ({why})") from error
    return value if isinstance(value, dict) else {}


def _check(calibration: KCalibration) -> None:
    """Refuse numbers that no calibration has, such as NaN, which Python reads from JSON."""
    shares = {"alpha": calibration.alpha, "delta": calibration.delta}
    for place, each in enumerate(calibration.tested):
        shares |= {f"tested[{place}].risk": each.risk, f"tested[{place}].p": each.p}
        if each.k < 0:
            raise ShapeError(f"expected a number of hits, found {each.k}", f"tested[{place}].k")
    for name, share in shares.items():
        if not (isfinite(share) and 0 <= share <= 1):
            raise ShapeError(f"expected a number in [0, 1], found {share}", name)
    passed: set[int | None] = {each.k for each in calibration.tested if each.passed}
    if calibration.k not in (passed or {None}):
        raise ShapeError(f"{calibration.k} is none of those that passed", "k")
