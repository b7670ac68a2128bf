"""Probabilities as words, for prompts of models that weigh words better than numbers.

Source:
    Wang, Zhao, Ouyang, Wang & Shen, "ChatCAD", Commun. Eng. 3, 2024: the bounds and the words.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from medrag.language.foreign import fenced

# From which probability on a finding is told in which words; the words hold {finding} once.
Verbal = Sequence[tuple[float, str]]
CHATCAD: tuple[tuple[float, str], ...] = (
    (0.0, "no sign of {finding}"),
    (0.2, "small possibility of {finding}"),
    (0.5, "likely {finding}"),
    (0.9, "definitely {finding}"),
)


def in_words(probabilities: Mapping[str, float], *, table: Verbal = CHATCAD) -> str:
    """Tell findings with their probabilities as a sentence, the most probable first.

    Args:
        probabilities: of each finding, in [0, 1]; equal ones keep their order.
        table: from which probability on which words hold; begins at 0 and ascends.

    Returns:
        Such as "Definitely effusion; no sign of edema."; empty without findings.

    Raises:
        ValueError: if a probability is out of range or no number, a finding is blank, or the table
            is malformed.
    """
    check_table(table)
    told = []
    for finding, probability in sorted(probabilities.items(), key=lambda each: -each[1]):
        name = " ".join(fenced(finding).split())
        if not name:
            raise ValueError(f"a finding of probability {probability} has no name")
        told.append(_words(finding, probability, table).replace("{finding}", name))
    said = "; ".join(told)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def check_table(table: Verbal) -> None:
    """Refuse a table that cannot be meant.

    Raises:
        ValueError: if it does not begin at 0 and ascend within [0, 1], or words do not hold
            {finding} once.
    """
    for row in table:
        if len(row) != 2 or isinstance(row, str):
            raise ValueError(f"a row of the table must be a probability and words, got {row!r}")
        bound, words = row
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 <= bound <= 1:
            raise ValueError(f"a bound of the table must be in [0, 1], got {bound!r}")
        if not isinstance(words, str) or words.count("{finding}") != 1:
            raise ValueError(f"the words from {bound} on must hold {{finding}} once, got {words!r}")
    bounds = [bound for bound, _ in table]
    if not bounds or bounds[0] != 0 or any(a >= b for a, b in pairwise(bounds)):
        raise ValueError(f"the bounds of the table must begin at 0 and ascend, got {bounds}")


def _words(finding: str, probability: float, table: Verbal) -> str:
    if not 0 <= probability <= 1:  # false of NaN, too
        raise ValueError(f"the probability of {finding!r} must be in [0, 1], got {probability}")
    return [words for bound, words in table if probability >= bound][-1]
