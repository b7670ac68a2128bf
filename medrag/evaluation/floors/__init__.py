"""Answers that need no model: what a score must beat before it says anything.

Each floor gives the texts that a reader would give, so that they are parsed and scored like those
of any arm. Of a test item its question is read, with pictures and options, and what the files of
the benchmark say of the form of the answer (see `forms.form_of`); never its reference. Where there
is no training split, the constant is learnt from all test labels together, and the note says so.
"""

from medrag.evaluation.floors.answers import FLOORS, Floor, floor_answers, why_left_out

__all__ = ["FLOORS", "Floor", "floor_answers", "why_left_out"]
