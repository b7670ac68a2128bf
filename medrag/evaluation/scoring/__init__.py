"""From the answers of a run to its scores: columns by item, measures, diagnostics."""

from medrag.evaluation.scoring.score import score_run

__all__ = ["score_run"]
