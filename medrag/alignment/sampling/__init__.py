"""Pairs made without a run: sampled and written mistakes, and one answer to a worse picture."""

from medrag.alignment.sampling.asking import Made
from medrag.alignment.sampling.grounding import Grounded, grounded
from medrag.alignment.sampling.noised import NoisedFamily, noised_pairs
from medrag.alignment.sampling.sampled import read_choice, sampled_pairs
from medrag.alignment.sampling.written import written_pairs

__all__ = [
    "Grounded",
    "Made",
    "NoisedFamily",
    "grounded",
    "noised_pairs",
    "read_choice",
    "sampled_pairs",
    "written_pairs",
]
