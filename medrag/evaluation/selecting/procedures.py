"""Which of several hypotheses to reject, so that a true one is among them with a small probability.

Source:
    Holm, Scandinavian Journal of Statistics 6, 1979; fixed sequences: Maurer, Hothorn & Lehmacher,
    1995; as steps of Learn then test: Angelopoulos et al., 2021.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import get_args

from medrag.evaluation.statistics import holm
from medrag.selection.calibration import Procedure


def rejected(p_values: Sequence[float], procedure: Procedure, delta: float) -> list[bool]:
    """Tell which hypotheses are rejected, at a family-wise level of delta, whatever their relation.

    "bonferroni" compares each p-value with delta / n. "holm" goes from the smallest to the largest,
    compares with delta / n, delta / (n - 1) and so on, and ends with the first that fails; it
    rejects all that Bonferroni does. "fixed_sequence" goes in the order given, which must not
    depend on the values, compares each with delta, and ends likewise.

    Raises:
        ValueError: if delta does not lie between 0 and 1, or there is no such procedure.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta}")
    if procedure not in get_args(Procedure):
        raise ValueError(
            f"procedure must be one of {', '.join(get_args(Procedure))}, got {procedure!r}"
        )
    if procedure == "bonferroni":
        return [p <= delta / len(p_values) for p in p_values]
    if procedure == "holm":
        return [bool(p <= delta) for p in holm(p_values)] if len(p_values) else []
    n = len(list(takewhile(lambda p: p <= delta, p_values)))
    return [place < n for place in range(len(p_values))]
