"""How far answers rest on what they cite."""

from medrag.evaluation.grounding.answers import MEASURES, grounding_values
from medrag.evaluation.grounding.claims import ClaimSupport, claim_support

__all__ = ["MEASURES", "ClaimSupport", "claim_support", "grounding_values"]
