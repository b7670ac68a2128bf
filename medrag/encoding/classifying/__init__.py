"""Domains of questions: by what describes them, what was learnt of them, or their words."""

from medrag.encoding.classifying.linear import LinearClassifier
from medrag.encoding.classifying.words import WordsClassifier
from medrag.encoding.classifying.zero_shot import ZeroShotClassifier

__all__ = ["LinearClassifier", "WordsClassifier", "ZeroShotClassifier"]
