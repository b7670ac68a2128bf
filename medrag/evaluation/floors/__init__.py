"""Answers that need no model: what a score must beat before it says anything.

Each floor gives the texts that a reader would give, so that they are parsed and scored like those
of any arm. Nothing of a test item is read but its question and the form of its answer; the labels
of the test items serve only where there is no training split, and the note then says so.
"""

from medrag.evaluation.floors.answers import FLOORS, Floor, floor_answers, why_left_out

__all__ = ["FLOORS", "Floor", "floor_answers", "why_left_out"]
