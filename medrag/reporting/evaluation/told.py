"""What a scoring protocol counts, in its own words."""

from collections.abc import Sequence
from dataclasses import dataclass

from medrag.evaluation.scorers import PROTOCOLS, scoring_protocol
from medrag.evaluation.scores import Scores

_MODES = {
    "faithful": "Faithful mode does what the released scorer does, its defects included, so that "
    "the numbers compare with published ones.",
    "corrected": "Corrected mode is without the defects of the released scorer: these are the "
    "numbers to report.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A protocol in sentences; what is not known of it is empty.

    Attributes:
        counts: what it counts.
        mode: what its mode means.
        source: whose protocol it is.
        defects: of its released scorer.
    """

    counts: str
    mode: str
    source: str
    defects: tuple[str, ...]


def told(scores: Scores) -> Told:
    """Say what stands behind the protocol of scores."""
    if scores.protocol not in PROTOCOLS:
        return Told("", _MODES[scores.mode], "", ())
    protocol = scoring_protocol(
        scores.protocol, scores.mode, judge=_Unasked(), benchmark=scores.benchmark
    )
    return Told(protocol.about, _MODES[scores.mode], protocol.source, protocol.defects)


class _Unasked:
    """A judge for a protocol that is made to be described, and judges nothing."""

    name = "nobody"

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        return [None for _ in prompts]
