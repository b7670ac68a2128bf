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
from medrag.evaluation.scorers.overlap import Overlap
from medrag.evaluation.scorers.places import Places
from medrag.evaluation.scorers.prefix import Prefix
from medrag.evaluation.scorers.protocol import Mode, ScoringProtocol
from medrag.evaluation.scorers.sure_vqa import SureVqa

_MADE: dict[str, Callable[[Mode], ScoringProtocol]] = {
    "closed_only": lambda mode: ClosedOnly(mode=mode),
    "medevalkit_rule": lambda mode: MedEvalKitRule(mode=mode),
    "cares": lambda mode: Cares(mode=mode),
    "prefix": lambda mode: Prefix(mode=mode),
    "nearest_option": lambda mode: NearestOption(mode=mode),
    "exact": lambda mode: Exact(mode=mode),
    "places": lambda mode: Places(mode=mode),
}
_JUDGED: dict[str, Callable[[Mode, Judge], ScoringProtocol]] = {
    "medevalkit_judge": lambda mode, judge: MedEvalKitJudge(mode=mode, judge=judge),
    "sure_vqa": lambda mode, judge: SureVqa(mode=mode, judge=judge),
}
PROTOCOLS: tuple[str, ...] = (
    "llava_med", "closed_only", "medevalkit_rule", "medevalkit_judge", "cares", "prefix",
    "nearest_option", "exact", "overlap", "places", "sure_vqa",
)  # fmt: skip


def scoring_protocol(
    name: str,
    mode: Mode = "corrected",
    *,
    judge: Judge | None = None,
    candidates: Sequence[str] | None = None,
    benchmark: str | None = None,
) -> ScoringProtocol:
    """Make a scoring protocol.

    Args:
        name: one of `PROTOCOLS`.
        mode: "faithful" to reproduce the released scorer, "corrected" to report.
        judge: what "medevalkit_judge" and "sure_vqa" ask; other protocols ask nobody.
        candidates: the answers of the training split, for the "open_accuracy" of "llava_med";
            without them it is left out.
        benchmark: whose items are scored; "overlap" cleans reports as the released code does for
            "iu_xray" and "mimic_cxr_reports" in faithful mode.

    Raises:
        ValueError: if the name or the mode is unknown, or if the judge is missing.
    """
    if mode not in ("faithful", "corrected"):
        raise ValueError(f"unknown mode {mode!r}; known are faithful, corrected")
    if name == "llava_med":
        return LlavaMed(mode=mode, candidates=candidates)
    if name == "overlap":
        return Overlap(mode=mode, benchmark=benchmark)
    if name in _JUDGED:
        if judge is None:
            raise ValueError(
                f"{name} needs a judge; give one, or use medevalkit_rule, which asks none"
            )
        return _JUDGED[name](mode, judge)
    if name not in _MADE:
        raise ValueError(f"unknown protocol {name!r}; known are {', '.join(PROTOCOLS)}")
    return _MADE[name](mode)
