"""Which fixed numbers of hits keep the share of wrong answers below a wanted risk.

Source:
    Xia et al., "RULE: reliable multimodal RAG for factuality in medical vision language models",
    EMNLP 2024, section on factuality risk control; Angelopoulos et al., "Learn then test", 2021.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

import medrag
from medrag.errors import EvaluationError, InputFileError
from medrag.evaluation.calibrating.answers import cluster_name, one_of_each
from medrag.evaluation.calibrating.risk import exact_p, hoeffding_bentkus_p, least_n
from medrag.evaluation.selecting.choosing import Choices
from medrag.evaluation.selecting.procedures import rejected
from medrag.evaluation.selecting.scoring import Scored
from medrag.indexing.durable import write_atomically
from medrag.pipeline.pipeline import model_name
from medrag.selection.calibration import (
    Bound,
    KCalibration,
    Procedure,
    TriedK,
    index_sha256,
    k_calibration_json,
    load_k_calibration,
    recipe_sha256,
)

Floats = NDArray[np.float64]


def calibrate_k(
    choices: Choices,
    scored: Scored,
    *,
    alpha: float = 0.2,
    delta: float = 0.1,
    procedure: Procedure = "bonferroni",
    bound: Bound = "hoeffding_bentkus",
    seed: int = 0,
) -> KCalibration:
    """Test each fixed k that was asked for, on one item of each cluster.

    Answers about one patient stand and fall together, and the bounds need independent ones, so one
    item of each cluster is drawn at random. What was not answered rightly is wrong: also an answer
    that abstains, fails, or cannot be read. The items must not be those on which the calibrated
    pipeline is then measured, and must have no patient in common with them.

    Args:
        choices, scored: of `choose` and `score_choices`.
        alpha: the share of wrong answers that may be.
        delta: how often, over draws of the items, that may fail.
        procedure: of `rejected`; the order of a fixed sequence is that of `choices.ks`.
        bound: "hoeffding_bentkus", as published, or "exact", the binomial tail itself, which needs
            fewer items and takes right and wrong only.

    Raises:
        EvaluationError: if no k was asked for, or no item counts.
        ValueError: if alpha or delta does not lie between 0 and 1, or the exact bound meets shares.
    """
    losses = independent_losses(choices, scored, seed=seed)
    tested = tried_ks(losses, alpha, delta, procedure, bound)
    n = len(next(iter(losses.values())))
    pipeline = choices.pipeline
    return KCalibration(
        k=best_k(tested),
        alpha=alpha,
        delta=delta,
        procedure=procedure,
        bound=bound,
        n=n,
        tested=tested,
        index=index_sha256(pipeline.identity),
        recipe=recipe_sha256(pipeline.identity),
        model=model_name(pipeline.answerer),
        depth=choices.depth,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        medrag=medrag.__version__,
        source=_source(scored),
        problems=_problems(tested, n, len(choices.ranked), alpha, delta, procedure),
    )


def independent_losses(choices: Choices, scored: Scored, *, seed: int = 0) -> dict[int, Floats]:
    """Give the losses of one item of each cluster, by k in the order asked for; see `calibrate_k`.

    Items that a number was not answered for, or that the protocol does not count, are left out.

    Raises:
        EvaluationError: if no k was asked for, or no item counts.
    """
    if not choices.ks:
        raise EvaluationError("a calibration of k needs numbers to test; name some: --k 1,2,5")
    names = [choices.fixed[k].setting.name for k in choices.ks]
    right = np.stack([scored.right[name] for name in names])
    missing = np.stack([scored.missing[name] for name in names])
    counted = np.flatnonzero(~np.isnan(right).all(axis=0) & ~missing.any(axis=0))
    if not len(counted):
        raise EvaluationError(
            f"{scored.run.folder}: no item counts that was answered for every one of "
            f"{', '.join(names)}"
        )
    items = [each.item for each in choices.ranked]
    clusters = [cluster_name(items[place].cluster, place) for place in counted.tolist()]
    drawn = counted[one_of_each(clusters, seed)]
    # What one k answers and another abstains from is wrong for the latter.
    losses = 1 - np.nan_to_num(right[:, drawn], nan=0.0)
    return dict(zip(choices.ks, losses, strict=True))


def tried_ks(
    losses: Mapping[int, ArrayLike],
    alpha: float,
    delta: float,
    procedure: Procedure = "bonferroni",
    bound: Bound = "hoeffding_bentkus",
) -> tuple[TriedK, ...]:
    """Test for each k whether its risk is above alpha.

    Args:
        losses: by k, of the same independent items, each in [0, 1]; in the order of a fixed
            sequence.

    Returns:
        In the same order. With probability 1 - delta over the draw of the items, no k that passed
        has a risk above alpha.

    Raises:
        ValueError: if a number is out of range, or there are no losses.
    """
    given = {k: np.asarray(each, dtype=np.float64) for k, each in losses.items()}
    if any(not len(each) for each in given.values()):
        raise ValueError("a test needs at least one loss")
    p_values = [_p(each, alpha, bound) for each in given.values()]
    passed = rejected(p_values, procedure, delta)
    return tuple(
        TriedK(k, float(each.mean()), p, found)
        for (k, each), p, found in zip(given.items(), p_values, passed, strict=True)
    )


def best_k(tested: Sequence[TriedK]) -> int | None:
    """Choose among those that passed the lowest risk, and of equal ones the smallest k."""
    passed = [each for each in tested if each.passed]
    return min(passed, key=lambda each: (each.risk, each.k)).k if passed else None


def save_k_calibration(calibration: KCalibration, path: Path) -> None:
    """Write a calibration, whole or not at all; one that is there before is replaced.

    Raises:
        InputFileError: if the disk refuses, or the file holds something else; names the file.
    """
    check_k_file(path)
    written = json.dumps(k_calibration_json(calibration), ensure_ascii=False, indent=1) + "\n"
    try:
        write_atomically(path, written.encode())
    except OSError as error:
        raise InputFileError(path, f"cannot be written ({error.strerror or error})") from error


def check_k_file(path: Path) -> None:
    """Refuse to write a calibration of k over a file that holds something else.

    Raises:
        InputFileError: names the file.
    """
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return
    try:
        load_k_calibration(path)
    except InputFileError as error:
        raise InputFileError(
            path, "is there, and is no calibration of k; name another file"
        ) from error


def _p(losses: Floats, alpha: float, bound: Bound) -> float:
    if bound == "hoeffding_bentkus":
        return hoeffding_bentkus_p(len(losses), float(losses.mean()), alpha)
    if bound != "exact":
        raise ValueError(f"bound must be hoeffding_bentkus or exact, got {bound!r}")
    if not np.isin(losses, (0.0, 1.0)).all():
        raise ValueError(
            "the exact bound takes right (0) and wrong (1) alone, and this protocol gives shares; "
            "use hoeffding_bentkus"
        )
    return exact_p(len(losses), int(losses.sum()), alpha)


def _source(scored: Scored) -> dict[str, str]:
    run, protocol = scored.run, scored.protocol
    benchmark = run.manifest["benchmark"]
    return {
        "benchmark": benchmark["name"],
        "split": benchmark["split"],
        "items_sha256": run.manifest["items_sha256"],
        "protocol": protocol.name,
        "mode": protocol.mode,
        "headline": ", ".join(protocol.headline),
    }


def _problems(
    tested: Sequence[TriedK],
    n: int,
    n_items: int,
    alpha: float,
    delta: float,
    procedure: Procedure,
) -> tuple[str, ...]:
    """Say what a reader of the numbers must know."""
    found = []
    if n < n_items:
        found.append(
            f"{n} independent items, one of each cluster, were tested of {n_items}: the risk is "
            "that of one question to each new patient"
        )
    level = delta if procedure == "fixed_sequence" else delta / len(tested)
    needed = least_n(alpha, level)
    if n < needed:
        found.append(
            f"{n} items are too few to test a risk of {alpha:g}: {needed} that are all answered "
            "rightly are the least"
        )
    if best_k(tested) is None:
        found.append(
            f"no k controls the risk at {alpha:g}: the selector then gives no context, or what its "
            "'otherwise' chooses; calibrate on more patients, accept a higher risk, or answer "
            "better"
        )
    return tuple(found)
