"""What variants and measures are called on the page, and what they mean."""

import re

from medrag.alignment.comparing import BASE, SFT, AlignmentComparison, is_supervised
from medrag.reporting.evaluation.names import arm_name, share_name, share_told

_OF_ARM = re.compile(r"accuracy \((\w+)\)")
_MEASURES = {
    "rescue": "set right by context",
    "interference": "turned wrong by context",
    "over reliance": "same answer",
    "image blind": "right without the picture",
    "copied references": "copied from others",
}
_TOLD = {
    "accuracy": "Share of the items that is right.",
    "rescue": "Of the items wrong without context, the share that context turns right.",
    "interference": "Of the items right without context, the share that context turns wrong: the "
    "over-reliance that RULE and RAG-PT train against.",
}
_VARIANTS = {
    BASE: "the model before any training",
    SFT: "the control: trained on right answers alone",
    "text-only": "the control whose pairs all have the same picture on both sides",
}


def measure_name(measure: str) -> str:
    """Call a measure: "accuracy (blank_image)" is "accuracy, blank picture"."""
    if match := _OF_ARM.fullmatch(measure):
        return f"accuracy, {arm_name(match.group(1))}"
    shown = share_name(measure)
    for plain, told in _MEASURES.items():
        shown = shown.replace(plain, told)
    return shown.replace(" (", ", ").removesuffix(")")


def shown_measures(found: AlignmentComparison) -> list[str]:
    """Name the measures of all variants, but for those that repeat the accuracy of an arm.

    Image-blind accuracy does so where every item has a picture.
    """
    names = dict.fromkeys(name for each in found.variants for name in each.measures)
    return [name for name in names if not _repeats_accuracy(found, name)]


def measure_told(measure: str) -> str:
    """Explain a measure in a sentence; empty for an unknown one."""
    return _TOLD.get(measure.split(" ")[0]) or share_told(measure)


def variant_told(name: str) -> str:
    """Say what a variant is; empty where the name alone says it."""
    if name.endswith("-shuffled"):
        return f"the control of {name.removesuffix('-shuffled')}: its weights dealt out anew"
    if name.endswith("-text-only"):
        return f"the control of {name.removesuffix('-text-only')}: same picture on both sides"
    if name != SFT and is_supervised(name):
        return "a further control: trained on right answers alone"
    return _VARIANTS.get(name, "")


def _repeats_accuracy(found: AlignmentComparison, measure: str) -> bool:
    if not measure.startswith("image_blind"):
        return False
    same = measure.replace("image_blind", "accuracy", 1)
    told = [each.measures for each in found.variants if measure in each.measures]
    # The items with a picture are some of all items: as many are the same ones.
    return all(same in each and each[same].n == each[measure].n for each in told)
