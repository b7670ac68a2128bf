"""What may be claimed: only what is better than the SFT control, on the same items.

A model that was merely shown the right answers learns their form, their priors and the use of
context, too. What preferences add is what is left beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medrag.alignment.comparing.measuring import better
from medrag.alignment.comparing.pairing import is_control
from medrag.alignment.comparing.records import BASE, SFT, Beside, Claim, Difference
from medrag.evaluation.scores import CONTEXT

ALPHA = 0.05
_ACCURACY = f"accuracy ({CONTEXT})"
_NO_CONTROL = (
    "No gain is claimed: there is no run of the SFT control among the variants. Train one on the "
    "chosen answers of the same pairs, for as many steps, and add it as sft=RUN."
)
_NOTHING = "No gain is claimed: beside the SFT control there is nothing that was trained otherwise."
_NONE = (
    "No gain over the SFT control was shown: no measure is better with an adjusted p below "
    f"{ALPHA} and an interval that leaves out 0."
)
_ONCE = "one of the two was trained once: another seed might not repeat it"
_SOME = (
    f"Each claim is against the SFT control, with p below {ALPHA} after Holm's correction over "
    "all that is held against it, and an interval that leaves out 0."
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What is better and what is worse than the SFT control, and why there is so much or none."""

    gains: tuple[Claim, ...]
    losses: tuple[Claim, ...]
    note: str


def claims_of(comparisons: Sequence[Beside], n_seeds: Mapping[str, int]) -> Claimed:
    """Find what can be said of each method beside the SFT control; of controls nothing is.

    Args:
        n_seeds: of each variant.
    """
    if not any(SFT in (each.a, each.b) for each in comparisons):
        return Claimed((), (), _NO_CONTROL)
    beside = [each for each in comparisons if each.a == SFT and not is_control(each.b)]
    if not beside:
        return Claimed((), (), _NOTHING)
    once = {each.b for each in beside if min(n_seeds[each.a], n_seeds[each.b]) == 1}
    gains = tuple(
        replace(claim, caveats=(*claim.caveats, *([_ONCE] if claim.variant in once else [])))
        for each in beside
        for claim in _claims(each, comparisons, gain=True)
    )
    losses = tuple(claim for each in beside for claim in _claims(each, comparisons, gain=False))
    return Claimed(gains, losses, _SOME if gains else _NONE)


def is_shown(difference: Difference) -> bool:
    """Tell whether a difference is no chance: p after correction, and the interval."""
    one = difference.value
    return difference.adjusted_p < ALPHA and (one.low > 0 or one.high < 0)


def _claims(beside: Beside, comparisons: Sequence[Beside], *, gain: bool) -> Iterator[Claim]:
    for measure, difference in beside.differences.items():
        way = better(measure) * difference.value.value
        if way and (way > 0) is gain and is_shown(difference):
            caveats = tuple(_caveats(beside, measure, comparisons)) if gain else ()
            yield Claim(beside.b, measure, difference, caveats)


def _caveats(beside: Beside, measure: str, comparisons: Sequence[Beside]) -> Iterator[str]:
    """Say what speaks against taking a gain for what it looks like."""
    right = beside.differences.get(_ACCURACY)
    if measure != _ACCURACY and right is not None and right.value.value < 0:
        told = "fell" if is_shown(right) else "is lower, though not shown to be,"
        yield f"accuracy with context {told} by {_points(-right.value.value)}"
    for name, difference in beside.differences.items():
        rose = name.startswith("image_blind") and difference.value.low > 0
        if rose and measure.startswith("accuracy"):
            yield (
                f"{name.replace('_', '-', 1)} rose by {_points(difference.value.value)}: the gain "
                "may come from priors, and not from the picture"
            )
    for other in comparisons:
        control = other.differences.get(measure)
        if other.b != beside.b or other.a in (BASE, SFT) or control is None:
            continue
        if not (is_shown(control) and better(measure) * control.value.value > 0):
            yield f"the control {other.a!r} is not shown to do worse"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
