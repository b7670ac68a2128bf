"""Trained models beside each other on the same items, and what may be claimed of them."""

from medrag.alignment.comparing.comparing import compare_alignment
from medrag.alignment.comparing.pairing import controls_of, is_control, is_supervised, pairs_of
from medrag.alignment.comparing.records import (
    BASE,
    SFT,
    AlignmentComparison,
    Beside,
    Claim,
    Difference,
    Training,
    Variant,
    VariantScores,
)
from medrag.alignment.comparing.variants import variants_of

__all__ = [
    "BASE",
    "SFT",
    "AlignmentComparison",
    "Beside",
    "Claim",
    "Difference",
    "Training",
    "Variant",
    "VariantScores",
    "compare_alignment",
    "controls_of",
    "is_control",
    "is_supervised",
    "pairs_of",
    "variants_of",
]
