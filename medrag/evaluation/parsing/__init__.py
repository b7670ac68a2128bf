"""The text of an answer, read once into what it says: yes or no, letters, a number, boxes, text."""

from medrag.evaluation.parsing.display import shown
from medrag.evaluation.parsing.reading import parse_answer

__all__ = ["parse_answer", "shown"]
