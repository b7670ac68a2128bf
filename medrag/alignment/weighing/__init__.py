"""How much each pair counts: clinical relevance as a panel of models judges it, and confidence."""

from medrag.alignment.weighing.panel import Mistake, Panel, PanelScores, Relevance
from medrag.alignment.weighing.remembering import RememberedGenerator
from medrag.alignment.weighing.scores import read_score
from medrag.alignment.weighing.weighing import (
    Weighed,
    WeighingReport,
    normalised_pairs,
    shuffled_pairs,
    weigh_pairs,
)
from medrag.alignment.weighing.weights import normalised_weights, shuffled_weights

__all__ = [
    "Mistake",
    "Panel",
    "PanelScores",
    "Relevance",
    "RememberedGenerator",
    "Weighed",
    "WeighingReport",
    "normalised_pairs",
    "normalised_weights",
    "read_score",
    "shuffled_pairs",
    "shuffled_weights",
    "weigh_pairs",
]
