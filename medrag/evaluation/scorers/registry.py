"""Protocols by name."""

from collections.abc import Callable, Sequence

from medrag.evaluation.judging import Judge
from medrag.evaluation.scorers.cares import Cares
from medrag.evaluation.scorers.closed_only import ClosedOnly
from medrag.evaluation.scorers.exact import Exact
from medrag.evaluation.scorers.llava_med import LlavaMed
from medrag.evaluation.scorers.medevalkit_judge import MedEvalKitJudge
from medrag.evaluation.scorers.medevalkit_rule import MedEvalKitRule
from medrag.evaluation.scorers.nearest_option import NearestOption
from medrag.evaluation.scorers.prefix import Prefix
from medrag.evaluation.scorers.protocol import Mode, ScoringProtocol

_MADE: dict[str, Callable[[Mode], ScoringProtocol]] = {
    "closed_only": lambda mode: ClosedOnly(mode=mode),
    "medevalkit_rule": lambda mode: MedEvalKitRule(mode=mode),
    "cares": lambda mode: Cares(mode=mode),
    "prefix": lambda mode: Prefix(mode=mode),
    "nearest_option": lambda mode: NearestOption(mode=mode),
    "exact": lambda mode: Exact(mode=mode),
}
PROTOCOLS: tuple[str, ...] = (
    "llava_med", "closed_only", "medevalkit_rule", "medevalkit_judge", "cares", "prefix",
    "nearest_option", "exact",
)  # fmt: skip


def scoring_protocol(
    name: str,
    mode: Mode = "corrected",
    *,
    judge: Judge | None = None,
    candidates: Sequence[str] | None = None,
) -> ScoringProtocol:
    """Make a scoring protocol.

    Args:
        name: one of `PROTOCOLS`.
        mode: "faithful" to reproduce the released scorer, "corrected" to report.
        judge: what "medevalkit_judge" asks; other protocols ask nobody.
        candidates: the answers of the training split, for the "open_accuracy" of "llava_med";
            without them it is left out.

    Raises:
        ValueError: if the name or the mode is unknown, or if the judge is missing.
    """
    if mode not in ("faithful", "corrected"):
        raise ValueError(f"unknown mode {mode!r}; known are faithful, corrected")
    if name == "llava_med":
        return LlavaMed(mode=mode, candidates=candidates)
    if name == "medevalkit_judge":
        if judge is None:
            raise ValueError(
                "medevalkit_judge needs a judge; give one, or use medevalkit_rule, which asks none"
            )
        return MedEvalKitJudge(mode=mode, judge=judge)
    if name not in _MADE:
        raise ValueError(f"unknown protocol {name!r}; known are {', '.join(PROTOCOLS)}")
    return _MADE[name](mode)
