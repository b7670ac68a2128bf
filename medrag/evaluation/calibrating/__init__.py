"""Calibrations of confidence, with a threshold for abstaining, fitted to the answers of a run."""

from medrag.evaluation.calibrating.calibrating import calibrate_run

__all__ = ["calibrate_run"]
