"""What was right of the answers to every setting; read once, for the report and a calibration."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scoring.columns import gather
from medrag.evaluation.selecting.choosing import Choices
from medrag.protocols import Progress

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """The answers of a run, scored.

    Attributes:
        right: by setting, (n_items,) in [0, 1]; nan where the protocol does not count the item.
        missing: by setting, (n_items,) True where there is no answer.
    """

    run: Run
    protocol: ScoringProtocol
    right: Mapping[str, Floats]
    missing: Mapping[str, NDArray[np.bool_]]


def score_choices(
    choices: Choices, run: Run, protocol: ScoringProtocol, *, progress: Progress | None = None
) -> Scored:
    """Score the answers of every setting.

    Args:
        run: of `answer_choices`.
        protocol: says what is right.

    Raises:
        EvaluationError: if a line of the run is broken, or a judge that the protocol needs fails.
    """
    names = [each.setting.name for each in choices.all]
    columns = gather(run, protocol, arms=names, progress=progress).columns
    right = {name: np.clip(columns[name].right, 0, 1) for name in names}
    return Scored(run, protocol, right, {name: columns[name].missing for name in names})
